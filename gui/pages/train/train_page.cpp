// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/train/train_page.h"

#include <QHeaderView>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>

#include "gui/pages/train/run_setup_panel.h"
#include "gui/pages/train/speed_panel.h"
#include "gui/widgets/empty_state.h"
#include "gui/widgets/event_delegate.h"
#include "gui/widgets/label.h"
#include "gui/widgets/panel_header.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kRefreshMs = 250;  // drawing the curves is what a window costs the training
constexpr int kNarrow = 1200, kRightWidth = 350;

/// The metric that is shown first: the one that is monitored, or the run's first; empty in a run without any.
std::string mainMetric(const TrainingSpec& training) {
  const auto metrics = metricsOf(training);
  const auto monitored = withoutVal(monitorOf(training));
  if (std::find(metrics.begin(), metrics.end(), monitored) != metrics.end()) return monitored;
  return metrics.empty() ? std::string() : metrics.front();
}

QTableView* makeTable(QAbstractItemModel* model, QWidget* parent) {
  auto* table = new QTableView(parent);
  table->setModel(model);
  table->setShowGrid(false);
  table->setFrameShape(QFrame::NoFrame);
  table->verticalHeader()->hide();
  table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  table->verticalHeader()->setDefaultSectionSize(22);
  table->setSelectionBehavior(QAbstractItemView::SelectRows);
  table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  table->setTabKeyNavigation(false);
  table->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  return table;
}

}  // namespace

TrainPage::TrainPage(Theme& theme, Document& document, TrainingSession& session, QWidget* parent)
    : QWidget(parent), m_session(session) {
  setObjectName("trainPage");
  setProperty("ground", "surface");
  setAttribute(Qt::WA_StyledBackground);
  auto* setup = new RunSetupPanel(theme, document, session, this);
  setup->setMinimumWidth(268);
  m_samples = new SamplesPanel(theme, session, this);
  auto* right = m_right = new QWidget(this);
  auto* rightColumn = new QVBoxLayout(right);
  rightColumn->setContentsMargins(0, 0, 0, 0);
  rightColumn->setSpacing(0);
  rightColumn->addWidget(m_samples, 5);
  rightColumn->addWidget(makeLine(right));
  rightColumn->addWidget(new SpeedPanel(theme, session, right), 2);
  auto* splitter = m_splitter = new QSplitter(this);
  splitter->setObjectName("trainSplitter");
  splitter->addWidget(setup);
  splitter->addWidget(makeCentre(theme));
  splitter->addWidget(right);
  splitter->setStretchFactor(1, 1);
  splitter->setSizes({268, 820, kRightWidth});
  splitter->setCollapsible(1, false);
  auto* row = new QVBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->addWidget(splitter);
  m_refresh.setSingleShot(true);
  m_refresh.setInterval(kRefreshMs);
  connect(&m_refresh, &QTimer::timeout, this, &TrainPage::refresh);
  const auto soon = [this] {
    if (isVisible() && !m_refresh.isActive()) m_refresh.start();
  };
  connect(&session, &TrainingSession::progressed, this, soon);
  connect(&session, &TrainingSession::stateChanged, this, &TrainPage::refreshEmptyState);
  connect(&session, &TrainingSession::datasetChanged, this, &TrainPage::refreshEmptyState);
  connect(&session, &TrainingSession::runStarted, this, &TrainPage::startRun);
  connect(&session, &TrainingSession::historyChanged, this, &TrainPage::takeHistory);
  connect(&session, &TrainingSession::epochDone, this, &TrainPage::takeEpoch);
  connect(&session, &TrainingSession::finished, this, &TrainPage::finishRun);
  connect(&session, &TrainingSession::note, this, [this](NoteEvent::Level level, const QString& text) {
    m_events.add(level == NoteEvent::Level::Warning ? EventsModel::Kind::Warning : EventsModel::Kind::Change, text);
  });
  connect(m_samples, &SamplesPanel::openInTest, this, &TrainPage::openInTest);
  connect(&m_events, &QAbstractItemModel::rowsInserted, this, [this] {
    const int n = m_events.warnings();
    m_warnings->setText(counted(n, tr("1 warning"), tr("%1 warnings")));
    m_warnings->setVisible(n > 0);
  });
  refreshEmptyState();
}

QWidget* TrainPage::makeTiles(const Theme& theme) {
  auto* bar = new QWidget(this);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(0);
  const auto add = [&](NumberTile*& tile, const QString& caption, const char* tone, const char* name, int stretch) {
    auto* cell = new QWidget(bar);  // the tile with the line at its left, so that both go when it is hidden
    auto* inside = new QHBoxLayout(cell);
    inside->setContentsMargins(0, 0, 0, 0);
    inside->setSpacing(0);
    if (row->count() > 0) inside->addWidget(makeLine(cell, Qt::Vertical));
    tile = new NumberTile(theme, caption, tone, cell);
    tile->setObjectName(name);
    inside->addWidget(tile, 1);
    row->addWidget(cell, stretch);
  };
  add(m_trainLoss, tr("Training loss"), "train", "tileTrainLoss", 4);
  add(m_valLoss, tr("Validation loss"), "val", "tileValLoss", 4);
  add(m_valMetric, tr("Validation accuracy"), "val", "tileValMetric", 5);
  add(m_best, tr("Best so far"), "text", "tileBest", 5);
  add(m_epochTime, tr("Time per epoch"), "text", "tileEpochTime", 4);
  return bar;
}

QWidget* TrainPage::makeEvents(const Theme& theme) {
  auto* box = new QWidget(this);
  auto* header = new PanelHeader(theme, tr("Events"), box);
  m_warnings = makeLabel(theme, {}, Theme::Text::Caption, "warn", box);
  m_warnings->setProperty("badge", "warn");
  m_warnings->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
  m_warnings->hide();
  header->addWidget(m_warnings);
  auto* which = new Segment({tr("Events"), tr("Epochs")}, box);
  which->setObjectName("eventsOrEpochs");
  header->addWidget(which);
  auto* events = makeTable(&m_events, box);
  events->setObjectName("events");
  events->setAccessibleName(tr("Events"));
  events->horizontalHeader()->hide();
  events->setItemDelegate(new EventDelegate(theme, events));
  events->setColumnWidth(EventsModel::Time, 74);
  events->setColumnWidth(EventsModel::Icon, 26);
  events->horizontalHeader()->setStretchLastSection(true);
  auto* epochs = makeTable(&m_metrics, box);
  epochs->setObjectName("epochs");
  epochs->setAccessibleName(tr("Figures of every epoch"));
  epochs->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
  auto* stack = new QStackedWidget(box);
  stack->addWidget(events);
  stack->addWidget(epochs);
  connect(which, &Segment::currentChanged, stack, &QStackedWidget::setCurrentIndex);
  auto* column = new QVBoxLayout(box);
  column->setContentsMargins(0, 0, 0, 4);
  column->setSpacing(0);
  column->addWidget(header);
  column->addWidget(stack, 1);
  box->setMinimumHeight(80);
  return box;
}

QWidget* TrainPage::makeCentre(const Theme& theme) {
  m_curves = new CurvesPanel(theme, m_session, m_metrics, this);
  connect(m_curves, &CurvesPanel::metricChosen, this, [this] {
    showCaptions();
    refreshTiles();
  });
  auto* top = new QWidget(this);
  auto* column = new QVBoxLayout(top);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(makeTiles(theme));
  column->addWidget(makeLine(top));
  column->addWidget(m_curves, 1);
  auto* splitter = new QSplitter(Qt::Vertical, this);
  splitter->addWidget(top);
  splitter->addWidget(makeEvents(theme));
  splitter->setStretchFactor(0, 1);
  splitter->setSizes({620, 150});
  m_empty = new EmptyState(theme, {}, tr("Start"), this);
  m_empty->button()->setProperty("primary", true);
  m_empty->button()->setObjectName("startFromEmpty");
  connect(m_empty, &EmptyState::clicked, this, [this] { m_session.perform(TrainingSession::Action::Start); });
  m_centre = new QStackedWidget(this);
  m_centre->addWidget(m_empty);
  m_centre->addWidget(splitter);
  m_centre->setMinimumWidth(392);  // the buttons over the curves
  return m_centre;
}

void TrainPage::refreshEmptyState() {
  m_centre->setCurrentIndex(m_session.hasRun() ? 1 : 0);
  if (m_session.hasRun()) return;
  const auto blocked = m_session.blockedReason(TrainingSession::Action::Start);
  const auto data = m_session.dataset() ? QString::fromStdString(m_session.dataset()->title) : QString();
  m_empty->setSentence(blocked.isEmpty() ? tr("No run yet. Start trains this net on %1.").arg(data)
                                         : tr("No run yet. %1.").arg(blocked));
  m_empty->button()->setEnabled(blocked.isEmpty());
}

void TrainPage::startRun() {
  m_events.clear();
  m_warnings->hide();
  const auto& run = m_session.run();
  m_metrics.setMetrics(metricsOf(run.project.training));
  m_metrics.setMetric(mainMetric(run.project.training));
  showCaptions();
  showTiles();
  m_events.add(EventsModel::Kind::Info,
               tr("Run %1 on %2, %3, seed %4.")
                   .arg(QString::fromStdString(run.name), QString::fromStdString(run.datasetTitle),
                        counted(run.project.training.epochs, tr("1 epoch"), tr("%1 epochs")))
                   .arg(run.project.training.seed));
  if (run.synthetic)
    m_events.add(EventsModel::Kind::Warning,
                 tr("These are synthetic digits, not MNIST: the figures are not comparable."));
  takeHistory();
  m_curves->newRun();
  refreshEmptyState();
}

void TrainPage::showCaptions() {
  const auto& project = m_session.run().project;
  const bool onTestSet = project.data.validation == ValidationSource::TestSet;
  const auto of = onTestSet ? tr("Test set %1") : tr("Validation %1");
  m_valLoss->setCaption(of.arg(figureName("loss")));
  m_valMetric->setCaption(of.arg(figureName(m_metrics.metricId())));
  m_best->setCaption(
      (onTestSet ? tr("Best test set %1") : tr("Best validation %1")).arg(figureName(monitorOf(project.training))));
}

void TrainPage::takeHistory() {
  const auto& run = m_session.run();
  m_metrics.clear();
  for (const auto& epoch : run.epochs) m_metrics.appendEpoch(epoch, epoch.epoch == run.bestEpoch);
  refresh();
}

/// "accuracy 98.00 % and 97.00 %; ", or nothing.
QString TrainPage::metricWords(const EpochRecord& record) const {
  const auto id = mainMetric(m_session.run().project.training);
  if (id.empty()) return {};
  return tr("%1 %2 and %3; ")
      .arg(figureName(id), figureText(id, record.value(id)), figureText(id, record.value(withVal(id))));
}

void TrainPage::takeEpoch(const EpochRecord& record, bool best) {
  m_metrics.appendEpoch(record, best);
  m_events.add(EventsModel::Kind::Info, tr("Epoch %1 done: loss %2 training, %3 validation; %4%5 s")
                                            .arg(record.epoch)
                                            .arg(lossText(record.loss), lossText(record.valLoss), metricWords(record))
                                            .arg(record.epochSeconds, 0, 'f', 1));
  const auto monitor = monitorOf(m_session.run().project.training);
  if (best)
    m_events.add(EventsModel::Kind::Best, tr("New best: validation %1 %2 at epoch %3. Its weights are kept.")
                                              .arg(figureName(monitor), figureText(monitor, record.value(monitor)))
                                              .arg(record.epoch));
  if (isVisible()) refresh();
}

void TrainPage::finishRun() {
  const auto& run = m_session.run();
  if (run.state == "finished") m_events.add(EventsModel::Kind::Info, tr("The run is finished."));
  if (run.state == "stopped")
    m_events.add(EventsModel::Kind::Info, tr("The run was stopped. Weights and curves are kept; Continue goes on."));
  if (isVisible()) refresh();
}

void TrainPage::refresh() {
  m_curves->refresh();
  refreshTiles();
}

void TrainPage::refreshTiles() {
  const auto& epochs = m_metrics.epochs();
  const auto& smooth = m_metrics.loss().smooth;
  if (!smooth.isEmpty()) m_trainLoss->set(lossText(smooth.last()), tr("smoothed"));
  else m_trainLoss->set("—", {});
  if (epochs.empty()) {
    for (auto* tile : {m_valLoss, m_valMetric, m_best, m_epochTime}) tile->set("—", {});
    return;
  }
  const auto& last = epochs.back();
  m_valLoss->set(lossText(last.valLoss), tr("epoch %1").arg(last.epoch));
  const auto shown = withVal(m_metrics.metricId());
  m_valMetric->set(figureText(shown, last.value(shown)), tr("epoch %1").arg(last.epoch));
  const int best = m_metrics.bestEpoch();
  const auto monitor = monitorOf(m_session.run().project.training);
  if (best > 0)
    m_best->set(figureText(monitor, epochs[std::size_t(best - 1)].value(monitor)), tr("epoch %1, kept").arg(best));
  m_epochTime->set(tr("%1 s").arg(last.epochSeconds, 0, 'f', 1),
                   tr("elapsed %1").arg(duration(m_session.elapsedSeconds())));
}

void TrainPage::showTiles() {
  const bool metric = !m_metrics.metricId().empty();
  m_valMetric->parentWidget()->setVisible(metric);
  m_valLoss->parentWidget()->setVisible(!m_narrow || !metric);
  m_epochTime->parentWidget()->setVisible(!m_narrow);
}

/// In a small window figures that can be read elsewhere give way, and the samples take no more width than their
/// buttons.
void TrainPage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  const bool narrow = width() < kNarrow;
  if (narrow == m_narrow) return;
  m_narrow = narrow;
  showTiles();
  for (auto* tile : {m_trainLoss, m_valLoss, m_valMetric, m_best}) tile->setHintShown(!narrow);
  m_curves->setNarrow(narrow);
  m_samples->setNarrow(narrow);
  auto sizes = m_splitter->sizes();
  sizes[1] += sizes[2];
  sizes[2] = narrow ? m_right->minimumSizeHint().width() : kRightWidth;
  sizes[1] = std::max(1, sizes[1] - sizes[2]);
  m_splitter->setSizes(sizes);
}

void TrainPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  refresh();
}

}  // namespace strata::gui

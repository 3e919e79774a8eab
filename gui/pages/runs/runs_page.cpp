// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/runs/runs_page.h"

#include <QDesktopServices>
#include <QHeaderView>
#include <QKeyEvent>
#include <QSplitter>
#include <QUrl>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "gui/widgets/diff_delegate.h"
#include "gui/widgets/elided_text.h"
#include "gui/widgets/empty_state.h"
#include "gui/widgets/label.h"
#include "gui/widgets/run_delegates.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kNarrow = 1300, kLessThanAll = 1420;
constexpr int kReloadMs = 3000;  ///< between two looks at runs of other processes

double meanSeconds(const RunRecord& run) {
  double sum = 0;
  for (const auto& e : run.epochs) sum += e.epochSeconds;
  return run.epochs.empty() ? NAN : sum / double(run.epochs.size());
}

QString bestText(const RunRecord& run) {
  const auto [best, epoch] = bestOf(run);
  return epoch > 0 ? figureText(monitorOf(run.project.training), best) : QStringLiteral("—");
}

/// "accuracy 97.00 % → 98.00 %", "accuracy 97.00 % → loss 0.0123".
QString bestWords(const RunRecord& a, const RunRecord& b) {
  const auto monitorA = monitorOf(a.project.training), monitorB = monitorOf(b.project.training);
  const auto second = monitorA == monitorB ? bestText(b) : figureName(monitorB) + ' ' + bestText(b);
  return RunsPage::tr("%1 %2 → %3").arg(figureName(monitorA), bestText(a), second);
}

QPushButton* makeButton(const Theme& theme, const char* icon, const QString& text, const char* name, QWidget* parent) {
  auto* button = new QPushButton(theme.icon(icon), text, parent);
  button->setObjectName(name);
  return button;
}

}  // namespace

RunsPage::RunsPage(Theme& theme, Document& document, TrainingSession& session, QWidget* parent)
    : QWidget(parent), m_theme(theme), m_document(document), m_session(session), m_references(referenceRuns()) {
  setObjectName("runsPage");
  setProperty("ground", "surface");
  setAttribute(Qt::WA_StyledBackground);
  m_proxy.setSourceModel(&m_model);
  m_proxy.setSortRole(RunsModel::SortRole);
  m_proxy.setFilterKeyColumn(-1);
  m_proxy.setFilterCaseSensitivity(Qt::CaseInsensitive);
  auto* tools = makeTools(theme);
  auto* lower = new QSplitter(this);
  lower->setObjectName("runsLowerSplitter");
  m_curves = new RunCurves(theme, m_model, this);
  lower->addWidget(m_curves);
  lower->addWidget(makeDifferences(theme));
  lower->setSizes({664, 776});
  auto* splitter = new QSplitter(Qt::Vertical, this);
  splitter->setObjectName("runsSplitter");
  splitter->addWidget(makeTable(theme));
  splitter->addWidget(lower);
  splitter->setSizes({400, 360});
  splitter->setChildrenCollapsible(false);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(tools);
  column->addWidget(makeLine(this));
  column->addWidget(splitter, 1);
  connect(&m_loader, &RunsLoader::loaded, this, &RunsPage::takeRuns);
  connect(&m_reload, &QTimer::timeout, this, [this] {
    const auto elsewhere = [](const RunRecord& run) { return !run.holder.empty(); };
    const bool renaming = m_table->viewport()->findChild<QLineEdit*>();  // new rows would take the name away
    if (!renaming && std::any_of(m_model.runs().begin(), m_model.runs().end(), elsewhere)) m_loader.load();
  });
  connect(&m_model, &RunsModel::shownChanged, this, &RunsPage::refreshPlot);
  connect(&m_model, &RunsModel::comparedChanged, this, &RunsPage::refreshDifferences);
  connect(&m_model, &RunsModel::renamed, this, &RunsPage::rename);
  connect(&session, &TrainingSession::runStarted, this, &RunsPage::takeSession);
  connect(&session, &TrainingSession::historyChanged, this, &RunsPage::takeSession);
  connect(&session, &TrainingSession::epochDone, this, &RunsPage::takeSession);
  connect(&session, &TrainingSession::finished, this, &RunsPage::takeSession);
  connect(&session, &TrainingSession::stateChanged, this, &RunsPage::refreshButtons);
  takeRuns();
}

QWidget* RunsPage::makeTools(const Theme& theme) {
  auto* bar = new QWidget(this);
  m_search = new QLineEdit(bar);
  m_search->setObjectName("runsFilter");
  m_search->setPlaceholderText(tr("Filter runs"));
  m_search->addAction(theme.icon("filter"), QLineEdit::LeadingPosition);
  m_search->setClearButtonEnabled(true);
  m_search->setMaximumWidth(300);
  m_count = makeLabel(theme, {}, Theme::Text::Caption, "text2", bar);
  m_shown = new ElidedText(theme, "text2", bar);
  m_shown->setFont(theme.font(Theme::Text::Caption));
  m_shown->setWholeOnly();
  m_compare = makeButton(theme, "copy", tr("Compare"), "compareRun", bar);
  m_continue = makeButton(theme, "play", tr("Continue"), "continueRun", bar);
  m_build = makeButton(theme, "build", tr("Open in Build"), "openInBuild", bar);
  m_folder = makeButton(theme, "data", tr("Open folder"), "openFolder", bar);
  m_archive = makeButton(theme, "save", tr("Archive"), "archiveRun", bar);
  m_undo = makeButton(theme, "undo", tr("Undo archive"), "undoArchive", bar);
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(12, 6, 12, 6);
  row->setSpacing(8);
  row->addWidget(m_search, 2);
  row->addWidget(m_count);
  row->addStretch(1);
  row->addWidget(m_shown);
  row->addWidget(m_undo);
  for (auto* button : {m_compare, m_continue, m_build, m_folder, m_archive}) row->addWidget(button);
  connect(m_search, &QLineEdit::textChanged, this, &RunsPage::filter);
  connect(m_compare, &QPushButton::clicked, this, &RunsPage::toggleCompared);
  connect(m_continue, &QPushButton::clicked, this, &RunsPage::continueRun);
  connect(m_build, &QPushButton::clicked, this, [this] { openRunInBuild(currentRow()); });
  connect(m_folder, &QPushButton::clicked, this, &RunsPage::openFolder);
  connect(m_archive, &QPushButton::clicked, this, &RunsPage::archive);
  connect(m_undo, &QPushButton::clicked, this, &RunsPage::undoArchive);
  refreshUndo();
  return bar;
}

QWidget* RunsPage::makeTable(const Theme& theme) {
  m_table = new QTableView(this);
  m_table->setObjectName("runsTable");
  m_table->setAccessibleName(tr("Runs"));
  m_table->setModel(&m_proxy);
  m_table->setItemDelegate(new RunDelegate(theme, m_table));
  m_table->setShowGrid(false);
  m_table->setFrameShape(QFrame::NoFrame);
  m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
  m_table->setSelectionMode(QAbstractItemView::SingleSelection);
  m_table->setEditTriggers(QAbstractItemView::EditKeyPressed);
  m_table->setTabKeyNavigation(false);
  m_table->setMouseTracking(true);
  m_table->setSortingEnabled(true);
  m_table->sortByColumn(RunsModel::Started, Qt::DescendingOrder);
  m_table->verticalHeader()->hide();
  m_table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  m_table->verticalHeader()->setDefaultSectionSize(32);
  auto* header = m_table->horizontalHeader();
  header->setFont(theme.font(Theme::Text::Caption));
  header->setHighlightSections(false);
  header->setMinimumSectionSize(40);
  static constexpr int kWidths[RunsModel::ColumnCount] = {70, 236, 100, 0, 86, 76, 78, 92, 70, 76, 84, 116, 96, 148};
  for (int i = 0; i < RunsModel::ColumnCount; ++i) m_table->setColumnWidth(i, kWidths[i]);
  header->setSectionResizeMode(RunsModel::Net, QHeaderView::Stretch);  // what is too long there is elided first
  m_table->installEventFilter(this);
  m_table->viewport()->installEventFilter(this);
  m_noRuns = new EmptyState(theme, {}, tr("Clear filter"), this);
  connect(m_noRuns, &EmptyState::clicked, this, [this] { m_search->clear(); });
  m_tableStack = new QStackedWidget(this);
  m_tableStack->addWidget(m_table);
  m_tableStack->addWidget(m_noRuns);
  connect(m_table->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &RunsPage::refreshButtons);
  return m_tableStack;
}

QWidget* RunsPage::makeDifferences(const Theme& theme) {
  auto* box = new QWidget(this);
  m_differencesHeader = new PanelHeader(theme, tr("Differences"), box);
  m_swap = new QPushButton(tr("Swap A and B"), box);
  m_swap->setObjectName("swapAB");
  m_buildB = new QPushButton(tr("Open B in Build"), box);
  m_differencesHeader->addWidget(m_swap);
  m_differencesHeader->addWidget(m_buildB);
  auto* table = new QTableView(box);
  table->setObjectName("differences");
  table->setAccessibleName(tr("Differences of run A and run B, layer by layer"));
  table->setModel(&m_differences);
  table->setItemDelegate(new DiffDelegate(theme, table));
  table->setShowGrid(false);
  table->setFrameShape(QFrame::NoFrame);
  table->verticalHeader()->hide();
  table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  table->verticalHeader()->setDefaultSectionSize(24);
  table->setSelectionMode(QAbstractItemView::NoSelection);
  table->setTabKeyNavigation(false);
  table->horizontalHeader()->setFont(theme.font(Theme::Text::Caption));
  table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
  table->horizontalHeader()->setSectionResizeMode(DiffModel::A, QHeaderView::Stretch);
  table->horizontalHeader()->setSectionResizeMode(DiffModel::B, QHeaderView::Stretch);
  table->horizontalHeader()->setMinimumSectionSize(24);
  m_facts = makeLabel(theme, {}, Theme::Text::Body, "text", box);
  m_facts->setContentsMargins(12, 6, 12, 8);
  m_facts->setWordWrap(true);
  auto* content = new QWidget(box);
  auto* inside = new QVBoxLayout(content);
  inside->setContentsMargins(0, 0, 0, 0);
  inside->setSpacing(0);
  inside->addWidget(table, 1);
  inside->addWidget(makeLine(content));
  inside->addWidget(m_facts);
  m_differencesStack = new QStackedWidget(box);
  m_differencesStack->addWidget(
      new EmptyState(theme, tr("Choose a run and press A, then another one: their nets are compared here."), {}, box));
  m_differencesStack->addWidget(content);
  auto* column = new QVBoxLayout(box);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(m_differencesHeader);
  column->addWidget(makeLine(box));
  column->addWidget(m_differencesStack, 1);
  connect(m_swap, &QPushButton::clicked, &m_model, &RunsModel::swapCompared);
  connect(m_buildB, &QPushButton::clicked, this, [this] { openRunInBuild(m_model.rowB()); });
  return box;
}

/// A small window keeps the columns that runs are chosen by; the others are in the comparison.
void RunsPage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  for (const int column : {RunsModel::BestEpoch, RunsModel::Validated})
    m_table->setColumnHidden(column, width() < kLessThanAll);
  for (const int column : {RunsModel::Parameters, RunsModel::Monitored, RunsModel::Device})
    m_table->setColumnHidden(column, width() < kNarrow);
}

void RunsPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  m_loader.load();
  m_reload.start(kReloadMs);
  refreshPlot();
}

void RunsPage::hideEvent(QHideEvent* event) {
  m_reload.stop();
  QWidget::hideEvent(event);
}

void RunsPage::takeRuns() {
  const QModelIndex chosen = m_table->currentIndex();
  const Path kept = currentRow() < 0 ? Path() : m_model.run(currentRow()).folder;
  auto runs = m_loader.runs();
  runs.insert(runs.end(), m_references.begin(), m_references.end());
  m_model.setRuns(std::move(runs));
  std::error_code unknown;
  const bool there = m_session.active() || std::filesystem::exists(m_session.run().folder, unknown);
  if (m_session.hasRun() && there) m_model.update(m_session.run());
  filter(m_search->text());
  if (const int row = m_model.rowOf(kept); row >= 0)
    m_table->setCurrentIndex(m_proxy.mapFromSource(m_model.index(row, chosen.column())));
  refreshButtons();
}

void RunsPage::takeSession() {
  m_model.update(m_session.run());
  filter(m_search->text());
}

void RunsPage::filter(const QString& words) {
  m_proxy.setFilterFixedString(words);
  const int all = m_model.rowCount(), shown = m_proxy.rowCount();
  m_count->setText(shown < all ? tr("%1 of %2 runs").arg(shown).arg(all) : counted(all, tr("1 run"), tr("%1 runs")));
  const QStringList& unsound = m_loader.problems();
  if (!unsound.isEmpty()) m_count->setText(tr("%1, %2 unreadable").arg(m_count->text()).arg(unsound.size()));
  m_count->setToolTip(unsound.join('\n'));
  m_noRuns->setSentence(all == 0 ? tr("No run yet. Start one on the Train page.")
                                 : tr("No run matches '%1'.").arg(words));
  m_noRuns->button()->setVisible(all > 0);
  m_tableStack->setCurrentIndex(shown == 0 ? 1 : 0);
}

void RunsPage::refreshPlot() {
  m_shown->setText(tr("%1 shown in the plot, %2 compared")
                       .arg(m_model.shownCount())
                       .arg((m_model.rowA() >= 0) + (m_model.rowB() >= 0)));
  m_curves->refresh();
}

void RunsPage::refreshDifferences() {
  refreshPlot();
  refreshButtons();
  const int a = m_model.rowA(), b = m_model.rowB();
  const bool both = a >= 0 && b >= 0;
  m_differencesStack->setCurrentIndex(both ? 1 : 0);
  m_swap->setEnabled(both);
  m_buildB->setEnabled(both);
  m_swap->setToolTip(both ? tr("Compare the other way round") : tr("Choose two runs to compare first"));
  m_buildB->setToolTip(both ? tr("Make B's net and settings the open document") : m_swap->toolTip());
  m_differencesHeader->setHint({});
  if (!both) return m_differences.clear();
  const auto &runA = m_model.run(a), &runB = m_model.run(b);
  m_differences.setNets(runA.project.network, runB.project.network);
  QStringList words;
  if (m_differences.changed()) words << tr("%1 changed").arg(m_differences.changed());
  if (m_differences.added()) words << tr("%1 added").arg(m_differences.added());
  if (m_differences.removed()) words << tr("%1 removed").arg(m_differences.removed());
  m_differencesHeader->setHint(words.isEmpty() ? tr("A and B have the same net") : words.join(", "));
  const auto seconds = [](const RunRecord& run) { return QString::number(meanSeconds(run), 'f', 2); };
  const auto onA = validationText(runA), onB = validationText(runB);
  m_facts->setText(tr("A %1, B %2.   Best %3   ·   s / epoch %4 → %5   ·   validated on %6")
                       .arg(runTitle(runA), runTitle(runB), bestWords(runA, runB), seconds(runA), seconds(runB),
                            onA == onB ? onA : tr("%1 → %2").arg(onA, onB)));
}

int RunsPage::currentRow() const {
  const auto index = m_proxy.mapToSource(m_table->currentIndex());
  return index.isValid() ? index.row() : -1;
}

void RunsPage::refreshButtons() {
  const int row = currentRow();
  const bool own = row >= 0 && !m_model.run(row).reference;
  const QString busy = own ? busyReason(row) : QString();
  const auto set = [](QPushButton* button, const QString& blocked, const QString& tip) {
    button->setEnabled(blocked.isEmpty());
    button->setToolTip(blocked.isEmpty() ? tip : blocked);
  };
  const auto choose = row < 0 ? tr("Choose a run first") : tr("A reference is a log, not a run of this studio");
  set(m_compare, own ? QString() : choose, tr("Take the run into the comparison, as A or B (A)"));
  set(m_build, own ? QString() : choose, tr("Make the run's net and settings the open document"));
  set(m_folder, own ? QString() : choose, tr("Show the run's files"));
  set(m_archive, own ? busy : choose, tr("Move the run's folder to the archive (Del); it can be brought back"));
  QString blocked = own ? QString() : choose;
  if (!busy.isEmpty()) blocked = busy;
  else if (own && m_session.active()) blocked = tr("Stop the run in progress first");
  else if (own && (!m_session.dataset() || m_session.dataset()->title != m_model.run(row).datasetTitle))
    blocked = tr("Load %1 on the Data page first").arg(QString::fromStdString(m_model.run(row).datasetTitle));
  else if (own && !hasCheckpoint(m_model.run(row).folder))
    blocked = tr("The run's folder holds no checkpoint to go on from");
  set(m_continue, blocked, tr("Train to its planned end, or %1 epochs more").arg(TrainingSession::kMoreEpochs));
}

void RunsPage::toggleShown() {
  const int row = currentRow();
  if (row >= 0)
    m_model.setData(m_model.index(row, RunsModel::Show), m_model.shown(row) ? Qt::Unchecked : Qt::Checked,
                    Qt::CheckStateRole);
}

void RunsPage::toggleCompared() {
  const int row = currentRow();
  if (row >= 0 && !m_model.run(row).reference) m_model.toggleCompared(row);
}

void RunsPage::rename(int row, const QString& name) {
  try {
    renameRun(m_model.run(row).folder, name.toStdString());
  } catch (const Error& error) {
    emit failed(QString::fromUtf8(error.what()));
    m_loader.load();
  }
}

void RunsPage::openFolder() {
  const int row = currentRow();
  if (row >= 0)
    QDesktopServices::openUrl(QUrl::fromLocalFile(QString::fromStdString(m_model.run(row).folder.string())));
}

void RunsPage::openRunInBuild(int row) {
  if (row < 0 || m_model.run(row).reference) return;
  const auto project = m_model.run(row).project;
  m_document.edit(tr("Open run in Build"), [&project](Project& document) { document = project; });
  emit openInBuild();
}

QString RunsPage::busyReason(int row) const {
  const RunRecord& run = m_model.run(row);
  if (m_session.active() && run.folder == m_session.run().folder) return tr("Stop the run first");
  return run.holder.empty() ? QString() : tr("The run is being trained by %1").arg(QString::fromStdString(run.holder));
}

void RunsPage::archive() {
  const int row = currentRow();
  if (row < 0 || !m_archive->isEnabled()) return;
  const RunRecord& run = m_model.run(row);
  try {
    m_archived.push_back({runTitle(run), run.folder, moveRun(run.folder, userDataDir() / "archive")});
  } catch (const std::exception& error) {
    emit failed(QString::fromUtf8(error.what()));
  }
  refreshUndo();
  m_loader.load();
}

void RunsPage::undoArchive() {
  if (m_archived.empty()) return;
  try {
    moveRun(m_archived.back().to, m_archived.back().from.parent_path());
  } catch (const std::exception& error) {
    emit failed(QString::fromUtf8(error.what()));
  }
  m_archived.pop_back();
  refreshUndo();
  m_loader.load();
}

void RunsPage::refreshUndo() {
  const bool can = !m_archived.empty();
  m_undo->setVisible(can);
  m_shown->setVisible(!can);  // there is room for one of them
  if (can) m_undo->setToolTip(tr("Bring “%1” back out of the archive (Ctrl+Z)").arg(m_archived.back().title));
}

void RunsPage::continueRun() {
  const int row = currentRow();
  if (row >= 0) m_session.continueRun(m_model.run(row).folder);
}

/// Ctrl+F finds a run here, and Ctrl+Z brings back one that was archived; elsewhere they are the window's.
bool RunsPage::event(QEvent* event) {
  if (event->type() == QEvent::ShortcutOverride) {
    const auto* key = static_cast<QKeyEvent*>(event);
    if (key->matches(QKeySequence::Find) || (key->matches(QKeySequence::Undo) && !m_archived.empty())) {
      event->accept();
      return true;
    }
  }
  return QWidget::event(event);
}

void RunsPage::keyPressEvent(QKeyEvent* event) {
  if (event->matches(QKeySequence::Find)) m_search->setFocus(Qt::ShortcutFocusReason);
  else if (event->matches(QKeySequence::Undo)) undoArchive();
  else QWidget::keyPressEvent(event);
}

bool RunsPage::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_table && event->type() == QEvent::KeyPress) {
    switch (static_cast<QKeyEvent*>(event)->key()) {
      case Qt::Key_Space:
        toggleShown();
        return true;
      case Qt::Key_A:
        toggleCompared();
        return true;
      case Qt::Key_Delete:
        archive();
        return true;
      case Qt::Key_F2:
        m_table->edit(m_table->currentIndex().siblingAtColumn(RunsModel::Name));
        return true;
      default:
        break;
    }
  }
  if (watched == m_table->viewport() && event->type() == QEvent::MouseButtonRelease) {
    const auto index = m_table->indexAt(static_cast<QMouseEvent*>(event)->pos());
    if (index.column() == RunsModel::Show) toggleShown();
  }
  return QWidget::eventFilter(watched, event);
}

}  // namespace strata::gui

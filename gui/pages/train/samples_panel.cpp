// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/train/samples_panel.h"

#include <QVBoxLayout>
#include <algorithm>
#include <numeric>

#include "gui/widgets/empty_state.h"
#include "gui/widgets/label.h"
#include "gui/widgets/panel_header.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kRankAgainMs = 5000;  ///< epochs may be short or long

}  // namespace

SamplesPanel::SamplesPanel(const Theme& theme, TrainingSession& session, QWidget* parent)
    : QWidget(parent), m_session(session) {
  auto* header = new PanelHeader(theme, tr("Test samples"), this);
  m_title = header->titleLabel();
  m_order = new Segment({tr("In order"), tr("Wrong"), tr("Least sure")}, this);
  m_order->setObjectName("sampleOrder");
  m_order->setCurrent(LeastSure);
  header->addWidget(m_order);
  m_hint = new ElidedText(theme, "text2", this);
  m_hint->setFont(theme.font(Theme::Text::Caption));
  m_hint->setObjectName("samplesOf");
  m_wrong = new ElidedText(theme, "bad", this);
  m_wrong->setFont(theme.font(Theme::Text::Caption));
  m_wrong->setObjectName("samplesWrong");
  m_view = new TileView(theme, kColumns, kTiles / kColumns, this);
  m_view->setObjectName("sampleTiles");
  m_view->setAccessibleName(tr("Test samples"));
  m_view->setModel(&m_model);
  m_empty = new EmptyState(theme, {}, {}, this);
  m_stack = new QStackedWidget(this);
  m_stack->addWidget(m_empty);
  m_stack->addWidget(m_view);
  auto* hints = new QVBoxLayout;
  hints->setContentsMargins(12, 6, 12, 4);
  hints->setSpacing(2);
  hints->addWidget(m_hint);
  hints->addWidget(m_wrong);
  auto* tiles = new QHBoxLayout;
  tiles->setContentsMargins(12, 0, 10, 4);
  tiles->addWidget(m_stack);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(header);
  column->addWidget(makeLine(this));
  column->addLayout(hints);
  column->addLayout(tiles, 1);
  connect(&session, &TrainingSession::runStarted, this, &SamplesPanel::reset);
  connect(&session, &TrainingSession::snapshotReady, this, &SamplesPanel::takeSnapshot);
  connect(&session, &TrainingSession::stateChanged, this, [this] {
    // What stands still is ranked by its last weights.
    if (m_session.state() != Trainer::State::Running) takeSnapshot();
  });
  connect(m_order, &Segment::currentChanged, this, &SamplesPanel::showRanked);
  connect(m_view, &QListView::activated, this,
          [this](const QModelIndex& i) { emit openInTest(i.data(SamplesModel::VerdictRole).value<Verdict>().index); });
  connect(m_view, &QListView::clicked, this,
          [this](const QModelIndex& i) { emit openInTest(i.data(SamplesModel::VerdictRole).value<Verdict>().index); });
  connect(&m_worker, &PredictionWorker::failed, this,
          [this](PredictionWorker::Kind, const QString& reason) { m_hint->setText(reason); });
  reset();
}

/// Why there is nothing to see of the run at hand.
QString SamplesPanel::emptyText() const {
  const auto& data = m_session.runDataset();
  if (m_session.hasRun() && m_session.run().project.training.loss.def().target != TargetKind::ClassIndex)
    return tr("This net is trained to give back its samples: it names no class.");
  if (m_session.hasRun() && data && data->test.count == 0)
    return tr("%1 has no test images.").arg(QString::fromStdString(data->title));
  return tr("No weights yet: pictures with the net's answers appear as soon as a run has started.");
}

void SamplesPanel::reset() {
  m_empty->setSentence(emptyText());
  m_worker.forget();
  m_ranked.clear();
  m_model.setSamples(m_session.runDataset(), true);
  m_stack->setCurrentIndex(0);
  m_hint->setText({});
  m_wrong->setText({});
}

void SamplesPanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  takeSnapshot();
}

void SamplesPanel::setNarrow(bool narrow) {
  m_title->setVisible(!narrow);
  m_view->setGrid(kColumns, narrow ? 0 : kTiles / kColumns);
}

void SamplesPanel::takeSnapshot() {
  const auto& data = m_session.runDataset();
  if (!isVisible() || !m_session.snapshot() || !data || data->test.count == 0) return;
  if (!namesClasses(m_session.snapshot()->network)) return;
  if (m_ranked.empty() || m_rankedAt.hasExpired(kRankAgainMs) || m_session.state() != Trainer::State::Running) rank();
  else refreshTiles();
}

/// Asks the newest weights about some test images; `take` gets what they say and the step they are of.
void SamplesPanel::ask(PredictionWorker::Kind kind, std::vector<int> indices, Take take) {
  m_worker.post({m_session.snapshot()}, kind,
                [data = m_session.runDataset(), prep = m_session.run().project.data.preprocessing, indices,
                 take](LoadedWeights& weights) -> PredictionWorker::Deliver {
                  auto found = judge(*weights.predictor, data->test, indices, prep);
                  return [take, found = std::move(found), epoch = weights.epoch, step = weights.step] {
                    take(found, tr("epoch %1, step %2").arg(epoch).arg(number(qint64(step))));
                  };
                });
}

void SamplesPanel::rank() {
  m_rankedAt.start();
  std::vector<int> indices(std::size_t(std::min(kRanked, m_session.runDataset()->test.count)));
  std::iota(indices.begin(), indices.end(), 0);
  ask(PredictionWorker::Kind::Evaluation, indices, [this](const std::vector<Verdict>& found, const QString& of) {
    m_ranked = found;
    m_rankedOf = of;
    m_stack->setCurrentIndex(1);
    showRanked();
  });
}

std::vector<Verdict> SamplesPanel::chosen() const {
  auto rows = m_ranked;
  if (m_order->current() == Wrong) std::erase_if(rows, [](const Verdict& v) { return v.right(); });
  if (m_order->current() != InOrder) {
    const auto key = [](const Verdict& v) {
      return v.right() ? 1 + v.sure : 1 - v.sure;
    };  // the surest mistakes first, the surest answers last
    std::stable_sort(rows.begin(), rows.end(), [&](const Verdict& a, const Verdict& b) { return key(a) < key(b); });
  }
  if (rows.size() > kTiles) rows.resize(kTiles);
  return rows;
}

void SamplesPanel::showRanked() {
  m_model.setVerdicts(chosen());
  const auto wrong = std::count_if(m_ranked.begin(), m_ranked.end(), [](const Verdict& v) { return !v.right(); });
  m_hint->setText(tr("Answers of %1").arg(m_rankedOf));
  m_wrong->setText(tr("%1 of %2 wrong at %3").arg(wrong).arg(number(qint64(m_ranked.size())), m_rankedOf));
}

/// The tiles that are shown, asked again; their order waits for the next ranking, so that they do not dance.
void SamplesPanel::refreshTiles() {
  std::vector<int> indices;
  for (const auto& verdict : m_model.verdicts()) indices.push_back(verdict.index);
  if (indices.empty()) return;
  ask(PredictionWorker::Kind::Tiles, indices, [this, indices](const std::vector<Verdict>& found, const QString& of) {
    const auto& now = m_model.verdicts();
    const bool same = std::equal(now.begin(), now.end(), indices.begin(), indices.end(),
                                 [](const Verdict& v, int i) { return v.index == i; });
    if (!same) return;
    m_model.setVerdicts(found);
    m_hint->setText(tr("Answers of %1").arg(of));
  });
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/panels/samples_panel.h"

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

std::vector<Verdict> verdicts(const Samples& samples, const std::vector<int>& indices, const Evaluation& evaluation) {
  std::vector<Verdict> out;
  const auto classes = indices.empty() ? 0 : evaluation.probabilities.size() / indices.size();
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const int predicted = evaluation.predicted[i];
    out.push_back({indices[i], samples.labels[std::size_t(indices[i])], predicted,
                   evaluation.probabilities[i * classes + std::size_t(predicted)]});
  }
  return out;
}

}  // namespace

SamplesPanel::SamplesPanel(const Theme& theme, TrainingSession& session, QWidget* parent)
    : QWidget(parent), m_session(session) {
  auto* header = new PanelHeader(theme, tr("Test samples"), this);
  m_title = header->titleLabel();
  m_order = new Segment({tr("In order"), tr("Wrong"), tr("Least sure")}, this);
  m_order->setObjectName("sampleOrder");
  m_order->setCurrent(LeastSure);
  header->addWidget(m_order);
  m_hint = makeLabel(theme, {}, Theme::Text::Caption, "text2", this);
  m_wrong = makeLabel(theme, {}, Theme::Text::Caption, "bad", this);
  m_view = new TileView(theme, kColumns, kTiles / kColumns, this);
  m_view->setObjectName("sampleTiles");
  m_view->setAccessibleName(tr("Test samples"));
  m_view->setModel(&m_model);
  auto* empty = new EmptyState(
      theme, tr("No weights yet: pictures with the net's answers appear as soon as a run has started."), {}, this);
  m_stack = new QStackedWidget(this);
  m_stack->addWidget(empty);
  m_stack->addWidget(m_view);
  auto* hints = new QHBoxLayout;
  hints->setContentsMargins(12, 6, 12, 4);
  hints->addWidget(m_hint, 1);
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
  const auto reset = [this] {
    m_ranked.clear();
    m_model.setSamples(m_session.dataset(), true);
    m_stack->setCurrentIndex(0);
    m_hint->clear();
    m_wrong->clear();
  };
  connect(&session, &TrainingSession::datasetChanged, this, reset);
  connect(&session, &TrainingSession::runStarted, this, reset);
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
  reset();
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
  const auto& snapshot = m_session.snapshot();
  const auto& data = m_session.dataset();
  if (!isVisible() || !snapshot || !data || !(data->shape == snapshot->network.input) || data->test.count == 0) return;
  m_worker.setWeights({snapshot, {}});
  if (m_ranked.empty() || m_rankedAt.hasExpired(kRankAgainMs) || m_session.state() != Trainer::State::Running) rank();
  else refreshTiles();
}

void SamplesPanel::rank() {
  const auto data = m_session.dataset();
  const auto prep = m_session.run().project.data.preprocessing;
  const int epoch = m_session.snapshot()->epoch;
  m_rankedAt.start();
  std::vector<int> indices(std::size_t(std::min(kRanked, data->test.count)));
  std::iota(indices.begin(), indices.end(), 0);
  m_worker.post(PredictionWorker::Kind::Evaluation,
                [this, data, prep, epoch, indices](Predictor& predictor) -> PredictionWorker::Deliver {
                  auto found = verdicts(data->test, indices, predictor.evaluate(data->test, indices, prep));
                  return [this, data, epoch, found = std::move(found)] {
                    if (data != m_session.dataset()) return;
                    m_ranked = found;
                    const auto wrong =
                        std::count_if(found.begin(), found.end(), [](const Verdict& v) { return !v.right(); });
                    m_hint->setText(tr("%1 · %2").arg(
                        epoch > 0 ? tr("Epoch %1 weights").arg(epoch) : tr("First epoch"),
                        counted(qint64(found.size()), tr("the first test image"), tr("first %1 test images"))));
                    m_wrong->setText(tr("%1 wrong").arg(wrong));
                    m_stack->setCurrentIndex(1);
                    showRanked();
                  };
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

void SamplesPanel::showRanked() { m_model.setVerdicts(chosen()); }

/// The tiles that are shown, asked again; their order waits for the next ranking, so that they do not dance.
void SamplesPanel::refreshTiles() {
  std::vector<int> indices;
  for (const auto& verdict : m_model.verdicts()) indices.push_back(verdict.index);
  if (indices.empty()) return;
  const auto data = m_session.dataset();
  const auto prep = m_session.run().project.data.preprocessing;
  m_worker.post(PredictionWorker::Kind::Tiles,
                [this, data, prep, indices](Predictor& predictor) -> PredictionWorker::Deliver {
                  auto found = verdicts(data->test, indices, predictor.evaluate(data->test, indices, prep));
                  return [this, indices, found = std::move(found)] {
                    const auto& now = m_model.verdicts();
                    const bool same = std::equal(now.begin(), now.end(), indices.begin(), indices.end(),
                                                 [](const Verdict& v, int i) { return v.index == i; });
                    if (same) m_model.setVerdicts(found);
                  };
                });
}

}  // namespace strata::gui

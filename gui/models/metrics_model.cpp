// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/metrics_model.h"

#include <algorithm>
#include <cmath>

#include "gui/theme.h"
#include "gui/words.h"

namespace strata::gui {

void MetricsModel::clear() {
  beginResetModel();
  m_epochs.clear();
  m_bestEpoch = 0;
  m_buckets.clear();
  m_lossesWithoutNumber = 0;
  m_x.clear();
  m_loss = m_metric = {};
  endResetModel();
}

void MetricsModel::setMetrics(const MetricIds& ids) {
  m_metrics = ids;
  setMetric(ids.empty() ? std::string() : ids.front());
}

void MetricsModel::setMetric(const std::string& id) {
  m_metricId = id;
  fillAll();
  emit headerDataChanged(Qt::Horizontal, Metric, ValMetric);
  if (!m_epochs.empty()) emit dataChanged(index(0, Metric), index(int(m_epochs.size()) - 1, ValMetric));
}

void MetricsModel::setBatches(const std::vector<BatchBucket>& buckets, int batchesPerEpoch) {
  m_buckets = buckets;
  m_x.clear();
  m_lossesWithoutNumber = 0;
  for (const BatchBucket& bucket : m_buckets) {
    m_x.push_back(double(bucket.last) / batchesPerEpoch);
    m_lossesWithoutNumber += bucket.batches - bucket.loss.numbers;
  }
  fillAll();
}

void MetricsModel::fillAll() {
  fill(m_loss, &BatchBucket::loss);
  m_metric = {};
  if (!m_metrics.empty() && m_metricId == m_metrics.front()) fill(m_metric, &BatchBucket::metric);
}

/// The smooth line is an exponential moving mean; in the beginning a plain mean, so that the first value does not hang
/// on. A bucket counts as the batches it stands for, so merging does not change the look.
void MetricsModel::fill(Curve& curve, BatchBucket::Range BatchBucket::*figure) const {
  curve = {};
  double mean = 0, past = 0;  // batches so far
  for (std::size_t i = 0; i < m_buckets.size(); ++i) {
    const BatchBucket::Range& range = m_buckets[i].*figure;
    const double x = m_x[qsizetype(i)];
    if (range.numbers < m_buckets[i].batches) {  // the gap is drawn, then what numbers there are
      curve.rawX.push_back(x);
      curve.raw.push_back(std::nan(""));
    }
    if (range.numbers == 0) {
      curve.smooth.push_back(std::nan(""));
      continue;
    }
    const auto count = double(range.numbers);
    const double weight = std::min(std::pow(m_smoothing, count), past / (past + count));
    mean = weight * mean + (1 - weight) * range.mean();
    past += count;
    curve.smooth.push_back(mean);
    for (int end = 0; end < (range.low < range.high ? 2 : 1); ++end) {
      curve.rawX.push_back(x);
      curve.raw.push_back(end == 0 ? range.low : range.high);
    }
  }
}

void MetricsModel::setSmoothing(double weight) {
  m_smoothing = weight;
  fillAll();
}

void MetricsModel::appendEpoch(const EpochRecord& record, bool best) {
  const int row = int(m_epochs.size());
  beginInsertRows({}, row, row);
  m_epochs.push_back(record);
  endInsertRows();
  if (!best) return;
  m_bestEpoch = record.epoch;
  emit dataChanged(index(0, Epoch), index(row, Epoch));
}

int MetricsModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : int(m_epochs.size()); }
int MetricsModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : ColumnCount; }

QVariant MetricsModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const auto& e = m_epochs[std::size_t(index.row())];
  if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
  if (role != Qt::DisplayRole) return {};
  switch (index.column()) {
    case Epoch:
      return e.epoch == m_bestEpoch ? tr("★ %1").arg(e.epoch) : QString::number(e.epoch);
    case Loss:
      return lossText(e.loss);
    case Metric:
      return figureText(m_metricId, e.value(m_metricId));
    case ValLoss:
      return lossText(e.valLoss);
    case ValMetric:
      return figureText(m_metricId, e.value(withVal(m_metricId)));
    case Seconds:
      return tr("%1 s").arg(e.epochSeconds, 0, 'f', 1);
    case Speed:
      return number(std::llround(e.samplesPerSecond));
    case Rate:
      return QString::number(e.learningRate, 'g', 4);
  }
  return {};
}

QVariant MetricsModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal) return {};
  if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
  if (role != Qt::DisplayRole || section >= ColumnCount) return {};
  const QString title = m_metricId.empty() ? tr("Metric") : figureTitle(m_metricId),
                titles[] = {
                    tr("Epoch"), tr("Loss"),      title,     tr("Val. loss"), tr("Val. %1").arg(title.toLower()),
                    tr("Time"),  tr("Samples/s"), tr("Rate")};
  return titles[section];
}

ElapsedTime::ElapsedTime(const std::vector<EpochRecord>& epochs, double pace) : m_pace(pace) {
  for (const EpochRecord& e : epochs) {
    if (e.epoch <= m_positions.back()) continue;
    m_positions.push_back(e.epoch);
    m_seconds.push_back(m_seconds.back() + std::max(0.0, e.epochSeconds + e.valSeconds));
  }
  if (!epochs.empty()) m_pace = epochs.back().epochSeconds + epochs.back().valSeconds;
}

namespace {

/// Along straight lines between the points, and past the last one at `slope`.
double follow(const std::vector<double>& x, const std::vector<double>& y, double slope, double at) {
  const auto next = std::upper_bound(x.begin(), x.end(), at);
  if (next == x.end()) return y.back() + (at - x.back()) * slope;
  if (next == x.begin()) return y.front();
  const auto i = std::size_t(next - x.begin());
  return y[i - 1] + (at - x[i - 1]) / (x[i] - x[i - 1]) * (y[i] - y[i - 1]);
}

}  // namespace

double ElapsedTime::at(double position) const { return follow(m_positions, m_seconds, m_pace, position); }

double ElapsedTime::positionAt(double seconds) const {
  return follow(m_seconds, m_positions, m_pace > 0 ? 1 / m_pace : 0, seconds);
}

}  // namespace strata::gui

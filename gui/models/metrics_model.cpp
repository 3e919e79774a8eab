// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/metrics_model.h"

#include <cmath>

#include "gui/theme.h"

namespace strata::gui {

void MetricsModel::clear() {
  beginResetModel();
  m_epochs.clear();
  m_bestEpoch = 0;
  m_stride = 1;
  m_pending = 0;
  m_lossSum = m_accuracySum = 0;
  m_x.clear();
  m_loss = m_accuracy = {};
  endResetModel();
}

void MetricsModel::appendBatches(const BatchPoint* points, std::size_t count, int batchesPerEpoch) {
  const auto from = m_x.size();
  for (std::size_t i = 0; i < count; ++i) {
    m_lossSum += points[i].loss;
    m_accuracySum += points[i].accuracy;
    if (++m_pending < m_stride) continue;
    m_x.push_back(double(points[i].step) / batchesPerEpoch);
    m_loss.raw.push_back(m_lossSum / m_pending);
    m_accuracy.raw.push_back(m_accuracySum / m_pending);
    m_pending = 0;
    m_lossSum = m_accuracySum = 0;
  }
  smooth(m_loss, from);
  smooth(m_accuracy, from);
  if (m_x.size() >= kMaxPoints) mergeNeighbours();
}

void MetricsModel::mergeNeighbours() {
  const auto half = m_x.size() / 2;
  for (qsizetype i = 0; i < half; ++i) {
    m_x[i] = m_x[2 * i + 1];
    for (auto* curve : {&m_loss, &m_accuracy}) curve->raw[i] = (curve->raw[2 * i] + curve->raw[2 * i + 1]) / 2;
  }
  m_x.resize(half);
  m_stride *= 2;
  for (auto* curve : {&m_loss, &m_accuracy}) {
    curve->raw.resize(half);
    smooth(*curve, 0);
  }
}

/// Exponential moving mean; in the beginning a plain mean, so that the first value does not hang on. A point that
/// stands for many batches counts as many, so merging does not change the look.
void MetricsModel::smooth(Curve& curve, qsizetype from) const {
  const double weight = std::pow(m_smoothing, m_stride);
  curve.smooth.resize(curve.raw.size());
  for (qsizetype i = from; i < curve.raw.size(); ++i) {
    const double past = std::min(weight, double(i) / double(i + 1));
    curve.smooth[i] = i == 0 ? curve.raw[0] : past * curve.smooth[i - 1] + (1 - past) * curve.raw[i];
  }
}

void MetricsModel::setSmoothing(double weight) {
  m_smoothing = weight;
  smooth(m_loss, 0);
  smooth(m_accuracy, 0);
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
      return QString::number(e.loss, 'f', 4);
    case Accuracy:
      return percent(e.accuracy);
    case ValLoss:
      return QString::number(e.valLoss, 'f', 4);
    case ValAccuracy:
      return percent(e.valAccuracy);
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
  const QString titles[] = {tr("Epoch"),         tr("Loss"), tr("Accuracy"),  tr("Val. loss"),
                            tr("Val. accuracy"), tr("Time"), tr("Samples/s"), tr("Rate")};
  return titles[section];
}

double elapsedAt(const std::vector<EpochRecord>& epochs, double position, double pace) {
  double seconds = 0;
  for (const auto& e : epochs) {
    const double took = e.epochSeconds + e.valSeconds;
    if (position <= e.epoch) return seconds + took * std::max(0.0, position - (e.epoch - 1));
    seconds += took;
  }
  if (epochs.empty()) return position * pace;
  return seconds + (position - epochs.back().epoch) * (epochs.back().epochSeconds + epochs.back().valSeconds);
}

}  // namespace strata::gui

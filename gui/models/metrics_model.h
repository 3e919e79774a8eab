// SPDX-License-Identifier: GPL-3.0-or-later
// The figures of one run: a row an epoch (the accessible twin of the plots), and the curves the plots draw. Losses are
// means per sample, accuracies fractions; a position on the x axis is in epochs, so batch 235 of 469 in the third epoch
// is 2.5.
#pragma once
#include <QAbstractTableModel>
#include <QVector>
#include <vector>

#include "engine/learn/metric.h"
#include "engine/run/batch_history.h"

namespace strata::gui {

class MetricsModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column { Epoch, Loss, Metric, ValLoss, ValMetric, Seconds, Speed, Rate, ColumnCount };
  using QAbstractTableModel::QAbstractTableModel;

  void clear();
  /// The batches of the run so far, in place of those before.
  void setBatches(const std::vector<BatchBucket>& buckets, int batchesPerEpoch);
  void appendEpoch(const EpochRecord& record, bool best);
  /// Weight of the past in the moving mean, 0 (none) to 0.999.
  void setSmoothing(double weight);

  const std::vector<EpochRecord>& epochs() const { return m_epochs; }
  int bestEpoch() const { return m_bestEpoch; }

  /// One curve of the batches. Where a point stands for many of them, the raw line goes through their lowest and their
  /// highest value. Not a number where a batch had none.
  struct Curve {
    QVector<double> rawX, raw, smooth;
  };
  const QVector<double>& batchX() const { return m_x; }  ///< of the smooth lines
  quint64 lossesWithoutNumber() const { return m_lossesWithoutNumber; }
  const Curve& loss() const { return m_loss; }
  /// Of metricId(); empty where the batches tell nothing of it.
  const Curve& metric() const { return m_metric; }
  /// What the run records beside the loss. Its batches tell of the first alone, its epochs of all.
  void setMetrics(const MetricIds& ids);
  const MetricIds& metrics() const { return m_metrics; }
  /// The metric that is shown beside the loss, one of metrics(); empty in a run without any.
  void setMetric(const std::string& id);
  const std::string& metricId() const { return m_metricId; }

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  void fill(Curve& curve, BatchBucket::Range BatchBucket::*figure) const;
  void fillAll();

  std::vector<EpochRecord> m_epochs;
  int m_bestEpoch = 0;
  double m_smoothing = 0.98;
  std::vector<BatchBucket> m_buckets;
  quint64 m_lossesWithoutNumber = 0;
  QVector<double> m_x;
  Curve m_loss, m_metric;
  MetricIds m_metrics{"accuracy"};
  std::string m_metricId = m_metrics.front();
};

/// Seconds of training and validating until a position in epochs, and back; past the last finished epoch at its pace,
/// before there is one at `pace` seconds an epoch.
class ElapsedTime {
 public:
  explicit ElapsedTime(const std::vector<EpochRecord>& epochs, double pace = 0);
  double at(double position) const;
  double positionAt(double seconds) const;

 private:
  std::vector<double> m_positions{0}, m_seconds{0};  ///< ends of the finished epochs, ascending
  double m_pace;
};

}  // namespace strata::gui

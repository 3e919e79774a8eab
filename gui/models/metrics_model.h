// SPDX-License-Identifier: GPL-3.0-or-later
// The figures of one run: a row an epoch (the accessible twin of the plots), and the curves the plots draw. Losses are
// means per sample, accuracies fractions; a position on the x axis is in epochs, so batch 235 of 469 in the third epoch
// is 2.5.
#pragma once
#include <QAbstractTableModel>
#include <QVector>
#include <vector>

#include "engine/train/events.h"

namespace strata::gui {

class MetricsModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column { Epoch, Loss, Accuracy, ValLoss, ValAccuracy, Seconds, Speed, Rate, ColumnCount };
  /// Past this many points neighbours are merged into their mean, so that a long run stays as cheap to draw as a short
  /// one.
  static constexpr int kMaxPoints = 16384;

  using QAbstractTableModel::QAbstractTableModel;

  void clear();
  /// Points in the order of their steps.
  void appendBatches(const BatchPoint* points, std::size_t count, int batchesPerEpoch);
  void appendEpoch(const EpochRecord& record, bool best);
  /// Weight of the past in the moving mean, 0 (none) to 0.999.
  void setSmoothing(double weight);

  const std::vector<EpochRecord>& epochs() const { return m_epochs; }
  int bestEpoch() const { return m_bestEpoch; }

  /// One curve of the batches: where, as measured, and smoothed.
  struct Curve {
    QVector<double> raw, smooth;
  };
  const QVector<double>& batchX() const { return m_x; }
  const Curve& loss() const { return m_loss; }
  const Curve& accuracy() const { return m_accuracy; }

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  void mergeNeighbours();
  void smooth(Curve& curve, qsizetype from) const;

  std::vector<EpochRecord> m_epochs;
  int m_bestEpoch = 0;
  double m_smoothing = 0.98;
  int m_stride = 1;   ///< batches a point stands for
  int m_pending = 0;  ///< batches in the sums below
  double m_lossSum = 0, m_accuracySum = 0;
  QVector<double> m_x;
  Curve m_loss, m_accuracy;
};

/// Seconds of training and validating until a position in epochs; past the last finished epoch at its pace, before
/// there is one at `pace` seconds an epoch.
double elapsedAt(const std::vector<EpochRecord>& epochs, double position, double pace = 0);

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// The confusion matrix of an evaluation: rows true, columns predicted; a last column "right" and a last row "sum".
#pragma once
#include <QAbstractTableModel>
#include <QStringList>
#include <vector>

namespace strata::gui {

class ConfusionModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum class Mode { Count, ShareOfTrue, ShareOfPredicted };
  enum Role { TintRole = Qt::UserRole };  ///< of an error cell: 0..1 of the largest error; -1 elsewhere

  using QAbstractTableModel::QAbstractTableModel;

  void setMatrix(std::vector<std::vector<int>> matrix, const QStringList& classes);
  void setMode(Mode mode);
  int classes() const { return int(m_matrix.size()); }
  int count(int truth, int predicted) const { return m_matrix[std::size_t(truth)][std::size_t(predicted)]; }
  int largestError() const { return m_largestError; }
  int total() const { return m_total; }
  int wrong() const { return m_total - m_right; }

  /// A kind of mistake and how often it was made.
  struct Pair {
    int truth = 0, predicted = 0, count = 0;
  };
  std::vector<Pair> mostConfused(std::size_t atMost) const;

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;

 private:
  QString cellText(int truth, int predicted) const;
  QString sumText(int row, int column) const;
  int rowSum(int row) const;
  int columnSum(int column) const;

  std::vector<std::vector<int>> m_matrix;
  QStringList m_names;
  Mode m_mode = Mode::Count;
  int m_largestError = 0, m_total = 0, m_right = 0;
};

}  // namespace strata::gui

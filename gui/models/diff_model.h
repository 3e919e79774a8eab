// SPDX-License-Identifier: GPL-3.0-or-later
// Two nets layer by layer, those in containers set in: what is the same, changed, added or missing. Layers are aligned
// by the longest common sequence of types.
#pragma once
#include <QAbstractTableModel>
#include <vector>

#include "engine/net/network_spec.h"

namespace strata::gui {

class DiffModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum class Change { Same, Changed, Added, Removed, Total };
  enum Column { Mark, Layer, A, ParametersA, B, ParametersB, Difference, ColumnCount };
  enum Role { ChangeRole = Qt::UserRole };

  using QAbstractTableModel::QAbstractTableModel;

  void setNets(const NetworkSpec& a, const NetworkSpec& b);
  void clear();
  int changed() const { return count(Change::Changed); }
  int added() const { return count(Change::Added); }
  int removed() const { return count(Change::Removed); }

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  struct Row {
    Change change = Change::Same;
    QString title, a, b;  ///< a, b: the layer's line of parameters, with its input size where that differs
    qint64 parametersA = 0, parametersB = 0;
  };
  int count(Change change) const;
  std::vector<Row> m_rows;  ///< the last is the total
};

}  // namespace strata::gui

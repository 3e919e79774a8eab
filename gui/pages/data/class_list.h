// SPDX-License-Identifier: GPL-3.0-or-later
// The classes of a part of the data with how many samples each has; the first row is all of them.
#pragma once
#include <QListWidget>

#include "gui/models/dataset_model.h"
#include "gui/theme.h"

namespace strata::gui {

class ClassList : public QListWidget {
  Q_OBJECT
 public:
  explicit ClassList(const Theme& theme, QWidget* parent = nullptr);

  /// Keeps the row and tells nobody. `dataset` may be null.
  void refresh(const Dataset* dataset, DatasetModel::Part part);
  int label() const { return currentRow() - 1; }  ///< -1: all classes

 signals:
  void chosen(int label);
};

}  // namespace strata::gui

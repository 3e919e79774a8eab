// SPDX-License-Identifier: GPL-3.0-or-later
// The confusion matrix as square cells: the diagonal in the selection colour, mistakes tinted by how many, zeros as
// dots.
#pragma once
#include <QStyledItemDelegate>
#include <QTableView>

#include "gui/theme.h"

namespace strata::gui {

class ConfusionView : public QTableView {
  Q_OBJECT
 public:
  explicit ConfusionView(const Theme& theme, QWidget* parent = nullptr);
  /// Colour of a cell of that tint (ConfusionModel::TintRole), 0..1.
  static QColor tint(const Theme& theme, double share);
  void fit();  ///< after the model has changed its size

 protected:
  void resizeEvent(QResizeEvent* event) override;
};

}  // namespace strata::gui

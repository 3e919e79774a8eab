// SPDX-License-Identifier: GPL-3.0-or-later
// The list of cards: drags with a line that shows the gap, and the keys that move, copy and delete. It edits through
// its model.
#pragma once
#include <QListView>

#include "gui/models/layer_stack_model.h"
#include "gui/theme.h"

namespace strata::gui {

class LayerCardDelegate;

class StackView : public QListView {
  Q_OBJECT
 public:
  StackView(const Theme& theme, LayerStackModel& model, QWidget* parent = nullptr);

  int currentLayer() const { return m_model.layerAt(currentIndex().row()); }
  void selectLayer(int layer);
  /// The row before which what is being dragged would fall; -1 when nothing is.
  int dropRow() const { return m_gap; }

 signals:
  void currentRowChanged(int row);
  void fieldsWanted(const QString& fieldId);  ///< Enter: go to the form

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;
  void startDrag(Qt::DropActions supported) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dragMoveEvent(QDragMoveEvent* event) override;
  void dragLeaveEvent(QDragLeaveEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void currentChanged(const QModelIndex& current, const QModelIndex& previous) override;

 private:
  int gapAt(const QPoint& position) const;
  void showGap(int row);

  const Theme& m_theme;
  LayerStackModel& m_model;
  LayerCardDelegate* m_delegate;
  int m_gap = -1;
};

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// The stack of cards, containers as cards that hold cards. It lies as layoutStack() says; what is open is kept here, by
// the ids of the model, so that it stays with its container through edits and undo. Drags show a line in the gap where
// they would fall. It edits through its model. Layers go by number.
#pragma once
#include <QAbstractItemView>
#include <QTimer>
#include <optional>
#include <unordered_map>

#include "gui/models/layer_stack_model.h"
#include "gui/theme.h"
#include "gui/widgets/stack_painter.h"

namespace strata::gui {

class StackView : public QAbstractItemView {
  Q_OBJECT
 public:
  StackView(const Theme& theme, LayerStackModel& model, QWidget* parent = nullptr);

  int currentLayer() const { return m_model.layerAt(currentIndex()); }
  /// Opens what the layer stands in, too.
  void selectLayer(int layer);

  bool isOpen(int layer) const;
  void setOpen(int layer, bool open);
  /// Opens every container, or closes them all where all are open.
  void toggleAll();
  /// Nothing: compact where the net holds containers.
  void setCompact(std::optional<bool> compact);
  bool isCompact() const;

  const StackLayout& placed() const;
  /// The gap into which what is being dragged would fall; nothing when nothing is.
  const std::optional<StackPlace>& dropPlace() const { return m_gap; }
  /// Where in the viewport a fix of the layer's strip can be clicked; null when there is none.
  QRect fixRect(int layer, std::size_t fix) const;
  /// Where in the viewport a container is opened and closed.
  QRect chevronRect(int layer) const;
  /// The cards that are seen or would be if one scrolled, from top to bottom.
  std::vector<QModelIndex> walk() const;
  QModelIndex indexOfPlaced(int placed) const;

  QRect visualRect(const QModelIndex& index) const override;  ///< of an open container its head
  void scrollTo(const QModelIndex& index, ScrollHint hint = EnsureVisible) override;
  QModelIndex indexAt(const QPoint& point) const override;
  void doItemsLayout() override;

 signals:
  void currentMoved(const QModelIndex& index);
  void fieldsWanted(const QString& fieldId);    ///< Enter: go to the form
  void openChanged(int layer);                  ///< -1: of several
  void dropPlaceChanged(const QString& where);  ///< while something is dragged: a sentence; empty at its end
  void columnsMoved();                          ///< the columns may lie elsewhere

 protected:
  QModelIndex moveCursor(CursorAction action, Qt::KeyboardModifiers modifiers) override;
  int horizontalOffset() const override { return 0; }
  int verticalOffset() const override;
  bool isIndexHidden(const QModelIndex& index) const override;
  void setSelection(const QRect& rect, QItemSelectionModel::SelectionFlags command) override;
  QRegion visualRegionForSelection(const QItemSelection& selection) const override;
  void updateGeometries() override;
  bool viewportEvent(QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;
  void startDrag(Qt::DropActions supported) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dragMoveEvent(QDragMoveEvent* event) override;
  void dragLeaveEvent(QDragLeaveEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void currentChanged(const QModelIndex& current, const QModelIndex& previous) override;

 private:
  StackMetrics metrics() const;
  StackState state() const;
  void invalidate();
  void reveal(int layer);
  bool pressedButton(const QPoint& point);
  bool leftOrRight(int key);
  void showGap(const std::optional<StackPlace>& place, const QString& where = {});
  void openLater(const QPoint& point);
  QPoint toLayout(const QPoint& viewportPoint) const { return viewportPoint + QPoint(0, verticalOffset()); }

  const Theme& m_theme;
  LayerStackModel& m_model;
  StackPainter m_painter;
  std::optional<bool> m_compact;
  std::unordered_map<int, bool> m_open;  ///< by the container's id; absent: as it starts
  std::unordered_map<int, int> m_shown;  ///< by the container's id: which of its columns, where one has to do
  mutable StackLayout m_layout;
  mutable bool m_stale = true;
  std::optional<StackPlace> m_gap;
  QTimer m_opening;  ///< of the closed container over which a drag rests
  int m_openingId = 0;
};

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/stack_view.h"

#include <QContextMenuEvent>
#include <QDrag>
#include <QDragEnterEvent>
#include <QMenu>
#include <QMimeData>
#include <QPainter>

#include "gui/widgets/layer_card_delegate.h"

namespace strata::gui {

StackView::StackView(const Theme& theme, LayerStackModel& model, QWidget* parent)
    : QListView(parent), m_theme(theme), m_model(model), m_delegate(new LayerCardDelegate(theme, this)) {
  setObjectName("stack");
  setAccessibleName(tr("Stack of layers"));
  setModel(&model);
  setItemDelegate(m_delegate);
  setFrameShape(NoFrame);
  setVerticalScrollMode(ScrollPerPixel);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setSelectionMode(SingleSelection);
  setResizeMode(Adjust);
  setEditTriggers(NoEditTriggers);
  setDragDropMode(DragDrop);
  setDropIndicatorShown(false);
  setMouseTracking(true);
  setProperty("ground", "bg");
  viewport()->setProperty("ground", "bg");
  connect(m_delegate, &LayerCardDelegate::fixClicked, &m_model, &LayerStackModel::applyFix);
  connect(&m_model, &LayerStackModel::layerPlaced, this, &StackView::selectLayer);
  // Strips come and go.
  connect(&m_model, &QAbstractItemModel::dataChanged, this, [this] { scheduleDelayedItemsLayout(); });
  connect(&theme, &Theme::changed, this, [this] { viewport()->update(); });
}

void StackView::selectLayer(int layer) {
  if (layer < 0 || layer >= m_model.layerCount()) return;
  setCurrentIndex(m_model.index(LayerStackModel::rowOf(layer)));
  scrollTo(currentIndex());
}

void StackView::currentChanged(const QModelIndex& current, const QModelIndex& previous) {
  QListView::currentChanged(current, previous);
  scheduleDelayedItemsLayout();  // a warning's strip is shown on the selected card alone
  emit currentRowChanged(current.row());
}

void StackView::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) {
    if (currentLayer() >= 0) emit fieldsWanted({});
    return event->accept();
  }
  QListView::keyPressEvent(event);
}

void StackView::mouseMoveEvent(QMouseEvent* event) {
  QListView::mouseMoveEvent(event);
  if (event->buttons() == Qt::NoButton) viewport()->update();  // the fix buttons light up under the pointer
}

/// The keyboard's and the right button's twin of everything a card can be clicked for.
void StackView::contextMenuEvent(QContextMenuEvent* event) {
  const QModelIndex index = event->reason() == QContextMenuEvent::Keyboard ? currentIndex() : indexAt(event->pos());
  if (m_model.layerAt(index.row()) < 0) return;
  setCurrentIndex(index);
  QMenu menu(this);
  const auto card = index.data(LayerStackModel::CardRole).value<LayerCard>();
  for (const Issue& issue : card.issues)
    for (const Fix& fix : issue.fixes)
      menu.addAction(QString::fromStdString(fix.title), this, [this, issue, fix] { m_model.applyFix(issue, fix); });
  if (!menu.isEmpty()) menu.addSeparator();
  menu.addActions(actions());
  const QPoint at = event->reason() == QContextMenuEvent::Keyboard ? viewport()->mapToGlobal(visualRect(index).center())
                                                                   : event->globalPos();
  menu.exec(at);
}

void StackView::startDrag(Qt::DropActions supported) {
  const QModelIndex index = currentIndex();
  QMimeData* mime = m_model.mimeData({index});
  if (!mime) return;
  auto* drag = new QDrag(this);
  drag->setMimeData(mime);
  const QRect rect = visualRect(index);
  const CardGeometry at(rect, fontMetrics(), false);
  const qreal ratio = devicePixelRatioF();
  QPixmap picture(at.card.size() * ratio);
  picture.setDevicePixelRatio(ratio);
  picture.fill(Qt::transparent);
  viewport()->render(&picture, {}, QRegion(at.card), RenderFlags());
  drag->setPixmap(picture);
  drag->setHotSpot(QPoint(20, at.card.height() / 2));
  drag->exec(supported, Qt::MoveAction);
  showGap(-1);
}

/// Rows 1 to the output's: the input stays first and the output last.
int StackView::gapAt(const QPoint& position) const {
  const int last = m_model.layerCount() + 1;
  for (int row = 1; row < last; ++row)
    if (position.y() < visualRect(m_model.index(row)).center().y()) return row;
  return last;
}

void StackView::showGap(int row) {
  if (row == m_gap) return;
  m_gap = row;
  viewport()->update();
}

void StackView::dragEnterEvent(QDragEnterEvent* event) {
  QListView::dragEnterEvent(event);
  dragMoveEvent(event);
}

void StackView::dragMoveEvent(QDragMoveEvent* event) {
  QAbstractItemView::dragMoveEvent(event);  // scrolls near the edges
  const int gap = gapAt(event->position().toPoint());
  if (!m_model.canDropMimeData(event->mimeData(), event->proposedAction(), gap, 0, {})) return event->ignore();
  event->acceptProposedAction();
  showGap(gap);
}

void StackView::dragLeaveEvent(QDragLeaveEvent* event) {
  QListView::dragLeaveEvent(event);
  showGap(-1);
}

void StackView::dropEvent(QDropEvent* event) {
  const int gap = gapAt(event->position().toPoint());
  const bool copies = event->modifiers().testFlag(Qt::ControlModifier) || event->proposedAction() == Qt::CopyAction;
  const Qt::DropAction action = copies ? Qt::CopyAction : Qt::MoveAction;
  if (m_model.dropMimeData(event->mimeData(), action, gap, 0, {})) {
    event->setDropAction(action);
    event->accept();
    setFocus();
  }
  stopAutoScroll();
  setState(NoState);
  showGap(-1);
}

void StackView::paintEvent(QPaintEvent* event) {
  QListView::paintEvent(event);
  if (m_gap < 0) return;
  const QRect below = visualRect(m_model.index(m_gap));
  const CardGeometry at(below, fontMetrics(), false);
  const double y = below.top() - 4;
  QPainter painter(viewport());
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(m_theme.color("accent"), 2));
  painter.drawLine(QPointF(at.card.left(), y), QPointF(at.card.right(), y));
  painter.setBrush(m_theme.color("accent"));
  painter.drawEllipse(QPointF(at.card.left(), y), 3, 3);
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// Dragging cards within the stack, and layers of the palette into it: a line shows the gap, a sentence says where it
// is, and a closed container under the pointer opens after a moment.
#include <QDrag>
#include <QDragEnterEvent>
#include <QMimeData>

#include "gui/widgets/stack_view.h"

namespace strata::gui {

void StackView::startDrag(Qt::DropActions supported) {
  QMimeData* mime = m_model.mimeData({currentIndex()});
  if (!mime) return;
  const LayerCard& card = m_model.cardOf(currentLayer());
  auto* drag = new QDrag(this);
  drag->setMimeData(mime);
  drag->setPixmap(StackPainter::ghost(m_theme, card.icon, card.category, card.title, devicePixelRatioF()));
  drag->setHotSpot(QPoint(-12, -8));
  drag->exec(supported, Qt::MoveAction);
  showGap({});
}

void StackView::showGap(const std::optional<StackPlace>& place, const QString& where) {
  if (!place) m_opening.stop();
  if (place == m_gap) return;
  m_gap = place;
  viewport()->update();
  emit dropPlaceChanged(where);
}

void StackView::openLater(const QPoint& point) {
  const PlacedCard* card = placed().cardAt(toLayout(point));
  const bool closed = card && card->container && !card->open;
  const int id = closed ? m_model.idOf(card->layer) : 0;
  if (id == m_openingId && m_opening.isActive()) return;
  m_openingId = id;
  if (id != 0) m_opening.start();
  else m_opening.stop();
}

void StackView::dragEnterEvent(QDragEnterEvent* event) {
  QAbstractItemView::dragEnterEvent(event);
  dragMoveEvent(event);
}

void StackView::dragMoveEvent(QDragMoveEvent* event) {
  QAbstractItemView::dragMoveEvent(event);  // scrolls near the edges
  const QPoint point = event->position().toPoint();
  openLater(point);
  const StackPlace place = placed().placeAt(toLayout(point));
  const QMimeData* mime = event->mimeData();
  if (!m_model.canDropMimeData(mime, event->proposedAction(), LayerStackModel::rowOf(place), 0,
                               m_model.parentOf(place))) {
    showGap({});
    return event->ignore();
  }
  event->acceptProposedAction();
  showGap(place, tr("Release to put %1 %2. Esc cancels.").arg(m_model.draggedTitle(mime), m_model.placeText(place)));
}

void StackView::dragLeaveEvent(QDragLeaveEvent* event) {
  QAbstractItemView::dragLeaveEvent(event);
  showGap({});
}

void StackView::dropEvent(QDropEvent* event) {
  const StackPlace place = placed().placeAt(toLayout(event->position().toPoint()));
  const bool copies = event->modifiers().testFlag(Qt::ControlModifier) || event->proposedAction() == Qt::CopyAction;
  const Qt::DropAction action = copies ? Qt::CopyAction : Qt::MoveAction;
  if (m_model.dropMimeData(event->mimeData(), action, LayerStackModel::rowOf(place), 0, m_model.parentOf(place))) {
    event->setDropAction(action);
    event->accept();
    setFocus();
  }
  stopAutoScroll();
  setState(NoState);
  showGap({});
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// Geometry, painting, mouse and keys; dragging is in stack_drag.cpp.
#include "gui/widgets/stack_view.h"

#include <QContextMenuEvent>
#include <QMenu>
#include <QPainter>
#include <QScrollBar>
#include <algorithm>

#include "gui/widgets/stack_accessible.h"

namespace strata::gui {
namespace {

constexpr int kDeep = 2;         ///< containers from that depth on start closed where there is little room
constexpr int kMargin = 6;       ///< below the last card
constexpr int kOpenDelay = 600;  ///< ms until a closed container opens under a drag

}  // namespace

StackView::StackView(const Theme& theme, LayerStackModel& model, QWidget* parent)
    : QAbstractItemView(parent), m_theme(theme), m_model(model), m_painter(theme) {
  installStackAccessible();
  setObjectName("stack");
  setAccessibleName(tr("Stack of layers"));
  setModel(&model);
  setFrameShape(NoFrame);
  setVerticalScrollMode(ScrollPerPixel);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setSelectionMode(SingleSelection);
  setEditTriggers(NoEditTriggers);
  setDragDropMode(DragDrop);
  setDropIndicatorShown(false);
  setMouseTracking(true);
  setProperty("ground", "bg");
  viewport()->setProperty("ground", "bg");
  m_opening.setSingleShot(true);
  m_opening.setInterval(kOpenDelay);
  connect(&m_opening, &QTimer::timeout, this, [this] { setOpen(m_model.layerOfId(m_openingId), true); });
  connect(&m_model, &LayerStackModel::layerPlaced, this, &StackView::selectLayer);
  connect(&m_model, &QAbstractItemModel::dataChanged, this, &StackView::invalidate);
  connect(&theme, &Theme::changed, this, [this] { viewport()->update(); });
}

bool StackView::isCompact() const {
  if (m_compact) return *m_compact;
  const auto& layers = m_model.document().analysis().layers;
  return std::any_of(layers.begin(), layers.end(),
                     [](const LayerAnalysis& layer) { return layer.def && layer.def->isContainer(); });
}

void StackView::setCompact(std::optional<bool> compact) {
  m_compact = compact;
  invalidate();
}

StackMetrics StackView::metrics() const {
  return StackMetrics::of(QFontMetrics(m_theme.font(Theme::Text::Body)), isCompact());
}

bool StackView::isOpen(int layer) const {
  const auto& layers = m_model.document().analysis().layers;
  if (layer < 0 || layer >= static_cast<int>(layers.size())) return false;
  const LayerAnalysis& found = layers[static_cast<std::size_t>(layer)];
  if (!found.def || !found.def->isContainer()) return false;
  const auto set = m_open.find(m_model.idOf(layer));
  if (set != m_open.end()) return set->second;
  return found.depth < kDeep || !isNarrowStack(m_model.document().analysis(), viewport()->width(), metrics());
}

void StackView::setOpen(int layer, bool open) {
  if (isOpen(layer) == open || !m_model.cardOf(layer).isContainer) return;
  const int current = currentLayer();
  m_open[m_model.idOf(layer)] = open;
  invalidate();
  if (!open && current > layer && isWithin(m_model.document().project().network, layer, current)) selectLayer(layer);
  tellOpen(*this, m_model.indexOf(layer));
  emit openChanged(layer);
}

void StackView::toggleAll() {
  std::vector<int> containers;
  for (int layer = 0; layer < m_model.layerCount(); ++layer)
    if (m_model.cardOf(layer).isContainer) containers.push_back(layer);
  const bool open = std::all_of(containers.begin(), containers.end(), [this](int layer) { return isOpen(layer); });
  for (const int layer : containers) m_open[m_model.idOf(layer)] = !open;
  invalidate();
  const auto seen = walk();
  for (QModelIndex at = currentIndex(); at.isValid(); at = at.parent())
    if (std::find(seen.begin(), seen.end(), at) != seen.end()) {
      setCurrentIndex(at);
      break;
    }
  emit openChanged(-1);
}

/// Opens what the layer stands in, and of columns of which one is seen shows its own.
void StackView::reveal(int layer) {
  const NetworkSpec& net = m_model.document().project().network;
  for (int at = layer; at >= 0;) {
    const StackPlace place = placeOf(net, at);
    if (place.container >= 0) {
      if (!isOpen(place.container)) m_open[m_model.idOf(place.container)] = true;
      m_shown[m_model.idOf(place.container)] = place.stack;
    }
    at = place.container;
  }
  m_stale = true;
}

void StackView::selectLayer(int layer) {
  if (layer < 0 || layer >= m_model.layerCount()) return;
  reveal(layer);
  setCurrentIndex(m_model.indexOf(layer));
  updateGeometries();
  scrollTo(currentIndex());
}

StackState StackView::state() const {
  StackState state;
  for (int layer = 0; layer < m_model.layerCount(); ++layer) {
    const LayerCard& card = m_model.cardOf(layer);
    if (card.isContainer && !isOpen(layer)) state.closed.insert(layer);
    if (CardPainter::stripIssue(card, layer == currentLayer())) state.strips.insert(layer);
    if (const auto shown = m_shown.find(m_model.idOf(layer)); shown != m_shown.end())
      state.shown[layer] = shown->second;
  }
  return state;
}

/// While the model follows the document, the layout stays that of the rows before.
const StackLayout& StackView::placed() const {
  if (m_stale && !m_model.isFollowing()) {
    const Document& document = m_model.document();
    m_layout = layoutStack(document.project().network, document.analysis(), viewport()->width(), metrics(), state());
    m_stale = false;
  }
  return m_layout;
}

void StackView::invalidate() {
  m_stale = true;
  scheduleDelayedItemsLayout();
  viewport()->update();
}

void StackView::doItemsLayout() {
  m_stale = true;
  QAbstractItemView::doItemsLayout();
  emit columnsMoved();
}

int StackView::verticalOffset() const { return verticalScrollBar()->value(); }

void StackView::updateGeometries() {
  verticalScrollBar()->setPageStep(viewport()->height());
  verticalScrollBar()->setSingleStep(metrics().compactHeight());
  verticalScrollBar()->setRange(0, std::max(0, placed().height + kMargin - viewport()->height()));
  QAbstractItemView::updateGeometries();
}

void StackView::resizeEvent(QResizeEvent* event) {
  m_stale = true;
  QAbstractItemView::resizeEvent(event);
  updateGeometries();
  emit columnsMoved();
}

/// Before the window has its size, nothing can be scrolled to.
void StackView::showEvent(QShowEvent* event) {
  QAbstractItemView::showEvent(event);
  QMetaObject::invokeMethod(
      this, [this] { scrollTo(currentIndex()); }, Qt::QueuedConnection);
}

QModelIndex StackView::indexOfPlaced(int placed) const {
  if (placed == StackLayout::kInput) return m_model.inputIndex();
  return placed == StackLayout::kOutput ? m_model.outputIndex() : m_model.indexOf(placed);
}

QRect StackView::visualRect(const QModelIndex& index) const {
  if (!index.isValid()) return {};
  int layer = m_model.layerAt(index);
  if (layer < 0) {
    if (index.parent().isValid()) return {};
    layer = index.row() == 0 ? StackLayout::kInput : StackLayout::kOutput;
  }
  const PlacedCard* card = placed().card(layer);
  return card ? card->head.translated(0, -verticalOffset()) : QRect();
}

QModelIndex StackView::indexAt(const QPoint& point) const {
  const StackLayout& at = placed();
  const QPoint inside = toLayout(point);
  const PlacedCard* card = at.cardAt({std::max(inside.x(), at.gutter + 1), inside.y()});
  return card ? indexOfPlaced(card->layer) : QModelIndex();
}

void StackView::scrollTo(const QModelIndex& index, ScrollHint) {
  QRect rect = visualRect(index);
  if (rect.isNull() || !isVisible()) return;
  if (const PlacedCard* card = placed().card(m_model.layerAt(index)); card && !card->open)
    rect = card->frame.translated(0, -verticalOffset());
  QScrollBar* bar = verticalScrollBar();
  if (rect.top() < 0) bar->setValue(bar->value() + rect.top() - 2);
  else if (rect.bottom() > viewport()->height())
    bar->setValue(bar->value() + std::min(rect.top(), rect.bottom() - viewport()->height() + kMargin));
}

bool StackView::isIndexHidden(const QModelIndex& index) const { return visualRect(index).isNull(); }

void StackView::setSelection(const QRect&, QItemSelectionModel::SelectionFlags command) {
  if (currentIndex().isValid()) selectionModel()->select(currentIndex(), command);
}

QRegion StackView::visualRegionForSelection(const QItemSelection& selection) const {
  QRegion region;
  for (const QModelIndex& index : selection.indexes()) region += visualRect(index);
  return region;
}

void StackView::currentChanged(const QModelIndex& current, const QModelIndex& previous) {
  QAbstractItemView::currentChanged(current, previous);
  if (const int layer = m_model.layerAt(current); layer >= 0 && !m_model.isFollowing()) reveal(layer);
  invalidate();  // a warning's strip is shown on the selected card alone
  tellFocus(*this, current);
  emit currentMoved(current);
}

std::vector<QModelIndex> StackView::walk() const {
  std::vector<QModelIndex> seen{m_model.inputIndex()};
  const NetworkSpec& net = m_model.document().project().network;
  for (int layer = 0; layer < m_model.layerCount();) {
    seen.push_back(m_model.indexOf(layer));
    layer += m_model.cardOf(layer).isContainer && !isOpen(layer) ? sizeOf(strata::layerAt(net, layer)) : 1;
  }
  seen.push_back(m_model.outputIndex());
  return seen;
}

QModelIndex StackView::moveCursor(CursorAction action, Qt::KeyboardModifiers) {
  const auto seen = walk();
  const auto count = static_cast<int>(seen.size());
  const auto found = std::find(seen.begin(), seen.end(), currentIndex());
  if (found == seen.end()) return seen.front();
  const auto at = static_cast<int>(found - seen.begin());
  const int page = std::max(1, viewport()->height() / (metrics().cardHeight() + metrics().gap()) - 1);
  const auto to = [&](int row) { return seen[static_cast<std::size_t>(std::clamp(row, 0, count - 1))]; };
  switch (action) {
    case MoveUp:
    case MovePrevious:
      return to(at - 1);
    case MoveDown:
    case MoveNext:
      return to(at + 1);
    case MoveHome:
      return to(0);
    case MoveEnd:
      return to(count - 1);
    case MovePageUp:
      return to(at - page);
    case MovePageDown:
      return to(at + page);
    default:
      return currentIndex();
  }
}

/// Right opens, then goes in; Left goes to the container, then closes it.
bool StackView::leftOrRight(int key) {
  const int layer = currentLayer();
  if (layer < 0) return false;
  const LayerCard& card = m_model.cardOf(layer);
  if (key == Qt::Key_Right) {
    if (card.isContainer && !isOpen(layer)) setOpen(layer, true);
    else if (card.isContainer && card.inside > 0) selectLayer(layer + 1);
    return true;
  }
  if (card.isContainer && isOpen(layer)) setOpen(layer, false);
  else selectLayer(placeOf(m_model.document().project().network, layer).container);
  return true;
}

void StackView::keyPressEvent(QKeyEvent* event) {
  const int key = event->key();
  if (key == Qt::Key_Return || key == Qt::Key_Enter) {
    if (currentLayer() >= 0) emit fieldsWanted({});
    return event->accept();
  }
  if ((key == Qt::Key_Left || key == Qt::Key_Right) && event->modifiers() == Qt::NoModifier && leftOrRight(key))
    return event->accept();
  QAbstractItemView::keyPressEvent(event);
}

QRect StackView::fixRect(int layer, std::size_t fix) const {
  const PlacedCard* at = placed().card(layer);
  const Issue* issue =
      at && !at->strip.isNull() ? CardPainter::stripIssue(m_model.cardOf(layer), layer == currentLayer()) : nullptr;
  const QRect rect = issue ? m_painter.cards().fixRect(*at, *issue, fix) : QRect();
  return rect.isNull() ? rect : rect.translated(0, -verticalOffset());
}

QRect StackView::chevronRect(int layer) const {
  const PlacedCard* at = placed().card(layer);
  return at ? CardPainter::chevron(*at).translated(0, -verticalOffset()) : QRect();
}

/// What is not the card itself: the chevron, a tab, a fix.
bool StackView::pressedButton(const QPoint& point) {
  const PlacedCard* at = placed().cardAt(toLayout(point));
  if (!at || at->layer < 0) return false;
  const int layer = at->layer;
  if (chevronRect(layer).contains(point)) {
    setOpen(layer, !isOpen(layer));
    return true;
  }
  const LayerSpec& spec = strata::layerAt(m_model.document().project().network, layer);
  for (int i = 0; !at->tabs.isNull() && i < std::ssize(spec.stacks); ++i)
    if (StackLayout::tab(*at, i).contains(toLayout(point))) {
      m_shown[m_model.idOf(layer)] = i;
      invalidate();
      return true;
    }
  const Issue* issue = CardPainter::stripIssue(m_model.cardOf(layer), layer == currentLayer());
  for (std::size_t fix = 0; issue && fix < issue->fixes.size(); ++fix)
    if (fixRect(layer, fix).contains(point)) {
      const Issue whole = *issue;
      m_model.applyFix(whole, whole.fixes[fix]);
      return true;
    }
  return false;
}

void StackView::mousePressEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton && pressedButton(event->position().toPoint())) return event->accept();
  QAbstractItemView::mousePressEvent(event);
}

void StackView::mouseDoubleClickEvent(QMouseEvent* event) {
  const int layer = m_model.layerAt(indexAt(event->position().toPoint()));
  if (layer >= 0 && m_model.cardOf(layer).isContainer && !chevronRect(layer).contains(event->position().toPoint()))
    return setOpen(layer, !isOpen(layer));
  QAbstractItemView::mouseDoubleClickEvent(event);
}

void StackView::mouseMoveEvent(QMouseEvent* event) {
  QAbstractItemView::mouseMoveEvent(event);
  if (event->buttons() == Qt::NoButton) viewport()->update();  // the fix buttons light up under the pointer
}

bool StackView::viewportEvent(QEvent* event) {
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) invalidate();
  return QAbstractItemView::viewportEvent(event);
}

/// The keyboard's and the right button's twin of everything a card can be clicked for.
void StackView::contextMenuEvent(QContextMenuEvent* event) {
  const bool byKey = event->reason() == QContextMenuEvent::Keyboard;
  const QModelIndex index = byKey ? currentIndex() : indexAt(event->pos());
  if (m_model.layerAt(index) < 0) return;
  setCurrentIndex(index);
  QMenu menu(this);
  for (const Issue& issue : m_model.cardOf(m_model.layerAt(index)).issues)
    for (const Fix& fix : issue.fixes)
      menu.addAction(QString::fromStdString(fix.title), this, [this, issue, fix] { m_model.applyFix(issue, fix); });
  if (!menu.isEmpty()) menu.addSeparator();
  for (QAction* action : actions())
    if (action->isEnabled() || action->isSeparator()) menu.addAction(action);
  menu.exec(byKey ? viewport()->mapToGlobal(visualRect(index).center()) : event->globalPos());
}

void StackView::paintEvent(QPaintEvent* event) {
  const StackLayout& all = placed();
  const QRect exposed = event->rect().translated(0, verticalOffset());
  QPainter painter(viewport());
  painter.translate(0, -verticalOffset());
  const auto cardOf = [this](int layer) -> const LayerCard& { return m_model.cardOf(layer); };
  const bool plain =
      std::none_of(all.cards.begin(), all.cards.end(), [](const PlacedCard& at) { return at.container; });
  m_painter.paintGutter(painter, all, cardOf, plain && !isCompact(), exposed);
  const QPoint pointer = toLayout(viewport()->mapFromGlobal(QCursor::pos()));
  for (const PlacedCard& at : all.cards) {
    if (!at.frame.adjusted(0, -4, 0, 8).intersects(exposed)) continue;
    const LayerCard& card = cardOf(at.layer);
    const bool selected = currentIndex().isValid() && currentIndex() == indexOfPlaced(at.layer);
    m_painter.cards().paint(painter, at, card, all, {selected, hasFocus(), pointer});
    const auto shown = m_shown.find(m_model.idOf(at.layer));
    if (at.open) m_painter.paintInside(painter, all, at, card, shown == m_shown.end() ? 0 : shown->second);
  }
  for (const PlacedLane& lane : all.lanes) m_painter.paintSlot(painter, lane);
  if (m_gap) m_painter.paintGap(painter, all, *m_gap);
}

}  // namespace strata::gui

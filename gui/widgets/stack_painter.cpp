// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/stack_painter.h"

#include <QCoreApplication>
#include <QPainterPath>
#include <algorithm>

#include "gui/widgets/tensor_block.h"

namespace strata::gui {
namespace {

constexpr double kSign = 7, kCorner = 6;
constexpr int kIn = 33;    ///< from a body's edge to its way into the sign
constexpr int kLine = 15;  ///< from a container's inset to the line of its shortcut

QString tr(const char* text) { return QCoreApplication::translate("StackPainter", text); }

void paintHead(QPainter& painter, QPointF to, QPointF along) {
  const QPointF across(-along.y(), along.x());
  painter.drawLine(to, to - along * 4 + across * 3);
  painter.drawLine(to, to - along * 4 - across * 3);
}

/// Down from `from`, then sideways to `to`.
QPainterPath elbow(QPointF from, QPointF to) {
  const double side = to.x() > from.x() ? 1 : -1;
  QPainterPath path(from);
  path.lineTo(from.x(), to.y() - kCorner);
  path.quadTo(from.x(), to.y(), from.x() + side * kCorner, to.y());
  path.lineTo(to);
  return path;
}

int lastBottom(const StackLayout& layout, const PlacedLane& lane) {
  int bottom = lane.slot.isNull() ? lane.area.top() : lane.slot.bottom();
  for (const PlacedCard& card : layout.cards)
    if (card.layer >= 0 && lane.area.contains(card.head.center()) && card.head.left() >= lane.area.left())
      bottom = std::max(bottom, card.frame.bottom() + (card.container && !card.open ? 3 : 0));
  return bottom;
}

int firstTop(const StackLayout& layout, const PlacedLane& lane) {
  int top = lane.area.bottom();
  for (const PlacedCard& card : layout.cards)
    if (card.layer >= 0 && lane.area.contains(card.head.center())) top = std::min(top, card.head.top());
  return top;
}

}  // namespace

StackPainter::StackPainter(const Theme& theme) : m_theme(theme), m_cards(theme) {}

void StackPainter::paintGutter(QPainter& painter, const StackLayout& layout,
                               const std::function<const LayerCard&(int)>& cardOf, bool arrows,
                               const QRect& exposed) const {
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  if (!arrows) paintWire(painter, layout);
  for (std::size_t i = 0; i < layout.blocks.size(); ++i) {
    const PlacedBlock& block = layout.blocks[i];
    if (block.centre.y() < exposed.top() - 60 || block.centre.y() > exposed.bottom() + 60) continue;
    if (arrows && i + 1 < layout.blocks.size()) {
      painter.setPen(QPen(m_theme.color("bstrong"), 1.3, Qt::SolidLine, Qt::RoundCap));
      const QPointF from(block.centre.x() + 0.5, layout.card(block.layer)->frame.bottom() - 1.0);
      const QPointF to = from + QPointF(0, 14);
      painter.drawLine(from, to);
      paintHead(painter, to, {0, 1});
    }
    paintBlock(painter, block, cardOf(block.layer), !arrows);
  }
  painter.restore();
}

void StackPainter::paintWire(QPainter& painter, const StackLayout& layout) const {
  if (layout.blocks.size() < 2) return;
  const double x = layout.wire + 0.5;
  painter.setPen(QPen(m_theme.color("bbutton"), 1.5, Qt::SolidLine, Qt::RoundCap));
  painter.setBrush(Qt::NoBrush);
  double y = layout.blocks.front().centre.y();
  for (const PlacedFork& fork : layout.forks) {
    painter.drawLine(QPointF(x, y), QPointF(x, fork.top));
    for (const int way : fork.xs) {
      const double at = way + 0.5, bend = 10;
      QPainterPath path(QPointF(x, fork.top));
      path.cubicTo(x, fork.top + bend, at, fork.top + bend - 4, at, fork.top + 2 * bend);
      path.lineTo(at, fork.bottom - 2 * bend);
      path.cubicTo(at, fork.bottom - bend + 4, x, fork.bottom - bend, x, fork.bottom);
      painter.drawPath(path);
    }
    y = fork.bottom;
  }
  const QPointF end(x, layout.blocks.back().centre.y() - 7);
  painter.drawLine(QPointF(x, y), end);
  paintHead(painter, end, {0, 1});
}

void StackPainter::paintBlock(QPainter& painter, const PlacedBlock& block, const LayerCard& card, bool onWire) const {
  const QPointF middle(block.centre.x() + 0.5, block.centre.y() + 0.5);
  painter.setFont(m_theme.font(Theme::Text::Body));
  if (card.kind == LayerCard::Kind::Output) {
    const int dots = std::clamp(card.out.c, 1, 12);
    painter.setPen(Qt::NoPen);
    const double step = block.room < 40 ? 5 : 5.5, radius = block.room < 40 ? 1.6 : 2;
    for (int i = 0; i < dots; ++i) {
      painter.setBrush(m_theme.color(i == dots / 2 ? "text" : "bbutton"));
      painter.drawEllipse(QPointF(middle.x() + (i - (dots - 1) / 2.0) * step, middle.y()), radius, radius);
    }
    return;
  }
  const QColor color = m_theme.color(card.out.known() ? card.category : card.hasError() ? "bad" : "bstrong");
  const bool small = block.room < 40;
  painter.save();
  painter.translate(middle);
  if (small) painter.scale(0.64, 0.64);
  paintTensor(painter, {}, small ? 23 : block.room * 0.54, card.out, card.largestSide, color,
              onWire ? m_theme.color("bg") : QColor());
  painter.restore();
}

void StackPainter::paintInside(QPainter& painter, const StackLayout& layout, const PlacedCard& at,
                               const LayerCard& card, int shown) const {
  if (at.foot.isNull()) return;
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  if (!at.tabs.isNull()) {
    int count = 0;
    while (count < kMaxStacks && StackLayout::tab(at, count).right() <= at.tabs.right()) ++count;
    paintTabs(painter, at, count, shown);
  }
  if (card.columns && at.tabs.isNull()) paintColumns(painter, layout, at, card);
  else paintShortcut(painter, layout, at, card);
  painter.restore();
}

void StackPainter::paintShortcut(QPainter& painter, const StackLayout& layout, const PlacedCard& at,
                                 const LayerCard& card) const {
  const QPointF sign(at.body + kIn + 0.5, at.foot.center().y() + 0.5 + 1);
  const QPen line(m_theme.color("text3"), 1.5, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin);
  painter.setPen(line);
  painter.setBrush(Qt::NoBrush);
  for (const PlacedLane& lane : layout.lanes) {
    if (lane.container != at.layer) continue;
    const bool empty = lane.gaps.size() < 2;
    if (!lane.beside) {
      const QPointF to = sign - QPointF(0, kSign + 1);
      painter.drawLine(QPointF(sign.x(), lastBottom(layout, lane) + 1.0), to);
      continue;
    }
    const double x =
        empty ? lane.area.left() + std::min(kLine, lane.area.width() / 2) + 0.5 : lane.area.center().x() + 0.5;
    const double from = empty ? at.head.bottom() + 1.0 : lastBottom(layout, lane) + 1.0;
    if (!empty) painter.drawLine(QPointF(x, at.head.bottom() + 1.0), QPointF(x, firstTop(layout, lane) - 1.0));
    const QPointF to = sign - QPointF(kSign + 2, 0);
    painter.drawPath(elbow({x, from}, to));
    paintHead(painter, to, {1, 0});
  }
  paintSign(painter, sign, card.sign, m_theme.color("surface"));
  const QFontMetrics small(m_cards.smallFont());
  const QRect words(static_cast<int>(sign.x() + kSign + 8), at.foot.top() + 2,
                    at.frame.right() - 12 - static_cast<int>(sign.x() + kSign + 8), at.foot.height());
  painter.setFont(m_cards.smallFont());
  painter.setPen(m_theme.color("text2"));
  const QString text = small.horizontalAdvance(card.foot) <= words.width() ? card.foot : card.footBrief;
  painter.drawText(words, Qt::AlignLeft | Qt::AlignVCenter, small.elidedText(text, Qt::ElideRight, words.width()));
}

void StackPainter::paintColumns(QPainter& painter, const StackLayout& layout, const PlacedCard& at,
                                const LayerCard& card) const {
  const double y = at.foot.center().y() + 1.5;
  const QPointF sign((at.body + at.frame.right() - 8) / 2.0 + 0.5, y);
  painter.setPen(QPen(m_theme.color("text3"), 1.5, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  painter.setBrush(Qt::NoBrush);
  std::vector<const PlacedLane*> lanes;
  for (const PlacedLane& lane : layout.lanes)
    if (lane.container == at.layer) lanes.push_back(&lane);
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const PlacedLane& lane = *lanes[i];
    const double x = (i == 0                  ? lane.area.left() + kIn
                      : i + 1 == lanes.size() ? lane.area.right() - kIn
                                              : lane.area.center().x()) +
                     0.5;
    const double side = sign.x() > x ? 1 : -1, from = lastBottom(layout, lane) + 1.0;
    if (std::abs(sign.x() - x) < kSign + kCorner) {
      painter.drawLine(QPointF(sign.x(), from), sign - QPointF(0, kSign + 1));
      continue;
    }
    const QPointF to = sign - QPointF(side * (kSign + 2), 0);
    painter.drawPath(elbow({x, from}, to));
    paintHead(painter, to, {side, 0});
  }
  const QColor ground = m_theme.color(at.depth % 2 == 0 ? "sunken" : "bg");
  paintSign(painter, sign, card.sign, m_theme.color("surface"));
  const QFontMetrics small(m_cards.smallFont());
  const int room = at.frame.right() - 12 - static_cast<int>(sign.x() + 28) - (lanes.size() > 1 ? kIn + 12 : 0);
  QString text = small.horizontalAdvance(card.foot) <= room ? card.foot : card.footBrief;
  text = small.elidedText(text, Qt::ElideRight, std::max(0, room));
  if (text.isEmpty()) return;
  const QRect words(static_cast<int>(sign.x()) + 28, at.foot.top() + 2, small.horizontalAdvance(text) + 12,
                    at.foot.height() - 3);
  painter.fillRect(words, ground);
  painter.setFont(m_cards.smallFont());
  painter.setPen(m_theme.color("text2"));
  painter.drawText(words, Qt::AlignCenter, text);
}

void StackPainter::paintTabs(QPainter& painter, const PlacedCard& at, int count, int shown) const {
  painter.setFont(m_cards.smallFont());
  for (int i = 0; i < count; ++i) {
    const QRectF tab = QRectF(StackLayout::tab(at, i)).adjusted(0.5, 0.5, 0.5, -0.5);
    painter.setPen(m_theme.color("bbutton"));
    painter.setBrush(m_theme.color(i == shown ? "sel" : "raised"));
    painter.drawRect(tab);
    painter.setPen(m_theme.color(i == shown ? "accent" : "text2"));
    painter.drawText(tab, Qt::AlignCenter, QString::number(i + 1));
  }
}

void StackPainter::paintSign(QPainter& painter, QPointF centre, LayerCard::Sign sign, const QColor& ground) const {
  using Sign = LayerCard::Sign;
  const QRectF box(centre.x() - kSign, centre.y() - kSign, 2 * kSign, 2 * kSign);
  painter.save();
  painter.setPen(QPen(m_theme.color("text2"), 1.3, Qt::SolidLine, Qt::RoundCap));
  painter.setBrush(ground);
  if (sign == Sign::Plus || sign == Sign::Times) painter.drawEllipse(box);
  else painter.drawRoundedRect(box, 3, 3);
  const auto line = [&](double x1, double y1, double x2, double y2) {
    painter.drawLine(centre + QPointF(x1, y1), centre + QPointF(x2, y2));
  };
  if (sign == Sign::Plus) line(-3.5, 0, 3.5, 0), line(0, -3.5, 0, 3.5);
  if (sign == Sign::Times) line(-2.6, -2.6, 2.6, 2.6), line(-2.6, 2.6, 2.6, -2.6);
  if (sign == Sign::Bars) line(-3, -3.2, -3, 3.2), line(0, -3.2, 0, 3.2), line(3, -3.2, 3, 3.2);
  if (sign == Sign::Mean) line(-3, -3.5, 3, -3.5), line(-2.5, 3.2, 0, -0.6), line(0, -0.6, 2.5, 3.2);
  if (sign == Sign::Max) line(-3.5, 2.5, 0, -3), line(0, -3, 3.5, 2.5);
  painter.restore();
}

void StackPainter::paintSlot(QPainter& painter, const PlacedLane& lane) const {
  if (lane.slot.isNull()) return;
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(m_theme.color("bbutton"), 1, Qt::DashLine));
  painter.setBrush(Qt::NoBrush);
  painter.drawRoundedRect(QRectF(lane.slot).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
  painter.setFont(m_cards.smallFont());
  painter.setPen(m_theme.color("text3"));
  painter.drawText(
      lane.slot, Qt::AlignCenter,
      QFontMetrics(painter.font()).elidedText(tr("Drop layers here"), Qt::ElideRight, lane.slot.width() - 8));
  painter.restore();
}

void StackPainter::paintGap(QPainter& painter, const StackLayout& layout, const StackPlace& place) const {
  const QRect gap = layout.gapLine(place);
  if (gap.isNull()) return;
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  const double y = gap.center().y() + 0.5;
  painter.setPen(QPen(m_theme.color("accent"), 2));
  painter.drawLine(QPointF(gap.left(), y), QPointF(gap.right(), y));
  painter.setBrush(m_theme.color("accent"));
  painter.drawEllipse(QPointF(gap.left(), y), 3, 3);
  painter.restore();
}

QPixmap StackPainter::ghost(const Theme& theme, const QString& icon, const QString& category, const QString& title,
                            qreal ratio) {
  const QFont font = theme.font(Theme::Text::BodyStrong);
  const QFontMetrics metrics(font);
  const QSize size(metrics.horizontalAdvance(title) + 52, std::max(28, metrics.height() + 10));
  QPixmap pixmap(size * ratio);
  pixmap.setDevicePixelRatio(ratio);
  pixmap.fill(Qt::transparent);
  QPainter painter(&pixmap);
  painter.setRenderHint(QPainter::Antialiasing);
  const QRectF edge = QRectF(QPointF(), QSizeF(size)).adjusted(0.75, 0.75, -0.75, -0.75);
  QPainterPath path;
  path.addRoundedRect(edge, 6, 6);
  painter.fillPath(path, theme.color("raised"));
  painter.setClipPath(path);
  painter.fillRect(QRectF(0, 0, 5, size.height()), theme.color(category));
  painter.setClipping(false);
  painter.setPen(QPen(theme.color("accent"), 1.5));
  painter.drawPath(path);
  theme.paintIcon(painter, QRectF(14, size.height() / 2.0 - 8, 16, 16), icon, theme.color(category));
  painter.setFont(font);
  painter.setPen(theme.color("text"));
  painter.drawText(QRectF(38, 0, size.width() - 40, size.height()), Qt::AlignLeft | Qt::AlignVCenter, title);
  return pixmap;
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// Paints what holds the cards of a stack together: the wire with the tensors beside them, the lines of shortcuts and
// branches to the sign where they meet, empty lanes, tabs, and the line that shows where a drag would fall.
#pragma once
#include <QPixmap>
#include <functional>

#include "gui/widgets/card_painter.h"

namespace strata::gui {

class StackPainter {
 public:
  explicit StackPainter(const Theme& theme);

  const CardPainter& cards() const { return m_cards; }
  /// Blocks out of `exposed`, in the layout's coordinates, are left out.
  void paintGutter(QPainter& painter, const StackLayout& layout, const std::function<const LayerCard&(int)>& cardOf,
                   bool arrows, const QRect& exposed) const;
  /// Of an open container, over its frame.
  void paintInside(QPainter& painter, const StackLayout& layout, const PlacedCard& at, const LayerCard& card,
                   int shown) const;
  void paintSlot(QPainter& painter, const PlacedLane& lane) const;
  void paintGap(QPainter& painter, const StackLayout& layout, const StackPlace& place) const;
  /// The mark at which ways meet: a circle or a box of 14 pixels.
  void paintSign(QPainter& painter, QPointF centre, LayerCard::Sign sign, const QColor& ground) const;
  /// What hangs at the pointer while a layer is dragged: icon and type.
  static QPixmap ghost(const Theme& theme, const QString& icon, const QString& category, const QString& title,
                       qreal ratio);

 private:
  void paintWire(QPainter& painter, const StackLayout& layout) const;
  void paintBlock(QPainter& painter, const PlacedBlock& block, const LayerCard& card, bool onWire) const;
  void paintShortcut(QPainter& painter, const StackLayout& layout, const PlacedCard& at, const LayerCard& card) const;
  void paintColumns(QPainter& painter, const StackLayout& layout, const PlacedCard& at, const LayerCard& card) const;
  void paintTabs(QPainter& painter, const PlacedCard& at, int count, int shown) const;

  const Theme& m_theme;
  CardPainter m_cards;
};

}  // namespace strata::gui

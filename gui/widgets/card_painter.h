// SPDX-License-Identifier: GPL-3.0-or-later
// Paints one card of the stack where the layout has put it: stripe, icon, words, the columns of figures, and under a
// broken card the strip with what is wrong and one-click fixes. A container's card is its frame and head; what holds it
// together is the business of StackPainter.
#pragma once
#include <QPainter>

#include "gui/models/layer_card.h"
#include "gui/theme.h"
#include "gui/widgets/stack_layout.h"

namespace strata::gui {

struct CardState {
  bool selected = false, focused = false;
  QPoint pointer{-1, -1};  ///< the buttons light up under it
};

class CardPainter {
 public:
  explicit CardPainter(const Theme& theme);

  void paint(QPainter& painter, const PlacedCard& at, const LayerCard& card, const StackLayout& layout,
             const CardState& state) const;

  /// The issue that the strip tells: the first error, or of the selected card a warning. Null: no strip.
  /// As much of a summary as there is room for, in whole parts: of a layer the last ones, as its shape tells the first;
  /// of a container the first ones. What is blamed for an issue stays.
  static QString fitted(const QString& summary, const LayerCard& card, const QFontMetrics& metrics, int room);
  static const Issue* stripIssue(const LayerCard& card, bool selected);
  /// Where fix number `fix` of the strip can be clicked; null when there is none.
  QRect fixRect(const PlacedCard& at, const Issue& issue, std::size_t fix) const;
  /// Where a container is opened and closed.
  static QRect chevron(const PlacedCard& at);
  const QFont& smallFont() const { return m_small; }

 private:
  struct Line;
  void paintFrame(QPainter& painter, const PlacedCard& at, const LayerCard& card, const CardState& state) const;
  void paintMarks(QPainter& painter, const PlacedCard& at, const LayerCard& card) const;
  void paintTwoLines(QPainter& painter, const PlacedCard& at, const LayerCard& card, int right) const;
  void paintOneLine(QPainter& painter, const PlacedCard& at, const LayerCard& card, int right,
                    const QString& summary) const;
  void paintChip(QPainter& painter, const PlacedCard& at, const LayerCard& card) const;
  void paintSummary(QPainter& painter, const QRect& rect, const LayerCard& card, const QString& summary) const;
  int paintFrozen(QPainter& painter, const QRect& rect, const LayerCard& card) const;
  int paintBadge(QPainter& painter, int left, int middle, const LayerCard& card) const;
  void paintFigures(QPainter& painter, const PlacedCard& at, const LayerCard& card, const StackLayout& layout) const;
  void paintCost(QPainter& painter, const QRect& head, const LayerCard& card, const StackColumns& columns,
                 bool roomy) const;
  void paintColumnFigures(QPainter& painter, const PlacedCard& at, const LayerCard& card) const;
  void paintStrip(QPainter& painter, const PlacedCard& at, const LayerCard& card, const Issue& issue,
                  const CardState& state) const;
  int columnFigures(const PlacedCard& at) const;
  int textLeft(const PlacedCard& at) const { return at.head.left() + (at.compact || at.open ? 48 : 54); }
  QColor inkOf(const LayerCard& card) const;

  const Theme& m_theme;
  QFont m_strong, m_body, m_small;
};

}  // namespace strata::gui

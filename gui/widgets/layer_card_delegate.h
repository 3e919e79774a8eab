// SPDX-License-Identifier: GPL-3.0-or-later
// Paints one row of the stack: in the gutter the output tensor and the arrows, then the card with its columns, and
// under a broken card the strip with what is wrong and one-click fixes.
#pragma once
#include <QPersistentModelIndex>
#include <QStyledItemDelegate>

#include "gui/models/layer_stack_model.h"
#include "gui/theme.h"

namespace strata::gui {

/// Where the parts of a row lie; the column header above the stack uses the same. Narrow rows lose the cost bar first.
struct CardGeometry {
  CardGeometry(const QRect& row, const QFontMetrics& metrics, bool withStrip);

  QRect gutter, card, strip;  ///< strip lies in the card; null without one
  int textLeft, textRight;
  int outputLeft, parametersRight, costLeft, costRight;
  bool costBar;
  int headHeight;  ///< of the card without its strip

  static int rowHeight(const QFontMetrics& metrics, bool withStrip);
};

class LayerCardDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  LayerCardDelegate(const Theme& theme, QObject* parent);

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  bool editorEvent(QEvent* event, QAbstractItemModel* model, const QStyleOptionViewItem& option,
                   const QModelIndex& index) override;

  /// Where fix number `fix` of the card's strip can be clicked; null when there is none.
  QRect fixRect(const QStyleOptionViewItem& option, const LayerCard& card, std::size_t fix) const;

 signals:
  void fixClicked(const strata::Issue& issue, const strata::Fix& fix);

 private:
  const Issue* stripIssue(const LayerCard& card, bool selected) const;
  void paintGutter(QPainter& painter, const CardGeometry& at, const LayerCard& card, const QRect& row) const;
  void paintFrame(QPainter& painter, const CardGeometry& at, const LayerCard& card, bool selected, bool focused) const;
  void paintTexts(QPainter& painter, const CardGeometry& at, const LayerCard& card) const;
  void paintSummary(QPainter& painter, const QRect& rect, const LayerCard& card) const;
  void paintBadge(QPainter& painter, int left, int middle, const LayerCard& card) const;
  void paintColumns(QPainter& painter, const CardGeometry& at, const LayerCard& card) const;
  void paintStrip(QPainter& painter, const QStyleOptionViewItem& option, const CardGeometry& at, const LayerCard& card,
                  const Issue& issue) const;
  QColor inkOf(const LayerCard& card) const;

  const Theme& m_theme;
  QFont m_strong, m_body, m_small;
};

}  // namespace strata::gui

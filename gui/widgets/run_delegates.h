// SPDX-License-Identifier: GPL-3.0-or-later
// Cells of the runs table that are more than text: the swatch, name with badges, sparkline, progress, state.
#pragma once
#include <QStyledItemDelegate>

#include "gui/theme.h"

namespace strata::gui {

class RunDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  RunDelegate(const Theme& theme, QObject* parent) : QStyledItemDelegate(parent), m_theme(theme) {}

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override;

 private:
  void paintShow(QPainter& painter, const QRectF& box, const QModelIndex& index) const;
  void paintName(QPainter& painter, QRectF box, const QModelIndex& index) const;
  void paintCurve(QPainter& painter, QRectF box, const QModelIndex& index) const;
  void paintEpochs(QPainter& painter, QRectF box, const QModelIndex& index) const;
  void paintState(QPainter& painter, const QRectF& box, const QModelIndex& index) const;
  const Theme& m_theme;
};

}  // namespace strata::gui

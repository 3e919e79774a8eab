// SPDX-License-Identifier: GPL-3.0-or-later
// A row of the differences of two nets: tinted and marked "~ + −" where they differ.
#pragma once
#include <QStyledItemDelegate>

#include "gui/theme.h"

namespace strata::gui {

class DiffDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  DiffDelegate(const Theme& theme, QObject* parent) : QStyledItemDelegate(parent), m_theme(theme) {}
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

 private:
  const Theme& m_theme;
};

}  // namespace strata::gui

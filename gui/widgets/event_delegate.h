// SPDX-License-Identifier: GPL-3.0-or-later
// A line of the event log: time, icon, sentence; warnings in their colour.
#pragma once
#include <QStyledItemDelegate>

#include "gui/theme.h"

namespace strata::gui {

class EventDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  EventDelegate(const Theme& theme, QObject* parent) : QStyledItemDelegate(parent), m_theme(theme) {}
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;

 private:
  const Theme& m_theme;
};

}  // namespace strata::gui

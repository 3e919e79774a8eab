// SPDX-License-Identifier: GPL-3.0-or-later
// Painters of the Data page's lists: an image with its class, a class with its bar, a data set with its state.
#pragma once
#include <QStyledItemDelegate>

#include "gui/theme.h"

namespace strata::gui {

/// Images in whole multiples of their pixels, the class below.
class ThumbnailDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  ThumbnailDelegate(const Theme& theme, QObject* parent);
  QSize cellSize() const;
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  QSize sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const override { return cellSize(); }

 private:
  const Theme& m_theme;
  QFont m_caption;
};

/// One line: name, a bar of CountRole over LargestRole, the number.
class ClassBarDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  enum Role { CountRole = Qt::UserRole, LargestRole };
  ClassBarDelegate(const Theme& theme, QObject* parent) : QStyledItemDelegate(parent), m_theme(theme) {}
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

 private:
  const Theme& m_theme;
};

/// Two lines: the name, and StateRole in the tone of ToneRole.
class SourceDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  enum Role { IdRole = Qt::UserRole, StateRole, ToneRole };
  SourceDelegate(const Theme& theme, QObject* parent) : QStyledItemDelegate(parent), m_theme(theme) {}
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;

 private:
  const Theme& m_theme;
};

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// One tile of the sample grid: the picture, and under it a tick with the digit and how sure, or a cross with "5 is 3".
#pragma once
#include <QListView>
#include <QStyledItemDelegate>

#include "gui/theme.h"

namespace strata::gui {

class SampleTileDelegate : public QStyledItemDelegate {
  Q_OBJECT
 public:
  SampleTileDelegate(const Theme& theme, QObject* parent) : QStyledItemDelegate(parent), m_theme(theme) {}

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  void setTileWidth(int width) { m_width = width; }

 private:
  const Theme& m_theme;
  int m_width = 44;
};

/// An icon-mode list of such tiles that fits a whole number of columns into its width.
class TileView : public QListView {
  Q_OBJECT
 public:
  TileView(const Theme& theme, int columns, QWidget* parent = nullptr);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  SampleTileDelegate* m_delegate;
  int m_columns;
};

}  // namespace strata::gui

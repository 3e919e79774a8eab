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
  void setSureness(bool on) { m_sureness = on; }

 private:
  const Theme& m_theme;
  int m_width = 44;
  bool m_sureness = false;
};

/// Such tiles in so many columns; as large as the width allows, and the height too when the rows are given (0: they scroll).
class TileView : public QListView {
  Q_OBJECT
 public:
  TileView(const Theme& theme, int columns, int rows, QWidget* parent = nullptr);


  /// Wrong tiles say how sure the net was instead of what it said: for tiles that all say the same.
  void showSureness() { m_delegate->setSureness(true); }

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  SampleTileDelegate* m_delegate;
  int m_columns, m_rows;
};

}  // namespace strata::gui

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
  /// Tiles outside of it need no painting: a list view asks for all between the first and the last that changed.
  void setRegion(const QRegion& region) { m_region = region; }

 private:
  const Theme& m_theme;
  int m_width = 44;
  bool m_sureness = false;
  QRegion m_region;
};

/// Such tiles in so many columns; as large as the width allows, and the height too when the rows are given (0: they
/// scroll).
class TileView : public QListView {
  Q_OBJECT
 public:
  TileView(const Theme& theme, int columns, int rows, QWidget* parent = nullptr);

  void setGrid(int columns, int rows);
  /// Wrong tiles say how sure the net was instead of what it said: for tiles that all say the same.
  void showSureness() { m_delegate->setSureness(true); }

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void paintEvent(QPaintEvent* event) override;

 private:
  void fitTiles();

  SampleTileDelegate* m_delegate;
  int m_columns, m_rows;
};

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// A sheet of 280 x 280 grey pixels to draw on, white ink on black, shown at any size. A picture put on it is kept as it
// came, in its own size and colours, until something is drawn over it. Strokes have an undo stack of their own. Keys
// while it has the focus: [ and ] brush, X erase, Del clear, Ctrl+Z and Ctrl+Shift+Z strokes, Ctrl+V paste.
#pragma once
#include <QImage>
#include <QUndoStack>
#include <QWidget>

#include "gui/theme.h"

namespace strata::gui {

class Canvas : public QWidget {
  Q_OBJECT
 public:
  static constexpr int kSide = 280, kSmallestBrush = 6, kLargestBrush = 48;

  explicit Canvas(const Theme& theme, QWidget* parent = nullptr);

  const QImage& image() const { return m_sheet.ink; }
  /// The picture that lies on the sheet, as it came; null for a drawing.
  const QImage& picture() const { return m_sheet.picture; }
  bool empty() const { return m_empty; }
  /// Puts a picture on the sheet as one undoable step; shown scaled to fit, keeping its aspect.
  void setPicture(const QImage& picture, const QString& undoText);
  void clear();

  int brush() const { return m_brush; }
  void setBrush(int pixels);
  bool erasing() const { return m_erasing; }
  void setErasing(bool on);
  QUndoStack& undoStack() { return m_undo; }

 signals:
  void changed();  ///< ink was added or taken away, also in the middle of a stroke
  void brushChanged();
  void fileDropped(const QString& path);
  void pasteWanted();

 protected:
  void paintEvent(QPaintEvent*) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void tabletEvent(QTabletEvent* event) override;
  bool event(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void focusInEvent(QFocusEvent*) override { update(); }
  void focusOutEvent(QFocusEvent*) override { update(); }

 private:
  friend class SheetCommand;
  struct Sheet {
    QImage ink, picture;
    bool operator==(const Sheet&) const = default;
  };
  QRectF sheet() const;
  QPointF toSheet(QPointF position) const;
  void beginStroke(QPointF position);
  void strokeTo(QPointF position, double pressure);
  void endStroke();
  void put(const Sheet& sheet);
  void step(const Sheet& before, const QString& text);

  const Theme& m_theme;
  Sheet m_sheet, m_before;
  QUndoStack m_undo;
  QPointF m_last;
  int m_brush = 22;
  bool m_erasing = false, m_drawing = false, m_empty = true;
};

}  // namespace strata::gui

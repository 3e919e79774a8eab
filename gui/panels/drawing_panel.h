// SPDX-License-Identifier: GPL-3.0-or-later
// Where a digit is drawn, dropped, pasted or opened, and the strip "what the net sees" under it.
#pragma once
#include <QLabel>
#include <QSlider>
#include <QWidget>

#include "gui/widgets/canvas.h"
#include "gui/widgets/prep_strip.h"
#include "gui/widgets/segment.h"

namespace strata::gui {

class DrawingPanel : public QWidget {
  Q_OBJECT
 public:
  explicit DrawingPanel(const Theme& theme, QWidget* parent = nullptr);

  Canvas* canvas() const { return m_canvas; }
  PrepStrip* strip() const { return m_strip; }
  void setMessage(const QString& text, bool bad = false);  ///< one line under the tools
  void openFile(const QString& path);

 signals:
  void randomWanted();

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  QWidget* makeTools(const Theme& theme);
  void paste();
  void chooseFile();

  Canvas* m_canvas;
  PrepStrip* m_strip;
  Segment* m_tool;
  QSlider* m_brush;
  QLabel *m_brushText, *m_message;
};

}  // namespace strata::gui

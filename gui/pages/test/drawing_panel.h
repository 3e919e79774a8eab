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

/// The usual suffixes of the formats that are read.
const QStringList& pictureSuffixes();

class DrawingPanel : public QWidget {
  Q_OBJECT
 public:
  explicit DrawingPanel(const Theme& theme, QWidget* parent = nullptr);

  Canvas* canvas() const { return m_canvas; }
  PrepStrip* strip() const { return m_strip; }
  /// Under the tools: what lies on the sheet, or why something does not.
  void setMessage(const QString& text, bool bad = false);
  void setFinding(const QString& text);  ///< behind it: what was noticed when the net answered
  void openFile(const QString& path);

 signals:
  void randomWanted();

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  QWidget* makeTools(const Theme& theme);
  void paste();
  void chooseFile();
  void showMessages();

  Canvas* m_canvas;
  PrepStrip* m_strip;
  Segment* m_tool;
  QSlider* m_brush;
  QLabel *m_brushText, *m_message;
  QString m_said, m_found;
};

}  // namespace strata::gui

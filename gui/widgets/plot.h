// SPDX-License-Identifier: GPL-3.0-or-later
// A plot of curves over epochs or seconds: QCustomPlot draws grid, axes and curves, an overlay draws marks, end labels
// and the readout under the mouse. Wheel zooms x, drag pans, double-click refits; keys: arrows pan, + and - zoom, 0
// refit. plot.cpp is the only file that includes qcustomplot.h.
#pragma once
#include <QTimer>
#include <QVector>
#include <QWidget>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "gui/theme.h"

namespace strata::gui {

class Plot : public QWidget {
  Q_OBJECT
 public:
  enum class Scale { Log, Linear, Percent };  ///< Percent: values are fractions
  struct Line {
    QString name;             ///< in the readout; empty: not there
    QString token = "train";  ///< colour
    Qt::PenStyle dash = Qt::SolidLine;
    double width = 1.75;
    double opacity = 1;
    bool rings = false;     ///< at every point
    bool live = true;       ///< changes while a run is going; the rest lies on a layer that is drawn once
    bool endLabel = false;  ///< its name at its right end
  };
  struct Mark {
    enum class Kind { Best, Change, Now } kind = Kind::Now;
    double x = 0;
    QString text;
    bool low = false;  ///< flag at the bottom instead of the top
  };

  Plot(const Theme& theme, const QString& name, QWidget* parent = nullptr);
  ~Plot() override;

  void clearLines();
  int addLine(const Line& line);  ///< back to front
  /// In any order; what is no number is a gap, and is marked on lines with a name.
  void setPoints(int line, const QVector<double>& x, const QVector<double>& y);
  void setLineShown(int line, bool shown);
  /// A filled ring on a point of a line; NaN removes it.
  void setBest(int line, double x, double y);
  void setMarks(std::vector<Mark> marks);
  void setScale(Scale scale);
  Scale scale() const { return m_scale; }
  void setXTitle(const QString& title, bool seconds);
  /// The whole of the data; a zoomed view stays as it is, a fitted one follows.
  void setFull(double xLow, double xHigh, double yLow, double yHigh);
  void refit();
  void setXView(double low, double high);  ///< from a linked plot; emits nothing
  bool fitted() const { return m_fitted; }
  std::pair<double, double> xView() const;
  void setFinest(double size) { m_finest = size; }  ///< how far one can zoom in at least
  std::pair<double, double> yRange() const { return {m_yLow, m_yHigh}; }
  void setEndLabelRoom(int pixels);  ///< so that plots above one another align
  void setHover(double x);           ///< from a linked plot
  int pointCount(int line) const;

 signals:
  void xViewChanged(double low, double high);
  void hovered(double x);  ///< NaN when the mouse has left

 protected:
  void showEvent(QShowEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  struct Parts;
  class Overlay;
  void applyTheme();
  void applyRange();
  void schedule(bool everything);
  void redraw();
  void zoom(double factor, double around);
  void pan(double share);
  void describe();

  const Theme& m_theme;
  std::unique_ptr<Parts> m_parts;
  Overlay* m_overlay = nullptr;
  QTimer m_redraw;           ///< at most 10 Hz
  bool m_everything = true;  ///< the next redraw is of all layers, not of the live one alone
  std::vector<Line> m_lines;
  std::vector<Mark> m_marks;
  Scale m_scale = Scale::Linear;
  QString m_xTitle;
  bool m_seconds = false, m_fitted = true;
  double m_finest = std::numeric_limits<double>::infinity();
  double m_xLow = 0, m_xHigh = 1, m_yLow = 0, m_yHigh = 1;
  double m_hover;
};

}  // namespace strata::gui

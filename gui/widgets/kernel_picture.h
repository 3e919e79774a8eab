// SPDX-License-Identifier: GPL-3.0-or-later
// Which inputs one output value reads: the input map with the window on it, and the output map with the one cell.
#pragma once
#include <QWidget>

#include "engine/net/field.h"
#include "engine/net/shape.h"
#include "gui/theme.h"

namespace strata::gui {

class KernelPicture : public QWidget {
  Q_OBJECT
 public:
  explicit KernelPicture(const Theme& theme, QWidget* parent = nullptr);

  /// `out` unknown: the window does not fit, and the picture shows that.
  void show(const Shape& in, const Shape& out, Pair window, Pair strides, const QString& category);
  QSize sizeHint() const override { return {280, 172}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void paintFit(QPainter& painter);
  void paintMisfit(QPainter& painter);
  void caption(QPainter& painter, const QRectF& above, const QString& text);

  const Theme& m_theme;
  Shape m_in, m_out;
  Pair m_window, m_strides;
  QString m_category = "conv";
};

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/kernel_picture.h"

#include <QPainter>
#include <algorithm>

namespace strata::gui {
namespace {

constexpr int kMostCells = 32;  // more would be dust: larger maps are drawn with this many

QColor withAlpha(QColor color, double alpha) {
  color.setAlphaF(static_cast<float>(alpha));
  return color;
}

void paintGrid(QPainter& painter, const QRectF& rect, int rows, int columns, const QColor& cell, const QColor& ground) {
  painter.fillRect(rect, cell);
  painter.setPen(QPen(ground, 1));
  for (int i = 1; i < columns; ++i)
    painter.drawLine(QPointF(rect.left() + rect.width() * i / columns, rect.top()),
                     QPointF(rect.left() + rect.width() * i / columns, rect.bottom()));
  for (int i = 1; i < rows; ++i)
    painter.drawLine(QPointF(rect.left(), rect.top() + rect.height() * i / rows),
                     QPointF(rect.right(), rect.top() + rect.height() * i / rows));
}

}  // namespace

KernelPicture::KernelPicture(const Theme& theme, QWidget* parent) : QWidget(parent), m_theme(theme) {
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  setFixedHeight(sizeHint().height());
  connect(&theme, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void KernelPicture::show(const Shape& in, const Shape& out, Pair window, Pair strides, const QString& category) {
  m_in = in;
  m_out = out;
  m_window = window;
  m_strides = strides;
  m_category = category;
  setAccessibleName(tr("Kernel picture"));
  setAccessibleDescription(out.known() ? tr("A window of %1 by %2 on an input of %3 by %4 gives an output of %5 by %6")
                                             .arg(window.h)
                                             .arg(window.w)
                                             .arg(in.h)
                                             .arg(in.w)
                                             .arg(out.h)
                                             .arg(out.w)
                                       : tr("A window of %1 by %2 does not fit an input of %3 by %4")
                                             .arg(window.h)
                                             .arg(window.w)
                                             .arg(in.h)
                                             .arg(in.w));
  update();
}

void KernelPicture::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setFont(m_theme.font(Theme::Text::Caption));
  if (m_out.known()) paintFit(painter);
  else paintMisfit(painter);
}

void KernelPicture::caption(QPainter& painter, const QRectF& above, const QString& text) {
  painter.setPen(m_theme.color("text2"));
  const int height = painter.fontMetrics().height();
  painter.drawText(QRectF(above.center().x() - 90, this->height() - height - 4, 180, height),
                   Qt::AlignHCenter | Qt::AlignBottom, text);
}

void KernelPicture::paintFit(QPainter& painter) {
  const double room = height() - painter.fontMetrics().height() - 22;
  const double side = std::min(room, width() * 0.42);
  const double largest = std::max(m_in.h, m_in.w);
  const QColor color = m_theme.color(m_category), ground = m_theme.color("surface");
  const QRectF in(4, 6, side * m_in.w / largest, side * m_in.h / largest);
  const double outScale = std::max(0.16, double(std::max(m_out.h, m_out.w)) / largest);
  const double outLargest = std::max(m_out.h, m_out.w);
  const QSizeF outSize(side * std::min(1.0, outScale) * m_out.w / outLargest,
                       side * std::min(1.0, outScale) * m_out.h / outLargest);
  const QRectF out(width() - 24 - std::max(outSize.width(), side * 0.5) / 2 - outSize.width() / 2 - 4,
                   in.center().y() - outSize.height() / 2, outSize.width(), outSize.height());
  paintGrid(painter, in, std::min(kMostCells, m_in.h), std::min(kMostCells, m_in.w), withAlpha(color, 0.12), ground);
  paintGrid(painter, out, std::min(kMostCells, m_out.h), std::min(kMostCells, m_out.w), withAlpha(color, 0.12), ground);

  // One output cell about a third in, and its window; "same" padding may let the window reach over the edge.
  const int row = m_out.h / 3, column = m_out.w / 3;
  const double cellW = in.width() / m_in.w, cellH = in.height() / m_in.h;
  const QRectF window = QRectF(in.left() + column * m_strides.w * cellW, in.top() + row * m_strides.h * cellH,
                               m_window.w * cellW, m_window.h * cellH)
                            .intersected(in);
  const QRectF cell(out.left() + column * out.width() / m_out.w, out.top() + row * out.height() / m_out.h,
                    std::max(3.0, out.width() / m_out.w), std::max(3.0, out.height() / m_out.h));
  paintGrid(painter, window, std::min(kMostCells, m_window.h), std::min(kMostCells, m_window.w), withAlpha(color, 0.5),
            ground);
  painter.setPen(QPen(color, 1.5));
  painter.setBrush(Qt::NoBrush);
  painter.drawRoundedRect(window, 1.5, 1.5);
  painter.fillRect(cell, color);
  painter.setPen(QPen(color, 1, Qt::DashLine));
  painter.drawLine(window.topRight(), cell.topLeft());
  painter.drawLine(window.bottomRight(), cell.bottomLeft());
  caption(painter, in, tr("input %1").arg(QString::fromStdString(m_in.text())));
  caption(painter, out, tr("output %1").arg(QString::fromStdString(m_out.text())));
}

void KernelPicture::paintMisfit(QPainter& painter) {
  const double room = height() - painter.fontMetrics().height() - 26;
  const double largest = std::max({m_in.h, m_in.w, m_window.h, m_window.w, 1});
  const QSizeF window(room * m_window.w / largest, room * m_window.h / largest),
      in(room * m_in.w / largest, room * m_in.h / largest);
  const QRectF windowRect(width() / 2.0 - window.width() / 2, 8, window.width(), window.height());
  const QRectF inRect(windowRect.topLeft(), in);
  painter.fillRect(windowRect, m_theme.color("badbg"));
  paintGrid(painter, inRect, std::clamp(m_in.h, 1, kMostCells), std::clamp(m_in.w, 1, kMostCells),
            withAlpha(m_theme.color("bstrong"), 0.3), m_theme.color("surface"));
  painter.setPen(QPen(m_theme.color("bad"), 2, Qt::DashLine));
  painter.setBrush(Qt::NoBrush);
  painter.drawRoundedRect(windowRect, 2, 2);
  caption(painter, QRectF(0, 0, width(), 1),
          tr("input %1 × %2, kernel %3 × %4").arg(m_in.h).arg(m_in.w).arg(m_window.h).arg(m_window.w));
}

}  // namespace strata::gui

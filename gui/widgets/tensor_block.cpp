// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/tensor_block.h"

#include <QPainter>
#include <QPolygonF>
#include <algorithm>
#include <cmath>

namespace strata::gui {
namespace {

constexpr double kDepthX = 0.85, kDepthY = -0.5;  // where the depth axis points on the screen
constexpr double kRodX = 0.9, kRodY = -0.32;

void paintBox(QPainter& painter, QPointF centre, QSizeF front, QPointF depth, const QColor& color,
              const QColor& ground) {
  const QRectF face(centre.x() - (front.width() + depth.x()) / 2, centre.y() - (front.height() + depth.y()) / 2,
                    front.width(), front.height());
  const QPolygonF top({face.topLeft(), face.topLeft() + depth, face.topRight() + depth, face.topRight()});
  const QPolygonF side({face.topRight(), face.topRight() + depth, face.bottomRight() + depth, face.bottomRight()});
  const auto fill = [&](double alpha) {
    QColor tint = color;
    tint.setAlphaF(static_cast<float>(alpha));
    painter.setBrush(tint);
  };
  if (ground.isValid()) {
    painter.setBrush(ground);
    for (const QPolygonF& part : {QPolygonF(face), top, side}) painter.drawPolygon(part);
  }
  fill(0.10);
  painter.drawPolygon(face);
  fill(0.18);
  painter.drawPolygon(top);
  fill(0.32);
  painter.drawPolygon(side);
}

}  // namespace

void paintTensor(QPainter& painter, QPointF centre, double room, const Shape& shape, int largestSide,
                 const QColor& color, const QColor& ground) {
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(color, 1, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  if (!shape.known()) {
    painter.setPen(QPen(color, 1.2, Qt::DashLine));
    const QRectF box(centre.x() - room * 0.45, centre.y() - room * 0.4, room * 0.9, room * 0.8);
    if (ground.isValid()) painter.setBrush(ground);
    painter.drawRoundedRect(box, 3, 3);
    painter.drawText(box, Qt::AlignCenter, QStringLiteral("?"));
  } else if (shape.isImage()) {
    const double scale = room / std::pow(std::max(1, largestSide), 0.75);
    const auto side = [&](int size) { return std::max(6.0, std::pow(size, 0.75) * scale); };
    const double depth = 2.5 + 2.3 * std::log2(std::max(1, shape.c));
    paintBox(painter, centre, {side(shape.w), side(shape.h)}, QPointF(kDepthX, kDepthY) * depth, color, ground);
  } else {
    const double length = std::clamp(5.2 * std::log2(std::max(2, shape.c)) - 10, 6.0, room * 1.5);
    paintBox(painter, centre, {room * 0.17, room * 0.17}, QPointF(kRodX, kRodY) * length, color, ground);
  }
  painter.restore();
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/block_picture.h"

#include <QPainter>
#include <algorithm>

#include "gui/widgets/stack_painter.h"
#include "gui/widgets/tensor_block.h"

namespace strata::gui {
namespace {

constexpr int kMostBoxes = 5;  ///< of one way; more become a number
constexpr int kMostWays = 4;
constexpr double kShape = 30, kGap = 8, kSide = 12;

}  // namespace

BlockPicture::BlockPicture(const Theme& theme, QWidget* parent) : QWidget(parent), m_theme(theme) {
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
  connect(&theme, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void BlockPicture::show(const LayerCard& card, std::vector<std::vector<Box>> ways) {
  m_card = card;
  m_ways = std::move(ways);
  if (m_ways.size() > kMostWays) m_ways.resize(kMostWays);
  for (auto& way : m_ways)
    if (way.size() > kMostBoxes) {
      const auto more = way.size() - kMostBoxes + 1;
      way.resize(kMostBoxes);
      way.back() = {tr("and %1 more").arg(more), "shape"};
    }
  setAccessibleName(
      tr("%1 goes in, %2 comes out; %3")
          .arg(QString::fromStdString(card.in.text()), QString::fromStdString(card.out.text()), card.foot));
  updateGeometry();
  update();
}

int BlockPicture::rows() const {
  std::size_t most = 1;
  for (const auto& way : m_ways) most = std::max(most, way.size());
  return static_cast<int>(most);
}
int BlockPicture::rowHeight() const { return QFontMetrics(m_theme.font(Theme::Text::Caption)).height() + 8; }

QSize BlockPicture::sizeHint() const {
  return {280, static_cast<int>(2 * kShape + 3 * kSide + rows() * (rowHeight() + kGap) + 22)};
}

void BlockPicture::paintShape(QPainter& painter, QPointF centre, const Shape& shape) {
  paintTensor(painter, centre, 22, shape, m_card.largestSide, m_theme.color("bstrong"));
  painter.setPen(m_theme.color("text2"));
  const QString text = shape.known() ? QString::fromStdString(shape.text()) : QStringLiteral("—");
  painter.drawText(QRectF(centre.x() + 28, centre.y() - 10, width() / 2.0 - 30, 20), Qt::AlignLeft | Qt::AlignVCenter,
                   text);
}

void BlockPicture::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setFont(m_theme.font(Theme::Text::Caption));
  const double middle = width() / 2.0;
  const QPointF top(middle, kShape), sign(middle, height() - kShape - 14);
  paintShape(painter, {middle, kShape / 2}, m_card.in);
  const auto count = static_cast<double>(std::max<std::size_t>(1, m_ways.size()));
  const double each = (width() - kGap * (count - 1)) / count;
  for (std::size_t i = 0; i < m_ways.size(); ++i) {
    const double x = static_cast<double>(i) * (each + kGap) + each / 2;
    paintWay(painter, m_ways[i], x, std::min(each, 150.0), top, sign);
  }
  painter.setPen(QPen(m_theme.color("text3"), 1.5, Qt::SolidLine, Qt::RoundCap));
  painter.drawLine(sign + QPointF(0, 8), QPointF(middle, height() - kShape + 4));
  if (m_card.sign != LayerCard::Sign::None)
    StackPainter(m_theme).paintSign(painter, sign, m_card.sign, m_theme.color("surface"));
  paintShape(painter, {middle, height() - kShape / 2}, m_card.out);
}

/// From the shape above sideways, down through the boxes, and back to the sign.
void BlockPicture::paintWay(QPainter& painter, const std::vector<Box>& way, double x, double width, QPointF from,
                            QPointF to) {
  const double row = rowHeight(), first = from.y() + kSide + 6;
  painter.setPen(QPen(m_theme.color("text3"), 1.5, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  painter.setBrush(Qt::NoBrush);
  painter.drawPolyline(QPolygonF({from, from + QPointF(0, 8), {x, from.y() + 8}, {x, to.y()}, to}));
  double y = first;
  for (const Box& box : way) {
    const QRectF rect(x - width / 2, y, width, row);
    painter.setPen(QPen(m_theme.color(box.category), 1.3));
    painter.setBrush(m_theme.color("surface"));
    painter.drawRoundedRect(rect.adjusted(1, 0.5, -1, -0.5), 4, 4);
    painter.setPen(m_theme.color("text"));
    painter.drawText(rect, Qt::AlignCenter,
                     painter.fontMetrics().elidedText(box.text, Qt::ElideRight, static_cast<int>(width) - 10));
    y += row + kGap;
  }
}

}  // namespace strata::gui

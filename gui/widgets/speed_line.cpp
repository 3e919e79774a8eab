// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/speed_line.h"

#include <QPainter>
#include <QPainterPath>
#include <algorithm>

#include "gui/words.h"

namespace strata::gui {

SpeedLine::SpeedLine(const Theme& theme, QWidget* parent) : QWidget(parent), m_theme(theme) {
  setAccessibleName(tr("Speed over the last two minutes"));
  setMinimumHeight(48);
  connect(&theme, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void SpeedLine::clear() {
  m_values.clear();
  update();
}

void SpeedLine::add(double samplesPerSecond) {
  m_values.push_back(samplesPerSecond);
  if (m_values.size() > kSeconds) m_values.pop_front();
  setAccessibleDescription(counted(qint64(samplesPerSecond), tr("1 sample a second"), tr("%1 samples a second")));
  update();
}

void SpeedLine::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  const QRectF box = QRectF(rect()).adjusted(1, 4, -1, -1);
  painter.setPen(m_theme.color("border"));
  painter.drawLine(box.bottomLeft(), box.bottomRight());
  if (m_values.empty()) {
    painter.setPen(m_theme.color("text2"));
    painter.drawText(box, Qt::AlignCenter | Qt::TextWordWrap, tr("The speed is drawn here while a run trains."));
  }
  if (m_values.size() < 2) return;
  const double top = std::max(1.0, *std::max_element(m_values.begin(), m_values.end()) * 1.1);
  const double step = box.width() / double(std::max<std::size_t>(m_values.size() - 1, 30));
  QPainterPath line;
  for (std::size_t i = 0; i < m_values.size(); ++i) {
    const QPointF at(box.right() - step * double(m_values.size() - 1 - i),
                     box.bottom() - box.height() * m_values[i] / top);
    if (i == 0) line.moveTo(at);
    else line.lineTo(at);
  }
  QPainterPath area = line;
  area.lineTo(box.bottomRight());
  area.lineTo(box.right() - step * double(m_values.size() - 1), box.bottom());
  painter.setRenderHint(QPainter::Antialiasing);
  painter.fillPath(area, m_theme.color("sel"));
  painter.strokePath(line, QPen(m_theme.color("accent"), 1.5));
}

}  // namespace strata::gui

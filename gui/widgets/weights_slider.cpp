// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/weights_slider.h"

#include <QKeyEvent>
#include <QPainter>
#include <QSignalBlocker>
#include <algorithm>

namespace strata::gui {

WeightsSlider::WeightsSlider(const Theme& theme, QWidget* parent) : QSlider(Qt::Horizontal, parent), m_theme(theme) {
  setObjectName("weightsSlider");
  setAccessibleName(tr("Epoch of the weights"));
  setMinimumWidth(120);
  setMinimumHeight(28);
  setPageStep(1);
  setEnabled(false);
  setToolTip(tr("No run has finished an epoch yet"));
  connect(this, &QSlider::valueChanged, this, [this] {
    m_chosen = epoch() != m_best;
    emit epochChanged(epoch());
  });
}

int WeightsSlider::epoch() const { return m_epochs.empty() ? 0 : m_epochs[std::size_t(value())]; }

void WeightsSlider::setEpochs(const std::vector<int>& epochs, int best) {
  const int former = epoch();
  const bool same = epochs == m_epochs && best == m_best;
  if (same) return;
  m_epochs = epochs;
  m_best = best;
  {
    const QSignalBlocker block(this);
    setRange(0, std::max(0, int(epochs.size()) - 1));
    const auto has = [&](int e) { return std::find(epochs.begin(), epochs.end(), e) != epochs.end(); };
    m_chosen &= has(former);
    setEpoch(m_chosen ? former : has(best) ? best : epochs.empty() ? 0 : epochs.back());
  }
  setEnabled(epochs.size() > 1);
  setToolTip(isEnabled() ? tr("Left and right: another epoch; B: the best")
                         : tr("There is one epoch's weights to test, or none"));
  update();
  if (epoch() != former) emit epochChanged(epoch());
}

void WeightsSlider::setEpoch(int epoch) {
  const auto it = std::find(m_epochs.begin(), m_epochs.end(), epoch);
  if (it != m_epochs.end()) setValue(int(it - m_epochs.begin()));
}

void WeightsSlider::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_B) setEpoch(m_best);
  else QSlider::keyPressEvent(event);
}

void WeightsSlider::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const double left = 9, right = width() - 9, y = height() / 2.0 + 1;
  const auto at = [&](int i) {
    return m_epochs.size() < 2 ? right : left + (right - left) * i / double(m_epochs.size() - 1);
  };
  painter.setPen(QPen(m_theme.color("border"), 3, Qt::SolidLine, Qt::RoundCap));
  painter.drawLine(QPointF(left, y), QPointF(right, y));
  if (m_epochs.empty()) return;
  const auto accent = m_theme.color(isEnabled() ? "accent" : "bstrong");
  painter.setPen(QPen(accent, 3, Qt::SolidLine, Qt::RoundCap));
  painter.drawLine(QPointF(left, y), QPointF(at(value()), y));
  painter.setPen(QPen(m_theme.color("bstrong"), 1));
  for (int i = 0; i < int(m_epochs.size()); ++i) {
    if (m_epochs[std::size_t(i)] == m_best) {
      m_theme.paintIcon(painter, QRectF(at(i) - 5, y - 14, 10, 10), "star", accent);
    } else {
      painter.drawLine(QPointF(at(i), y - 5), QPointF(at(i), y - 2));
    }
  }
  painter.setPen(QPen(accent, 2));
  painter.setBrush(m_theme.color(hasFocus() ? "accent" : "raised"));
  painter.drawEllipse(QPointF(at(value()), y), 6, 6);
}

}  // namespace strata::gui

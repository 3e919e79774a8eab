// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/elided_text.h"

#include <QPainter>

namespace strata::gui {

QString titleText(const std::string& fromFile) {
  constexpr qsizetype kMost = 80;
  QString text = QString::fromStdString(fromFile.substr(0, 4 * kMost)).simplified();
  text.removeIf([](QChar c) { return !c.isPrint() && !c.isSurrogate(); });
  return text.size() <= kMost ? text : text.left(kMost - 1) + QChar(0x2026);
}

ElidedText::ElidedText(const Theme& theme, const QString& token, QWidget* parent)
    : QWidget(parent), m_theme(theme), m_token(token) {
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
  connect(&theme, &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ElidedText::setText(const QString& text) {
  if (text == m_text) return;
  const QSize before = sizeHint();
  m_text = text;
  setAccessibleName(text);
  if (sizeHint() != before) updateGeometry();  // a new layout of the whole window is dear
  updateTip();
  update();
}

void ElidedText::setToken(const QString& token) {
  m_token = token;
  update();
}

void ElidedText::setAlignment(Qt::Alignment alignment) { m_alignment = alignment; }
QSize ElidedText::sizeHint() const { return {fontMetrics().horizontalAdvance(m_text) + 1, fontMetrics().height()}; }
QSize ElidedText::minimumSizeHint() const {
  return {std::min(sizeHint().width(), fontMetrics().horizontalAdvance("…")), fontMetrics().height()};
}

void ElidedText::paintEvent(QPaintEvent*) {
  if (m_wholeOnly && sizeHint().width() > width() + 1) return;
  QPainter painter(this);
  painter.setPen(m_theme.color(m_token));
  painter.drawText(rect(), m_alignment | Qt::AlignVCenter | Qt::TextSingleLine,
                   fontMetrics().elidedText(m_text, Qt::ElideRight, width()));
}

void ElidedText::resizeEvent(QResizeEvent*) { updateTip(); }
void ElidedText::updateTip() { setToolTip(sizeHint().width() > width() ? m_text : QString()); }

}  // namespace strata::gui

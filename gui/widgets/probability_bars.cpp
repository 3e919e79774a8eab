// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/probability_bars.h"

#include <QPainter>
#include <algorithm>

namespace strata::gui {
namespace {

constexpr float kDoubt = 0.1f;  ///< a second class above this is worth a badge

QString shareText(float p) {
  return p < 0.001f ? ProbabilityBars::tr("< 0.1 %") : ProbabilityBars::tr("%1 %").arg(double(p) * 100, 0, 'f', 1);
}

}  // namespace

ProbabilityBars::ProbabilityBars(const Theme& theme, QWidget* parent) : QWidget(parent), m_theme(theme) {
  setObjectName("probabilityBars");
  setAccessibleName(tr("Answer"));
  connect(&theme, &Theme::changed, this, qOverload<>(&QWidget::update));
}

int ProbabilityBars::answer() const {
  if (m_probabilities.empty()) return -1;
  return int(std::max_element(m_probabilities.begin(), m_probabilities.end()) - m_probabilities.begin());
}

QString ProbabilityBars::className(int label) const { return m_classes.value(label, QString::number(label)); }

void ProbabilityBars::setAnswer(const std::vector<float>& probabilities, const QStringList& classes) {
  m_probabilities = probabilities;
  m_classes = classes;
  QStringList words;
  for (int i = 0; i < int(m_probabilities.size()); ++i) {
    if (m_probabilities[std::size_t(i)] >= 0.01f)
      words << tr("%1, %2").arg(className(i), shareText(m_probabilities[std::size_t(i)]));
  }
  setAccessibleDescription(words.join("; "));
  update();
}

void ProbabilityBars::setEmptyText(const QString& text) {
  m_emptyText = text;
  update();
}

void ProbabilityBars::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  if (m_probabilities.empty()) {
    painter.setPen(m_theme.color("text2"));
    painter.drawText(QRectF(rect()).adjusted(24, 0, -24, 0), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
    return;
  }
  const double left = std::clamp(width() * 0.27, 104.0, 124.0);  // "100.0 %" and "maybe 9" fit
  paintAnswer(painter, QRectF(0.5, 0.5, left - 16, height() - 1));
  paintBars(painter, QRectF(left + 6, 0, width() - left - 6, height()));
}

void ProbabilityBars::paintAnswer(QPainter& painter, const QRectF& box) const {
  const int best = answer();
  int second = -1;
  for (int i = 0; i < int(m_probabilities.size()); ++i) {
    if (i != best && (second < 0 || m_probabilities[std::size_t(i)] > m_probabilities[std::size_t(second)])) second = i;
  }
  painter.setPen(m_theme.color("border"));
  painter.setBrush(m_theme.color("sunken"));
  painter.drawRoundedRect(box, 6, 6);
  const bool digit = className(best).size() <= 2;
  painter.setFont(m_theme.font(digit ? Theme::Text::Answer : Theme::Text::Title));
  painter.setPen(m_theme.color("text"));
  const double height = digit ? painter.fontMetrics().height() : 80;
  const double top = box.center().y() - height / 2 - 22;
  painter.drawText(QRectF(box.left() + 4, top, box.width() - 8, height), Qt::AlignCenter | Qt::TextWordWrap,
                   className(best));
  painter.setFont(m_theme.font(Theme::Text::BodyStrong));
  painter.drawText(QRectF(box.left(), top + height, box.width(), 20), Qt::AlignCenter,
                   shareText(m_probabilities[std::size_t(best)]));
  if (second < 0 || m_probabilities[std::size_t(second)] <= kDoubt) return;
  painter.setFont(m_theme.font(Theme::Text::Caption));
  const auto text = tr("maybe %1").arg(className(second));
  const double width = std::min(box.width() - 8, painter.fontMetrics().horizontalAdvance(text) + 34.0);
  const QRectF badge(box.center().x() - width / 2, top + height + 24, width, 22);
  painter.setPen(Qt::NoPen);
  painter.setBrush(m_theme.color("warnbg"));
  painter.drawRoundedRect(badge, 11, 11);
  m_theme.paintIcon(painter, QRectF(badge.left() + 8, badge.top() + 4, 14, 14), "warn", m_theme.color("warn"));
  painter.setPen(m_theme.color("warn"));
  painter.drawText(badge.adjusted(24, 0, -8, 0), Qt::AlignVCenter | Qt::AlignLeft, text);
}

void ProbabilityBars::paintBars(QPainter& painter, const QRectF& box) const {
  const int n = int(m_probabilities.size()), best = answer();
  const double step = box.height() / n;
  painter.setFont(m_theme.font(Theme::Text::Body));
  double nameWidth = 12;
  for (int i = 0; i < n; ++i)
    nameWidth = std::max(nameWidth, double(painter.fontMetrics().horizontalAdvance(className(i))));
  nameWidth = std::min(nameWidth, box.width() * 0.3);
  const double valueWidth = painter.fontMetrics().horizontalAdvance("100.0 %") + 8;
  const QRectF track(box.left() + nameWidth + 14, 0, box.width() - nameWidth - 14 - valueWidth - 6, 10);
  for (int i = 0; i < n; ++i) {
    const float p = m_probabilities[std::size_t(i)];
    const double y = box.top() + step * i;
    painter.setFont(m_theme.font(i == best ? Theme::Text::BodyStrong : Theme::Text::Body));
    painter.setPen(m_theme.color(i == best ? "text" : "text2"));
    const auto name = painter.fontMetrics().elidedText(className(i), Qt::ElideRight, int(nameWidth) + 4);
    painter.drawText(QRectF(box.left(), y, nameWidth + 4, step), Qt::AlignRight | Qt::AlignVCenter, name);
    painter.drawText(QRectF(box.right() - valueWidth, y, valueWidth, step), Qt::AlignRight | Qt::AlignVCenter,
                     shareText(p));
    const QRectF bar = track.translated(0, y + step / 2 - 5);
    painter.setPen(Qt::NoPen);
    painter.setBrush(m_theme.color("sunken"));
    painter.drawRoundedRect(bar, 2, 2);
    painter.setBrush(m_theme.color(i == best ? "accent" : "bstrong"));
    painter.drawRoundedRect(QRectF(bar.left(), bar.top(), std::max(1.0, bar.width() * double(p)), bar.height()), 2, 2);
  }
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/label.h"

#include <QStyle>

namespace strata::gui {

QLabel* makeLabel(const Theme& theme, const QString& text, Theme::Text role, const char* tone, QWidget* parent) {
  auto* label = new QLabel(text, parent);
  label->setFont(theme.font(role));
  label->setProperty("tone", tone);
  label->setTextFormat(Qt::PlainText);
  return label;
}

void setTone(QWidget* widget, const char* tone) {
  if (widget->property("tone") == QVariant(tone)) return;
  widget->setProperty("tone", tone);
  widget->style()->unpolish(widget);  // a style sheet looks at properties only when it polishes
  widget->style()->polish(widget);
}

QWidget* makeLine(QWidget* parent, Qt::Orientation orientation) {
  auto* line = new QWidget(parent);
  line->setProperty("line", true);
  line->setAttribute(Qt::WA_StyledBackground);
  if (orientation == Qt::Horizontal) line->setFixedHeight(1);
  else line->setFixedWidth(1);
  return line;
}

}  // namespace strata::gui

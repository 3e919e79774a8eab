// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/number_tile.h"

#include <QGridLayout>

#include "gui/widgets/elided_text.h"
#include "gui/widgets/label.h"

namespace strata::gui {

NumberTile::NumberTile(const Theme& theme, const QString& caption, const char* tone, QWidget* parent)
    : QWidget(parent) {
  const auto elided = [&] {
    auto* text = new ElidedText(theme, "text2", this);
    text->setFont(theme.font(Theme::Text::Caption));
    return text;
  };
  m_caption = elided();
  m_caption->setText(caption);
  m_value = makeLabel(theme, "—", Theme::Text::Live, tone, this);
  m_value->setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Preferred);
  m_hint = elided();
  auto* grid = new QGridLayout(this);
  grid->setContentsMargins(16, 8, 12, 6);
  grid->setHorizontalSpacing(6);
  grid->setVerticalSpacing(0);
  grid->addWidget(m_caption, 0, 0, 1, 2);
  grid->addWidget(m_value, 1, 0);
  grid->addWidget(m_hint, 2, 0, 1, 2);
  grid->setColumnStretch(1, 1);
}

void NumberTile::set(const QString& value, const QString& hint) {
  if (m_value->text() != value) m_value->setText(value);
  m_hint->setText(hint);
}

void NumberTile::setHintShown(bool shown) { m_hint->setVisible(shown); }
void NumberTile::setCaption(const QString& caption) { m_caption->setText(caption); }

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/number_tile.h"

#include <QGridLayout>

#include "gui/widgets/label.h"

namespace strata::gui {

NumberTile::NumberTile(const Theme& theme, const QString& caption, const char* tone, QWidget* parent)
    : QWidget(parent) {
  m_caption = makeLabel(theme, caption, Theme::Text::Caption, "text2", this);
  m_value = makeLabel(theme, "—", Theme::Text::Live, tone, this);
  m_hint = makeLabel(theme, {}, Theme::Text::Caption, "text2", this);
  m_hint->setAlignment(Qt::AlignBottom);
  m_hint->setContentsMargins(0, 0, 0, 4);
  auto* grid = new QGridLayout(this);
  grid->setContentsMargins(16, 8, 12, 6);
  grid->setHorizontalSpacing(6);
  grid->setVerticalSpacing(0);
  grid->addWidget(m_caption, 0, 0, 1, 2);
  grid->addWidget(m_value, 1, 0);
  grid->addWidget(m_hint, 1, 1);
  grid->setColumnStretch(1, 1);
}

void NumberTile::set(const QString& value, const QString& hint) {
  if (m_value->text() != value) m_value->setText(value);
  if (m_hint->text() != hint) m_hint->setText(hint);
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// The small bold title over a section of a panel.
#pragma once
#include "gui/widgets/label.h"

namespace strata::gui {

inline QLabel* makeSectionTitle(const Theme& theme, const QString& text, QWidget* parent = nullptr) {
  QLabel* title = makeLabel(theme, text, Theme::Text::Caption, "text2", parent);
  QFont bold = title->font();
  bold.setWeight(QFont::DemiBold);
  title->setFont(bold);
  return title;
}

}  // namespace strata::gui

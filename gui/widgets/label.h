// SPDX-License-Identifier: GPL-3.0-or-later
// Labels in the theme's fonts and text colours.
#pragma once
#include <QLabel>

#include "gui/theme.h"

namespace strata::gui {

/// A label whose colour is a token the style sheet knows as a tone: "text" "text2" "text3" "accent" "train" "val" "bad"
/// "warn".
QLabel* makeLabel(const Theme& theme, const QString& text, Theme::Text role = Theme::Text::Body,
                  const char* tone = "text", QWidget* parent = nullptr);

/// Changes a widget's tone later.
void setTone(QWidget* widget, const char* tone);

/// A hairline between two parts of a panel.
QWidget* makeLine(QWidget* parent, Qt::Orientation orientation = Qt::Horizontal);

}  // namespace strata::gui

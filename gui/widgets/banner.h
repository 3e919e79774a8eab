// SPDX-License-Identifier: GPL-3.0-or-later
// A bar across the page for what went wrong: selectable text, "Copy details", and a cross. Never a modal box.
#pragma once
#include <QLabel>
#include <QWidget>

#include "gui/theme.h"

namespace strata::gui {

class Banner : public QWidget {
  Q_OBJECT
 public:
  explicit Banner(const Theme& theme, QWidget* parent = nullptr);

  void showText(const QString& text);  ///< raises an accessibility alert
  QString text() const { return m_text->text(); }

 private:
  QLabel* m_text;
};

}  // namespace strata::gui

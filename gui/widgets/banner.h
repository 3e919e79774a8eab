// SPDX-License-Identifier: GPL-3.0-or-later
// A bar across the page for what went wrong: selectable text, a way out where there is one, "Copy details", and a
// cross. Never a modal box.
#pragma once
#include <QLabel>
#include <QWidget>
#include <functional>

#include "gui/theme.h"

class QPushButton;

namespace strata::gui {

class Banner : public QWidget {
  Q_OBJECT
 public:
  explicit Banner(const Theme& theme, QWidget* parent = nullptr);

  void showText(const QString& text);  ///< raises an accessibility alert
  /// Likewise, with a button that closes the banner and does `accept`.
  void showOffer(const QString& text, const QString& button, std::function<void()> accept);
  /// Closes the message that says `text`, which no longer holds; another one stays.
  void withdraw(const QString& text);
  QString text() const { return m_text->text(); }

 private:
  QLabel* m_text;
  QPushButton* m_offer;
  std::function<void()> m_accept;   ///< empty: nothing is offered
  std::function<void()> m_pressed;  ///< what was offered when the button was pressed
};

}  // namespace strata::gui

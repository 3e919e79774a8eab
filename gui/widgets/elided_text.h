// SPDX-License-Identifier: GPL-3.0-or-later
// One line of text that gives way when there is no room: it ends in "…" and the whole of it is the tooltip.
#pragma once
#include <QWidget>
#include <string>

#include "gui/theme.h"

namespace strata::gui {

/// What a file calls something, for a title or a question: one line of at most 80 characters that can be printed.
QString titleText(const std::string& fromFile);

class ElidedText : public QWidget {
  Q_OBJECT
 public:
  ElidedText(const Theme& theme, const QString& token, QWidget* parent = nullptr);

  void setText(const QString& text);
  const QString& text() const { return m_text; }
  void setToken(const QString& token);
  void setAlignment(Qt::Alignment alignment);
  void setWholeOnly() {
    m_wholeOnly = true;
  }  ///< where there is no room for all of it, nothing is shown but the tool tip
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  void updateTip();
  const Theme& m_theme;
  QString m_text, m_token;
  Qt::Alignment m_alignment = Qt::AlignLeft;
  bool m_wholeOnly = false;
};

}  // namespace strata::gui

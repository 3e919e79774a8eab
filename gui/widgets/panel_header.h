// SPDX-License-Identifier: GPL-3.0-or-later
// The 36 px head of a panel: title, a hint in smaller type, and buttons at the right.
#pragma once
#include <QWidget>

#include "gui/theme.h"

class QHBoxLayout;
class QLabel;

namespace strata::gui {

class ElidedText;

class PanelHeader : public QWidget {
  Q_OBJECT
 public:
  PanelHeader(const Theme& theme, const QString& title, QWidget* parent = nullptr);

  void setTitle(const QString& title);
  void setHint(const QString& hint);
  void setIcon(const QIcon& icon);
  /// Adds at the right end; the header takes ownership.
  void addWidget(QWidget* widget);
  QLabel* titleLabel() const { return m_title; }

 private:
  QLabel *m_icon, *m_title;
  ElidedText* m_hint;
  QHBoxLayout* m_row;
};

}  // namespace strata::gui

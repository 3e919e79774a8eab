// SPDX-License-Identifier: GPL-3.0-or-later
// What a panel shows before there is anything to show: one sentence, and a button when something can be done about it.
#pragma once
#include <QLabel>
#include <QPushButton>
#include <QWidget>

#include "gui/theme.h"

namespace strata::gui {

class EmptyState : public QWidget {
  Q_OBJECT
 public:
  EmptyState(const Theme& theme, const QString& sentence, const QString& button, QWidget* parent = nullptr);
  void setSentence(const QString& sentence) { m_sentence->setText(sentence); }
  QPushButton* button() const { return m_button; }

 signals:
  void clicked();

 private:
  QLabel* m_sentence;
  QPushButton* m_button;
};

}  // namespace strata::gui

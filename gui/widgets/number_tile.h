// SPDX-License-Identifier: GPL-3.0-or-later
// A live figure with a caption over it and a hint beside it: "Validation accuracy / 98.17 % epoch 12".
#pragma once
#include <QLabel>
#include <QWidget>

#include "gui/theme.h"

namespace strata::gui {

class NumberTile : public QWidget {
  Q_OBJECT
 public:
  NumberTile(const Theme& theme, const QString& caption, const char* tone, QWidget* parent = nullptr);
  void set(const QString& value, const QString& hint);
  void setHintShown(bool shown) { m_hint->setVisible(shown); }
  void setCaption(const QString& caption) { m_caption->setText(caption); }

 private:
  QLabel *m_caption, *m_value, *m_hint;
};

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// A live figure with a caption over it and a hint below: "Validation accuracy / 98.17 % / epoch 12". Where room is
// short the words give way, never the figure.
#pragma once
#include <QLabel>
#include <QWidget>

#include "gui/theme.h"

namespace strata::gui {

class ElidedText;

class NumberTile : public QWidget {
  Q_OBJECT
 public:
  NumberTile(const Theme& theme, const QString& caption, const char* tone, QWidget* parent = nullptr);
  void set(const QString& value, const QString& hint);
  void setHintShown(bool shown);
  void setCaption(const QString& caption);

 private:
  QLabel* m_value;
  ElidedText *m_caption, *m_hint;
};

}  // namespace strata::gui

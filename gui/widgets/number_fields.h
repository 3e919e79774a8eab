// SPDX-License-Identifier: GPL-3.0-or-later
// The box for a number: of layers, optimizers and runs alike. It shows exactly what the document holds, and what is
// typed counts when it is finished, never before: by Return, by leaving the box, or by the next act elsewhere. Escape
// brings back what the document holds. A text that is no such number changes nothing and is answered with a sentence.
#pragma once
#include <QAbstractSpinBox>

#include "gui/widgets/number_text.h"

namespace strata::gui {

class TypingWatch;

class NumberBox : public QAbstractSpinBox {
  Q_OBJECT
 public:
  /// For a field of kind Int, Seed, Real or Pair.
  explicit NumberBox(const Field& field, QWidget* parent = nullptr);

  /// Other limits, unit or words for the same kind of number.
  void describe(const Field& field);
  const Value& value() const { return m_value; }
  /// Shows what the document holds and tells nobody. A text that is being typed stays.
  void setValue(const Value& value);
  bool typing() const;
  /// Applies what is being typed; what cannot be applied is said, and the box shows the document's value again.
  void finish();
  /// Forgets what is being typed.
  void restore();

  void stepBy(int steps) override;
  QSize sizeHint() const override;

 signals:
  void edited(const strata::Value& value);
  void problemChanged(const QString& sentence);  ///< empty: nothing is wrong any more

 protected:
  StepEnabled stepEnabled() const override;
  void keyPressEvent(QKeyEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;

 private:
  bool applyTyped();
  void apply(const Value& value);
  void say(const QString& sentence);
  QString shownText() const;
  void showValue();

  Field m_field;
  Value m_value;
  TypingWatch* m_watch;
  bool m_complained = false;
};

}  // namespace strata::gui

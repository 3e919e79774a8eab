// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/number_fields.h"

#include <QKeyEvent>
#include <QLineEdit>

#include "gui/widgets/typing_watch.h"

namespace strata::gui {
namespace {

constexpr int kSurelyFits = 12;  ///< characters; what is longer may be cut, and is the tooltip too

}  // namespace

NumberBox::NumberBox(const Field& field, QWidget* parent)
    : QAbstractSpinBox(parent), m_field(field), m_value(field.initial),
      m_watch(new TypingWatch(this, [this] { finish(); })) {
  // Not textEdited(): pasting, dropping and clearing by a key count as typing too.
  connect(lineEdit(), &QLineEdit::textChanged, this, [this](const QString& text) {
    if (text == shownText()) return;
    m_watch->begin();
    say({});
  });
  showValue();
}

void NumberBox::describe(const Field& field) {
  m_field = field;
  if (!typing()) showValue();
}

bool NumberBox::typing() const { return m_watch->typing(); }

void NumberBox::setValue(const Value& value) {
  const bool changed = value != m_value;
  m_value = value;
  if (typing()) return;
  if (changed) say({});
  showValue();
}

QString NumberBox::shownText() const {
  const QString text = numberText(m_field, m_value);
  const bool words = !m_field.zeroText.empty() && text == QString::fromStdString(m_field.zeroText);
  return words || m_field.unit.empty() ? text : text + ' ' + QString::fromStdString(m_field.unit);
}

void NumberBox::showValue() {
  const QString text = shownText();
  lineEdit()->setToolTip(text.size() > kSurelyFits ? text : QString());
  if (lineEdit()->text() == text) return;  // keeps the cursor and the selection
  lineEdit()->setText(text);
  lineEdit()->setCursorPosition(0);  // of a number too long for the box its beginning is seen
}

bool NumberBox::applyTyped() {
  const TypedNumber typed = readNumber(m_field, lineEdit()->text());
  if (!typed.value) {
    say(tr("%1. %2 stays.").arg(typed.problem, numberText(m_field, m_value)));
    return false;
  }
  m_watch->end();
  apply(*typed.value);
  return true;
}

void NumberBox::finish() {
  if (!typing() || applyTyped()) return;
  m_watch->end();
  showValue();
}

void NumberBox::restore() {
  m_watch->end();
  say({});
  showValue();
}

void NumberBox::apply(const Value& value) {
  const bool changed = value != m_value;
  m_value = value;
  say({});
  showValue();
  if (changed) emit edited(value);
}

void NumberBox::say(const QString& sentence) {
  if (sentence.isEmpty() && !m_complained) return;
  m_complained = !sentence.isEmpty();
  emit problemChanged(sentence);
}

void NumberBox::stepBy(int steps) {
  Value from = m_value;
  if (typing()) {
    const TypedNumber typed = readNumber(m_field, lineEdit()->text());
    if (!typed.value) return finish();
    from = *typed.value;
    m_watch->end();
  }
  apply(steppedNumber(m_field, from, steps));
  selectAll();
}

QAbstractSpinBox::StepEnabled NumberBox::stepEnabled() const {
  if (isReadOnly()) return StepNone;
  StepEnabled enabled = StepNone;
  if (steppedNumber(m_field, m_value, -1) != m_value) enabled |= StepDownEnabled;
  if (steppedNumber(m_field, m_value, 1) != m_value) enabled |= StepUpEnabled;
  return enabled;
}

void NumberBox::keyPressEvent(QKeyEvent* event) {
  switch (event->key()) {
    case Qt::Key_Return:
    case Qt::Key_Enter:
      if (typing() && !applyTyped()) return;  // the text stays, to be put right
      selectAll();
      emit editingFinished();
      return;
    case Qt::Key_Escape:
      if (!typing()) break;
      restore();
      selectAll();
      return;
    default:
      break;
  }
  QAbstractSpinBox::keyPressEvent(event);
}

void NumberBox::focusOutEvent(QFocusEvent* event) {
  if (leavesField(this, event->reason())) finish();
  QAbstractSpinBox::focusOutEvent(event);
}

QSize NumberBox::sizeHint() const {
  return {fontMetrics().horizontalAdvance("000 × 000") + 44, lineEdit()->sizeHint().height() + 8};
}

}  // namespace strata::gui

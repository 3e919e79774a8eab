// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/number_fields.h"

#include <QLineEdit>
#include <QLocale>
#include <QRegularExpression>
#include <algorithm>

namespace strata::gui {
namespace {

QString pairText(Pair pair) { return QString("%1 × %2").arg(pair.h).arg(pair.w); }

}  // namespace

PairBox::PairBox(QWidget* parent) : QAbstractSpinBox(parent) {
  setLocale(QLocale::c());
  lineEdit()->setText(pairText(m_value));
  connect(lineEdit(), &QLineEdit::textEdited, this, [this](const QString& text) {
    const auto typed = parse(text);
    if (!typed || *typed == m_value) return;
    m_value = *typed;
    emit valueChanged(m_value);
  });
  connect(this, &QAbstractSpinBox::editingFinished, this, [this] { lineEdit()->setText(pairText(m_value)); });
}

void PairBox::setRange(int low, int high) {
  m_low = low;
  m_high = high;
}

void PairBox::setValue(Pair value) {
  if (value == m_value) return;
  m_value = value;
  if (parse(lineEdit()->text()) != value) lineEdit()->setText(pairText(value));
  emit valueChanged(m_value);
}

std::optional<Pair> PairBox::parse(const QString& text) const {
  static const QRegularExpression form(R"(^\s*(\d{1,6})\s*(?:[x×,*]\s*(\d{1,6}))?\s*$)");
  const auto match = form.match(text);
  if (!match.hasMatch()) return std::nullopt;
  const int h = match.captured(1).toInt();
  const int w = match.captured(2).isEmpty() ? h : match.captured(2).toInt();
  if (std::min(h, w) < m_low || std::max(h, w) > m_high) return std::nullopt;
  return Pair{h, w};
}

QValidator::State PairBox::validate(QString& text, int&) const {
  static const QRegularExpression typing(R"(^[\d\sx×,*]*$)");
  if (parse(text)) return QValidator::Acceptable;
  return typing.match(text).hasMatch() ? QValidator::Intermediate : QValidator::Invalid;
}

void PairBox::stepBy(int steps) {
  setValue({std::clamp(m_value.h + steps, m_low, m_high), std::clamp(m_value.w + steps, m_low, m_high)});
  selectAll();
}

QAbstractSpinBox::StepEnabled PairBox::stepEnabled() const {
  StepEnabled enabled = StepNone;
  if (std::min(m_value.h, m_value.w) > m_low) enabled |= StepDownEnabled;
  if (std::max(m_value.h, m_value.w) < m_high) enabled |= StepUpEnabled;
  return enabled;
}

QSize PairBox::sizeHint() const {
  return {fontMetrics().horizontalAdvance("000 × 000") + 44, lineEdit()->sizeHint().height() + 8};
}

RealBox::RealBox(QWidget* parent) : QDoubleSpinBox(parent) {
  setLocale(QLocale::c());
  setDecimals(15);  // what is kept; what is shown is decided by textFromValue()
  setStepType(AdaptiveDecimalStepType);
}

QString RealBox::textFromValue(double value) const { return shortest(value); }
double RealBox::valueFromText(const QString& text) const { return QLocale::c().toDouble(text.trimmed()); }

QValidator::State RealBox::validate(QString& text, int&) const {
  static const QRegularExpression typing(R"(^\s*[-+]?\d*\.?\d*(?:[eE][-+]?\d*)?\s*$)");
  bool ok = false;
  const double value = QLocale::c().toDouble(text.trimmed(), &ok);
  if (ok) return value >= minimum() && value <= maximum() ? QValidator::Acceptable : QValidator::Intermediate;
  return typing.match(text).hasMatch() ? QValidator::Intermediate : QValidator::Invalid;
}

QString shortest(double value) { return QString::number(value, 'g', QLocale::FloatingPointShortest); }

}  // namespace strata::gui

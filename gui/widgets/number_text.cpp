// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/number_text.h"

#include <QCoreApplication>
#include <QLocale>
#include <QRegularExpression>
#include <algorithm>
#include <cmath>

namespace strata::gui {
namespace {

using Kind = Field::Kind;

QString words(const char* text) { return QCoreApplication::translate("NumberText", text); }

/// What was typed, cut to a length that a message can carry.
QString quoted(const QString& text) {
  return QStringLiteral("“%1”").arg(text.size() > 24 ? text.left(24) + QChar(0x2026) : text);
}

TypedNumber refused(const char* why, const QString& text) { return {std::nullopt, words(why).arg(quoted(text))}; }

bool isShare(const Field& field) { return field.kind == Kind::Real && field.unit == "%"; }
constexpr int kToPercent = 2;  ///< places that the point of a share is moved

/// A share's field as it is typed, shown and stepped.
Field inPercent(Field field) {
  field.initial = withPointMoved(std::get<double>(field.initial), kToPercent);
  field.low = withPointMoved(field.low, kToPercent);
  field.high = withPointMoved(field.high, kToPercent);
  return field;
}

TypedNumber within(const Field& field, const Value& value) {
  if (const auto problem = problemWith(field, value)) return {std::nullopt, QString::fromStdString(*problem)};
  return {value, {}};
}

TypedNumber readWhole(const Field& field, const QString& text) {
  static const QRegularExpression form(R"(^[-+]?\d+$)");
  if (text.contains(',') || text.contains('.'))
    return refused(QT_TRANSLATE_NOOP("NumberText", "%1 is not a whole number; write it without commas and points"),
                   text);
  if (!form.match(text).hasMatch()) return refused(QT_TRANSLATE_NOOP("NumberText", "%1 is not a whole number"), text);
  bool ok = false;
  const Value value = field.kind == Kind::Seed ? Value(std::uint64_t{text.toULongLong(&ok)})
                                               : Value(std::int64_t{text.toLongLong(&ok)});
  if (ok) return within(field, value);
  if (text.startsWith('-')) return refused(QT_TRANSLATE_NOOP("NumberText", "%1 is below 0"), text);
  return refused(QT_TRANSLATE_NOOP("NumberText", "%1 is too large"), text);
}

TypedNumber readReal(const Field& field, const QString& text) {
  static const QRegularExpression form(R"(^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$)"), zero(R"(^[-+]?[0.]+([eE].*)?$)");
  QString pointed = text;
  pointed.replace(',', '.');
  if (pointed.count('.') > 1)
    return refused(QT_TRANSLATE_NOOP("NumberText", "%1 has two decimal signs; write it with one"), text);
  if (!form.match(pointed).hasMatch()) return refused(QT_TRANSLATE_NOOP("NumberText", "%1 is not a number"), text);
  const double value = QLocale::c().toDouble(pointed);
  if (!std::isfinite(value)) return refused(QT_TRANSLATE_NOOP("NumberText", "%1 is too large"), text);
  if (value == 0 && !zero.match(pointed).hasMatch())
    return refused(QT_TRANSLATE_NOOP("NumberText", "%1 is too small to be told from 0"), text);
  return within(field, value);
}

TypedNumber readPair(const Field& field, const QString& text) {
  static const QRegularExpression form(R"(^(\d{1,9})\s*(?:[x×*]\s*(\d{1,9}))?$)");
  const auto match = form.match(text);
  if (!match.hasMatch())
    return refused(QT_TRANSLATE_NOOP("NumberText", "%1 is neither one whole number nor two, as in 3 × 5"), text);
  const int h = match.captured(1).toInt();
  return within(field, Pair{h, match.captured(2).isEmpty() ? h : match.captured(2).toInt()});
}

bool isZero(const Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole == 0;
  if (const auto* real = std::get_if<double>(&value)) return *real == 0;
  const auto* pair = std::get_if<Pair>(&value);
  return pair && *pair == Pair{0, 0};
}

Value zeroOf(Kind kind) {
  if (kind == Kind::Pair) return Pair{0, 0};
  return kind == Kind::Real ? Value(0.0) : Value(std::int64_t{0});
}

constexpr double kLargestUsual = 1000;  ///< a limit beyond tells nothing of what is usual

/// One arrow click at a number of this size: 0.50 goes to 0.51, and 0.10 down to 0.099.
double realStep(const Field& field, double value, bool towardsZero) {
  double size = std::abs(value);
  if (size == 0) size = std::abs(std::get<double>(field.initial));
  if (size == 0) size = field.high <= kLargestUsual ? field.high : 1;
  if (size == 0) return 0;
  int exponent = static_cast<int>(std::floor(std::log10(size)));
  if (std::abs(value) == withPointMoved(1, exponent) && towardsZero) --exponent;
  return withPointMoved(1, exponent - 1);
}

double steppedReal(const Field& field, double value, int steps) {
  for (int left = std::abs(steps); left > 0; --left) {
    const bool up = steps > 0;
    const double step = realStep(field, value, value != 0 && up == (value < 0));
    // Twelve digits drop what adding in binary leaves behind: 0.58, not 0.5800000000000001.
    value = QString::number(value + (up ? step : -step), 'g', 12).toDouble();
    if (std::abs(value) < step / 1e6) value = 0;
  }
  return std::clamp(value, field.low, field.high);
}

}  // namespace

TypedNumber readNumber(const Field& field, const QString& text) {
  QString typed = text.trimmed();
  const QString unit = QString::fromStdString(field.unit), zero = QString::fromStdString(field.zeroText);
  if (!unit.isEmpty() && typed.endsWith(unit)) typed = typed.chopped(unit.size()).trimmed();
  if (!zero.isEmpty() && typed.compare(zero, Qt::CaseInsensitive) == 0) return within(field, zeroOf(field.kind));
  if (typed.isEmpty()) return {std::nullopt, words(QT_TRANSLATE_NOOP("NumberText", "Nothing was typed"))};
  typed.replace(QChar(0x2212), '-');
  if (field.kind == Kind::Pair) return readPair(field, typed);
  if (field.kind != Kind::Real) return readWhole(field, typed);
  if (!isShare(field)) return readReal(field, typed);
  TypedNumber percent = readReal(inPercent(field), typed);
  if (percent.value) percent.value = withPointMoved(std::get<double>(*percent.value), -kToPercent);
  return percent;
}

QString numberText(const Field& field, const Value& value) {
  if (!field.zeroText.empty() && isZero(value)) return QString::fromStdString(field.zeroText);
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return QString::number(*whole);
  if (const auto* seed = std::get_if<std::uint64_t>(&value)) return QString::number(*seed);
  if (const auto* real = std::get_if<double>(&value))
    return shortest(isShare(field) ? withPointMoved(*real, kToPercent) : *real);
  const Pair pair = std::get<Pair>(value);
  return QStringLiteral("%1 × %2").arg(pair.h).arg(pair.w);
}

Value steppedNumber(const Field& field, const Value& value, int steps) {
  const auto moved = [&](std::int64_t from) {
    return std::clamp<std::int64_t>(from + steps, static_cast<std::int64_t>(field.low),
                                    static_cast<std::int64_t>(field.high));
  };
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return moved(*whole);
  if (const auto* real = std::get_if<double>(&value)) {
    if (!isShare(field)) return steppedReal(field, *real, steps);
    return withPointMoved(steppedReal(inPercent(field), withPointMoved(*real, kToPercent), steps), -kToPercent);
  }
  if (const auto* pair = std::get_if<Pair>(&value))
    return Pair{static_cast<int>(moved(pair->h)), static_cast<int>(moved(pair->w))};
  const auto seed = std::get<std::uint64_t>(value);
  const auto size = static_cast<std::uint64_t>(std::abs(steps));
  if (steps < 0) return seed < size ? std::uint64_t{0} : seed - size;
  return seed > UINT64_MAX - size ? UINT64_MAX : seed + size;
}

QString shortest(double value) { return QString::number(value, 'g', QLocale::FloatingPointShortest); }

double withPointMoved(double value, int places) {
  const QString text = QString::number(value, 'e', QLocale::FloatingPointShortest);
  const qsizetype at = text.indexOf('e');
  return at < 0 ? value : (text.left(at + 1) + QString::number(text.mid(at + 1).toInt() + places)).toDouble();
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers as people type them and as fields show them. Never by locale: a decimal comma is a decimal point everywhere,
// and what could be read in two ways is refused instead of guessed.
#pragma once
#include <QString>
#include <optional>

#include "engine/net/field.h"

namespace strata::gui {

/// A typed text as a value that the field allows, or a sentence without its full stop that says why it is none.
struct TypedNumber {
  std::optional<Value> value;
  QString problem;
};

/// For fields of kind Int, Seed, Real and Pair. The field's unit may stand after the number; shares are read in
/// percent.
TypedNumber readNumber(const Field& field, const QString& text);
/// Exactly the value, in as few digits as tell it apart; without the unit. 0 may have words of its own.
QString numberText(const Field& field, const Value& value);
/// The value that many arrow clicks away, inside the field's limits. A real number moves by a tenth of its size.
Value steppedNumber(const Field& field, const Value& value, int steps);

/// The shortest text that tells a number apart: "0.5", "1e-06".
QString shortest(double value);
/// The number with its decimal point moved: decimals stay what they are, where a product would round: 0.07 by 2 is 7.
double withPointMoved(double value, int places);

}  // namespace strata::gui

// SPDX-License-Identifier: Apache-2.0
// One parameter of a layer, an optimizer or a schedule, described once: from this come the form in the studio, the
// JSON, the validation and the help. Ids and values are Keras's.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/json_fwd.h"

namespace strata {

/// How weights start: a row of allInitializers() (initializer.h) and its number, where it has one.
struct Initializer {
  std::string type = "glorot_uniform";
  double number = 0;  ///< what the row's field says: a limit, a deviation; 0 where it has none
  bool operator==(const Initializer&) const = default;
};

/// Height and width, as Keras's kernel_size; written as one number in JSON when both are equal.
struct Pair {
  int h = 1, w = 1;
  bool operator==(const Pair&) const = default;
};

/// The sides of a shape, as Keras's target_shape: one to three, of which one may be -1, "what is left".
using Sizes = std::vector<int>;

using Value = std::variant<bool, std::int64_t, double, std::string, Pair, Initializer, std::uint64_t, Sizes>;

/// One of the values that a field offers.
struct Choice {
  std::string id;     ///< as in JSON: "same"
  std::string title;  ///< as on the form: "Same"
  std::string help;   ///< a sentence, a tooltip; may be empty
  bool operator==(const Choice&) const = default;
};

/// A parameter described once.
struct Field {
  /// A Seed is any whole number of 64 bits from 0, which Int cannot hold.
  enum class Kind { Bool, Int, Seed, Real, Choice, Pair, Initializer, Sizes };
  std::string id;     ///< snake_case, as in JSON: "kernel_size"
  std::string title;  ///< as on the form: "Kernel"
  Kind kind = Kind::Int;
  Value initial;                        ///< the value of a new layer and of a key left out of a file
  double low = 0, high = 0;             ///< inclusive limits of Int, Real, Pair and Sizes (each side)
  std::vector<strata::Choice> choices;  ///< of a Choice
  std::string unit;                     ///< shown inside the field: "px"; a Real in "%" is a share, shown times 100
  std::string zeroText;   ///< what 0 means, shown in its place: "as window"; empty when 0 is a plain number
  std::string help;       ///< one sentence, a tooltip
  bool advanced = false;  ///< on the fold "Initial weights and regularisation"
  bool operator==(const Field&) const = default;
};

/// A Field of each kind; what is left out can be set on the result.
Field boolField(const std::string& id, const std::string& title, bool initial, const std::string& help);
Field intField(const std::string& id, const std::string& title, std::int64_t initial, std::int64_t low,
               std::int64_t high, const std::string& help);
Field realField(const std::string& id, const std::string& title, double initial, double low, double high,
                const std::string& help);
Field seedField(const std::string& id, const std::string& title, std::uint64_t initial, const std::string& help);
Field choiceField(const std::string& id, const std::string& title, const std::vector<Choice>& choices,
                  const std::string& initial, const std::string& help);
Field pairField(const std::string& id, const std::string& title, int initial, int low, int high,
                const std::string& help);
Field sizesField(const std::string& id, const std::string& title, const Sizes& initial, int high,
                 const std::string& help);

/// The values of a set of Fields, by id.
class Fields {
 public:
  Fields() = default;
  explicit Fields(const std::vector<Field>& described);  ///< every field at its initial value

  bool flag(const std::string& id) const;
  int integer(const std::string& id) const;
  double real(const std::string& id) const;
  const std::string& text(const std::string& id) const;
  Pair pair(const std::string& id) const;
  const Sizes& sizes(const std::string& id) const;
  Initializer initializer(const std::string& id) const;

  bool has(const std::string& id) const { return m_values.contains(id); }
  const Value& at(const std::string& id) const;
  void set(const std::string& id, Value value) { m_values[id] = std::move(value); }
  bool operator==(const Fields&) const = default;

 private:
  std::map<std::string, Value> m_values;
};

/// The shortest text that reads back as the same number, in every locale: "0.5", "1e-06".
std::string numberText(double value);

/// "28 × 28 × 1", and back: numbers with ×, x, commas or spaces between them; nothing where it is something else.
std::string sizesText(const Sizes& sizes);
std::optional<Sizes> sizesFromText(const std::string& text);

/// Why `value` is not allowed for `field` ("Filters must be 1 to 4096; got 0"), or nothing. No full stop at the end.
std::optional<std::string> problemWith(const Field& field, const Value& value);

/// Reads the described fields out of `object`. Absent keys take the initial value. Throws Error::Input naming `where`
/// and the key for a value of a wrong type or out of limits, and for an unknown key (`ignored` lists keys that belong
/// to the caller).
Fields fieldsFromJson(const std::vector<Field>& described, const Json& object, const std::string& where,
                      const std::vector<std::string>& ignored);

/// Writes the values that differ from the initial ones, in the described order.
void fieldsToJson(const std::vector<Field>& described, const Fields& fields, Json& object);
/// Likewise every value.
void allFieldsToJson(const std::vector<Field>& described, const Fields& fields, Json& object);

}  // namespace strata

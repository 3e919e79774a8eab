// SPDX-License-Identifier: Apache-2.0
// Fields: values by id, their limits, and their JSON.
#include "engine/net/field.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/net/initializer.h"

namespace strata {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string joined(const std::vector<Choice>& choices) {
  std::vector<std::string> ids;
  for (const Choice& choice : choices) ids.push_back(choice.id);
  return joined(ids);
}

/// Whole limits in full: 1000000, not 1e+06.
std::string limitText(const Field& field, double limit) {
  return field.kind == Field::Kind::Real ? numberText(limit) : std::to_string(static_cast<std::int64_t>(limit));
}

std::string rangeText(const Field& field) {
  return limitText(field, field.low) + " to " + limitText(field, field.high);
}

bool inRange(const Field& field, double value) { return value >= field.low && value <= field.high; }  // false for NaN

std::string kindText(Field::Kind kind) {
  switch (kind) {
    case Field::Kind::Bool:
      return "true or false";
    case Field::Kind::Int:
      return "a whole number";
    case Field::Kind::Seed:
      return "a whole number from 0";
    case Field::Kind::Real:
      return "a number";
    case Field::Kind::Choice:
      return "a text";
    case Field::Kind::Pair:
      return "a whole number or two of them, [height, width]";
    case Field::Kind::Initializer:
      return "a name or {\"type\": ..., \"limit\": ...}";
    case Field::Kind::Sizes:
      return "a list of one to three whole numbers";
  }
  return {};
}

std::optional<std::string> initializerProblem(const Initializer& initializer) {
  const InitializerDef* def = findInitializer(initializer.type);
  if (!def) {
    std::vector<Choice> choices;
    for (const InitializerDef& each : allInitializers()) choices.push_back(each.choice);
    return "must be one of " + joined(choices) + "; got " + inQuotes(initializer.type);
  }
  if (!def->number || inRange(*def->number, initializer.number)) return std::nullopt;
  return "needs a " + def->number->id + " of " + rangeText(*def->number) + "; got " + numberText(initializer.number);
}

std::optional<std::string> sizesProblem(const Field& field, const Sizes& sizes) {
  if (sizes.empty() || sizes.size() > 3) return "must have one to three sides; got " + std::to_string(sizes.size());
  if (std::count(sizes.begin(), sizes.end(), -1) > 1) return std::string("can have -1 at one side only");
  for (const int side : sizes)
    if (side != -1 && (side < 1 || !inRange(field, side)))
      return "must have sides of 1 to " + limitText(field, field.high) + ", or -1; got " + std::to_string(side);
  return std::nullopt;
}

/// What is wrong, without the field's title.
std::optional<std::string> valueProblem(const Field& field, const Value& value) {
  switch (field.kind) {
    case Field::Kind::Bool:
      if (std::holds_alternative<bool>(value)) return std::nullopt;
      break;
    case Field::Kind::Int:
      if (const auto* number = std::get_if<std::int64_t>(&value)) {
        if (inRange(field, static_cast<double>(*number))) return std::nullopt;
        return "must be " + rangeText(field) + "; got " + std::to_string(*number);
      }
      break;
    case Field::Kind::Seed:
      if (std::holds_alternative<std::uint64_t>(value)) return std::nullopt;
      break;
    case Field::Kind::Real:
      if (const auto* number = std::get_if<double>(&value)) {
        if (inRange(field, *number)) return std::nullopt;
        return "must be " + rangeText(field) + "; got " + numberText(*number);
      }
      break;
    case Field::Kind::Choice:
      if (const auto* text = std::get_if<std::string>(&value)) {
        const auto named = [&](const Choice& choice) { return choice.id == *text; };
        if (std::any_of(field.choices.begin(), field.choices.end(), named)) return std::nullopt;
        return "must be one of " + joined(field.choices) + "; got " + inQuotes(*text);
      }
      break;
    case Field::Kind::Pair:
      if (const auto* pair = std::get_if<Pair>(&value)) {
        if (inRange(field, pair->h) && inRange(field, pair->w)) return std::nullopt;
        return "must be " + rangeText(field) + "; got " + std::to_string(pair->h) + " × " + std::to_string(pair->w);
      }
      break;
    case Field::Kind::Initializer:
      if (const auto* initializer = std::get_if<Initializer>(&value)) return initializerProblem(*initializer);
      break;
    case Field::Kind::Sizes:
      if (const auto* sizes = std::get_if<Sizes>(&value)) return sizesProblem(field, *sizes);
      break;
  }
  return "must be " + kindText(field.kind);
}

/// A whole number as it stands in JSON, or nothing. Values past 64 bits are clamped: every field's limits refuse them.
std::optional<std::int64_t> clampedWhole(const Json& json) {
  if (json.is_number_unsigned())
    return static_cast<std::int64_t>(std::min<std::uint64_t>(json.get<std::uint64_t>(), INT64_MAX));
  if (json.is_number_integer()) return json.get<std::int64_t>();
  return std::nullopt;
}

/// One side of a Pair; clamped to int, which every field's limits refuse.
std::optional<int> pairSide(const Json& json) {
  const auto number = clampedWhole(json);
  if (!number) return std::nullopt;
  return static_cast<int>(std::clamp<std::int64_t>(*number, INT32_MIN, INT32_MAX));
}

std::optional<Value> pairFromJson(const Json& json) {
  if (const auto side = pairSide(json)) return Pair{*side, *side};
  if (!json.is_array() || json.size() != 2) return std::nullopt;
  const auto h = pairSide(json[0]), w = pairSide(json[1]);
  if (!h || !w) return std::nullopt;
  return Pair{*h, *w};
}

/// A name alone takes its number from the row. Of an unknown name the number is of no matter: it is refused.
std::optional<Value> initializerFromJson(const Json& json) {
  const bool named = json.is_string();
  if (!named && !(json.is_object() && json.contains("type") && json["type"].is_string())) return std::nullopt;
  Initializer initializer = makeInitializer(named ? json.get<std::string>() : json["type"].get<std::string>());
  if (named) return initializer;
  const InitializerDef* def = findInitializer(initializer.type);
  for (const auto& [key, value] : json.items()) {
    if (key == "type") continue;
    if (!value.is_number() || (def && !(def->number && def->number->id == key))) return std::nullopt;
    initializer.number = value.get<double>();
  }
  return initializer;
}

std::optional<Value> sizesFromJson(const Json& json) {
  if (const auto side = pairSide(json)) return Sizes{*side};
  if (!json.is_array()) return std::nullopt;
  Sizes sizes;
  for (const Json& each : json) {
    const auto side = pairSide(each);
    if (!side || sizes.size() > 3) return std::nullopt;
    sizes.push_back(*side);
  }
  return sizes;
}

/// The value in the field's kind, or nothing when the JSON is of another.
std::optional<Value> valueFromJson(Field::Kind kind, const Json& json) {
  switch (kind) {
    case Field::Kind::Bool:
      return json.is_boolean() ? std::optional<Value>(json.get<bool>()) : std::nullopt;
    case Field::Kind::Int: {
      const auto number = clampedWhole(json);
      return number ? std::optional<Value>(*number) : std::nullopt;
    }
    case Field::Kind::Seed:
      if (json.is_number_unsigned() || (json.is_number_integer() && json.get<std::int64_t>() >= 0))
        return json.get<std::uint64_t>();
      return std::nullopt;
    case Field::Kind::Real:
      return json.is_number() ? std::optional<Value>(json.get<double>()) : std::nullopt;
    case Field::Kind::Choice:
      return json.is_string() ? std::optional<Value>(json.get<std::string>()) : std::nullopt;
    case Field::Kind::Pair:
      return pairFromJson(json);
    case Field::Kind::Initializer:
      return initializerFromJson(json);
    case Field::Kind::Sizes:
      return sizesFromJson(json);
  }
  return std::nullopt;
}

Field makeField(const std::string& id, const std::string& title, Field::Kind kind, Value initial, double low,
                double high, const std::string& help) {
  Field field;
  field.id = id;
  field.title = title;
  field.kind = kind;
  field.initial = std::move(initial);
  field.low = low;
  field.high = high;
  field.help = help;
  return field;
}

struct ValueWriter {
  Json operator()(const Pair& pair) const { return pair.h == pair.w ? Json(pair.h) : Json::array({pair.h, pair.w}); }
  Json operator()(const Initializer& initializer) const {
    const InitializerDef* def = findInitializer(initializer.type);
    if (!def || !def->number) return initializer.type;
    return Json{{"type", initializer.type}, {def->number->id, initializer.number}};
  }
  template <class T>
  Json operator()(const T& plain) const {
    return plain;
  }
};

}  // namespace

std::string numberText(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end.ptr};
}

std::string sizesText(const Sizes& sizes) {
  std::string text;
  for (const int side : sizes) text += (text.empty() ? "" : " × ") + std::to_string(side);
  return text;
}

std::optional<Sizes> sizesFromText(const std::string& text) {
  static const std::string kTimes = "×";
  Sizes sizes;
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    if (std::string(at, end).starts_with(kTimes)) {
      at += kTimes.size();
    } else if (*at == ' ' || *at == 'x' || *at == 'X' || *at == ',') {
      ++at;
    } else {
      int side = 0;
      const auto read = std::from_chars(at, end, side);
      if (read.ec != std::errc()) return std::nullopt;
      sizes.push_back(side);
      at = read.ptr;
    }
  }
  return sizes.empty() ? std::nullopt : std::optional(sizes);
}

Field boolField(const std::string& id, const std::string& title, bool initial, const std::string& help) {
  return makeField(id, title, Field::Kind::Bool, initial, 0, 0, help);
}

Field intField(const std::string& id, const std::string& title, std::int64_t initial, std::int64_t low,
               std::int64_t high, const std::string& help) {
  return makeField(id, title, Field::Kind::Int, initial, static_cast<double>(low), static_cast<double>(high), help);
}

Field realField(const std::string& id, const std::string& title, double initial, double low, double high,
                const std::string& help) {
  return makeField(id, title, Field::Kind::Real, initial, low, high, help);
}

Field seedField(const std::string& id, const std::string& title, std::uint64_t initial, const std::string& help) {
  return makeField(id, title, Field::Kind::Seed, initial, 0, 0, help);
}

Field choiceField(const std::string& id, const std::string& title, const std::vector<Choice>& choices,
                  const std::string& initial, const std::string& help) {
  Field field = makeField(id, title, Field::Kind::Choice, initial, 0, 0, help);
  field.choices = choices;
  return field;
}

Field pairField(const std::string& id, const std::string& title, int initial, int low, int high,
                const std::string& help) {
  return makeField(id, title, Field::Kind::Pair, Pair{initial, initial}, low, high, help);
}

Field sizesField(const std::string& id, const std::string& title, const Sizes& initial, int high,
                 const std::string& help) {
  return makeField(id, title, Field::Kind::Sizes, initial, -1, high, help);
}

Fields::Fields(const std::vector<Field>& described) {
  for (const Field& field : described) m_values[field.id] = field.initial;
}

bool Fields::flag(const std::string& id) const { return std::get<bool>(at(id)); }
int Fields::integer(const std::string& id) const { return narrow<int>(std::get<std::int64_t>(at(id)), id); }
double Fields::real(const std::string& id) const { return std::get<double>(at(id)); }
const std::string& Fields::text(const std::string& id) const { return std::get<std::string>(at(id)); }
Pair Fields::pair(const std::string& id) const { return std::get<Pair>(at(id)); }
const Sizes& Fields::sizes(const std::string& id) const { return std::get<Sizes>(at(id)); }
Initializer Fields::initializer(const std::string& id) const { return std::get<Initializer>(at(id)); }
const Value& Fields::at(const std::string& id) const { return m_values.at(id); }

std::optional<std::string> problemWith(const Field& field, const Value& value) {
  const auto problem = valueProblem(field, value);
  return problem ? std::optional(field.title + " " + *problem) : std::nullopt;
}

Fields fieldsFromJson(const std::vector<Field>& described, const Json& object, const std::string& where,
                      const std::vector<std::string>& ignored) {
  if (!object.is_object()) throw Error(Error::Kind::Input, where, "must be an object in braces");
  Fields fields(described);
  for (const auto& [key, json] : object.items()) {
    if (std::find(ignored.begin(), ignored.end(), key) != ignored.end()) continue;
    const auto field = std::find_if(described.begin(), described.end(), [&](const Field& f) { return f.id == key; });
    if (field == described.end()) {
      std::vector<std::string> known = ignored;
      for (const Field& f : described) known.push_back(f.id);
      throw Error(Error::Kind::Input, where, "unknown key " + inQuotes(key) + "; known here: " + joined(known));
    }
    const auto value = valueFromJson(field->kind, json);
    if (!value) throw Error(Error::Kind::Input, where, inQuotes(key) + " must be " + kindText(field->kind));
    if (const auto problem = valueProblem(*field, *value))
      throw Error(Error::Kind::Input, where, inQuotes(key) + " " + *problem);
    fields.set(key, *value);
  }
  return fields;
}

void fieldsToJson(const std::vector<Field>& described, const Fields& fields, Json& object) {
  for (const Field& field : described)
    if (fields.at(field.id) != field.initial) allFieldsToJson({field}, fields, object);
}

void allFieldsToJson(const std::vector<Field>& described, const Fields& fields, Json& object) {
  for (const Field& field : described) object[field.id] = std::visit(ValueWriter{}, fields.at(field.id));
}

}  // namespace strata

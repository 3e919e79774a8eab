// SPDX-License-Identifier: Apache-2.0
// A SAX handler builds the document, so that hostile text is refused where it goes wrong: a duplicate key, a nesting
// too deep, too many values.
#include "engine/base/json.h"

#include <cmath>
#include <iterator>
#include <unordered_set>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/text.h"

namespace strata {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  ///< some editors put it before UTF-8
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxValues = 250'000;  ///< keeps the document within some 50 MB whatever the text says

/// Counts what the parser has consumed: a SAX handler is not told where it is.
struct CountingIterator {
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at = nullptr;
  std::size_t* count = nullptr;

  reference operator*() const { return *at; }
  CountingIterator& operator++() {
    ++at;
    ++*count;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at == other.at; }
};

class Builder : public nlohmann::json_sax<Json> {
 public:
  Json document;
  std::string problem;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return refuse("binary values are not allowed"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (!m_open.back().keys.insert(name).second) return refuse("the key " + inQuotes(name) + " appears twice");
    m_open.back().key = std::move(name);
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    problem = error.what();
    const auto bracket = problem.find("] ");
    if (problem.starts_with('[') && bracket != std::string::npos) problem.erase(0, bracket + 2);
    // "parse error at line 1, column 5: syntax error ...": the position is told by the caller.
    if (problem.starts_with("parse error")) problem.erase(0, problem.find(": ") + 2);
    problem = printable(problem, 160);  // it quotes what was read last, however long that is
    return false;
  }

 private:
  struct Container {
    Json* value = nullptr;
    std::string key;                       ///< of the member to come
    std::unordered_set<std::string> keys;  ///< an ordered object would search its keys one by one
  };

  bool refuse(std::string why) {
    problem = std::move(why);
    return false;
  }

  Json* place(Json value) {
    if (m_open.empty()) {
      document = std::move(value);
      return &document;
    }
    Container& into = m_open.back();
    if (into.value->is_array()) {
      into.value->push_back(std::move(value));
      return &into.value->back();
    }
    auto& members = into.value->get_ref<Json::object_t&>();
    members.emplace_back(std::move(into.key), std::move(value));
    return &members.back().second;
  }

  bool add(Json value) {
    if (++m_values > kMaxValues) return refuse("more than " + std::to_string(kMaxValues) + " values");
    place(std::move(value));
    return true;
  }

  bool open(Json value) {
    if (m_open.size() == kMaxDepth) return refuse("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    if (++m_values > kMaxValues) return refuse("more than " + std::to_string(kMaxValues) + " values");
    m_open.push_back({place(std::move(value)), {}, {}});
    return true;
  }

  bool close() {
    m_open.pop_back();
    return true;
  }

  std::vector<Container> m_open;
  std::size_t m_values = 0;
};

std::string position(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  std::size_t line = 1, column = 1;
  for (std::size_t i = 0; i + 1 < offset; ++i) {
    if (text[i] == '\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
  }
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

std::string quoted(const std::string& text) { return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string oneLine(const Json& json) {
  if (json.is_object()) {
    std::string text = "{";
    for (const auto& [key, value] : json.items())
      text += (text.size() > 1 ? ", " : "") + quoted(key) + ": " + oneLine(value);
    return text + "}";
  }
  if (json.is_array()) {
    std::string text = "[";
    for (const Json& value : json) text += (text.size() > 1 ? ", " : "") + oneLine(value);
    return text + "]";
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string lines(const Json& json, std::size_t indent) {
  constexpr std::size_t kWidth = 180;
  std::string flat = oneLine(json);
  const bool breaks = json.is_structured() && !json.empty() && (indent == 0 || flat.size() + indent > kWidth);
  if (!breaks) return flat;
  const std::string margin(indent + 2, ' ');
  std::string text = json.is_object() ? "{" : "[";
  bool first = true;
  for (const auto& [key, value] : json.items()) {
    text += (first ? "\n" : ",\n") + margin;
    if (json.is_object()) text += quoted(key) + ": ";
    text += lines(value, indent + 2);
    first = false;
  }
  return text + "\n" + std::string(indent, ' ') + (json.is_object() ? "}" : "]");
}

}  // namespace

Json parseJson(std::string_view text, const std::string& where) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    throw Error(Error::Kind::Input, where, "is text in UTF-16, needed UTF-8", "Save it as UTF-8 in your editor");
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const auto refuse = [&](std::size_t offset, const std::string& why) -> Error {
    return {Error::Kind::Input, where, "not valid JSON at " + position(text, offset) + ": " + why,
            "Mend the text there, or use another file"};
  };
  // The library takes a zero byte for the end of the text and would not look at what follows.
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) throw refuse(zero + 1, "a zero byte");
  Builder builder;
  std::size_t consumed = 0;
  const CountingIterator first{text.data(), &consumed}, last{text.data() + text.size(), &consumed};
  if (!Json::sax_parse(first, last, &builder)) throw refuse(consumed, builder.problem);
  return std::move(builder.document);
}

std::string shownValue(const Json& json) {
  if (json.is_array()) return "a list of " + std::to_string(json.size()) + " values";
  if (json.is_object()) return "an object of " + std::to_string(json.size()) + " values";
  return json.is_string() ? inQuotes(json.get_ref<const std::string&>()) : compactJson(json);
}

double realNumber(const Json& json, const std::string& where, double low, double high) {
  if (json.is_number())
    if (const auto value = json.get<double>(); value >= low && value <= high) return value;
  throw Error(Error::Kind::Input, where,
              "must be a number from " + compactJson(low) + " to " + compactJson(high) + ", got " + shownValue(json));
}

Json numberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

std::string prettyJson(const Json& json) { return lines(json, 0) + "\n"; }

std::string compactJson(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace strata

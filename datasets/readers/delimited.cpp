// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/delimited.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>

#include "engine/base/error.h"

namespace strata {
namespace {

constexpr std::size_t kMostFields = 65'537;  ///< a column for each number that a net reads, and the label
constexpr std::size_t kSurveyed = 50;        ///< records that the dialect is told by
constexpr std::size_t kSurveyedBytes = std::size_t{1} << 22;

bool endsLine(char c) { return c == '\n' || c == '\r'; }

bool sameWord(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == y; });
}

/// The first records, as their fields.
std::vector<std::vector<std::string>> firstRecords(std::string_view text, char separator, const std::string& where) {
  std::vector<std::vector<std::string>> records;
  Records reader(text, separator, where);
  std::vector<std::string_view> fields;
  try {
    while (records.size() < kSurveyed && reader.next(fields)) records.emplace_back(fields.begin(), fields.end());
  } catch (const Error&) {  // a quote that another separator would not see; what came before is enough
  }
  return records;
}

/// The part of the text that is surveyed, up to the end of a line.
std::string_view start(std::string_view text) {
  if (text.size() <= kSurveyedBytes) return text;
  const auto end = text.substr(0, kSurveyedBytes).find_last_of("\r\n");
  return text.substr(0, end == std::string_view::npos ? kSurveyedBytes : end);
}

char separatorOf(std::string_view text, const std::string& where) {
  // A comma comes last: it may be the decimal mark.
  constexpr std::array kSeparators{'\t', ';', '|', ','};
  char best = ',';
  double bestShare = 0;
  for (const char separator : kSeparators) {
    std::map<std::size_t, std::size_t> counts;
    const auto records = firstRecords(start(text), separator, where);
    for (const auto& record : records) ++counts[record.size()];
    for (const auto& [fields, records_] : counts) {
      const double share = double(records_) / double(records.size());
      if (fields > 1 && share > bestShare) best = separator, bestShare = share;
    }
    if (bestShare == 1) break;
  }
  return best;
}

bool commaBetweenDigits(std::string_view text) {
  const auto comma = text.find(',');
  return comma != std::string_view::npos && comma > 0 && numberIn(text, true) && !numberIn(text, false);
}

bool hasDecimalComma(const std::vector<std::vector<std::string>>& records) {
  bool comma = false, point = false;
  for (const auto& record : records)
    for (const std::string& field : record) {
      comma = comma || commaBetweenDigits(field);
      point = point || (field.find('.') != std::string::npos && numberIn(field, false));
    }
  return comma && !point;
}

bool namesLabel(std::string_view text) {
  constexpr std::array kNames{"label", "class", "target", "species", "y"};
  return std::any_of(kNames.begin(), kNames.end(), [&](const char* name) { return sameWord(trimmed(text), name); });
}

/// The first record is names when one of them stands above numbers, or says that labels follow.
bool hasHeader(const std::vector<std::vector<std::string>>& records, bool decimalComma) {
  if (records.size() < 2) return false;
  const std::vector<std::string>& first = records.front();
  bool aboveNumbers = false;
  for (std::size_t c = 0; c < first.size(); ++c) {
    if (numberIn(first[c], decimalComma)) return false;
    bool numbers = false, others = false;
    for (std::size_t r = 1; r < records.size(); ++r) {
      if (c >= records[r].size() || isMissing(records[r][c])) continue;
      (numberIn(records[r][c], decimalComma) ? numbers : others) = true;
    }
    aboveNumbers = aboveNumbers || (numbers && !others && !isMissing(first[c]));
  }
  return aboveNumbers || std::any_of(first.begin(), first.end(), namesLabel);
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

bool isMissing(std::string_view text) {
  constexpr std::array kWords{"", "na", "n/a", "nan", "null", "none", "?", "-"};
  text = trimmed(text);
  return std::any_of(kWords.begin(), kWords.end(), [&](const char* word) { return sameWord(text, word); });
}

std::optional<double> numberIn(std::string_view text, bool decimalComma) {
  constexpr std::size_t kLongest = 64;
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.size() > kLongest || text.front() == '+') return std::nullopt;
  std::array<char, kLongest> room{};
  if (decimalComma) {
    if (text.find('.') != std::string_view::npos) return std::nullopt;
    std::replace_copy(text.begin(), text.end(), room.begin(), ',', '.');
    text = {room.data(), text.size()};
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string_view Records::quotedField() {
  const std::size_t begin = ++m_at, line = m_nextLine;
  bool doubled = false;
  for (;; ++m_at) {
    m_at = m_text.find_first_of("\"\n", m_at);
    if (m_at == std::string_view::npos)
      throw Error(Error::Kind::Input, m_where, "has a quote in line " + std::to_string(line) + " that is never closed",
                  "Close it, or double it to mean the mark itself.");
    if (m_text[m_at] == '\n') {
      ++m_nextLine;
    } else if (m_at + 1 < m_text.size() && m_text[m_at + 1] == '"') {
      doubled = true;
      ++m_at;
    } else {
      break;
    }
  }
  const std::string_view raw = m_text.substr(begin, m_at++ - begin);
  if (!doubled) return raw;
  std::string& text = m_unquoted.emplace_back();
  for (std::size_t i = 0; i < raw.size(); i += raw[i] == '"' ? 2 : 1) text += raw[i];
  return text;
}

bool Records::next(std::vector<std::string_view>& fields) {
  fields.clear();
  m_unquoted.clear();
  while (m_at < m_text.size() && endsLine(m_text[m_at])) m_nextLine += m_text[m_at++] == '\n';
  if (m_at >= m_text.size()) return false;
  m_line = m_nextLine;
  for (;;) {
    if (fields.size() >= kMostFields)
      throw Error(Error::Kind::Input, m_where,
                  "has more than " + std::to_string(kMostFields - 1) + " columns in line " + std::to_string(m_line),
                  "Leave out columns that are not needed.");
    std::string_view field;
    if (m_at < m_text.size() && m_text[m_at] == '"') field = quotedField();
    const std::size_t begin = m_at;
    while (m_at < m_text.size() && m_text[m_at] != m_separator && !endsLine(m_text[m_at])) ++m_at;
    if (field.data() == nullptr) field = m_text.substr(begin, m_at - begin);  // what follows a closing quote is dropped
    fields.push_back(field);
    if (m_at >= m_text.size() || endsLine(m_text[m_at])) break;
    ++m_at;
  }
  if (m_at < m_text.size() && m_text[m_at] == '\r' && m_at + 1 < m_text.size() && m_text[m_at + 1] == '\n') ++m_at;
  if (m_at < m_text.size()) m_nextLine += 1, ++m_at;
  return true;
}

Dialect dialectOf(std::string_view text, const std::string& where) {
  Dialect dialect;
  dialect.separator = separatorOf(text, where);
  const auto records = firstRecords(start(text), dialect.separator, where);
  if (std::vector<std::string_view> fields; records.empty())
    Records(text, dialect.separator, where).next(fields);  // which says why there are none
  const bool columns =
      std::any_of(records.begin(), records.end(), [](const auto& record) { return record.size() > 1; });
  if (!columns)
    throw Error(Error::Kind::Input, where, "holds no table: no line of it has two columns",
                "Separate the columns by commas, semicolons or tabs, a line for each sample.");
  dialect.decimalComma = dialect.separator != ',' && hasDecimalComma(records);
  dialect.header = hasHeader(records, dialect.decimalComma);
  return dialect;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Text in columns (RFC 4180 and its many cousins): records out of a whole file in memory, and what its separator,
// decimal mark and header are.
#pragma once
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata {

/// Walks through the records. Fields may be in double quotes, which may hold separators, line ends and doubled quotes.
class Records {
 public:
  /// `text` must outlive this.
  Records(std::string_view text, char separator, std::string where)
      : m_text(text), m_separator(separator), m_where(std::move(where)) {}

  /// The next record's fields, valid until the next call; false at the end. Blank lines are passed over. Error::Input
  /// for a quote that is never closed and for more than 65,537 fields.
  bool next(std::vector<std::string_view>& fields);
  std::size_t line() const { return m_line; }  ///< from 1: where the last record began

 private:
  std::string_view quotedField();

  std::string_view m_text;
  char m_separator;
  std::string m_where;
  std::size_t m_at = 0, m_line = 0, m_nextLine = 1;
  std::deque<std::string> m_unquoted;  ///< fields that held doubled quotes; in a deque they keep their places
};

/// How a file is written.
struct Dialect {
  char separator = ',';
  bool decimalComma = false;
  bool header = false;
};

/// Told by the first records. Error::Input for what is no text in columns.
Dialect dialectOf(std::string_view text, const std::string& where);

/// A number as people write it: surrounding blanks and a leading plus allowed; nothing for all else, infinity included.
std::optional<double> numberIn(std::string_view text, bool decimalComma);
/// Nothing, "NA", "NaN", "null", "None", "?", "-" in any case.
bool isMissing(std::string_view text);
std::string_view trimmed(std::string_view text);

}  // namespace strata

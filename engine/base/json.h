// SPDX-License-Identifier: Apache-2.0
// JSON as the project uses it: key order kept, so that files are diffable; numbers never depend on the locale.
#pragma once
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "engine/base/json_fwd.h"
#include "engine/base/narrow.h"

namespace strata {

/// Parses text that came from outside. Refuses duplicate keys, nesting deeper than 64, more than 250,000 values and
/// trailing text. `where` names the source in the message. Throws Error::Input with line and column.
Json parseJson(std::string_view text, const std::string& where);

/// A value as a message shows it: one short line.
std::string shownValue(const Json& json);

/// A whole number of `low` to `high`, or Error::Input: `where` names the file and the number.
template <std::integral Integer>
Integer wholeNumber(const Json& json, const std::string& where, Integer low = std::numeric_limits<Integer>::min(),
                    Integer high = std::numeric_limits<Integer>::max()) {
  // Read from a text, numbers from 0 on are unsigned; made from an int they are signed.
  const bool unsignedOne = json.is_number_unsigned(), whole = json.is_number_integer();
  const bool inside = unsignedOne ? std::cmp_greater_equal(json.get<std::uint64_t>(), low) &&
                                        std::cmp_less_equal(json.get<std::uint64_t>(), high)
                                  : whole && std::cmp_greater_equal(json.get<std::int64_t>(), low) &&
                                        std::cmp_less_equal(json.get<std::int64_t>(), high);
  if (!inside)
    throw Error(Error::Kind::Input, where,
                "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high) + ", got " +
                    shownValue(json));
  return unsignedOne ? narrow<Integer>(json.get<std::uint64_t>(), where)
                     : narrow<Integer>(json.get<std::int64_t>(), where);
}
/// A number of `low` to `high`, likewise.
double realNumber(const Json& json, const std::string& where, double low, double high);

/// A finite number, or null for NaN and infinity, which JSON has no words for.
Json numberOrNull(double value);

/// For files that people read and compare: indented, but what fits on a line stays on one. Ends with a newline.
std::string prettyJson(const Json& json);
/// One line without spaces, for JSON lines. Text that is not UTF-8 is mended, never refused.
std::string compactJson(const Json& json);

}  // namespace strata

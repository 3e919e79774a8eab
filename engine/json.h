// SPDX-License-Identifier: Apache-2.0
// JSON as the project uses it: key order kept, so that files are diffable; numbers never depend on the locale.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace strata {

using Json = nlohmann::ordered_json;

/// Parses text that came from outside. Refuses duplicate keys, nesting deeper than 64, more than 250,000 values and
/// trailing text. `where` names the source in the message. Throws Error::Input with line and column.
Json parseJson(std::string_view text, const std::string& where);

/// A finite number, or null for NaN and infinity, which JSON has no words for.
Json numberOrNull(double value);

/// For files that people read and compare: indented, but what fits on a line stays on one. Ends with a newline.
std::string prettyJson(const Json& json);
/// One line without spaces, for JSON lines. Text that is not UTF-8 is mended, never refused.
std::string compactJson(const Json& json);

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// JSON as the project uses it: key order kept, so that files are diffable; numbers never depend on the locale.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace strata {

using Json = nlohmann::ordered_json;

/// Parses text that came from outside. Refuses duplicate keys, nesting deeper than 64 and trailing text.
/// `where` names the source in the message. Throws Error::Input with line and column.
Json parseJson(std::string_view text, const std::string& where);

/// A finite number, or null for NaN and infinity, which JSON has no words for.
Json numberOrNull(double value);

}  // namespace strata

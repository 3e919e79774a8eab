// SPDX-License-Identifier: Apache-2.0
// Foreign text, as it may be shown: a hostile file can neither flood nor forge what stands on a screen.
// And counts in words.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace strata {

inline constexpr std::size_t kMostShown = 80;  ///< characters of a name out of a file

/// On one line, in sound UTF-8 and cut to `most` characters, the last `tail` of them from its end. Each character that
/// would command a terminal or turn the reading direction, and each byte that is no UTF-8, becomes U+FFFD.
std::string printable(std::string_view text, std::size_t most = kMostShown, std::size_t tail = 0);

/// The same in quotes and shorter, to stand in the middle of a sentence.
std::string inQuotes(std::string_view text);

/// "1,234,567".
inline std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (int i = static_cast<int>(text.size()) - 3; i > (number < 0 ? 1 : 0); i -= 3)
    text.insert(static_cast<std::size_t>(i), 1, ',');
  return text;
}

/// "1 epoch", "2 epochs", "60,000 classes": `noun` is the singular.
inline std::string counted(std::int64_t count, const std::string& noun) {
  const bool hisses = noun.ends_with('s') || noun.ends_with("ch");
  return grouped(count) + ' ' + noun + (count == 1 ? "" : hisses ? "es" : "s");
}

}  // namespace strata

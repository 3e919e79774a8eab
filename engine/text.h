// SPDX-License-Identifier: Apache-2.0
// Foreign text, as it may be shown: a hostile file can neither flood nor forge what stands on a screen.
#pragma once
#include <string>
#include <string_view>

namespace strata {

inline constexpr std::size_t kMostShown = 80;  ///< characters of a name out of a file

/// On one line, in sound UTF-8 and cut to `most` characters, the last `tail` of them from its end. Each character that
/// would command a terminal or turn the reading direction, and each byte that is no UTF-8, becomes U+FFFD.
std::string printable(std::string_view text, std::size_t most = kMostShown, std::size_t tail = 0);

/// The same in quotes and shorter, to stand in the middle of a sentence.
std::string inQuotes(std::string_view text);

}  // namespace strata

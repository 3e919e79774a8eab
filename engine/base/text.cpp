// SPDX-License-Identifier: Apache-2.0
#include "engine/base/text.h"

#include <cstdint>
#include <vector>

namespace strata {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kCut = "...";

/// Bytes of the character at the start of `text`, which is not empty; 0 where they are not UTF-8 (RFC 3629: shortest
/// form, no surrogates, at most U+10FFFF).
std::size_t characterLength(std::string_view text, std::uint32_t& code) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0x80 ? 1 : byte(0) < 0xC2 ? 0 : byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : 4;
  if (length == 0 || byte(0) > 0xF4 || length > text.size()) return 0;
  code = length == 1 ? byte(0) : byte(0) & (0x7F >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  return surrogate || code < kLeast[length] || code > 0x10FFFF ? 0 : length;
}

/// Commands to a terminal, line and paragraph ends, what turns or hides the text beside it.
bool misleads(std::uint32_t c) {
  const auto in = [c](std::uint32_t first, std::uint32_t last) { return c >= first && c <= last; };
  return c < 0x20 || in(0x7F, 0x9F) || c == 0xAD || c == 0x61C || c == 0x180E || c == 0x200B || c == 0x200E ||
         c == 0x200F || in(0x2028, 0x202E) || in(0x2060, 0x206F) || c == 0xFEFF || in(0xFFF9, 0xFFFB) ||
         in(0xE0000, 0xE0FFF);
}

}  // namespace

std::string printable(std::string_view text, std::size_t most, std::size_t tail) {
  // No character is longer than four bytes: what lies in the middle of a long text need not be looked at.
  if (text.size() > 8 * (most + 1)) {
    std::string ends(text.substr(0, 4 * (most + 1)));
    text = ends.append(text.substr(text.size() - 4 * (most + 1)));
    return printable(std::string(text), most, tail);
  }
  std::vector<std::string_view> characters;
  while (!text.empty()) {
    std::uint32_t code = 0;
    const std::size_t length = characterLength(text, code);
    characters.push_back(length == 0 || misleads(code) ? kReplacement : text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  std::string shown;
  const bool cut = characters.size() > most;
  const std::size_t kept = most > tail + kCut.size() ? most - tail - kCut.size() : 0;
  for (std::size_t i = 0; i < characters.size(); ++i) {
    if (cut && i == kept) {
      shown += kCut;
      i = characters.size() - tail;
      if (tail == 0) break;
    }
    shown += characters[i];
  }
  return shown;
}

std::string inQuotes(std::string_view text) { return '"' + printable(text, 40) + '"'; }

}  // namespace strata

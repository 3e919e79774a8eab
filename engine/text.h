// SPDX-License-Identifier: Apache-2.0
// Foreign text in messages.
#pragma once
#include <string>

namespace strata {

/// In quotes, on one line, cut after 40 bytes (but not inside a character): a hostile file cannot flood or forge a
/// message.
inline std::string inQuotes(std::string text) {
  if (text.size() > 40) {
    std::size_t end = 40;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end) + "...";
  }
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return '"' + text + '"';
}

}  // namespace strata

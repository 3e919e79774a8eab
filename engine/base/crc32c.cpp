// SPDX-License-Identifier: Apache-2.0
#include "engine/base/crc32c.h"

#include <array>

namespace strata {
namespace {

constexpr std::array<std::uint32_t, 256> crcTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    // Castagnoli's polynomial, reflected.
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
    table[i] = value;
  }
  return table;
}

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes) {
  static constexpr auto kTable = crcTable();
  crc = ~crc;
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

}  // namespace strata

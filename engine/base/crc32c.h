// SPDX-License-Identifier: Apache-2.0
// The checksum of checkpoints: CRC-32C, Castagnoli's polynomial (RFC 3720, appendix B.4).
#pragma once
#include <cstdint>
#include <string_view>

namespace strata {

/// Of what came before, whose checksum is `crc`, and `bytes` behind it; 0 to begin with.
std::uint32_t crc32c(std::uint32_t crc, std::string_view bytes);

}  // namespace strata

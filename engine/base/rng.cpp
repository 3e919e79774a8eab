// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10 and what is drawn from it. Constants: Salmon et al., SC 2011, section 4.3 and Random123.
#include "engine/base/rng.h"

#include <cmath>
#include <numbers>

namespace strata {

std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter) {
  constexpr std::uint64_t kMultiply0 = 0xD2511F53, kMultiply1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  std::array<std::uint32_t, 4> c{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                                 static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
  auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = kMultiply0 * c[0], p1 = kMultiply1 * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ key0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ key1, static_cast<std::uint32_t>(p0)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return c;
}

std::uint64_t streamNumber(Stream stream, std::uint64_t index) {
  return (static_cast<std::uint64_t>(stream) << 56) | (index & 0x00FFFFFFFFFFFFFF);
}

Rng::Rng(std::uint64_t seed, Stream stream, std::uint64_t index)
    : m_seed(seed), m_stream(streamNumber(stream, index)) {}

std::uint32_t Rng::next() {
  if (m_used == 4) {
    m_block = philox(m_seed, m_stream, m_counter++);
    m_used = 0;
  }
  return m_block[m_used++];
}

float Rng::uniform(float low, float high) {
  const float unit = static_cast<float>(next() >> 8) * 0x1p-24f;
  const float value = low + (high - low) * unit;
  return value < high ? value : low;  // the sum may round up to the excluded end
}

double Rng::uniform01() {
  const std::uint64_t high = next() >> 5, low = next() >> 6;
  return static_cast<double>(high << 26 | low) * 0x1p-53;
}

float Rng::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform01()));  // 1 - u is never 0
  return static_cast<float>(radius * std::cos(2 * std::numbers::pi * uniform01()));
}

// Lemire, "Fast random integer generation in an interval", 2019: reject the few products that would favour some values.
std::uint32_t Rng::below(std::uint32_t bound) {
  const std::uint32_t threshold = -bound % bound;
  for (;;) {
    const std::uint64_t product = std::uint64_t{next()} * bound;
    if (static_cast<std::uint32_t>(product) >= threshold) return static_cast<std::uint32_t>(product >> 32);
  }
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Random numbers as a pure function of (seed, stream, counter): nothing to save but the counter, the same values on
// every thread count and device. Generator: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011).
#pragma once
#include <array>
#include <cstdint>

namespace strata {

/// What a stream of numbers is for; keeps one use from disturbing another.
enum class Stream : std::uint32_t {
  Weights = 1,
  Shuffle = 2,
  Dropout = 3,
  Split = 4,
  Digits = 5,
  Augment = 6,
  Test = 7,
  Noise = 8
};

/// Philox's number of a stream: the use in the top 8 bits, its index in the other 56.
std::uint64_t streamNumber(Stream stream, std::uint64_t index);

/// Four 32-bit values for a 64-bit counter.
std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter);

/// A sequential reader of one stream. Copyable; its whole state is the position.
class Rng {
 public:
  /// `index` separates users of the same stream: the layer for weights, the epoch for shuffling.
  Rng(std::uint64_t seed, Stream stream, std::uint64_t index = 0);

  std::uint32_t next();                      ///< uniform 32 bits
  float uniform(float low, float high);      ///< in [low, high)
  double uniform01();                        ///< in [0, 1), 53 bits
  float normal();                            ///< mean 0, standard deviation 1 (Box-Muller)
  std::uint32_t below(std::uint32_t bound);  ///< uniform in 0..bound-1, unbiased; bound > 0

 private:
  std::uint64_t m_seed, m_stream, m_counter = 0;
  std::array<std::uint32_t, 4> m_block{};
  int m_used = 4;
};

}  // namespace strata

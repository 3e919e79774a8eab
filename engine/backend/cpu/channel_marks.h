// SPDX-License-Identifier: Apache-2.0
// Which channels held a value other than zero in a batch. Each thread marks those that it has met; merge() puts them
// together.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>

#include "engine/backend/cpu/buffer.h"

namespace strata {

class ChannelMarks {
 public:
  ChannelMarks() = default;
  ChannelMarks(int channels, int lanes, int threads)
      : m_lanes(lanes), m_words(std::size_t((channels + lanes - 1) / lanes)), m_stride((m_words + 15) / 16 * 16),
        m_merged(m_words), m_threads(m_stride * std::size_t(threads)) {}

  void clear() { std::fill_n(m_threads.data(), m_threads.size(), 0u); }
  /// One thread's marks, for Kernels::markChannels().
  std::uint32_t* ofThread(int thread) const { return m_threads.data() + m_stride * std::size_t(thread); }
  /// Returns how many channels are marked.
  int merge() {
    int live = 0;
    for (std::size_t word = 0; word < m_words; ++word) {
      m_merged[word] = 0;
      for (std::size_t at = word; at < m_threads.size(); at += m_stride) m_merged[word] |= m_threads[at];
      live += std::popcount(m_merged[word]);
    }
    return live;
  }
  /// What merge() found: of channel c bit c % lanes of word c / lanes.
  const std::uint32_t* merged() const { return m_merged.data(); }
  bool has(int channel) const { return m_merged[std::size_t(channel / m_lanes)] >> channel % m_lanes & 1; }

 private:
  int m_lanes = 1;
  std::size_t m_words = 0, m_stride = 0;  // threads' marks lie in different cache lines
  Array<std::uint32_t> m_merged, m_threads;
};

}  // namespace strata

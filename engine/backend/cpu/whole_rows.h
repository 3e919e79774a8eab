// SPDX-License-Identifier: Apache-2.0
// For passes that need all channels of a place together, which the panels of a vector cut apart.
#pragma once
#include <vector>

#include "engine/backend/cpu/buffer.h"

namespace strata {

/// Room for the vectors of a sample that lie in several panels, one a thread.
class WholeRows {
 public:
  /// most: arrays that one call of each() names.
  WholeRows(const Buffer& buffer, std::size_t most, int threads)
      : m_size(buffer.panel > 0 && buffer.panels() > 1 ? std::size_t(buffer.shape.c) : 0),
        m_room(m_size * most * std::size_t(threads)), m_most(most) {}

  /// Calls visit(places, row of each array) for each stretch of sample `n` that lies together in all of them, whole
  /// places of `c` channels. The last array is written, the others are read.
  template <std::size_t kCount, class Visit>
  void each(int n, int thread, const Buffer* const (&buffers)[kCount], const Array<float>* const (&arrays)[kCount],
            Visit visit) const {
    if (m_size == 0)
      return eachRow(n, buffers, arrays, [&](int, int, int places, float*(&rows)[kCount]) { visit(places, rows); });
    float* rows[kCount];
    for (std::size_t i = 0; i < kCount; ++i) {
      rows[i] = m_room.data() + (std::size_t(thread) * m_most + i) * m_size;
      if (i + 1 < kCount) copySample<Copy::Out>(*buffers[i], *arrays[i], rows[i], n);
    }
    visit(1, rows);
    copySample<Copy::In>(*buffers[kCount - 1], *arrays[kCount - 1], rows[kCount - 1], n);
  }

 private:
  std::size_t m_size;  ///< 0 where rows lie together as they are
  Array<float> m_room;
  std::size_t m_most;
};

}  // namespace strata

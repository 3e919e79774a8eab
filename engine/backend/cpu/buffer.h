// SPDX-License-Identifier: Apache-2.0
// Memory for the fused passes: aligned arrays with room for one more vector at the end, and the tensor between two
// passes.
#pragma once
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <numeric>

#include "engine/backend/cpu/kernels.h"
#include "engine/base/memory.h"
#include "engine/net/shape.h"

namespace strata {

/// Zeroed memory on a cache line's border. Vector kernels may read and write kSlack values past the end, or read as
/// many before it.
template <class T>
class Array {
 public:
  Array() = default;
  explicit Array(std::size_t size) : m_size(size) {
    const std::size_t least = (size + 2 * kSlack) * sizeof(T), border = least < kHugePage / 4 ? 64 : kHugePage,
                      bytes = (least + border - 1) / border * border;
    // The system grants what it does not have, and ends the program that uses it.
    if (bytes >= kLarge)
      requireMemory(static_cast<std::int64_t>(bytes), "network", "one of its working arrays",
                    "Use smaller layers, or fewer samples at once");
    m_memory.reset(static_cast<T*>(std::aligned_alloc(border, bytes)));
    if (!m_memory) throw std::bad_alloc();
    if (border == kHugePage) madvise(m_memory.get(), bytes, MADV_HUGEPAGE);
    std::fill_n(m_memory.get(), bytes / sizeof(T), T{});
  }
  T* data() const { return m_memory ? m_memory.get() + kSlack : nullptr; }
  std::size_t size() const { return m_size; }
  T& operator[](std::size_t i) const { return data()[i]; }

 private:
  static constexpr std::size_t kSlack = 64;
  static constexpr std::size_t kHugePage = 2 << 20;
  static constexpr std::size_t kLarge = 64 << 20;  ///< smaller arrays are not worth asking for
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> m_memory;
  std::size_t m_size = 0;
};

/// The output of one pass and the input of the next, for a whole batch, with its gradient. Either images in a frame of
/// zeros, [N][rows][cols][c] and some room, or vectors cut into panels, [panels][N][panel].
struct Buffer {
  static constexpr float kUnbounded = std::numeric_limits<float>::infinity();
  Shape shape;
  int top = 0, left = 0, rows = 0, cols = 0;  ///< of the frame
  int panel = 0;                              ///< 0 for images
  int batch = 0;
  bool hasZeros = false;                         ///< zeros are likely, so listing live values pays
  bool rectified = false;                        ///< all zeros are ReLU's: their gradients will not be used
  float least = -kUnbounded, most = kUnbounded;  ///< bounds of the values, where they are known
  bool mayPackGradients = false;                 ///< whether the gradients of only some channels are enough
  int gradientChannels = 0;  ///< the channels that this batch's gradients are of; `channels` begins with their numbers
  Array<std::int32_t> channels;
  /// Share of this batch's pixels that are like `background`: what the pass makes of a window of zeros, 0 where it does
  /// not say.
  double backgroundShare = 0;
  Array<float> background;
  Array<float> values, gradients;

  void allocate(int maxBatch, bool withGradients) {
    batch = maxBatch;
    const std::size_t size = std::size_t(sampleSize()) * maxBatch;
    values = Array<float>(size);
    if (withGradients) gradients = Array<float>(size);
    background = Array<float>(std::size_t(shape.c));
    channels = Array<std::int32_t>(std::size_t(shape.c));
    std::iota(channels.data(), channels.data() + shape.c, 0);
    gradientChannels = shape.c;
  }
  bool framed() const { return panel == 0 && (rows != shape.h || cols != shape.w); }
  /// Floats of one sample. Images have room for a vector after them, so that no sample's kernels write into the next.
  std::int64_t sampleSize() const {
    return panel ? std::int64_t{panel} * panels() : (std::int64_t{rows} * cols * shape.c + 31) / 16 * 16;
  }
  int panels() const { return (shape.c + panel - 1) / panel; }

  float* sample(int n, const Array<float>& of) const { return of.data() + n * sampleSize(); }
  /// One sample without its frame. Images only.
  Frame inside(int n, const Array<float>& of) const {
    return {sample(n, of) + (std::int64_t{top} * cols + left) * shape.c, cols * shape.c};
  }
  /// The same of its gradient, which may be packed.
  Frame gradientInside(int n) const {
    return {sample(n, gradients) + (std::int64_t{top} * cols + left) * gradientChannels, cols * gradientChannels};
  }
  /// The batch as a matrix, images as vectors of h*w*c. Not for framed images.
  Panels matrix(const Array<float>& of) const {
    const int width = int(shape.size());
    if (panel) return {of.data(), std::int64_t{panel} * batch, panel, panel, width};
    return {of.data(), 0, sampleSize(), width, width};
  }
};

/// Copies samples [begin, end) out of a buffer's values or gradients (`of`), or into them. `plain` is [N, shape].
template <bool Into>
void copySamples(const Buffer& buffer, const Array<float>& of, float* plain, int begin, int end) {
  const auto copy = [](float* inside, float* outside, std::int64_t n) {
    Into ? std::copy_n(outside, n, inside) : std::copy_n(inside, n, outside);
  };
  const Shape& shape = buffer.shape;
  for (int n = begin; n < end; ++n) {
    float* sample = plain + n * shape.size();
    if (buffer.panel) {
      for (int at = 0; at < shape.c; at += buffer.panel)
        copy(of.data() + (std::int64_t{at / buffer.panel} * buffer.batch + n) * buffer.panel, sample + at,
             std::min(buffer.panel, shape.c - at));
    } else {
      const Frame frame = buffer.inside(n, of);
      for (int row = 0; row < shape.h; ++row)
        copy(frame.data + std::int64_t{row} * frame.rowStride, sample + std::int64_t{row} * shape.w * shape.c,
             std::int64_t{shape.w} * shape.c);
    }
  }
}

}  // namespace strata

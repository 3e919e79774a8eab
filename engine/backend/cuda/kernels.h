// SPDX-License-Identifier: Apache-2.0
// The CUDA backend's own kernels. Each is a functor called once for every item; items are independent and run in any
// order, so the device runs one a thread and tests run the same source in a plain loop. Where items work together
// groups.h says how. Tensors are [N,H,W,C], dense; those between layers lie in float32 or bfloat16 (Real), all else in
// float32. Sums over many values go by fixed parts ("partials" [parts, columns]) that Reduce adds up in order: the same
// bits every time.
#pragma once
#include <tuple>

#include "engine/backend/cuda/depthwise_kernels.h"
#include "engine/backend/cuda/group_kernels.h"
#include "engine/backend/cuda/kernel_types.h"

namespace strata::cuda {

struct LoadInput {
  static constexpr const char* kName = "LoadInput";
  InputImages images;
  Out<Real> y;
  std::vector<Access> buffers() const {
    return accesses(images.cursor, images.numbers, images.bytes, images.floats, y);
  }
  STRATA_DEVICE void operator()(Index item) const {
    y[item] = images.at(images.first(item / images.sampleSize) + item % images.sampleSize);
  }
};

/// The first convolution of a one-channel net with bias, ReLU and max pooling in one pass; an item is one pooled value.
struct InputConvPool {
  static constexpr const char* kName = "InputConvPool";
  InputImages images;
  Window conv, pool;  ///< pool slides over conv's output
  int k = 1;
  In<float> w, bias;         ///< [R,S,1,K], [K] or unset
  Out<Real> y;               ///< [N,pool.outH,pool.outW,K]
  Out<std::int32_t> winner;  ///< place in conv's output plane that y took
  std::vector<Access> buffers() const {
    return accesses(images.cursor, images.numbers, images.bytes, images.floats, w, bias, y, winner);
  }

  STRATA_DEVICE float convolved(Index first, int oy, int ox, int ki) const {
    float sum = bias ? bias[ki] : 0.0f;
    for (int r = 0; r < conv.r; ++r) {
      const int iy = conv.y(oy, r);
      if (!conv.hasY(iy)) continue;
      for (int s = 0; s < conv.s; ++s) {
        const int ix = conv.x(ox, s);
        if (conv.hasX(ix)) sum += images.at(first + iy * conv.inW + ix) * w[(r * conv.s + s) * k + ki];
      }
    }
    return activated(Act::Relu, sum);
  }
  STRATA_DEVICE void operator()(Index item) const {
    const int ki = static_cast<int>(item % k), px = static_cast<int>(item / k % pool.outW);
    const int py = static_cast<int>(item / k / pool.outW % pool.outH);
    const Index first = images.first(item / k / pool.outW / pool.outH);
    float best = 0;
    std::int32_t place = -1;
    for (int r = 0; r < pool.r; ++r)
      for (int s = 0; s < pool.s; ++s) {
        const int cy = pool.y(py, r), cx = pool.x(px, s);
        if (!pool.hasY(cy) || !pool.hasX(cx)) continue;
        const float value = convolved(first, cy, cx, ki);
        if (place >= 0 && !(value > best) && value == value) continue;  // the first of equal values; NaN wins
        best = value;
        place = cy * pool.inW + cx;
      }
    y[item] = best;
    winner[item] = place;
  }
};

/// Its backward pass: pool, ReLU mask, kernel and bias gradient in one, straight from the pooled gradient. An item is
/// one column of one part; a part is `samples` samples; columns are the R*S*K kernel values and then the K biases.
struct InputConvPoolGradient {
  static constexpr const char* kName = "InputConvPoolGradient";
  InputImages images;
  Window conv, pool;
  int k = 1, batch = 1, samples = 1;
  In<Real> y, dy;  ///< [N,pool.outH,pool.outW,K]
  In<std::int32_t> winner;
  Out<float> partials;  ///< [parts, R*S*K + K]
  std::vector<Access> buffers() const {
    return accesses(images.cursor, images.numbers, images.bytes, images.floats, y, dy, winner, partials);
  }

  STRATA_DEVICE void operator()(Index item) const {
    const int taps = conv.r * conv.s, columns = (taps + 1) * k;
    const int column = static_cast<int>(item % columns), part = static_cast<int>(item / columns);
    const int ki = column % k, tap = column / k, r = tap / conv.s, s = tap % conv.s;
    const int end = batch < (part + 1) * samples ? batch : (part + 1) * samples;
    float sum = 0;
    for (int n = part * samples; n < end; ++n) {
      const Index first = images.first(n);
      for (int p = 0; p < pool.outH * pool.outW; ++p) {
        const Index at = (Index{n} * pool.outH * pool.outW + p) * k + ki;
        const float gradient = activationGradient(Act::Relu, y[at], dy[at]);
        if (gradient == 0) continue;
        if (tap == taps) {
          sum += gradient;
          continue;
        }
        const int iy = conv.y(winner[at] / pool.inW, r), ix = conv.x(winner[at] % pool.inW, s);
        if (conv.hasY(iy) && conv.hasX(ix)) sum += gradient * images.at(first + iy * conv.inW + ix);
      }
    }
    partials[item] = sum;
  }
};

/// Convolution with bias and activation, for what cuDNN has no engine for or does badly. w is [R,S,C,K]. An item is one
/// output value.
struct ConvForward {
  static constexpr const char* kName = "ConvForward";
  Window window;
  int c = 1, k = 1;
  Act act = Act::Linear;
  In<Real> x;
  In<float> w, bias;
  Out<Real> y;
  std::vector<Access> buffers() const { return accesses(x, w, bias, y); }
  STRATA_DEVICE void operator()(Index item) const {
    const int ki = static_cast<int>(item % k), ox = static_cast<int>(item / k % window.outW);
    const int oy = static_cast<int>(item / k / window.outW % window.outH);
    const Index n = item / k / window.outW / window.outH;
    float sum = bias ? bias[ki] : 0.0f;
    for (int r = 0; r < window.r; ++r)
      for (int s = 0; s < window.s; ++s) {
        const int iy = window.y(oy, r), ix = window.x(ox, s);
        if (!window.hasY(iy) || !window.hasX(ix)) continue;
        const Index from = ((n * window.inH + iy) * window.inW + ix) * c;
        for (int ci = 0; ci < c; ++ci) sum += x[from + ci] * w[((Index{r} * window.s + s) * c + ci) * k + ki];
      }
    y[item] = activated(act, sum);
  }
};

/// An item is one input value: the sum over the outputs whose window holds it.
struct ConvDataGradient {
  static constexpr const char* kName = "ConvDataGradient";
  Window window;
  int c = 1, k = 1;
  In<Real> dz;
  In<float> w;
  Out<Real> dx;
  std::vector<Access> buffers() const { return accesses(dz, w, dx); }
  STRATA_DEVICE void operator()(Index item) const {
    const int ci = static_cast<int>(item % c), ix = static_cast<int>(item / c % window.inW);
    const int iy = static_cast<int>(item / c / window.inW % window.inH);
    const Index n = item / c / window.inW / window.inH;
    float sum = 0;
    for (int r = 0; r < window.r; ++r)
      for (int s = 0; s < window.s; ++s) {
        const int ty = iy + window.top - r, tx = ix + window.left - s;
        if (ty < 0 || tx < 0 || ty % window.strideH != 0 || tx % window.strideW != 0) continue;
        const int oy = ty / window.strideH, ox = tx / window.strideW;
        if (oy >= window.outH || ox >= window.outW) continue;
        const Index from = ((n * window.outH + oy) * window.outW + ox) * k;
        for (int ki = 0; ki < k; ++ki) sum += dz[from + ki] * w[((Index{r} * window.s + s) * c + ci) * k + ki];
      }
    dx[item] = sum;
  }
};

/// An item is one kernel value of one part of `samples` samples. Partials are in canonical order [parts, R,S,C,K].
struct ConvWeightGradient {
  static constexpr const char* kName = "ConvWeightGradient";
  Window window;
  int c = 1, k = 1, batch = 1, samples = 1;
  In<Real> x, dz;
  Out<float> partials;
  std::vector<Access> buffers() const { return accesses(x, dz, partials); }
  STRATA_DEVICE void operator()(Index item) const {
    const Index columns = Index{window.r} * window.s * c * k;
    const int ki = static_cast<int>(item % k), ci = static_cast<int>(item / k % c);
    const int s = static_cast<int>(item / k / c % window.s), r = static_cast<int>(item / k / c / window.s % window.r);
    const int part = static_cast<int>(item / columns);
    const int end = batch < (part + 1) * samples ? batch : (part + 1) * samples;
    float sum = 0;
    for (Index n = Index{part} * samples; n < end; ++n)
      for (int oy = 0; oy < window.outH; ++oy) {
        const int iy = window.y(oy, r);
        if (!window.hasY(iy)) continue;
        for (int ox = 0; ox < window.outW; ++ox) {
          const int ix = window.x(ox, s);
          if (window.hasX(ix))
            sum += x[((n * window.inH + iy) * window.inW + ix) * c + ci] *
                   dz[((n * window.outH + oy) * window.outW + ox) * k + ki];
        }
      }
    partials[item] = sum;
  }
};

/// A product for which cuBLASLt has no kernel; Matmul in device.h says what the fields mean. An item is one value of C.
struct Product {
  static constexpr const char* kName = "Product";
  int m = 1, n = 1, k = 1;
  bool transA = false, transB = false, relu = false;
  In<Real> a, b, bias;
  Out<Real> c;
  std::vector<Access> buffers() const { return accesses(a, b, bias, c); }
  STRATA_DEVICE void operator()(Index item) const {
    const Index row = item / n, column = item % n;
    float sum = bias ? bias[column] : 0.0f;
    for (Index i = 0; i < k; ++i)
      sum += a[transA ? i * m + row : row * k + i] * b[transB ? column * k + i : i * n + column];
    c[item] = activated(relu ? Act::Relu : Act::Linear, sum);
  }
};

struct Activate {
  static constexpr const char* kName = "Activate";
  Act act = Act::Linear;
  In<Real> x;
  Out<Real> y;
  std::vector<Access> buffers() const { return accesses(x, y); }
  STRATA_DEVICE void operator()(Index item) const { y[item] = activated(act, x[item]); }
};

struct ActivateGradient {
  static constexpr const char* kName = "ActivateGradient";
  Act act = Act::Linear;
  In<Real> y, dy;
  Out<Real> dx;
  std::vector<Access> buffers() const { return accesses(y, dy, dx); }
  STRATA_DEVICE void operator()(Index item) const { dx[item] = activationGradient(act, y[item], dy[item]); }
};

/// What one item of a sum over [rows, columns] adds up: one column of one part of `partRows` rows.
struct ColumnPart {
  Index column, first, end;
};
STRATA_DEVICE ColumnPart columnPart(Index item, int rows, int columns, int partRows) {
  const Index first = item / columns * partRows;
  return {item % columns, first, first + partRows < rows ? first + partRows : rows};
}

/// ReLU's mask, in place, and the bias gradient in one pass over [rows, columns]; items as columnPart() says.
struct ReluBiasGradient {
  static constexpr const char* kName = "ReluBiasGradient";
  int rows = 1, columns = 1, partRows = 1;
  In<Real> y;
  Update<Real> gradient;  ///< dy becomes dz
  Out<float> partials;    ///< [parts, columns], or unset
  std::vector<Access> buffers() const { return accesses(y, gradient, partials); }
  STRATA_DEVICE void operator()(Index item) const {
    const auto [column, first, end] = columnPart(item, rows, columns, partRows);
    float sum = 0;
    for (Index row = first; row < end; ++row) {
      const Index at = row * columns + column;
      gradient[at] = activationGradient(Act::Relu, y[at], gradient[at]);
      sum += gradient[at];
    }
    if (partials) partials[item] = sum;
  }
};

/// The same for a dense layer below a narrow one, whose data gradient is taken along: dy, dz times kernel, is never
/// stored. Items as above.
struct NarrowReluBiasGradient {
  static constexpr const char* kName = "NarrowReluBiasGradient";
  int rows = 1, columns = 1, partRows = 1, units = 1;
  In<Real> y;
  In<Real> above, kernel;  ///< of the narrow layer: dz [rows, units], [columns, units]
  Out<Real> dz;
  Out<float> partials;  ///< [parts, columns], or unset
  std::vector<Access> buffers() const { return accesses(y, above, kernel, dz, partials); }
  STRATA_DEVICE void operator()(Index item) const {
    const auto [column, first, end] = columnPart(item, rows, columns, partRows);
    float sum = 0;
    for (Index row = first; row < end; ++row) {
      float dy = 0;
      for (int unit = 0; unit < units; ++unit) dy += above[row * units + unit] * kernel[column * units + unit];
      const Index at = row * columns + column;
      dz[at] = activationGradient(Act::Relu, y[at], dy);
      sum += dz[at];
    }
    if (partials) partials[item] = sum;
  }
};

/// The bias gradient of a layer without ReLU; items as above.
struct BiasGradient {
  static constexpr const char* kName = "BiasGradient";
  int rows = 1, columns = 1, partRows = 1;
  In<Real> dz;
  Out<float> partials;
  std::vector<Access> buffers() const { return accesses(dz, partials); }
  STRATA_DEVICE void operator()(Index item) const {
    const auto [column, first, end] = columnPart(item, rows, columns, partRows);
    float sum = 0;
    for (Index row = first; row < end; ++row) sum += dz[row * columns + column];
    partials[item] = sum;
  }
};

struct MaxPool {
  static constexpr const char* kName = "MaxPool";
  Window window;
  int c = 1;
  In<Real> x;
  Out<Real> y;
  Out<std::int32_t> winner;  ///< place in the input plane that y took
  std::vector<Access> buffers() const { return accesses(x, y, winner); }
  STRATA_DEVICE void operator()(Index item) const {
    const int ci = static_cast<int>(item % c), ox = static_cast<int>(item / c % window.outW);
    const int oy = static_cast<int>(item / c / window.outW % window.outH);
    const Index plane = item / c / window.outW / window.outH * window.inH * window.inW;
    float best = 0;
    std::int32_t place = -1;
    for (int r = 0; r < window.r; ++r)
      for (int s = 0; s < window.s; ++s) {
        const int iy = window.y(oy, r), ix = window.x(ox, s);
        if (!window.hasY(iy) || !window.hasX(ix)) continue;
        const float value = x[(plane + iy * window.inW + ix) * c + ci];
        if (place >= 0 && !(value > best) && value == value) continue;
        best = value;
        place = iy * window.inW + ix;
      }
    y[item] = best;
    winner[item] = place;
  }
};

struct MaxPoolGradient {
  static constexpr const char* kName = "MaxPoolGradient";
  Window window;
  int c = 1;
  In<Real> dy;
  In<std::int32_t> winner;
  Out<Real> dx;
  std::vector<Access> buffers() const { return accesses(dy, winner, dx); }
  STRATA_DEVICE void operator()(Index item) const {
    const int ci = static_cast<int>(item % c), ix = static_cast<int>(item / c % window.inW),
              iy = static_cast<int>(item / c / window.inW % window.inH);
    float sum = 0;
    forEachOutput(window, item / c / window.inW / window.inH, iy, ix, c, [&](Index out, int, int) {
      if (winner[out + ci] == iy * window.inW + ix) sum += dy[out + ci];
    });
    dx[item] = sum;
  }
};

/// Max pooling after ReLU, backward: pool gradient, mask and bias gradient in one pass; an item is one channel of one
/// sample.
struct PoolReluGradient {
  static constexpr const char* kName = "PoolReluGradient";
  Window window;
  int c = 1;
  In<Real> y, dy;  ///< pooled
  In<std::int32_t> winner;
  Out<Real> dz;         ///< before the ReLU, [N,inH,inW,C]
  Out<float> partials;  ///< [N, C], or unset
  std::vector<Access> buffers() const { return accesses(y, dy, winner, dz, partials); }
  STRATA_DEVICE void operator()(Index item) const {
    const int ci = static_cast<int>(item % c);
    const Index n = item / c;
    float sum = 0;
    for (int iy = 0; iy < window.inH; ++iy)
      for (int ix = 0; ix < window.inW; ++ix) {
        float gradient = 0;
        forEachOutput(window, n, iy, ix, c, [&](Index out, int, int) {
          if (winner[out + ci] == iy * window.inW + ix)
            gradient += activationGradient(Act::Relu, y[out + ci], dy[out + ci]);
        });
        dz[((n * window.inH + iy) * window.inW + ix) * c + ci] = gradient;
        sum += gradient;
      }
    if (partials) partials[item] = sum;
  }
};

/// One over the number of taps of a window that lie inside the image.
STRATA_DEVICE float share(const Window& window, int oy, int ox) {
  int rows = 0, columns = 0;
  for (int r = 0; r < window.r; ++r) rows += window.hasY(window.y(oy, r));
  for (int s = 0; s < window.s; ++s) columns += window.hasX(window.x(ox, s));
  return 1.0f / static_cast<float>(rows * columns);
}

struct AvgPool {
  static constexpr const char* kName = "AvgPool";
  Window window;
  int c = 1;
  In<Real> x;
  Out<Real> y;
  std::vector<Access> buffers() const { return accesses(x, y); }
  STRATA_DEVICE void operator()(Index item) const {
    const int ci = static_cast<int>(item % c), ox = static_cast<int>(item / c % window.outW);
    const int oy = static_cast<int>(item / c / window.outW % window.outH);
    const Index plane = item / c / window.outW / window.outH * window.inH * window.inW;
    float sum = 0;
    for (int r = 0; r < window.r; ++r)
      for (int s = 0; s < window.s; ++s) {
        const int iy = window.y(oy, r), ix = window.x(ox, s);
        if (window.hasY(iy) && window.hasX(ix)) sum += x[(plane + iy * window.inW + ix) * c + ci];
      }
    y[item] = sum * share(window, oy, ox);
  }
};

struct AvgPoolGradient {
  static constexpr const char* kName = "AvgPoolGradient";
  Window window;
  int c = 1;
  In<Real> dy;
  Out<Real> dx;
  std::vector<Access> buffers() const { return accesses(dy, dx); }
  STRATA_DEVICE void operator()(Index item) const {
    const int ci = static_cast<int>(item % c), ix = static_cast<int>(item / c % window.inW),
              iy = static_cast<int>(item / c / window.inW % window.inH);
    float sum = 0;
    forEachOutput(window, item / c / window.inW / window.inH, iy, ix, c,
                  [&](Index out, int oy, int ox) { sum += share(window, oy, ox) * dy[out + ci]; });
    dx[item] = sum;
  }
};

/// Philox4x32-10, as philox() of engine/base/rng.h, for the device: word `index % 4` of block `index / 4`.
STRATA_DEVICE std::uint32_t philoxWord(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  const std::uint64_t counter = index / 4;
  std::uint32_t c[4] = {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                        static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
  std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];
    c[0] = static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ key0;
    c[2] = static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ key1;
    c[1] = static_cast<std::uint32_t>(p1);
    c[3] = static_cast<std::uint32_t>(p0);
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return c[index % 4];
}

/// Forward x -> y and backward dy -> dx are the same: the mask is drawn again.
struct Dropout {
  static constexpr const char* kName = "Dropout";
  In<StepCursor> cursor;
  In<StepParams> params;               ///< [ring]
  std::uint64_t seed = 0, stream = 0;  ///< the step is added to the stream
  std::uint32_t threshold = 0;
  float scale = 1;
  In<Real> x;
  Out<Real> y;
  std::vector<Access> buffers() const { return accesses(cursor, params, x, y); }
  STRATA_DEVICE void operator()(Index item) const {
    const std::uint64_t step = params[cursor[0].slot].step;
    y[item] = philoxWord(seed, stream + step, static_cast<std::uint64_t>(item)) >= threshold ? x[item] * scale : 0.0f;
  }
};

/// Reads a stream of numbers as Rng of engine/base/rng.h does, from its beginning.
struct DeviceRng {
  std::uint64_t seed = 0, stream = 0, position = 0;
  STRATA_DEVICE std::uint32_t next() { return philoxWord(seed, stream, position++); }
  STRATA_DEVICE std::uint32_t below(std::uint32_t bound) {
    const std::uint32_t threshold = (0u - bound) % bound;
    std::uint64_t product = std::uint64_t{next()} * bound;
    while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{next()} * bound;
    return static_cast<std::uint32_t>(product >> 32);
  }
  STRATA_DEVICE double uniform01() {
    const std::uint64_t high = next() >> 5, low = next() >> 6;
    return static_cast<double>(high << 26 | low) * 0x1p-53;
  }
};

/// How a node that joins makes one value of several.
enum class Merge : int { Add, Average, Multiply, Max };
inline constexpr int kMostJoined = 16;

struct Join {
  static constexpr const char* kName = "Join";
  Merge merge = Merge::Add;
  Act act = Act::Linear;
  int count = 1;
  In<Real> xs[kMostJoined];  ///< the first `count`
  Out<Real> y;
  std::vector<Access> buffers() const {
    std::vector<Access> list = accesses(y);
    for (int i = 0; i < count; ++i) list.push_back(xs[i].access());
    return list;
  }
  STRATA_DEVICE void operator()(Index item) const {
    float value = xs[0][item];
    for (int i = 1; i < count; ++i) {
      const float x = xs[i][item];
      if (merge == Merge::Multiply) value *= x;
      else if (merge == Merge::Max) value = x > value || x != x ? x : value;
      else value += x;
    }
    if (merge == Merge::Average) value *= 1.0f / static_cast<float>(count);
    y[item] = activated(act, value);
  }
};

/// Of equal values the first input's counts as the largest.
struct JoinGradient {
  static constexpr const char* kName = "JoinGradient";
  Merge merge = Merge::Add;
  Act act = Act::Linear;
  int count = 1;
  In<Real> xs[kMostJoined];    ///< set where readsInputs()
  In<Real> y, dy;              ///< y is set where something bends it
  Out<Real> dxs[kMostJoined];  ///< unset where not wanted
  bool readsInputs() const { return merge == Merge::Multiply || merge == Merge::Max; }
  std::vector<Access> buffers() const {
    std::vector<Access> list = accesses(y, dy);
    for (int i = 0; i < count; ++i) {
      if (xs[i].data) list.push_back(xs[i].access());
      if (dxs[i].data) list.push_back(dxs[i].access());
    }
    return list;
  }
  STRATA_DEVICE float slope(int input, Index item) const {
    if (merge == Merge::Add) return 1;
    if (merge == Merge::Average) return 1.0f / static_cast<float>(count);
    float others = 1;
    int largest = 0;
    for (int i = 0; i < count; ++i) {
      if (i != input) others *= xs[i][item];
      if (xs[i][item] > xs[largest][item]) largest = i;
    }
    return merge == Merge::Multiply ? others : static_cast<float>(largest == input);
  }
  STRATA_DEVICE void operator()(Index item) const {
    const float dz = activationGradient(act, y ? y[item] : 0.0f, dy[item]);
    for (int i = 0; i < count; ++i)
      if (dxs[i]) dxs[i][item] = dz * slope(i, item);
  }
};

/// The channels of several inputs one behind the other, and where one of theirs lies.
struct JoinedChannels {
  int count = 0, all = 0;
  int each[kMostJoined] = {};
  struct Place {
    int input;
    Index at;
  };
  STRATA_DEVICE Place placeOf(Index item) const {
    int channel = static_cast<int>(item % all), input = 0;
    while (channel >= each[input]) channel -= each[input++];
    return {input, item / all * each[input] + channel};
  }
};

struct Concat {
  static constexpr const char* kName = "Concat";
  JoinedChannels channels;
  In<Real> xs[kMostJoined];
  Out<Real> y;
  std::vector<Access> buffers() const {
    std::vector<Access> list = accesses(y);
    for (int i = 0; i < channels.count; ++i) list.push_back(xs[i].access());
    return list;
  }
  STRATA_DEVICE void operator()(Index item) const {
    const auto [input, at] = channels.placeOf(item);
    y[item] = xs[input][at];
  }
};

struct ConcatGradient {
  static constexpr const char* kName = "ConcatGradient";
  JoinedChannels channels;
  In<Real> dy;
  Out<Real> dxs[kMostJoined];  ///< unset where not wanted
  std::vector<Access> buffers() const {
    std::vector<Access> list = accesses(dy);
    for (int i = 0; i < channels.count; ++i)
      if (dxs[i].data) list.push_back(dxs[i].access());
    return list;
  }
  STRATA_DEVICE void operator()(Index item) const {
    const auto [input, at] = channels.placeOf(item);
    if (dxs[input]) dxs[input][at] = dy[item];
  }
};

/// What a further reader of a value found, to its gradient.
struct AddPart {
  static constexpr const char* kName = "AddPart";
  In<Real> part;
  Update<Real> sum;
  std::vector<Access> buffers() const { return accesses(part, sum); }
  STRATA_DEVICE void operator()(Index item) const { sum[item] = sum[item] + part[item]; }
};

/// How one sample is moved: turned about its centre, then shifted by whole pixels.
struct Move {
  double cosine = 1, sine = 0;
  std::int32_t dy = 0, dx = 0;
};

/// Draws the moves of the current batch, an item a sample, as augment() of engine/data/augment.h does: by seed, epoch
/// and sample.
struct DrawMoves {
  static constexpr const char* kName = "DrawMoves";
  In<StepCursor> cursor;
  In<StepParams> params;     ///< [ring]
  In<std::int32_t> numbers;  ///< [ring, maxBatch]
  int maxBatch = 1;
  std::uint64_t seed = 0, stream = 0;  ///< epoch and sample are added to the stream
  int shift = 0;                       ///< pixels
  double rotate = 0;                   ///< degrees
  Out<Move> moves;                     ///< [N]
  std::vector<Access> buffers() const { return accesses(cursor, params, numbers, moves); }
  STRATA_DEVICE void operator()(Index n) const {
    const Index slot = cursor[0].slot;
    const std::uint64_t epoch = params[slot].epoch & 0xFFFFFF,
                        sample = static_cast<std::uint32_t>(numbers[slot * maxBatch + n]);
    DeviceRng rng{seed, stream + (epoch << 32 | sample)};
    const auto range = static_cast<std::uint32_t>(2 * shift + 1);
    Move move;
    move.dy = static_cast<int>(rng.below(range)) - shift;
    move.dx = static_cast<int>(rng.below(range)) - shift;
    const double angle = rotate * (2 * rng.uniform01() - 1) * 3.141592653589793 / 180;  // 0 when nothing is turned
    move.cosine = cos(angle);
    move.sine = sin(angle);
    moves[n] = move;
  }
};

/// Moves the samples of the current batch, an item a value of `moved`, by augment()'s formula: each pixel looks back to
/// where it comes from, in 16.16 fixed point. Not turned, it comes from one pixel whole, so that a shift needs no way
/// of its own. A GPU may fuse a product and a sum of the doubles below; that shows only where a result lies within
/// 1e-10 of the edge between two fixed-point numbers.
struct MoveSamples {
  static constexpr const char* kName = "MoveSamples";
  In<StepCursor> cursor;
  In<std::int32_t> numbers;  ///< [ring, maxBatch]
  In<std::uint8_t> pixels;   ///< [samples, H,W,C]
  In<Move> moves;            ///< [N]
  int maxBatch = 1, h = 1, w = 1, c = 1;
  int ground = 0;           ///< what comes in from outside
  Out<std::uint8_t> moved;  ///< [N,H,W,C]
  std::vector<Access> buffers() const { return accesses(cursor, numbers, pixels, moves, moved); }

  STRATA_DEVICE int pixel(Index first, Index y, Index x, int ci) const {
    return y < 0 || y >= h || x < 0 || x >= w ? ground : pixels[first + (y * w + x) * c + ci];
  }
  STRATA_DEVICE void operator()(Index item) const {
    const int ci = static_cast<int>(item % c), x = static_cast<int>(item / c % w),
              y = static_cast<int>(item / c / w % h);
    const Index n = item / c / w / h, first = Index{numbers[Index{cursor[0].slot} * maxBatch + n]} * h * w * c;
    const Move& move = moves[n];
    const double one = 65536, cy = (h - 1) / 2.0, cx = (w - 1) / 2.0, left = -cx - move.dx, down = y - cy - move.dy;
    const Index sourceX = llround((cx + move.cosine * left + move.sine * down) * one) + x * llround(move.cosine * one);
    const Index sourceY = llround((cy - move.sine * left + move.cosine * down) * one) + x * llround(-move.sine * one);
    const Index ix = sourceX >> 16, iy = sourceY >> 16;
    const int fx = static_cast<int>(sourceX >> 8 & 255), fy = static_cast<int>(sourceY >> 8 & 255);
    const int top = pixel(first, iy, ix, ci) * (256 - fx) + pixel(first, iy, ix + 1, ci) * fx;
    const int bottom = pixel(first, iy + 1, ix, ci) * (256 - fx) + pixel(first, iy + 1, ix + 1, ci) * fx;
    moved[item] = static_cast<std::uint8_t>((top * (256 - fy) + bottom * fy + (1 << 15)) >> 16);
  }
};

/// Softmax, cross-entropy, its gradient and the rank of the sample's class (rankOf() of metric.h), one sample an item.
struct SoftmaxCrossEntropy {
  static constexpr const char* kName = "SoftmaxCrossEntropy";
  In<StepCursor> cursor;
  In<std::int32_t> numbers, labels;  ///< [ring, maxBatch]; [samples] by sample number
  int batch = 1, maxBatch = 1, classes = 1;
  float smoothing = 0;
  In<Real> logits;
  Out<Real> dlogits;        ///< [N, classes]
  Out<float> losses;        ///< [N]
  Out<std::int32_t> ranks;  ///< [N]
  std::vector<Access> buffers() const { return accesses(cursor, numbers, labels, logits, dlogits, losses, ranks); }
  STRATA_DEVICE void operator()(Index item) const {
    const int label = labels[numbers[Index{cursor[0].slot} * maxBatch + item]];
    const Index row = item * classes;
    int largest = 0;
    for (int j = 1; j < classes; ++j)
      if (logits[row + j] > logits[row + largest]) largest = j;
    const float top = logits[row + largest];
    float sum = 0, mean = 0;
    for (int j = 0; j < classes; ++j) {
      sum += expf(logits[row + j] - top);
      mean += logits[row + j] - top;
    }
    const float logSum = logf(sum);
    losses[item] =
        logSum - (1 - smoothing) * (logits[row + label] - top) - smoothing / static_cast<float>(classes) * mean;
    const float own = logits[row + label];
    int before = 0;
    for (int j = 0; j < classes; ++j)
      before += j < label ? !(logits[row + j] < own) : j > label && !(logits[row + j] <= own);
    ranks[item] = before;
    for (int j = 0; j < classes; ++j) {
      const float target = (j == label ? 1 - smoothing : 0.0f) + smoothing / static_cast<float>(classes);
      dlogits[row + j] = (expf(logits[row + j] - top) / sum - target) / static_cast<float>(batch);
    }
  }
};

/// Ends a backward pass: adds up partials, `to[j]` = sum over parts of from[part, j], for up to kJobs gradients at once
/// (one part alone: a gradient in bfloat16 becomes float32); looks for gradients that are not finite among those and in
/// `finished`, which were written before; and sums the loss, in the last item.
struct Reduce {
  static constexpr const char* kName = "Reduce";
  static constexpr int kJobs = 16;
  struct Job {
    In<Real> from;  ///< [parts, stride]; columns from `first` on are read
    Out<float> to;
    Index parts = 0, stride = 0, first = 0;
  };
  Job jobs[kJobs];
  int jobCount = 0;
  Update<StepCursor> cursor;
  Update<StepResult> results;  ///< [ring]
  In<float> finished;
  In<StepParams> params;  ///< set in the last launch of a step, with all below
  In<float> losses;
  In<std::int32_t> ranks;
  int within[StepResult::kCounts] = {};  ///< of each metric: how many classes are its best
  int metricCount = 0;
  std::vector<Access> buffers() const {
    std::vector<Access> list = accesses(cursor, results, finished, params, losses, ranks);
    for (int j = 0; j < jobCount; ++j) {
      list.push_back(jobs[j].from.access());
      list.push_back(jobs[j].to.access());
    }
    return list;
  }
  Index items() const {
    Index count = finished.count + (losses ? 1 : 0);
    for (int j = 0; j < jobCount; ++j) count += jobs[j].to.count;
    return count;
  }

  STRATA_DEVICE void examine(float gradient) const {
    if (gradient - gradient == 0) return;
    cursor[0].spoiled = 1;  // all who write it write the same
    results[cursor[0].slot].spoiled = 1;
  }
  STRATA_DEVICE void finishLoss() const {
    StepResult& result = results[cursor[0].slot];
    double sum = 0;
    for (Index n = 0; n < losses.count; ++n) sum += static_cast<double>(losses[n]);
    result.lossSum = sum;
    for (int metric = 0; metric < metricCount; ++metric) {
      std::int32_t count = 0;
      for (Index n = 0; n < ranks.count; ++n) count += ranks[n] < within[metric];
      result.counts[metric] = count;
    }
    if (!(sum - sum == 0)) cursor[0].healthy = 0;  // NaN or infinity
    cursor[0].rule = params[cursor[0].slot].rule;
  }
  STRATA_DEVICE void operator()(Index item) const {
    for (int j = 0; j < jobCount; ++j) {
      const Job& job = jobs[j];
      if (item >= job.to.count) {
        item -= job.to.count;
        continue;
      }
      float sum = 0;
      for (Index part = 0; part < job.parts; ++part) sum += job.from[part * job.stride + job.first + item];
      job.to[item] = sum;
      examine(sum);
      return;
    }
    if (item < finished.count) examine(finished[item]);
    else finishLoss();
  }
};

/// The running variables become what lies in the place of their gradients; before the optimizer, which moves on.
struct TakeRunning {
  static constexpr const char* kName = "TakeRunning";
  In<StepCursor> cursor;
  In<float> gradients;
  Update<float> weights;
  Update<Real> rounded;
  std::vector<Access> buffers() const { return accesses(cursor, gradients, weights, rounded); }
  STRATA_DEVICE void operator()(Index i) const {
    if (!cursor[0].healthy || cursor[0].spoiled) return;
    weights[i] = gradients[i];
    if (rounded) rounded[i] = weights[i];
  }
};

/// The squares of all gradients that are trained, summed by fixed parts: value i goes to part i modulo their number.
struct GradientSquares {
  static constexpr const char* kName = "GradientSquares";
  static constexpr Index kParts = 1024;
  In<float> gradients;
  Out<double> parts;  ///< at most kParts
  std::vector<Access> buffers() const { return accesses(gradients, parts); }
  STRATA_DEVICE void operator()(Index part) const {
    double sum = 0;
    for (Index i = part; i < gradients.count; i += parts.count)
      sum += static_cast<double>(gradients[i]) * static_cast<double>(gradients[i]);
    parts[part] = sum;
  }
};

/// Their norm, by which the rule at the cursor then clips them; one item.
struct ClipByNorm {
  static constexpr const char* kName = "ClipByNorm";
  In<double> parts;
  Update<StepCursor> cursor;
  std::vector<Access> buffers() const { return accesses(parts, cursor); }
  STRATA_DEVICE void operator()(Index) const {
    double sum = 0;
    for (Index part = 0; part < parts.count; ++part) sum += parts[part];
    setNorm(cursor[0].rule, sqrt(sum));
  }
};

/// Keeps the mean of the weights, behind their update.
struct AverageWeights {
  static constexpr const char* kName = "AverageWeights";
  In<StepCursor> cursor;
  In<float> weights;
  Update<float> mean;
  std::vector<Access> buffers() const { return accesses(cursor, weights, mean); }
  STRATA_DEVICE void operator()(Index i) const {
    if (cursor[0].healthy && !cursor[0].spoiled && cursor[0].rule.average != 0)
      takeIn(cursor[0].rule, mean[i], weights[i]);
  }
};

/// As in the names of kernels.
constexpr const char* kindName(UpdateRule::Kind kind) {
  constexpr const char* names[] = {"Sgd",         "Momentum", "Nesterov", "Adam", "RmsProp",
                                   "RmsMomentum", "Nadam",    "Adagrad",  "Lion"};
  return names[static_cast<int>(kind)];
}

/// One kind of optimizer over a range of the arena; the rule of the step lies at the cursor. `rounded`, where set, is
/// kept as the bfloat16 copy of the weights. Item 0 moves the cursor to the next step; nothing else here reads or
/// writes its slot.
template <UpdateRule::Kind kKind>
struct UpdateWeights {
  static constexpr int kSlots = UpdateRule::slotCount(kKind);
  static constexpr const char* kName = kindName(kKind);
  Update<StepCursor> cursor;
  In<float> gradients;
  Update<float> weights;
  Update<Real> rounded;
  Update<float> state[kMostSlots];  ///< the first kSlots of them
  std::vector<Access> buffers() const {
    std::vector<Access> list = accesses(cursor, gradients, weights, rounded);
    for (int slot = 0; slot < kSlots; ++slot) list.push_back(state[slot].access());
    return list;
  }
  STRATA_DEVICE void operator()(Index i) const {
    if (i == 0) ++cursor[0].slot;
    if (!cursor[0].healthy || cursor[0].spoiled) return;
    float weight = weights[i], kept[kMostSlots] = {};
    for (int slot = 0; slot < kSlots; ++slot) kept[slot] = state[slot][i];
    apply<kKind>(cursor[0].rule, weight, gradients[i], kept, DeviceMath{});
    for (int slot = 0; slot < kSlots; ++slot) state[slot][i] = kept[slot];
    weights[i] = weight;
    if (rounded) rounded[i] = weight;
  }
};

/// All of them; a kernel's number is its place here.
using Kernels =
    std::tuple<LoadInput, InputConvPool, InputConvPoolGradient, ConvForward, ConvDataGradient, ConvWeightGradient,
               Product, Activate, ActivateGradient, ReluBiasGradient, NarrowReluBiasGradient, BiasGradient, MaxPool,
               MaxPoolGradient, PoolReluGradient, AvgPool, AvgPoolGradient, Dropout, Join, JoinGradient, Concat,
               ConcatGradient, AddPart, BatchNormMoments, BatchNorm, BatchNormSums, BatchNormGradient, GlobalAverage,
               GlobalAverageGradient, DepthwiseForward, DepthwiseDataGradient, DepthwiseKernelGradient, DrawMoves,
               MoveSamples, SoftmaxCrossEntropy, MeanSquaredError, Reduce, TakeRunning, GradientSquares, ClipByNorm,
               AverageWeights, UpdateWeights<UpdateRule::Kind::Sgd>, UpdateWeights<UpdateRule::Kind::Momentum>,
               UpdateWeights<UpdateRule::Kind::Nesterov>, UpdateWeights<UpdateRule::Kind::Adam>,
               UpdateWeights<UpdateRule::Kind::RmsProp>, UpdateWeights<UpdateRule::Kind::RmsMomentum>,
               UpdateWeights<UpdateRule::Kind::Nadam>, UpdateWeights<UpdateRule::Kind::Adagrad>,
               UpdateWeights<UpdateRule::Kind::Lion>>;
inline constexpr int kKernelCount = std::tuple_size_v<Kernels>;

template <class Functor, int kAt = 0>
constexpr int kernelNumber() {
  if constexpr (std::is_same_v<Functor, std::tuple_element_t<kAt, Kernels>>) return kAt;
  else return kernelNumber<Functor, kAt + 1>();
}

}  // namespace strata::cuda

// SPDX-License-Identifier: Apache-2.0
// Element-wise kernels: activations, optimizers, transposition. Included once per instruction set.
#pragma once
#include "engine/backend/cpu/kernels_conv.h"

namespace strata::STRATA_ISA_NAMESPACE {

/// e^x within 2 units in the last place, for |x| up to 87. Method and coefficients: Cephes expf (Moshier).
STRATA_INLINE Vec exponential(Vec x) {
  x = clamp(x, -87.f, 87.f);
  const auto [n, power] = wholePower(x * 1.44269504088896341f);
  const Vec r = x - n * 0.693359375f + n * 2.12194440e-4f, square = r * r;
  const Vec high = r * 1.9875691500e-4f + 1.3981999507e-3f, middle = r * 8.3334519073e-3f + 4.1665795894e-2f,
            low = r * 1.6666665459e-1f + 5.0000001201e-1f;
  // Two sums at a time: one after the other takes longer.
  const Vec rest = ((high * square + middle) * square + low) * square + r;
  return power * rest + power;
}

/// tanh x = (e^2x - 1) / (e^2x + 1), within 3 units in the last place. At 9.02 it is 1. e^2r - 1 - 2r is r^2 times a
/// polynomial for |r| up to ln 2 / 4, fitted for the least largest relative error, 1.4e-8.
Vec tanhOf(Vec x) {
  x = clamp(x, -9.02f, 9.02f);
  const auto [n, power] = wholePower(x * 2.88539008f);
  const Vec r = x - n * 0.346573591f, square = r * r;
  const Vec high = r * 0.267728657f + 0.66667521f, low = r * 1.33332348f + 1.99999988f;
  const Vec rest = ((square * 0.0888481364f + high) * square + low) * square + (r + r);
  const Vec less1 = power * rest + (power - 1.f);
  return quotient(less1, less1 + 2.f);
}

STRATA_INLINE Vec sigmoidOf(Vec x) {
  const Vec result = quotient(all(1.f), 1.f + exponential(-x));
  return x == x ? result : x;
}

template <class Function>
STRATA_INLINE void eachInPlace(float* x, std::int64_t n, Function function) {
  for (; n > 0; n -= kLanes, x += kLanes) {
    const int some = n < kLanes ? int(n) : kLanes;
    storeSome(x, function(loadSome(x, some)), some);
  }
}
struct VectorMath {
  STRATA_INLINED Vec tanh(Vec x) const { return tanhOf(x); }
  STRATA_INLINED Vec sigmoid(Vec x) const { return sigmoidOf(x); }
};
inline void activate(Activation activation, float* x, std::int64_t n) {
  if (activation == Activation::Linear) return;
  withActivation(activation, [&](auto kind) {
    eachInPlace(x, n, [](Vec v) { return activated<decltype(kind)::value>(v, VectorMath{}); });
  });
}

inline float activationGradient(Activation activation, const float* y, float* g, std::int64_t n) {
  Vec probe{};
  withActivation(activation, [&](auto kind) {
    for (; n > 0; n -= kLanes, y += kLanes, g += kLanes) {
      const int some = n < kLanes ? int(n) : kLanes;
      const Vec v = gradientBefore<decltype(kind)::value>(loadSome(y, some), loadSome(g, some));
      probe += v - v;
      storeSome(g, v, some);
    }
  });
  return sumOf(probe);
}

inline void addInPlace(float* to, const float* from, std::int64_t n) {
  for (; n > 0; n -= kLanes, to += kLanes, from += kLanes) {
    const int some = n < kLanes ? int(n) : kLanes;
    storeSome(to, loadSome(to, some) + loadSome(from, some), some);
  }
}

/// Calls body(input pixels [y0, y1) x [x0, x1), output pixel, 1 / number of inputs) for every window, pixels as
/// pointers.
template <class Body>
STRATA_INLINE void eachWindow(const PoolShape& g, Frame in, Frame out, Body body) {
  for (int oy = 0; oy < g.outH; ++oy)
    for (int ox = 0; ox < g.outW; ++ox) {
      const int y = oy * g.strideH - g.top, x = ox * g.strideW - g.left;
      const int y0 = y > 0 ? y : 0, x0 = x > 0 ? x : 0;
      const int y1 = y + g.kernelH < g.inH ? y + g.kernelH : g.inH, x1 = x + g.kernelW < g.inW ? x + g.kernelW : g.inW;
      body(in.data + std::int64_t{y0} * in.rowStride + x0 * g.c, y1 - y0, x1 - x0,
           out.data + std::int64_t{oy} * out.rowStride + ox * g.c, 1.f / float((y1 - y0) * (x1 - x0)));
    }
}

/// Calls body(first input of the window, output pixel) for windows side by side.
template <class Body>
STRATA_INLINE void eachTile(const PoolShape& g, Frame in, Frame out, Body body) {
  for (int oy = 0; oy < g.outH; ++oy) {
    float *x = in.data + std::int64_t{oy} * g.kernelH * in.rowStride, *y = out.data + std::int64_t{oy} * out.rowStride;
    for (int ox = 0; ox < g.outW; ++ox, x += g.kernelW * g.c, y += g.c)
      for (int i = 0; i < g.c; i += kLanes) body(x + i, y + i, g.c - i);
  }
}

/// KernelH and KernelW are those of the shape, known when compiling where they are not 0.
template <int KernelH, int KernelW>
STRATA_INLINE void averageTiles(const PoolShape& g, Frame x, Frame y) {
  const int kernelH = KernelH ? KernelH : g.kernelH, kernelW = KernelW ? KernelW : g.kernelW;
  const float share = 1.f / float(kernelH * kernelW);
  eachTile(g, x, y, [&](const float* in, float* out, int some) {
    Vec sum{};
    STRATA_UNROLL for (int a = 0; a < kernelH; ++a) {
      STRATA_UNROLL for (int b = 0; b < kernelW; ++b) sum += load(in + a * x.rowStride + b * g.c);
    }
    storeSome(out, sum * share, some);
  });
}
template <int KernelH, int KernelW>
STRATA_INLINE void averageTilesGradient(const PoolShape& g, Frame dy, Frame dx) {
  const int kernelH = KernelH ? KernelH : g.kernelH, kernelW = KernelW ? KernelW : g.kernelW;
  const float share = 1.f / float(kernelH * kernelW);
  eachTile(g, dx, dy, [&](float* in, const float* out, int some) {
    const Vec each = loadSome(out, some) * share;
    STRATA_UNROLL for (int a = 0; a < kernelH; ++a) {
      STRATA_UNROLL for (int b = 0; b < kernelW; ++b) storeSome(in + a * dx.rowStride + b * g.c, each, some);
    }
  });
}

inline void averagePool(const PoolShape& g, Frame x, Frame y) {
  if (g.tiles()) return g.kernelH == 2 && g.kernelW == 2 ? averageTiles<2, 2>(g, x, y) : averageTiles<0, 0>(g, x, y);
  eachWindow(g, x, y, [&](const float* in, int rows, int cols, float* out, float share) {
    for (int i = 0; i < g.c; i += kLanes) {
      Vec sum{};
      for (int row = 0; row < rows; ++row)
        for (int col = 0; col < cols; ++col) sum += load(in + std::int64_t{row} * x.rowStride + col * g.c + i);
      storeSome(out + i, sum * share, g.c - i);
    }
  });
}

inline void averagePoolGradient(const PoolShape& g, Frame dy, Frame dx) {
  if (g.tiles())
    return g.kernelH == 2 && g.kernelW == 2 ? averageTilesGradient<2, 2>(g, dy, dx)
                                            : averageTilesGradient<0, 0>(g, dy, dx);
  for (int row = 0; row < g.inH; ++row)
    std::memset(dx.data + std::int64_t{row} * dx.rowStride, 0, sizeof(float) * std::size_t(g.inW) * g.c);
  eachWindow(g, dx, dy, [&](float* in, int rows, int cols, const float* out, float share) {
    for (int i = 0; i < g.c; i += kLanes) {
      const Vec each = loadSome(out + i, g.c - i) * share;
      for (int row = 0; row < rows; ++row)
        for (int col = 0; col < cols; ++col) {
          float* to = in + std::int64_t{row} * dx.rowStride + col * g.c + i;
          storeSome(to, loadSome(to, g.c - i) + each, g.c - i);
        }
    }
  });
}

/// KernelH and KernelW as above.
template <int KernelH, int KernelW, Activation kActivation>
STRATA_INLINE int windowGradients(const ConvShape& g, const PoolShape& pool, Frame dy, Frame y, Frame to, int pixel,
                                  float* sums) {
  const int kernelH = KernelH ? KernelH : pool.kernelH, kernelW = KernelW ? KernelW : pool.kernelW;
  const float share = 1.f / float(kernelH * kernelW);
  constexpr int kLine = 16;  // floats
  IntVec live{};
  std::memset(sums, 0, sizeof(float) * std::size_t(g.kWidth(kLanes)));
  for (int oy = 0; oy < pool.outH; ++oy) {
    const float *gradient = dy.data + std::int64_t{oy} * dy.rowStride,
                *out = y.data + std::int64_t{oy} * kernelH * y.rowStride;
    float* before = to.data + std::int64_t{oy} * kernelH * to.rowStride;
    for (int ox = 0; ox < pool.outW; ++ox, gradient += g.k, out += kernelW * g.k, before += kernelW * pixel)
      for (int i = 0; i < g.k; i += kLanes) {
        const IntVec channel = ramp() < all(g.k - i);  // whole vectors are read, of which the rest is the next pixel's
        const Vec each = load(gradient + i) * share;
        Vec sum{};
        STRATA_UNROLL for (int a = 0; a < kernelH; ++a) {
          const float* row = out + a * y.rowStride + i;
          // The forward pass of the batch has pushed y out of the caches near by.
          if (i % kLine == 0) __builtin_prefetch(row + 2 * kernelH * y.rowStride);
          STRATA_UNROLL for (int b = 0; b < kernelW; ++b) {
            const Vec whole = gradientBefore<kActivation>(load(row + b * g.k), each), v = channel ? whole : Vec{};
            storeSome(before + a * to.rowStride + b * pixel + i, v, pixel - i);
            sum += v;
            live -= v != Vec{};
          }
        }
        store(sums + i, load(sums + i) + sum);
      }
  }
  return sumOf(live);
}

inline int outputGradient(const ConvShape& g, const PoolShape& pool, Frame dy, Frame y, Frame to, int pixel,
                          float* sums) {
  int live = 0;
  withActivation(g.activation, [&](auto kind) {
    constexpr Activation kActivation = decltype(kind)::value;
    if (pool.kernelH == 1 && pool.kernelW == 1)
      live = windowGradients<1, 1, kActivation>(g, pool, dy, y, to, pixel, sums);
    else if (pool.kernelH == 2 && pool.kernelW == 2)
      live = windowGradients<2, 2, kActivation>(g, pool, dy, y, to, pixel, sums);
    else live = windowGradients<0, 0, kActivation>(g, pool, dy, y, to, pixel, sums);
  });
  return live;
}

inline float probe(const float* x, std::int64_t n) {
  Vec sum{};
  for (; n > 0; n -= kLanes, x += kLanes) {
    const Vec v = loadSome(x, n < kLanes ? int(n) : kLanes);
    sum += v - v;
  }
  return sumOf(sum);
}

STRATA_INLINE Vec squareRoot(Vec v) {
#if defined(__AVX512F__)
  return Vec(_mm512_sqrt_ps(__m512(v)));
#elif defined(__AVX2__)
  return Vec(_mm256_sqrt_ps(__m256(v)));
#else
  for (int i = 0; i < kLanes; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}

struct VecMath {
  STRATA_INLINE Vec root(Vec v) const { return squareRoot(v); }
  STRATA_INLINE Vec sign(Vec v) const { return v > all(0.f) ? all(1.f) : v < all(0.f) ? all(-1.f) : all(0.f); }
  STRATA_INLINE Vec clipped(Vec v, float limit) const { return clamp(v, -limit, limit); }
};

template <UpdateRule::Kind kKind>
inline float updateAs(UpdateRule rule, float* w, const float* g, SlotPointers state, std::int64_t n) {
  constexpr int kSlots = UpdateRule::slotCount(kKind);
  float* mean = rule.average != 0 ? state.at[kSlots] : nullptr;
  Vec probe{};
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const int some = n - i < kLanes ? int(n - i) : kLanes;
    Vec weight = loadSome(w + i, some), slots[kMostSlots];
    for (int s = 0; s < kSlots; ++s) slots[s] = loadSome(state.at[s] + i, some);
    apply<kKind>(rule, weight, loadSome(g + i, some), slots, VecMath{});
    for (int s = 0; s < kSlots; ++s) storeSome(state.at[s] + i, slots[s], some);
    probe += weight - weight;
    storeSome(w + i, weight, some);
    if (!mean) continue;
    Vec kept = loadSome(mean + i, some);
    takeIn(rule, kept, weight);
    storeSome(mean + i, kept, some);
  }
  return sumOf(probe);
}

/// Updates w and its state from the gradient; the result is NaN when a new weight is not finite.
inline float update(const UpdateRule& rule, float* w, const float* g, const SlotPointers& state, std::int64_t n) {
  return withKind(rule.kind, [&](auto kind) { return updateAs<decltype(kind)::value>(rule, w, g, state, n); });
}

/// to[col][row] of the given rows, whose columns lie side by side from row(i) on.
template <class Row>
STRATA_INLINE void transposeRows(const Row& row, int rows, int cols, float* to, std::int64_t toStride) {
  for (int i = 0; i < rows; i += kLanes)
    for (int j = 0; j < cols; j += kLanes) {
      if (i + kLanes > rows || j + kLanes > cols) {
        for (int a = i; a < rows && a < i + kLanes; ++a)
          for (int b = j; b < cols && b < j + kLanes; ++b) to[b * toStride + a] = row(a)[b];
        continue;
      }
      Vec tile[kLanes];
#pragma GCC unroll 16
      for (int a = 0; a < kLanes; ++a) tile[a] = load(row(i + a) + j);
      transposeTile(tile);
#pragma GCC unroll 16
      for (int b = 0; b < kLanes; ++b) store(to + (j + b) * toStride + i, tile[b]);
    }
}

inline void transpose(const float* from, std::int64_t fromStride, int rows, int cols, float* to,
                      std::int64_t toStride) {
  transposeRows([=](int i) { return from + i * fromStride; }, rows, cols, to, toStride);
}

inline void transposeSome(const float* from, std::int64_t fromStride, const std::int32_t* numbers, int rows, int cols,
                          float* to, std::int64_t toStride) {
  transposeRows([=](int i) { return from + numbers[i] * fromStride; }, rows, cols, to, toStride);
}

inline double multiplyAdd(std::int64_t rounds, float* sink) {
  constexpr int kChains = 12;
  Vec sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = all(float(i));  // all different: equal chains would be merged into one
  const Vec factor = all(sink[0]), addend = all(sink[1]);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sum[i] = sum[i] * factor + addend;
  }
  for (int i = 0; i < kChains; ++i) sink[2] += sum[i][0];
  return 2.0 * kChains * kLanes * double(rounds);
}

}  // namespace strata::STRATA_ISA_NAMESPACE

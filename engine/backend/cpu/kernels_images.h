// SPDX-License-Identifier: Apache-2.0
// Kernels that pool or enlarge an image, each channel by itself. Included once per instruction set.
#pragma once
#include "engine/backend/cpu/kernels_math.h"

namespace strata::STRATA_ISA_NAMESPACE {

/// `best` and the number of its place become those of `v` where that is larger, or not a number.
STRATA_INLINE void keepLarger(Vec v, std::int32_t place, Vec& best, IntVec& winner) {
  const IntVec wins = (v > best) | (v != v);
  best = wins ? v : best;
  winner = wins ? all(place) : winner;
}

/// Where a window begins, and which of its taps [r0, r1) x [s0, s1) lie inside the image.
struct TapsInside {
  int top, left, r0, r1, s0, s1;
};
STRATA_INLINE TapsInside tapsInside(const PoolShape& g, int oy, int ox) {
  const int top = oy * g.strideH - g.top, left = ox * g.strideW - g.left;
  return {top,
          left,
          top < 0 ? -top : 0,
          top + g.kernelH < g.inH ? g.kernelH : g.inH - top,
          left < 0 ? -left : 0,
          left + g.kernelW < g.inW ? g.kernelW : g.inW - left};
}

inline void maxPool(const PoolShape& g, Frame x, Frame y, std::uint8_t* codes) {
  const int codeStep = (g.c + kLanes - 1) / kLanes * kLanes;
  for (int oy = 0; oy < g.outH; ++oy)
    for (int ox = 0; ox < g.outW; ++ox, codes += codeStep) {
      const TapsInside t = tapsInside(g, oy, ox);
      const float* window = x.data + std::int64_t{t.top} * x.rowStride + std::int64_t{t.left} * g.c;
      float* out = y.data + std::int64_t{oy} * y.rowStride + std::int64_t{ox} * g.c;
      for (int i = 0; i < g.c; i += kLanes) {
        const auto at = [&](int r, int s) STRATA_INLINED {
          return loadSome(window + std::int64_t{r} * x.rowStride + std::int64_t{s} * g.c + i, g.c - i);
        };
        Vec best = at(t.r0, t.s0);
        IntVec winner = all(t.r0 * g.kernelW + t.s0);
        for (int r = t.r0; r < t.r1; ++r)
          for (int s = t.s0; s < t.s1; ++s) keepLarger(at(r, s), r * g.kernelW + s, best, winner);
        storeSome(out + i, best, g.c - i);
        storeBytes(codes + i, winner);
      }
    }
}

inline void maxPoolGradient(const PoolShape& g, Frame dy, const std::uint8_t* codes, Frame dx) {
  const int codeStep = (g.c + kLanes - 1) / kLanes * kLanes;
  const bool tiles = g.tiles();
  for (int row = 0; !tiles && row < g.inH; ++row)
    std::memset(dx.data + std::int64_t{row} * dx.rowStride, 0, sizeof(float) * std::size_t(g.inW) * std::size_t(g.c));
  for (int oy = 0; oy < g.outH; ++oy)
    for (int ox = 0; ox < g.outW; ++ox, codes += codeStep) {
      const TapsInside t = tapsInside(g, oy, ox);
      float* window = dx.data + std::int64_t{t.top} * dx.rowStride + std::int64_t{t.left} * g.c;
      const float* from = dy.data + std::int64_t{oy} * dy.rowStride + std::int64_t{ox} * g.c;
      for (int i = 0; i < g.c; i += kLanes) {
        const Vec gradient = loadSome(from + i, g.c - i);
        const IntVec winner = loadBytes(codes + i);
        for (int r = t.r0; r < t.r1; ++r)
          for (int s = t.s0; s < t.s1; ++s) {
            float* to = window + std::int64_t{r} * dx.rowStride + std::int64_t{s} * g.c + i;
            const Vec share = winner == all(r * g.kernelW + s) ? gradient : Vec{};
            storeSome(to, tiles ? share : loadSome(to, g.c - i) + share, g.c - i);
          }
      }
    }
}

/// x [pixels][c]; winners [c] are the numbers of the largest pixels.
inline void globalMax(const float* x, int pixels, int c, float* y, std::int32_t* winners) {
  for (int i = 0; i < c; i += kLanes) {
    Vec best = loadSome(x + i, c - i);
    IntVec winner{};
    for (int pixel = 0; pixel < pixels; ++pixel)
      keepLarger(loadSome(x + std::int64_t{pixel} * c + i, c - i), pixel, best, winner);
    storeSome(y + i, best, c - i);
    for (int lane = 0; lane < kLanes && i + lane < c; ++lane) winners[i + lane] = winner[lane];
  }
}

inline void blend(const float* a, const float* b, float share, float* to, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const int some = n - i < kLanes ? int(n - i) : kLanes;
    const Vec first = loadSome(a + i, some);
    storeSome(to + i, first + (loadSome(b + i, some) - first) * share, some);
  }
}

inline void addScaled(float* to, const float* from, float factor, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += kLanes) {
    const int some = n - i < kLanes ? int(n - i) : kLanes;
    storeSome(to + i, loadSome(to + i, some) + loadSome(from + i, some) * factor, some);
  }
}

/// One row of a wider image: pixel o is blended of two pixels of `from`.
inline void widenRow(const WidenTaps& taps, const float* from, int c, float* to) {
  for (int o = 0; o < taps.count; ++o, to += c) {
    const float *a = from + std::int64_t{taps.first[o]} * c, *b = from + std::int64_t{taps.second[o]} * c;
    for (int i = 0; i < c; i += kLanes) {
      const Vec first = loadSome(a + i, c - i);
      storeSome(to + i, taps.share ? first + (loadSome(b + i, c - i) - first) * taps.share[o] : first, c - i);
    }
  }
}

/// Adds to the gradient of such a row.
inline void widenRowGradient(const WidenTaps& taps, const float* dy, int c, float* dx) {
  for (int o = 0; o < taps.count; ++o, dy += c) {
    float *a = dx + std::int64_t{taps.first[o]} * c, *b = dx + std::int64_t{taps.second[o]} * c;
    for (int i = 0; i < c; i += kLanes) {
      const Vec gradient = loadSome(dy + i, c - i);
      if (!taps.share) {
        storeSome(a + i, loadSome(a + i, c - i) + gradient, c - i);
        continue;
      }
      storeSome(a + i, loadSome(a + i, c - i) + gradient * (1.f - taps.share[o]), c - i);
      storeSome(b + i, loadSome(b + i, c - i) + gradient * taps.share[o], c - i);
    }
  }
}

}  // namespace strata::STRATA_ISA_NAMESPACE

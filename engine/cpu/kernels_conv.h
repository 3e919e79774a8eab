// SPDX-License-Identifier: Apache-2.0
// Convolution kernels on lists of live values; see kernels.h for the idea. Included once per instruction set.
#pragma once
#include "engine/cpu/kernels.h"
#include "engine/cpu/vec.h"

namespace strata::STRATA_ISA_NAMESPACE {

#define STRATA_UNROLL _Pragma("GCC unroll 16")

template <int N>
struct Constant {
  static constexpr int value = N;
};

/// Calls body(Constant<n>()) for a run-time n of 1..Max.
template <int Max, class Body>
STRATA_INLINE void withConstant(int n, Body&& body) {
  if constexpr (Max > 0) {
    if (n == Max) body(Constant<Max>());
    else withConstant<Max - 1>(n, body);
  }
}

inline constexpr int kMaxVecs = kRegisters - 1 < 15 ? kRegisters - 1 : 15;  // accumulators beside one broadcast value
/// Vectors processed at a time when a row of `vecs` is cut into equal pieces.
inline int pieceOf(int vecs) {
  const int pieces = (vecs + kMaxVecs - 1) / kMaxVecs;
  return (vecs + pieces - 1) / pieces;
}

/// acc += sum of value * row. Few accumulators are doubled or more, so that enough additions are in flight.
template <int NB>
STRATA_INLINE void addRows(Vec (&acc)[NB], const float* values, const std::int32_t* offsets, int n, const float* panel) {
  constexpr int kAtOnce = NB <= 3 ? 4 : NB <= 6 ? 2 : 1;
  int e = 0;
  if constexpr (kAtOnce > 1) {
    if (n >= kAtOnce) {
      Vec more[kAtOnce - 1][NB] = {};
      for (; e + kAtOnce <= n; e += kAtOnce) {
        STRATA_UNROLL for (int u = 0; u < kAtOnce; ++u) {
          const float* row = panel + offsets[e + u];
          const float value = values[e + u];
          STRATA_UNROLL for (int i = 0; i < NB; ++i) {
            Vec& sum = u == 0 ? acc[i] : more[u - 1][i];
            sum += value * load(row + i * kLanes);
          }
        }
      }
      STRATA_UNROLL for (int u = 1; u < kAtOnce; ++u) {
        STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[i] += more[u - 1][i];
      }
    }
  }
  for (; e < n; ++e) {
    const float* row = panel + offsets[e];
    const float value = values[e];
    STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[i] += value * load(row + i * kLanes);
  }
}

template <int NB>
STRATA_INLINE void loadRow(Vec (&acc)[NB], const float* from) {
  STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[i] = load(from + i * kLanes);
}
template <int NB>
STRATA_INLINE void storeRow(float* to, const Vec (&acc)[NB]) {
  STRATA_UNROLL for (int i = 0; i < NB; ++i) store(to + i * kLanes, acc[i]);
}

inline void bytesToFloats(const std::uint8_t* from, float scale, float offset, int rows, int rowSize, Frame to) {
  for (int row = 0; row < rows; ++row, from += rowSize) {
    float* out = to.data + std::int64_t{row} * to.rowStride;
    for (int i = 0; i < rowSize; ++i) out[i] = float(from[i]) * scale + offset;
  }
}

inline void listRows(const float* x, int rows, int cols, int c, int scale, RowLists lists) {
  int at = 0;
  const IntVec lane = ramp() * scale;
  for (int row = 0; row < rows; ++row) {
    std::int32_t* starts = lists.starts + row * (cols + 1);
    for (int col = 0; col < cols; ++col) {
      starts[col] = at;
      for (int i = 0; i < c; i += kLanes, x += kLanes) {
        const Vec v = loadSome(x, c - i);
        const unsigned live = bits(v != Vec{});
        at += compress(live, v, lane + all((col * c + i) * scale), lists.list.values + at, lists.list.offsets + at);
      }
      if (c % kLanes) x -= kLanes - c % kLanes;
    }
    starts[cols] = at;
  }
}

inline void countRows(const float* x, int rows, int cols, int c, std::int32_t* starts) {
  int at = 0;
  for (int row = 0; row < rows; ++row, ++starts)
    for (int col = 0; col <= cols; ++col) {
      *(starts + col) = at;
      if (col == cols) { starts += cols; break; }
      for (int i = 0; i < c; ++i) at += *x++ != 0;
    }
}

/// One band of outputs of one panel: rows [oy0, oy1), all columns, before bias and pooling.
struct Band {
  int oy0, oy1, cols;
  float* acc;  // [oy - oy0][cols][panelVecs * lanes]
};

/// Adds kernel rows [r0, r1) from the lists.
template <int NB>
STRATA_INLINE void addBandFromLists(const ConvShape& g, const Band& band, const RowLists& lists, const float* panel, int r0, int r1) {
  constexpr int kWidth = NB * kLanes;
  const std::int64_t slice = std::int64_t{g.s} * g.c * kWidth;
  float* out = band.acc;
  for (int oy = band.oy0; oy < band.oy1; ++oy)
    for (int ox = 0; ox < band.cols; ++ox, out += kWidth) {
      Vec acc[NB] = {};
      if (r0 > 0) loadRow(acc, out);
      const int x0 = ox * g.sx;
      for (int r = r0; r < r1; ++r) {
        const std::int32_t* starts = lists.starts + (oy * g.sy + r) * (g.cols + 1) + x0;
        const int from = starts[0], n = starts[g.s] - from;
        addRows(acc, lists.list.values + from, lists.list.offsets + from, n, panel + r * slice - std::int64_t{x0} * g.c * kWidth);
      }
      storeRow(out, acc);
    }
}

/// P output pixels in a row times NB vectors, kernel rows [r0, r1). `starts`, when given, tells where a whole stretch is zero.
template <int P, int NB>
STRATA_INLINE void addBlock(const ConvShape& g, const float* x, const std::int32_t* starts, const float* panel, int width, int r0, int r1, float* out) {
  Vec acc[P][NB] = {};
  if (r0 > 0) {
    STRATA_UNROLL for (int p = 0; p < P; ++p) loadRow(acc[p], out + p * width);
  }
  const int taps = g.s * g.c, step = g.sx * g.c;
  for (int r = r0; r < r1; ++r) {
    if (starts && starts[r * (g.cols + 1) + (P - 1) * g.sx + g.s] == starts[r * (g.cols + 1)]) continue;
    const float* in = x + std::int64_t{r} * g.cols * g.c;
    const float* w = panel + std::int64_t{r} * taps * width;
    for (int t = 0; t < taps; ++t, w += width) {
      Vec row[NB];
      loadRow(row, w);
      STRATA_UNROLL for (int p = 0; p < P; ++p) {
        const float value = in[p * step + t];
        STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[p][i] += value * row[i];
      }
    }
  }
  STRATA_UNROLL for (int p = 0; p < P; ++p) storeRow(out + p * width, acc[p]);
}

template <int NB>
STRATA_INLINE void addBandDense(const ConvShape& g, const Band& band, const float* x, const std::int32_t* starts, const float* panel, int r0, int r1, int at) {
  constexpr int kPixels = (kRegisters - 4) / NB < 12 ? (kRegisters - 4) / NB : 12;
  const int width = g.panelVecs * kLanes;
  for (int oy = band.oy0; oy < band.oy1; ++oy)
    for (int ox = 0; ox < band.cols; ox += kPixels) {
      const int row = oy * g.sy, col = ox * g.sx;
      const float* in = x + (std::int64_t{row} * g.cols + col) * g.c;
      const std::int32_t* counts = starts ? starts + row * (g.cols + 1) + col : nullptr;
      float* out = band.acc + (std::int64_t{oy - band.oy0} * band.cols + ox) * width + at * kLanes;
      const int pixels = band.cols - ox < kPixels ? band.cols - ox : kPixels;
      withConstant<kPixels>(pixels, [&](auto p) { addBlock<decltype(p)::value, NB>(g, in, counts, panel + at * kLanes, width, r0, r1, out); });
    }
}

/// Bias, pooling and ReLU of one band; sums v - v of all it reads into `probe`.
inline void finishBand(const ConvShape& g, const Band& band, int panel, const float* bias, Frame y, std::uint8_t* codes, Vec& probe) {
  const int width = g.panelVecs * kLanes;
  const int kEnd = g.k - panel * width < width ? g.k - panel * width : width;
  for (int py = band.oy0 / g.poolH; py < band.oy1 / g.poolH; ++py)
    for (int px = 0; px < g.outW; ++px) {
      const float* window = band.acc + (std::int64_t{py * g.poolH - band.oy0} * band.cols + px * g.poolW) * width;
      float* out = y.data + std::int64_t{py} * y.rowStride + px * g.k + panel * width;
      std::uint8_t* code = codes + ((std::int64_t{py} * g.outW + px) * g.panels + panel) * width;
      for (int i = 0; i < kEnd; i += kLanes) {
        Vec best = load(window + i), sum = best;
        if (g.poolH * g.poolW > 1) {
          IntVec place{};
          for (int a = 0; a < g.poolH; ++a)
            for (int b = a == 0; b < g.poolW; ++b) {
              const Vec v = load(window + (a * band.cols + b) * width + i);
              const IntVec larger = v > best;
              sum += v;
              best = larger ? v : best;
              place = larger ? all(a * g.poolW + b) : place;
            }
          storeBytes(code + i, place);
        }
        probe += sum - sum;
        best += load(bias + i);
        if (g.relu) best = best < Vec{} ? Vec{} : best;
        storeSome(out + i, best, kEnd - i);
      }
    }
}

inline float convForward(const ConvShape& g, const float* x, const RowLists* lists, const std::int32_t* starts, const float* weights, const float* bias,
                         float* scratch, Frame y, std::uint8_t* codes) {
  const int width = g.panelVecs * kLanes;
  const std::int64_t panelSize = std::int64_t{g.r} * g.s * g.c * width;
  Vec probe{};
  for (int panel = 0; panel < g.panels; ++panel) {
    const float* w = weights + panel * panelSize;
    for (int py = 0; py < g.outH; py += g.bandRows) {
      const int end = py + g.bandRows < g.outH ? py + g.bandRows : g.outH;
      const Band band{py * g.poolH, end * g.poolH, g.outW * g.poolW, scratch};
      for (int r0 = 0; r0 < g.r; r0 += g.groupRows) {
        const int r1 = r0 + g.groupRows < g.r ? r0 + g.groupRows : g.r;
        if (lists) {
          withConstant<8>(g.panelVecs, [&](auto nb) { addBandFromLists<decltype(nb)::value>(g, band, *lists, w, r0, r1); });
        } else {
          for (int at = 0; at < g.panelVecs;) {
            const int left = g.panelVecs - at, take = left == 4 || left < 3 ? (left > 2 ? 2 : left) : 3;
            withConstant<3>(take, [&](auto nb) { addBandDense<decltype(nb)::value>(g, band, x, starts, w, r0, r1, at); });
            at += take;
          }
        }
      }
      finishBand(g, band, panel, bias + panel * width, y, codes, probe);
    }
  }
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += probe[i];
  return sum;
}

inline int gradientLists(const ConvShape& g, Frame dy, Frame y, const std::uint8_t* codes, float* biasGradient, PositionLists lists) {
  const int window = g.poolH * g.poolW, scale = g.rowVecs * kLanes, codeStride = g.panels * g.panelVecs * kLanes;
  const IntVec lane = ramp();
  int at = 0;
  std::int32_t* starts = lists.starts;
  for (int py = 0; py < g.outH; ++py)
    for (int px = 0; px < g.outW; ++px, codes += codeStride) {
      const float* grad = dy.data + std::int64_t{py} * dy.rowStride + px * g.k;
      const float* out = y.data + std::int64_t{py} * y.rowStride + px * g.k;
      for (int q = 0; q < window; ++q) {
        *starts++ = at;
        for (int i = 0; i < g.k; i += kLanes) {
          const Vec v = loadSome(grad + i, g.k - i);
          IntVec live = v != Vec{};
          if (g.relu) live &= ~(loadSome(out + i, g.k - i) <= Vec{});
          if (window > 1) {
            live &= loadBytes(codes + i) == all(q);
          }
          at += compress(bits(live), v, (lane + all(i)) * scale, lists.list.values + at, lists.list.offsets + at);
          if (biasGradient) storeSome(biasGradient + i, loadSome(biasGradient + i, g.k - i) + (live ? v : Vec{}), g.k - i);
        }
      }
    }
  *starts = at;
  return at;
}

inline void channelLists(const ConvShape& g, const PositionLists& from, std::int32_t base, ChannelLists to) {
  const int window = g.poolH * g.poolW, scale = g.rowVecs * kLanes;
  const std::int32_t* starts = from.starts;
  for (int py = 0; py < g.outH; ++py)
    for (int px = 0; px < g.outW; ++px)
      for (int q = 0; q < window; ++q, ++starts) {
        const int oy = py * g.poolH + q / g.poolW, ox = px * g.poolW + q % g.poolW;
        const std::int32_t offset = base + (oy * g.sy * g.cols + ox * g.sx) * g.c;
        for (int e = starts[0]; e < starts[1]; ++e) {
          const int channel = int(unsigned(from.list.offsets[e]) / unsigned(scale));
          const int slot = channel * to.capacity + to.counts[channel]++;
          to.list.values[slot] = from.list.values[e];
          to.list.offsets[slot] = offset;
        }
      }
}

template <int NB>
STRATA_INLINE void scatterRow(const ConvShape& g, const PositionLists& lists, const float* weights, int r, float* dx, int piece) {
  const int window = g.poolH * g.poolW;
  const std::int32_t* starts = lists.starts;
  for (int py = 0; py < g.outH; ++py)
    for (int px = 0; px < g.outW; ++px)
      for (int q = 0; q < window; ++q, ++starts) {
        const int from = starts[0], n = starts[1] - from;
        if (n == 0) continue;
        const int oy = py * g.poolH + q / g.poolW, ox = px * g.poolW + q % g.poolW;
        float* out = dx + (std::int64_t{oy * g.sy + r} * g.cols + ox * g.sx) * g.c + piece;
        Vec acc[NB];
        loadRow(acc, out);
        addRows(acc, lists.list.values + from, lists.list.offsets + from, n, weights + piece);
        storeRow(out, acc);
      }
}

inline void convInputGradient(const ConvShape& g, const PositionLists& lists, const float* transposed, float* dx) {
  std::memset(dx, 0, sizeof(float) * std::size_t(g.rows) * g.cols * g.c);
  const int rowSize = g.rowVecs * kLanes, piece = pieceOf(g.rowVecs);
  for (int r = 0; r < g.r; ++r)
    for (int at = 0; at < g.rowVecs; at += piece) {
      const int vecs = g.rowVecs - at < piece ? g.rowVecs - at : piece;
      const float* w = transposed + std::int64_t{r} * g.k * rowSize;
      withConstant<kMaxVecs>(vecs, [&](auto nb) { scatterRow<decltype(nb)::value>(g, lists, w, r, dx, at * kLanes); });
    }
}

/// One channel's gradient of R kernel rows, NB vectors of each, from its list.
template <int R, int NB>
STRATA_INLINE void addPatches(const float* values, const std::int32_t* offsets, int n, const float* x, std::int64_t xRow, float* gradient, std::int64_t gradientRow) {
  Vec acc[R * NB];
  STRATA_UNROLL for (int r = 0; r < R; ++r) {
    STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[r * NB + i] = load(gradient + r * gradientRow + i * kLanes);
  }
  for (int e = 0; e < n; ++e) {
    const float value = values[e];
    const float* patch = x + offsets[e];
    STRATA_UNROLL for (int r = 0; r < R; ++r) {
      STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[r * NB + i] += value * load(patch + r * xRow + i * kLanes);
    }
  }
  STRATA_UNROLL for (int r = 0; r < R; ++r) {
    STRATA_UNROLL for (int i = 0; i < NB; ++i) store(gradient + r * gradientRow + i * kLanes, acc[r * NB + i]);
  }
}

inline void convWeightGradient(const ConvShape& g, const ChannelLists& lists, const float* x, float* gradient) {
  const std::int64_t rowSize = g.rowVecs * kLanes, xRow = std::int64_t{g.cols} * g.c, gradientRow = g.k * rowSize;
  const int piece = pieceOf(g.rowVecs);
  for (int k = 0; k < g.k; ++k) {
    const int n = lists.counts[k];
    if (n == 0) continue;
    const float* values = lists.list.values + std::int64_t{k} * lists.capacity;
    const std::int32_t* offsets = lists.list.offsets + std::int64_t{k} * lists.capacity;
    for (int r = 0; r < g.r;) {
      float* out = gradient + r * gradientRow + k * rowSize;
      const float* in = x + r * xRow;
      if (g.rowVecs <= 3) {  // several kernel rows fit the registers
        const int left = g.r - r, most = g.rowVecs == 1 ? 7 : g.rowVecs == 2 ? 7 : 5, take = left < most ? left : most;
        withConstant<3>(g.rowVecs, [&](auto nb) {
          constexpr int kVecs = decltype(nb)::value;
          withConstant<kVecs == 3 ? 5 : 7>(take, [&](auto rows) { addPatches<decltype(rows)::value, kVecs>(values, offsets, n, in, xRow, out, gradientRow); });
        });
        r += take;
        continue;
      }
      for (int at = 0; at < g.rowVecs; at += piece) {
        const int vecs = g.rowVecs - at < piece ? g.rowVecs - at : piece;
        withConstant<kMaxVecs>(vecs, [&](auto nb) { addPatches<1, decltype(nb)::value>(values, offsets, n, in + at * kLanes, xRow, out + at * kLanes, gradientRow); });
      }
      ++r;
    }
  }
}

}  // namespace strata::STRATA_ISA_NAMESPACE

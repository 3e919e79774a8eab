// SPDX-License-Identifier: Apache-2.0
// Convolution kernels on lists of live values; see kernels.h for the idea. Included once per instruction set.
#pragma once
#include <type_traits>

#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/vec.h"

namespace strata::STRATA_ISA_NAMESPACE {

#define STRATA_UNROLL _Pragma("GCC unroll 32")

template <auto N>
struct Constant {
  static constexpr auto value = N;
};

/// Calls body(Constant<n>()) for a run-time n of 1..Max.
template <int Max, class Body>
STRATA_INLINE void withConstant(int n, Body&& body) {
  if constexpr (Max > 0) {
    if (n == Max) body(Constant<Max>());
    else withConstant<Max - 1>(n, body);
  }
}

/// Output pixels that addBandWide() and addBandColumns() work on together.
constexpr int widePixels(int vecs) {
  return (kRegisters < 32 ? 12 : 24) / vecs < 8 ? (kRegisters < 32 ? 12 : 24) / vecs : 8;
}

inline constexpr int kMaxVecs = kRegisters - 1 < 15 ? kRegisters - 1 : 15;  // accumulators beside one broadcast value
inline constexpr int kLeastVecs = 3;  ///< with fewer there is more to be done for a list than with it
/// Vectors processed at a time when a row of `vecs` is cut into equal pieces of at most `most`.
inline int pieceOf(int vecs, int most = kMaxVecs) {
  if (most > kMaxVecs) most = kMaxVecs;
  const int pieces = (vecs + most - 1) / most;
  return (vecs + pieces - 1) / pieces;
}

/// The same pointer. Keeps the compiler from turning the rows' common base plus each constant into pointers of their
/// own, which do not fit the registers and cost an instruction for every load.
STRATA_INLINE const float* onePointer(const float* p) {
  asm("" : "+r"(p));
  return p;
}

/// Calls body(value, row) for each entry [from, past) of a list, whose rows lie at its offsets after `rows`. Where a
/// row lies is read one entry ahead, also past the last one: processors with short queues of loads (Zen 1) would find
/// it out too late.
template <class Body>
STRATA_INLINE void eachEntry(const float* values, const std::int32_t* offsets, int from, int past, const float* rows,
                             Body&& body) {
  const float* row = rows + offsets[from];
  for (int e = from; e < past; ++e) {
    const float* next = onePointer(rows + offsets[e + 1]);
    body(values[e], row);
    row = next;
  }
}

/// acc += sum of value * row. Few accumulators are doubled or more, so that enough additions are in flight.
template <int NB>
STRATA_INLINE void addRows(Vec (&acc)[NB], const float* values, const std::int32_t* offsets, int n,
                           const float* panel) {
  constexpr int kAtOnce = NB <= 3 ? 4 : NB <= 6 ? 2 : 1;
  int e = 0;
  if constexpr (kAtOnce > 1) {
    if (n >= kAtOnce) {
      Vec more[kAtOnce - 1][NB] = {};
      for (; e + kAtOnce <= n; e += kAtOnce) {
        STRATA_UNROLL for (int u = 0; u < kAtOnce; ++u) {
          const float* row = onePointer(panel + offsets[e + u]);
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
  eachEntry(values, offsets, e, n, panel, [&](float value, const float* row) STRATA_INLINED {
    STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[i] += value * load(row + i * kLanes);
  });
}

template <int NB>
STRATA_INLINE void loadRow(Vec (&acc)[NB], const float* from) {
  STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[i] = load(from + i * kLanes);
}
template <int NB>
STRATA_INLINE void storeRow(float* to, const Vec (&acc)[NB]) {
  STRATA_UNROLL for (int i = 0; i < NB; ++i) store(to + i * kLanes, acc[i]);
}

template <int R, int NB>
STRATA_INLINE void loadRowGroups(Vec (&acc)[R * NB], const float* from, std::int64_t rowStride) {
  STRATA_UNROLL for (int r = 0; r < R; ++r) {
    STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[r * NB + i] = load(from + r * rowStride + i * kLanes);
  }
}
template <int R, int NB>
STRATA_INLINE void storeRowGroups(float* to, std::int64_t rowStride, const Vec (&acc)[R * NB]) {
  STRATA_UNROLL for (int r = 0; r < R; ++r) {
    STRATA_UNROLL for (int i = 0; i < NB; ++i) store(to + r * rowStride + i * kLanes, acc[r * NB + i]);
  }
}

/// Asks for one cache line after another, so that they come from memory while something else is worked on. Asking past
/// the end does no harm.
struct LinesAhead {
  const float* at;
  void next() {
    __builtin_prefetch(at, 0, 2);
    at += 16;
  }
};
struct NothingAhead {
  void next() {}
};

/// Register blocks multiply everything: acc[p][NB] += sum over n steps t of in[p * pStep + t * tStep] times the vectors
/// rows[t * rowStep]. Rows of `in` are reached four from one pointer; the compiler alone would keep a pointer for each,
/// more than there are registers. Steps come in `rounds` of n, after each of which both pointers jump, and after each
/// of which a line of what is `ahead` is asked for.
template <int P, int NB, class Ahead = NothingAhead>
STRATA_INLINE void addRounds(Vec (&acc)[P * NB], const float* in, std::int64_t pStep, std::int64_t tStep, int n,
                             const float* rows, std::int64_t rowStep, int rounds, std::int64_t inJump,
                             std::int64_t rowJump, Ahead&& ahead = {}) {
  constexpr int kPointers = (P + 3) / 4;
  const float* from[kPointers];
  STRATA_UNROLL for (int q = 0; q < kPointers; ++q) from[q] = in + 4 * q * pStep;
  const std::int64_t pStep3 = 3 * pStep;
  for (int round = 0; round < rounds; ++round) {
    ahead.next();
    for (int t = 0; t < n; ++t) {
      Vec row[NB];
      loadRow(row, rows);
      STRATA_UNROLL for (int p = 0; p < P; ++p) {
        const int place = p % 4;
        const float* pointer = from[p / 4];
        const float value = place == 3 ? pointer[pStep3] : pointer[place * pStep];
        STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[p * NB + i] += value * row[i];
      }
      STRATA_UNROLL for (int q = 0; q < kPointers; ++q) from[q] = onePointer(from[q] + tStep);
      rows = onePointer(rows + rowStep);
    }
    STRATA_UNROLL for (int q = 0; q < kPointers; ++q) from[q] = onePointer(from[q] + inJump);
    rows = onePointer(rows + rowJump);
  }
}

/// n steps, of which every fourth asks for a line of what is `ahead`.
template <int P, int NB, class Ahead = NothingAhead>
STRATA_INLINE void addProducts(Vec (&acc)[P * NB], const float* in, std::int64_t pStep, std::int64_t tStep, int n,
                               const float* rows, std::int64_t rowStep, Ahead&& ahead = {}) {
  constexpr int kSteps = std::is_same_v<std::remove_reference_t<Ahead>, NothingAhead> ? 0 : 4;
  const int fours = kSteps ? n / kSteps : 0, done = fours * kSteps;
  if constexpr (kSteps > 0) addRounds<P, NB>(acc, in, pStep, tStep, kSteps, rows, rowStep, fours, 0, 0, ahead);
  if (done < n)
    addRounds<P, NB>(acc, in + done * tStep, pStep, tStep, n - done, rows + done * rowStep, rowStep, 1, 0, 0);
}

inline constexpr int kBlockVecs = 3;  ///< widest register block, as pieceVecs() makes them
/// Rows of a register block of `vecs` vectors.
constexpr int blockRows(int vecs) { return (kRegisters - 4) / vecs < 12 ? (kRegisters - 4) / vecs : 12; }

/// Cuts a row of `vecs` vectors into pieces for register blocks: calls body(Constant<NB>(), first vector) for each.
template <class Body>
STRATA_INLINE void eachBlockPiece(int vecs, Body&& body) {
  for (int at = 0; at < vecs;) {
    const int take = pieceVecs(vecs - at);
    withConstant<kBlockVecs>(take, [&](auto nb) { body(nb, at); });
    at += take;
  }
}

/// Cuts `count` rows into blocks of much the same height: calls body(Constant<P>(), first row) for each.
template <int NB, class Body>
STRATA_INLINE void eachBlock(int count, Body&& body) {
  constexpr int kMost = blockRows(NB);
  const int blocks = (count + kMost - 1) / kMost;
  for (int i = 0; i < blocks; ++i) {
    const int first = count * i / blocks, past = count * (i + 1) / blocks;
    withConstant<kMost>(past - first, [&](auto rows) { body(rows, first); });
  }
}

inline void bytesToFloats(const std::uint8_t* from, float scale, float offset, int rows, int rowSize, Frame to) {
  if (to.rowStride == rowSize) rowSize *= rows, rows = 1;
  for (int row = 0; row < rows; ++row, from += rowSize) {
    float* out = to.data + std::int64_t{row} * to.rowStride;
    if (rowSize < kLanes) {
      for (int i = 0; i < rowSize; ++i) out[i] = float(from[i]) * scale + offset;
      continue;
    }
    for (int i = 0; i < rowSize; i += kLanes) {
      const int at = i + kLanes <= rowSize ? i : rowSize - kLanes;  // the last vector overlaps the one before
      store(out + at, __builtin_convertvector(loadBytes(from + at), Vec) * scale + offset);
    }
  }
}

inline int countLive(const float* x, int n) {
  int live = 0;
  for (int i = 0; i < n; i += kLanes) live += __builtin_popcount(bits(loadSome(x + i, n - i) != Vec{}));
  return live;
}

inline void markChannels(const float* x, int pixels, int c, std::uint32_t* live) {
  for (int i = 0; i < c; i += kLanes, ++live) {
    const int some = c - i < kLanes ? c - i : kLanes;
    if (*live == (1u << some) - 1) continue;
    IntVec any{};
    for (int pixel = 0; pixel < pixels; ++pixel)
      any |= reinterpret_cast<IntVec>(loadSome(x + std::int64_t{pixel} * c + i, some));
    *live |= bits(any != IntVec{});
  }
}

inline void packChannels(const float* from, int pixels, int c, const std::uint32_t* live, float* to) {
  for (int pixel = 0; pixel < pixels; ++pixel, from += c)
    for (int i = 0; i < c; i += kLanes) to += compress(live[i / kLanes], load(from + i), to);
}

inline void unpackChannels(const float* from, int pixels, int c, const std::uint32_t* live, float* to) {
  for (int pixel = 0; pixel < pixels; ++pixel, to += c)
    for (int i = 0; i < c; i += kLanes) {
      const unsigned mask = live[i / kLanes];
      storeSome(to + i, expand(mask, from), c - i);
      from += __builtin_popcount(mask);
    }
}

/// Appends a pixel's live values from `at` on, at `offset` + channel * scale; returns where the list ends. `lane` is
/// ramp() * scale. Values are what is more or less than `background`, if that is not null.
STRATA_INLINE int listPixel(const float* pixel, int c, IntVec lane, int offset, int scale, const ListView& list, int at,
                            const float* background = nullptr) {
  for (int i = 0; i < c; i += kLanes) {
    Vec v = loadSome(pixel + i, c - i);
    if (background) v -= loadSome(background + i, c - i);
    at += compress(bits(v != Vec{}), v, lane + all(offset + i * scale), list.values + at, list.offsets + at);
  }
  return at;
}

inline void listRows(const float* x, int rows, int cols, int c, int scale, int colScale, RowLists lists) {
  int at = 0;
  const IntVec lane = ramp() * scale;
  for (int row = 0; row < rows; ++row) {
    std::int32_t* starts = lists.starts + row * (cols + 1);
    if (c == 1) {  // vectors of pixels
      for (int col = 0; col < cols; col += kLanes) {
        const Vec v = loadSome(x + col, cols - col);
        const unsigned live = bits(v != Vec{});
        for (int i = 0; i < kLanes && col + i < cols; ++i)
          starts[col + i] = at + __builtin_popcount(live & ((1u << i) - 1));
        at += compress(live, v, lane + all(col * scale), lists.list.values + at, lists.list.offsets + at);
      }
      x += cols;
    } else {
      for (int col = 0; col < cols; ++col, x += c) {
        starts[col] = at;
        at = listPixel(x, c, lane, col * colScale, scale, lists.list, at);
      }
    }
    starts[cols] = at;
  }
}

inline void listColumns(const float* x, int rows, int cols, int c, int scale, const float* background, RowLists lists) {
  int at = 0;
  const IntVec lane = ramp() * scale;
  for (int col = 0; col < cols; ++col) {
    std::int32_t* starts = lists.starts + col * (rows + 1);
    for (int row = 0; row < rows; ++row) {
      starts[row] = at;
      at = listPixel(x + (std::int64_t{row} * cols + col) * c, c, lane, row * c * scale, scale, lists.list, at,
                     background);
    }
    starts[rows] = at;
  }
}

/// For each band of widePixels output columns, the live inputs that they meet, row after row: a kernel's window over
/// any rows of a band is one stretch of the list.
inline void listBands(const ConvShape& g, const float* x, const std::int32_t* windowOffsets, RowLists lists) {
  const int slice = g.c * g.wideTaps() * g.panelVecs * kLanes;
  int at = 0;
  std::int32_t* starts = lists.starts;
  for (int col = 0; col < g.outW * g.poolW; col += g.widePixels) {
    const int past = col + g.widePixels - 1 + g.s < g.cols ? col + g.widePixels - 1 + g.s : g.cols,
              size = (past - col) * g.c;
    for (int row = 0; row < g.rows; ++row) {
      *starts++ = at;
      const float* in = x + (std::int64_t{row} * g.cols + col) * g.c;
      for (int i = 0; i < size; i += kLanes) {
        const Vec v = loadSome(in + i, size - i);
        at += compress(bits(v != Vec{}), v, load(windowOffsets + i) + all(row * slice), lists.list.values + at,
                       lists.list.offsets + at);
      }
    }
    *starts++ = at;
  }
}

/// One band of outputs of one panel: rows [oy0, oy1), all columns, before bias and pooling.
struct Band {
  int oy0, oy1, cols;
  float* acc;  // [oy - oy0][cols][panelVecs * lanes]
};

/// Adds the taps [s0, s1) of kernel rows [r0, r1) from the lists.
template <int NB>
STRATA_INLINE void addBandFromLists(const ConvShape& g, const Band& band, const RowLists& lists, const float* panel,
                                    int r0, int r1, int s0, int s1) {
  constexpr int kWidth = NB * kLanes;
  const std::int64_t slice = std::int64_t{g.s} * g.c * kWidth;
  float* out = band.acc;
  for (int oy = band.oy0; oy < band.oy1; ++oy)
    for (int ox = 0; ox < band.cols; ++ox, out += kWidth) {
      Vec acc[NB] = {};
      if (r0 > 0 || s0 > 0) loadRow(acc, out);
      const int x0 = ox * g.sx;
      for (int r = r0; r < r1; ++r) {
        const std::int32_t* starts = lists.starts + (oy * g.sy + r) * (g.cols + 1) + x0;
        const int from = starts[s0], n = starts[s1] - from;
        addRows(acc, lists.list.values + from, lists.list.offsets + from, n,
                panel + r * slice - std::int64_t{x0} * g.c * kWidth);
      }
      storeRow(out, acc);
    }
}

/// The same for few input channels, where one pixel's stretch of the list is too short: P output pixels at once, all
/// kernel rows, from listBands(). `panel` holds each kernel row with P - 1 zero taps on either side,
/// [r][c][wideTaps][width], so that one live input meets the weights of all P outputs in one run of memory, the last
/// output's first.
template <int P, int NB>
STRATA_INLINE void addBandWide(const ConvShape& g, const Band& band, const RowLists& lists, const float* panel) {
  constexpr int kWidth = NB * kLanes;
  const std::int64_t slice = std::int64_t{g.c} * g.wideTaps() * kWidth;
  for (int oy = band.oy0; oy < band.oy1; ++oy) {
    const std::int32_t* starts = lists.starts + oy * g.sy;
    const float* w = panel - oy * g.sy * slice;
    for (int ox = 0; ox < band.cols; ox += P, starts += g.rows + 1) {
      Vec acc[P * NB] = {};
      eachEntry(lists.list.values, lists.list.offsets, starts[0], starts[g.r], w,
                [&](float value, const float* row) STRATA_INLINED {
                  STRATA_UNROLL for (int i = 0; i < P * NB; ++i) acc[i] += value * load(row + i * kLanes);
                });
      float* out = band.acc + (std::int64_t{oy - band.oy0} * band.cols + ox) * kWidth;
      STRATA_UNROLL for (int p = 0; p < P; ++p) {
        if (ox + p < band.cols) {
          STRATA_UNROLL for (int i = 0; i < NB; ++i) store(out + p * kWidth + i * kLanes, acc[(P - 1 - p) * NB + i]);
        }
      }
    }
  }
}

/// The products of column X of the inputs that P output pixels of a row meet, and of those after it. Which outputs a
/// column reaches is known when compiling, so that one live input meets their weights in one run of memory,
/// [c][s][width], and nothing else. A column's stretch of the list lies between starts[0] and starts[rows], that of the
/// next one `step` further on.
template <int P, int S, int NB, int X = 0>
STRATA_INLINE void addColumns(Vec (&acc)[P * NB], const ListView& list, const std::int32_t* starts, int rows, int step,
                              int columns, const float* panel) {
  if constexpr (X < P + S - 1) {
    if (X >= columns) return;
    constexpr int kFirst = X < P ? 0 : X - P + 1, kLast = X < S ? X : S - 1;
    eachEntry(list.values, list.offsets, starts[0], starts[rows], panel,
              [&](float value, const float* row) STRATA_INLINED {
                STRATA_UNROLL for (int tap = kFirst; tap <= kLast; ++tap) {
                  STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[(X - tap) * NB + i] +=
                      value * load(row + (tap * NB + i) * kLanes);
                }
              });
    addColumns<P, S, NB, X + 1>(acc, list, starts + step, rows, step, columns, panel);
  }
}

/// Kernel rows [r0, r1), P output pixels at a time, from listColumns(), or from listRows() where it is one row. `panel`
/// is [r][c][s][width].
template <int S, int NB>
STRATA_INLINE void addBandColumns(const ConvShape& g, const Band& band, const RowLists& lists, const float* panel,
                                  int r0, int r1) {
  constexpr int P = widePixels(NB), kWidth = NB * kLanes;
  const std::int64_t slice = std::int64_t{S} * g.c * kWidth;
  const bool single = g.columnRows == 1;
  for (int oy = band.oy0; oy < band.oy1; ++oy) {
    const int y = oy * g.sy;
    const std::int32_t* starts = lists.starts + (single ? (y + r0) * (g.cols + 1) : y + r0);
    const int step = single ? 1 : g.rows + 1;
    const float* weights = panel + (single ? r0 : -y) * slice;
    for (int ox = 0; ox < band.cols; ox += P, starts += P * step) {
      float* out = band.acc + (std::int64_t{oy - band.oy0} * band.cols + ox) * kWidth;
      const int pixels = band.cols - ox;
      Vec acc[P * NB] = {};
      if (r0 > 0) {
        STRATA_UNROLL for (int i = 0; i < P * NB; ++i) acc[i] = i / NB < pixels ? load(out + i * kLanes) : Vec{};
      }
      addColumns<P, S, NB>(acc, lists.list, starts, single ? 1 : r1 - r0, step, g.cols - ox, weights);
      STRATA_UNROLL for (int i = 0; i < P * NB; ++i) {
        if (i / NB < pixels) store(out + i * kLanes, acc[i]);
      }
    }
  }
}

/// P output pixels in a row times NB vectors, kernel rows [r0, r1), every input multiplied.
template <int P, int NB>
STRATA_INLINE void addBlock(const ConvShape& g, const float* x, const float* panel, int width, int r0, int r1,
                            float* out) {
  Vec acc[P * NB] = {};
  if (r0 > 0) loadRowGroups<P, NB>(acc, out, width);
  const int taps = g.s * g.c;
  for (int r = r0; r < r1; ++r)
    addProducts<P, NB>(acc, x + std::int64_t{r} * g.cols * g.c, g.sx * g.c, 1, taps,
                       panel + std::int64_t{r} * taps * width, width);
  storeRowGroups<P, NB>(out, width, acc);
}

template <int NB>
STRATA_INLINE void addBandDense(const ConvShape& g, const Band& band, const float* x, const float* panel, int r0,
                                int r1, int at) {
  const int width = g.panelVecs * kLanes;
  for (int oy = band.oy0; oy < band.oy1; ++oy)
    eachBlock<NB>(band.cols, [&](auto p, int ox) {
      const float* in = x + (std::int64_t{oy * g.sy} * g.cols + ox * g.sx) * g.c;
      float* out = band.acc + (std::int64_t{oy - band.oy0} * band.cols + ox) * width + at * kLanes;
      addBlock<decltype(p)::value, NB>(g, in, panel + at * kLanes, width, r0, r1, out);
    });
}

/// Bias, pooling and ReLU of one band; sums v - v of all it reads into `probe`. PoolH and PoolW are those of the shape,
/// known when compiling where they are not 0.
template <int PoolH, int PoolW>
STRATA_INLINE void finishWindows(const ConvShape& g, const Band& band, int panel, const float* bias, Frame y,
                                 std::uint8_t* codes, Vec& probe) {
  const int poolH = PoolH ? PoolH : g.poolH, poolW = PoolW ? PoolW : g.poolW, width = g.panelVecs * kLanes;
  const int kEnd = g.k - panel * width < width ? g.k - panel * width : width;
  for (int py = band.oy0 / poolH; py < band.oy1 / poolH; ++py)
    for (int px = 0; px < g.outW; ++px) {
      const float* window = band.acc + (std::int64_t{py * poolH - band.oy0} * band.cols + px * poolW) * width;
      float* out = y.data + std::int64_t{py} * y.rowStride + px * g.k + panel * width;
      std::uint8_t* code = codes + ((std::int64_t{py} * g.outW + px) * g.panels + panel) * width;
      for (int i = 0; i < kEnd; i += kLanes) {
        Vec best = load(window + i), sum = best;
        IntVec place{};
        STRATA_UNROLL for (int a = 0; a < poolH; ++a) {
          STRATA_UNROLL for (int b = a == 0; b < poolW; ++b) {
            const Vec v = load(window + (a * band.cols + b) * width + i);
            const IntVec larger = v > best;
            sum += v;
            best = larger ? v : best;
            place = larger ? all(a * poolW + b) : place;
          }
        }
        if (poolH * poolW > 1) storeBytes(code + i, place);
        probe += sum - sum;
        best += load(bias + i);
        if (g.relu()) best = best < Vec{} ? Vec{} : best;
        storeSome(out + i, best, kEnd - i);
      }
    }
}

inline void finishBand(const ConvShape& g, const Band& band, int panel, const float* bias, Frame y, std::uint8_t* codes,
                       Vec& probe) {
  if (g.poolH == 1 && g.poolW == 1) finishWindows<1, 1>(g, band, panel, bias, y, codes, probe);
  else if (g.poolH == 2 && g.poolW == 2) finishWindows<2, 2>(g, band, panel, bias, y, codes, probe);
  else finishWindows<0, 0>(g, band, panel, bias, y, codes, probe);
}

/// Adds all kernel rows to a band by lists or by register blocks, so many rows at a time that their weights stay in the
/// first cache.
inline void addBand(const ConvShape& g, ConvMethod method, const Band& band, const float* x, const RowLists& lists,
                    const float* w) {
  const int atOnce = method == ConvMethod::Columns ? g.columnRows : g.groupRows;
  for (int r0 = 0; r0 < g.r; r0 += atOnce) {
    const int r1 = r0 + atOnce < g.r ? r0 + atOnce : g.r;
    if (method == ConvMethod::Columns) {
      withConstant<kWideVecs>(g.panelVecs, [&](auto nb) {
        constexpr int NB = decltype(nb)::value;
        if (g.s == 5) addBandColumns<5, NB>(g, band, lists, w, r0, r1);
        else addBandColumns<3, NB>(g, band, lists, w, r0, r1);
      });
      continue;
    }
    if (method == ConvMethod::Lists) {
      for (int s0 = 0; s0 < g.s; s0 += g.groupTaps)
        withConstant<8>(g.panelVecs, [&](auto nb) {
          addBandFromLists<decltype(nb)::value>(g, band, lists, w, r0, r1, s0, s0 + g.groupTaps);
        });
      continue;
    }
    eachBlockPiece(g.panelVecs, [&](auto nb, int at) { addBandDense<decltype(nb)::value>(g, band, x, w, r0, r1, at); });
  }
}

inline float convForward(const ConvShape& g, ConvMethod method, const float* x, const RowLists& lists,
                         const float* weights, const float* bias, float* scratch, Frame y, std::uint8_t* codes) {
  const int width = g.panelVecs * kLanes;
  const std::int64_t panelSize = std::int64_t{g.r} * g.c * width * (method == ConvMethod::Wide ? g.wideTaps() : g.s);
  Vec probe{};
  for (int panel = 0; panel < g.panels; ++panel) {
    const float* w = weights + panel * panelSize;
    for (int py = 0; py < g.outH; py += g.bandRows) {
      const int end = py + g.bandRows < g.outH ? py + g.bandRows : g.outH;
      const Band band{py * g.poolH, end * g.poolH, g.outW * g.poolW, scratch};
      if (method == ConvMethod::Wide) {
        withConstant<kWideVecs>(g.panelVecs, [&](auto nb) {
          constexpr int kVecs = decltype(nb)::value;
          addBandWide<widePixels(kVecs), kVecs>(g, band, lists, w);
        });
      } else {
        addBand(g, method, band, x, lists, w);
      }
      finishBand(g, band, panel, bias + panel * width, y, codes, probe);
    }
  }
  return sumOf(probe);
}

/// The live lanes of one vector of output gradients: ReLU passes them where the output is above zero.
STRATA_INLINE IntVec liveGradients(const ConvShape& g, Vec gradient, const float* out, int some) {
  IntVec live = gradient != Vec{};
  if (g.relu()) live &= ~(loadSome(out, some) <= Vec{});
  return live;
}

/// Walks over the pooled pixels row by row.
struct Pixel {
  int y = 0, x = 0;
  void next(const ConvShape& g) {
    if (++x == g.outW) x = 0, ++y;
  }
  const float* in(const ConvShape& g, Frame frame) const {
    return frame.data + std::int64_t{y} * frame.rowStride + x * g.k;
  }
};

inline int positionLists(const ConvShape& g, Frame dy, Frame y, const std::uint8_t* codes, PositionLists lists) {
  const int window = g.poolH * g.poolW, scale = g.rowVecs * kLanes, codeStride = g.panels * g.panelVecs * kLanes;
  const IntVec lane = ramp() * scale;
  int at = 0;
  std::int32_t* starts = lists.starts;
  Pixel pixel;
  for (int index = 0; index < g.outH * g.outW; ++index, pixel.next(g)) {
    const float *gradient = pixel.in(g, dy), *out = pixel.in(g, y);
    for (int q = 0; q < window; ++q) {
      *starts++ = at;
      for (int i = 0; i < g.k; i += kLanes) {
        const Vec v = loadSome(gradient + i, g.k - i);
        IntVec live = liveGradients(g, v, out + i, g.k - i);
        if (window > 1) live &= loadBytes(codes + std::int64_t{index} * codeStride + i) == all(q);
        at += compress(bits(live), v, lane + all(i * scale), lists.list.values + at, lists.list.offsets + at);
      }
    }
  }
  *starts = at;
  return at;
}

/// Up to kLanes pooled pixels that follow one another.
struct PixelRun {
  int pixels = 0;
  const float *gradients[kLanes], *outs[kLanes];
  IntVec corners{};  ///< where the pixels' first places begin in the input
};

/// One tile of channelLists(): the live gradients of a run of pixels and kLanes channels, one channel a row. Returns
/// their sums.
template <bool Full>
STRATA_INLINE Vec gradientTile(const ConvShape& g, const PixelRun& run, int channel, const std::uint8_t* codes,
                               Vec (&values)[kLanes], std::uint8_t* places) {
  const int some = Full ? kLanes : g.k - channel, pixels = Full ? kLanes : run.pixels;
  Vec sum{};
  STRATA_UNROLL for (int p = 0; p < kLanes; ++p) {
    values[p] = Vec{};
    if (p < pixels) {
      const Vec v = loadSome(run.gradients[p] + channel, some);
      values[p] = liveGradients(g, v, run.outs[p] + channel, some) ? v : Vec{};
    }
    sum += values[p];
  }
  transposeTile(values);
  if (codes) transposeBytes(codes + channel, g.panels * g.panelVecs * kLanes, pixels, places);
  return sum;
}

/// Appends one sample's live gradients to the lists of their channels, tile by tile: kLanes pixels by kLanes channels.
inline int channelLists(const ConvShape& g, int firstRow, int pastRow, Frame dy, Frame y, const std::uint8_t* codes,
                        std::int32_t base, float* biasGradient, ChannelLists to) {
  const int past = pastRow * g.outW, rowStep = g.sy * g.cols * g.c, colStep = g.sx * g.c,
            codeStride = g.panels * g.panelVecs * kLanes;
  int total = 0;
  Pixel pixel{firstRow};
  for (int first = firstRow * g.outW; first < past; first += kLanes) {
    const std::uint8_t* runCodes = codes ? codes + std::int64_t{first} * codeStride : nullptr;
    PixelRun run;
    for (; run.pixels < kLanes && first + run.pixels < past; ++run.pixels, pixel.next(g)) {
      run.gradients[run.pixels] = pixel.in(g, dy);
      run.outs[run.pixels] = pixel.in(g, y);
      run.corners[run.pixels] = base + pixel.y * g.poolH * rowStep + pixel.x * g.poolW * colStep;
    }
    for (int i = 0; i < g.k; i += kLanes) {
      const int some = g.k - i < kLanes ? g.k - i : kLanes;
      Vec values[kLanes];
      alignas(64) std::uint8_t codeTile[kLanes * kLanes] = {};
      const bool full = run.pixels == kLanes && some == kLanes;
      const Vec sum = full ? gradientTile<true>(g, run, i, runCodes, values, codeTile)
                           : gradientTile<false>(g, run, i, runCodes, values, codeTile);
      storeSome(biasGradient + i, loadSome(biasGradient + i, some) + sum, some);
      STRATA_UNROLL for (int c = 0; c < kLanes; ++c) {
        if (c >= some) break;
        const unsigned live = bits(values[c] != Vec{});
        if (live == 0) continue;
        const int slot = (i + c) * to.capacity + to.counts[i + c];
        const IntVec offsets = run.corners + windowOffset(loadBytes(codeTile + c * kLanes), g.poolW, rowStep, colStep);
        const int n = compress(live, values[c], offsets, to.list.values + slot, to.list.offsets + slot);
        to.counts[i + c] += n;
        total += n;
      }
    }
  }
  return total;
}

/// Kernel rows worked on together: as many as the registers have room for.
inline int rowsAtOnce(int rowVecs) {
  return rowVecs <= kMaxVecs / 2 ? (kMaxVecs / rowVecs < 7 ? kMaxVecs / rowVecs : 7) : 1;
}

/// Calls body(Constant<rows>(), Constant<vecs>()) for what rowsAtOnce() allows with more than one row.
template <class Body>
STRATA_INLINE void withRows(int rows, int vecs, Body&& body) {
  withConstant<kMaxVecs / 2>(vecs, [&](auto nb) {
    constexpr int kVecs = decltype(nb)::value, kRows = kMaxVecs / kVecs < 7 ? kMaxVecs / kVecs : 7;
    withConstant<kRows>(rows, [&](auto some) { body(some, nb); });
  });
}

/// acc += sum of value * R rows of NB vectors each.
template <int R, int NB>
STRATA_INLINE void addRowGroups(Vec (&acc)[R * NB], const float* values, const std::int32_t* offsets, int n,
                                const float* panel, std::int64_t rowStride) {
  eachEntry(values, offsets, 0, n, panel, [&](float value, const float* row) STRATA_INLINED {
    STRATA_UNROLL for (int r = 0; r < R; ++r, row += rowStride) {
      STRATA_UNROLL for (int i = 0; i < NB; ++i) acc[r * NB + i] += value * load(row + i * kLanes);
    }
  });
}
/// Adds one kernel row's products to dx. `visits` [count]: a live position's first float in dx, where its list begins,
/// its length.
template <int NB>
STRATA_INLINE void scatterRow(const std::int32_t* visits, int count, const ListView& list, const float* weights,
                              float* dx) {
  for (const std::int32_t* past = visits + 3 * count; visits < past; visits += 3) {
    float* out = dx + visits[0];
    Vec acc[NB];
    loadRow(acc, out);
    addRows(acc, list.values + visits[1], list.offsets + visits[1], visits[2], weights);
    storeRow(out, acc);
  }
}

/// The same of R kernel rows.
template <int R, int NB>
STRATA_INLINE void scatterRows(const std::int32_t* visits, int count, const ListView& list, const float* weights,
                               std::int64_t weightRow, float* dx, std::int64_t dxRow) {
  for (const std::int32_t* past = visits + 3 * count; visits < past; visits += 3) {
    float* out = dx + visits[0];
    Vec acc[R * NB];
    loadRowGroups<R, NB>(acc, out, dxRow);
    addRowGroups<R, NB>(acc, list.values + visits[1], list.offsets + visits[1], visits[2], weights, weightRow);
    storeRowGroups<R, NB>(out, dxRow, acc);
  }
}

/// Writes the visits of all live positions, lists of equal length together: the processor then foresees where each
/// ends. Returns how many.
STRATA_INLINE int sortVisits(const PositionLists& lists, const std::int32_t* order, int positions, int c,
                             std::int32_t* visits) {
  constexpr int kLengths = 16;
  const auto bucket = [](int n) { return n < kLengths ? n : kLengths - 1; };
  int next[kLengths] = {};
  for (int i = 0; i < positions; ++i)
    ++next[bucket(lists.starts[order[2 * i + 1] + 1] - lists.starts[order[2 * i + 1]])];
  int count = 0;
  next[0] = 0;
  for (int& at : next) {
    const int some = at;
    at = count;
    count += some;
  }
  for (int i = 0; i < positions; ++i, order += 2) {
    const int from = lists.starts[order[1]], n = lists.starts[order[1] + 1] - from;
    if (n == 0) continue;
    std::int32_t* visit = visits + 3 * next[bucket(n)]++;
    visit[0] = order[0] * c, visit[1] = from, visit[2] = n;
  }
  return count;
}

inline void convInputGradient(const ConvShape& g, const PositionLists& lists, const std::int32_t* order, int positions,
                              std::int32_t* visits, const float* transposed, float* dx) {
  const std::int64_t rowSize = g.rowVecs * kLanes;
  const int fit = int(kListFloats / (g.k * kLanes)), piece = pieceOf(g.rowVecs, fit > kLeastVecs ? fit : kLeastVecs);
  const int count = sortVisits(lists, order, positions, g.c, visits);
  const std::int64_t dxRow = std::int64_t{g.cols} * g.c, weightRow = g.k * rowSize;
  const int atOnce = rowsAtOnce(g.rowVecs);
  for (int r = 0; r < g.r; r += atOnce) {
    const float* w = transposed + r * weightRow;
    float* out = dx + r * dxRow;
    if (atOnce > 1) {
      withRows(g.r - r < atOnce ? g.r - r : atOnce, g.rowVecs, [&](auto rows, auto nb) {
        scatterRows<decltype(rows)::value, decltype(nb)::value>(visits, count, lists.list, w, weightRow, out, dxRow);
      });
      continue;
    }
    for (int at = 0; at < g.rowVecs; at += piece) {
      const int vecs = g.rowVecs - at < piece ? g.rowVecs - at : piece;
      withConstant<kMaxVecs>(vecs, [&](auto nb) {
        scatterRow<decltype(nb)::value>(visits, count, lists.list, w + at * kLanes, out + at * kLanes);
      });
    }
  }
}

/// One channel's gradient of R kernel rows that fill no more than half a vector: of the narrower loads fewer reach over
/// two cache lines.
template <int R>
STRATA_INLINE void addNarrowRows(const float* values, const std::int32_t* offsets, int n, const float* x,
                                 std::int64_t xRow, float* gradient, std::int64_t gradientRow) {
  HalfVec acc[R];
  STRATA_UNROLL for (int r = 0; r < R; ++r) acc[r] = loadHalf(gradient + r * gradientRow);
  eachEntry(values, offsets, 0, n, x, [&](float value, const float* row) STRATA_INLINED {
    STRATA_UNROLL for (int r = 0; r < R; ++r, row += xRow) acc[r] += value * loadHalf(row);
  });
  STRATA_UNROLL for (int r = 0; r < R; ++r) store(gradient + r * gradientRow, acc[r]);
}

/// One channel's gradient of a piece of one kernel row, from its list.
template <int NB>
STRATA_INLINE void addPatchRow(const float* values, const std::int32_t* offsets, int n, const float* x,
                               float* gradient) {
  Vec acc[NB];
  loadRow(acc, gradient);
  addRows(acc, values, offsets, n, x);
  storeRow(gradient, acc);
}

/// Kernel rows outermost: what they read of the tile then stays in the first cache.
inline void convWeightGradient(const ConvShape& g, const ChannelLists& lists, const float* x, float* gradient) {
  const std::int64_t rowSize = g.rowVecs * kLanes, xRow = std::int64_t{g.cols} * g.c, gradientRow = g.k * rowSize;
  const int piece = pieceOf(g.rowVecs), atOnce = rowsAtOnce(g.rowVecs);
  for (int r = 0; r < g.r; r += atOnce)
    for (int k = 0; k < g.k; ++k) {
      const int n = lists.counts[k];
      if (n == 0) continue;
      const float *values = lists.list.values + std::int64_t{k} * lists.capacity, *in = x + r * xRow;
      const std::int32_t* offsets = lists.list.offsets + std::int64_t{k} * lists.capacity;
      float* out = gradient + r * gradientRow + k * rowSize;
      if (2 * g.s * g.c <= kLanes) {
        withConstant<7>(g.r - r < atOnce ? g.r - r : atOnce, [&](auto rows) {
          addNarrowRows<decltype(rows)::value>(values, offsets, n, in, xRow, out, gradientRow);
        });
        continue;
      }
      if (atOnce > 1) {
        withRows(g.r - r < atOnce ? g.r - r : atOnce, g.rowVecs, [&](auto rows, auto nb) {
          constexpr int kRows = decltype(rows)::value, kVecs = decltype(nb)::value;
          Vec acc[kRows * kVecs];
          loadRowGroups<kRows, kVecs>(acc, out, gradientRow);
          addRowGroups<kRows, kVecs>(acc, values, offsets, n, in, xRow);
          storeRowGroups<kRows, kVecs>(out, gradientRow, acc);
        });
        continue;
      }
      for (int at = 0; at < g.rowVecs; at += piece) {
        const int vecs = g.rowVecs - at < piece ? g.rowVecs - at : piece;
        withConstant<kMaxVecs>(vecs, [&](auto nb) {
          addPatchRow<decltype(nb)::value>(values, offsets, n, in + at * kLanes, out + at * kLanes);
        });
      }
    }
}

/// Adds to a row of inputs, block by block of output pixels, whose products with every kernel row that meets it are
/// summed up in registers before. So many kernel rows at a time that their weights stay in the first cache.
inline void convInputGradientDense(const ConvShape& g, Frame dy, const float* transposed, float* dx) {
  std::memset(dx, 0, sizeof(float) * std::size_t(g.rows) * g.cols * g.c);
  constexpr int kWeightRows = 96, kApart = 3;
  const std::int64_t rowSize = g.rowVecs * kLanes, kernelRow = g.k * rowSize, pixel = std::int64_t{g.sx} * g.c;
  const int most = kWeightRows / g.k, atOnce = most < 1 ? 1 : most < g.r ? most : g.r;
  eachBlockPiece(g.rowVecs, [&](auto nb, int at) {
    constexpr int NB = decltype(nb)::value;
    for (int r0 = 0; r0 < g.r; r0 += atOnce) {
      const int r1 = r0 + atOnce < g.r ? r0 + atOnce : g.r;
      for (int y = r0; y < (g.outH - 1) * g.sy + r1; ++y) {
        // The last output row that meets it, and by which kernel row.
        const int oy = (y - r0) / g.sy < g.outH ? (y - r0) / g.sy : g.outH - 1;
        const int r = y - oy * g.sy, past = y < r1 ? y + 1 : r1;
        if (r >= past) continue;
        eachBlock<NB>(g.outW, [&](auto pixels, int ox) {
          constexpr int P = decltype(pixels)::value;
          Vec acc[P * NB] = {};
          addRounds<P, NB>(acc, dy.data + std::int64_t{oy} * dy.rowStride + ox * g.k, g.k, 1, g.k,
                           transposed + r * kernelRow + at * kLanes, rowSize, (past - r + g.sy - 1) / g.sy,
                           -std::int64_t{dy.rowStride} - g.k, (g.sy - 1) * kernelRow);
          float* out = dx + (std::int64_t{y} * g.cols + ox * g.sx) * g.c + at * kLanes;
          STRATA_UNROLL for (int first = 0; first < kApart;
                             ++first) {  // neighbours overlap: one would wait for the other to reach memory
            STRATA_UNROLL for (int p = first; p < P; p += kApart) {
              STRATA_UNROLL for (int i = 0; i < NB; ++i)
                  store(out + p * pixel + i * kLanes, load(out + p * pixel + i * kLanes) + acc[p * NB + i]);
            }
          }
        });
      }
    }
  });
}

inline void convWeightGradientDense(const ConvShape& g, Frame dy, const float* x, float* gradient) {
  const std::int64_t rowSize = g.rowVecs * kLanes, xRow = std::int64_t{g.cols} * g.c;
  for (int r = 0; r < g.r; ++r)
    eachBlockPiece(g.rowVecs, [&](auto nb, int at) {
      constexpr int NB = decltype(nb)::value;
      eachBlock<NB>(g.k, [&](auto channels, int k) {
        constexpr int P = decltype(channels)::value;
        float* out = gradient + (std::int64_t{r} * g.k + k) * rowSize + at * kLanes;
        Vec acc[P * NB];
        loadRowGroups<P, NB>(acc, out, rowSize);
        addRounds<P, NB>(acc, dy.data + k, 1, g.k, g.outW, x + r * xRow + at * kLanes, g.sx * g.c, g.outH,
                         dy.rowStride - g.outW * g.k, g.sy * xRow - g.outW * g.sx * g.c);
        storeRowGroups<P, NB>(out, rowSize, acc);
      });
    });
}

/// The patches of output rows [oy0, oy1) that are not all zeros, and the gradients of their pixels. What is written
/// past the end of one is overwritten by the next. Returns how many.
inline int fillPatches(const ConvShape& g, Frame dy, const float* x, int oy0, int oy1, const PatchScratch& scratch) {
  const int row = g.s * g.c;
  const IntVec last = ramp() < all((row - 1) % kLanes + 1);
  float *patch = scratch.patches, *gradient = scratch.gradients;
  for (int oy = oy0; oy < oy1; ++oy)
    for (int ox = 0; ox < g.outW; ++ox) {
      const float* from = x + (std::int64_t{oy * g.sy} * g.cols + ox * g.sx) * g.c;
      IntVec any{};
      for (int r = 0; r < g.r; ++r, from += std::int64_t{g.cols} * g.c)
        for (int i = 0; i < row; i += kLanes) {
          const Vec v = load(from + i);
          store(patch + r * row + i, v);
          any |= reinterpret_cast<IntVec>(v) & (i + kLanes < row ? ~IntVec{} : last);
        }
      if (bits(any != IntVec{}) == 0) continue;
      for (int i = 0; i < g.k; i += kLanes)
        store(gradient + i, load(dy.data + std::int64_t{oy} * dy.rowStride + ox * g.k + i));
      patch += g.patchVecs * kLanes, gradient += g.k;
    }
  return int(gradient - scratch.gradients) / g.k;
}

inline int convWeightGradientPatches(const ConvShape& g, Frame dy, const float* x, const PatchScratch& scratch) {
  const int width = g.patchVecs * kLanes;
  int total = 0;
  for (int oy = 0; oy < g.outH; oy += g.patchRows) {
    const int count = fillPatches(g, dy, x, oy, oy + g.patchRows < g.outH ? oy + g.patchRows : g.outH, scratch);
    total += count;
    eachBlockPiece(g.patchVecs, [&](auto nb, int at) {
      constexpr int NB = decltype(nb)::value;
      eachBlock<NB>(g.k, [&](auto channels, int k) {
        constexpr int P = decltype(channels)::value;
        float* sums = scratch.sums + std::int64_t{k} * width + at * kLanes;
        Vec acc[P * NB];
        loadRowGroups<P, NB>(acc, sums, width);
        addProducts<P, NB>(acc, scratch.gradients + k, 1, g.k, count, scratch.patches + at * kLanes, width);
        storeRowGroups<P, NB>(sums, width, acc);
      });
    });
  }
  return total;
}

/// sums[t][width] += sum over live inputs of value * the framed gradient t pixels on, for T pixels and NB vectors of
/// each.
template <int T, int NB>
STRATA_INLINE void addTaps(const ListView& list, int n, const float* frame, int width, float* sums) {
  Vec acc[T * NB];
  loadRowGroups<T, NB>(acc, sums, width);
  addRowGroups<T, NB>(acc, list.values, list.offsets, n, frame, width);
  storeRowGroups<T, NB>(sums, width, acc);
}

inline void convWeightGradientByInputs(const ConvShape& g, const ListView& list, int n, const float* frame,
                                       float* sums) {
  constexpr int kMostVecs = kMaxVecs < 8 ? kMaxVecs : 8;
  const int width = g.kWidth(kLanes), vecs = width / kLanes, pieces = (vecs + kMostVecs - 1) / kMostVecs,
            piece = (vecs + pieces - 1) / pieces;
  for (int r = 0; r < g.r; ++r)
    for (int at = 0; at < vecs; at += piece)
      withConstant<kMostVecs>(vecs - at < piece ? vecs - at : piece, [&](auto nb) {
        constexpr int kVecs = decltype(nb)::value, kTaps = kMaxVecs / kVecs < 7 ? kMaxVecs / kVecs : 7;
        for (int t = 0; t < g.s; t += kTaps) {
          const std::int64_t from = (std::int64_t{r} * (g.cols + g.s - 1) + t) * width + at * kLanes,
                             to = (std::int64_t{r} * g.s + t) * width + at * kLanes;
          withConstant<kTaps>(g.s - t < kTaps ? g.s - t : kTaps, [&](auto taps) {
            addTaps<decltype(taps)::value, kVecs>(list, n, frame + from, width, sums + to);
          });
        }
      });
}

}  // namespace strata::STRATA_ISA_NAMESPACE

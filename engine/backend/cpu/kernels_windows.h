// SPDX-License-Identifier: Apache-2.0
// Convolution forward for one sparse input channel and pooling of 2 x 2: the four outputs of a window at once, from the
// list of the live inputs that they meet. Does what convForwardPlanes() does, with the same sums in the same order.
// Included once per instruction set.
#pragma once
#include "engine/backend/cpu/kernels_planes.h"

namespace strata::STRATA_ISA_NAMESPACE {

/// For each column of windows, the live inputs that they meet, row after row: a window's are one stretch of the list.
inline void listWindows(const ConvShape& g, const float* x, RowLists lists) {
  const int width = g.panelVecs * kLanes, row = g.wideTaps() * width;
  const IntVec lane = ramp() * width;
  const unsigned inside = (1u << (g.s + 1)) - 1;
  int at = 0;
  std::int32_t* starts = lists.starts;
  for (int j = 0; j < g.outW; ++j) {
    for (int i = 0; i < g.rows; ++i) {
      *starts++ = at;
      const Vec v = load(x + std::int64_t{i} * g.cols + 2 * j);
      at +=
          compress(bits(v != Vec{}) & inside, v, lane + all(i * row), lists.list.values + at, lists.list.offsets + at);
    }
    *starts++ = at;
  }
}

/// acc[place][NB] += the products of a window's entries; place (1, 1) first, for its weights come first in memory.
/// `row` floats lie between two kernel rows.
template <int NB>
STRATA_INLINE void addWindow(Vec (&acc)[4 * NB], const ListView& list, int from, int past, const float* weights,
                             std::int64_t row) {
  eachEntry(list.values, list.offsets, from, past, weights, [&](float value, const float* lower) STRATA_INLINED {
    const float* upper = lower + row;
    STRATA_UNROLL for (int i = 0; i < 2 * NB; ++i) acc[i] += value * load(lower + i * kLanes);
    STRATA_UNROLL for (int i = 0; i < 2 * NB; ++i) acc[2 * NB + i] += value * load(upper + i * kLanes);
  });
}

/// Up to kLanes live pixels on their way into y: activations, and codes by pixel, to be turned over.
STRATA_INLINE void storeWindows(const ConvShape& g, const OutputChannels& channels, const WindowScratch& scratch,
                                const std::int32_t* pixels, int count, const PixelPlace* places, Frame y,
                                std::uint8_t* codes) {
  const int width = g.panels * g.panelVecs * kLanes;
  if (channels.count < g.k) std::memset(codes, kNoPlace, std::size_t(g.k) * kLanes);
  if (g.curved()) activate(g.activation, scratch.values, std::int64_t{width} * count);
  for (int p = 0; p < count; ++p) {
    const float* from = scratch.values + p * width;
    float* to = y.data + places[pixels[p]].out * g.k;
    if (channels.count < g.k) {
      unpackChannels(from, 1, g.k, channels.live, to);
      continue;
    }
    for (int i = 0; i < g.k; i += kLanes) storeSome(to + i, load(from + i), g.k - i);
  }
  for (int first = 0; first < channels.count; first += kLanes) {
    alignas(64) std::uint8_t tile[kLanes * kLanes];
    transposeBytes(scratch.codes + first, width, count, tile);
    for (int c = 0; c < kLanes && first + c < channels.count; ++c)
      std::memcpy(codes + channels.numbers[first + c] * kLanes, tile + c * kLanes, kLanes);
  }
}

inline float convForwardWindows(const ConvShape& g, const RowLists& lists, const float* weights,
                                const OutputChannels& channels, const float* bias, const WindowScratch& scratch,
                                const PixelPlace* places, PixelLists& pixels, Frame y, std::uint8_t* codes) {
  const int width = g.panelVecs * kLanes, rowWidth = g.panels * width;
  const std::int64_t row = std::int64_t{g.wideTaps()} * width, panelSize = (g.r + 2) * row + width;
  int live = 0, dead = 0;
  Vec probe{};
  withConstant<kWindowVecs>(g.panelVecs, [&](auto nb) {
    constexpr int NB = decltype(nb)::value;
    for (int i = 0; i < g.outH; ++i)
      for (int j = 0; j < g.outW; ++j) {
        const std::int32_t* starts = lists.starts + j * (g.rows + 1) + 2 * i;
        const int from = starts[0], past = starts[g.r + 1], place = live % kLanes;
        if (from == past) {
          pixels.dead[dead++] = i * g.outW + j;
          continue;
        }
        pixels.live[live++] = i * g.outW + j;
        for (int panel = 0; panel < g.panels; ++panel) {
          Vec acc[4 * NB] = {};
          addWindow<NB>(acc, lists.list, from, past, weights + panel * panelSize - 2 * i * row, row);
          STRATA_UNROLL for (int n = 0; n < NB; ++n) {
            const Vec window[4] = {acc[3 * NB + n], acc[2 * NB + n], acc[NB + n], acc[n]};
            const int at = panel * width + n * kLanes;
            finishWindow(g, window, load(weights + (panel + 1) * panelSize - width + n * kLanes),
                         scratch.values + place * rowWidth + at, scratch.codes + place * rowWidth + at, probe);
          }
        }
        if (place < kLanes - 1) continue;
        storeWindows(g, channels, scratch, pixels.live + live - kLanes, kLanes, places, y, codes);
        codes += kLanes * g.k;
      }
  });
  if (live % kLanes > 0)
    storeWindows(g, channels, scratch, pixels.live + live / kLanes * kLanes, live % kLanes, places, y, codes);
  pixels.liveCount = live, pixels.deadCount = dead;
  storeDeadPixels(g, bias, scratch.values, places, pixels, y);
  return sumOf(probe);
}

}  // namespace strata::STRATA_ISA_NAMESPACE

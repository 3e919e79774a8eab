// SPDX-License-Identifier: Apache-2.0
// Convolution forward for few input channels: the lanes of a vector are output pixels, so that no lane idles however
// few the channels. Included once per instruction set.
//
// Plane (u, v, c) holds, for every pooled output pixel, the input at row u and column v of what its window meets. All
// candidates of a pooling window then lie in the same lane of different planes, and the largest of them is taken in
// registers. Without pooling, at stride 1, the input's own rows are such planes: plane (u, v) begins u rows and v
// columns further on.
#pragma once
#include "engine/backend/cpu/kernels_math.h"

namespace strata::STRATA_ISA_NAMESPACE {

/// Splits the rows of x by column modulo `step`: phases[phase][row][stride].
inline void splitPhases(const ConvShape& g, const float* x, int step, int stride, float* phases) {
  const int width = g.cols * g.c;
  if (step == 2) {  // what a vector writes past a row's end is overwritten by the next row
    const auto split = [&](auto phase) {
      for (int row = 0; row < g.rows; ++row, phases += stride)
        for (int j = 0; j < stride; j += kLanes) {
          const float* from = x + std::int64_t{row} * width + 2 * j;
          store(phases + j, unzip<decltype(phase)::value>(load(from), load(from + kLanes)));
        }
    };
    split(Constant<0>());
    split(Constant<1>());
    return;
  }
  for (int row = 0; row < g.rows; ++row, x += width)
    for (int phase = 0; phase < step; ++phase) {
      float* to = phases + (std::int64_t{phase} * g.rows + row) * stride;
      for (int i = phase, j = 0; i < width; i += step, ++j) to[j] = x[i];
    }
}

/// The phases of an image and the planes that are filled from them.
struct Phases {
  const float* data;
  int step, rows, stride;    ///< [step][rows][stride]
  int planeRows, planeCols;  ///< planes, [planeRows][planeCols]
};

/// Calls body(plane's number, where it begins in the phases) for every plane.
template <class Body>
STRATA_INLINE void eachPlane(const Phases& phases, const float* from, Body&& body) {
  for (int phase = 0; phase < phases.step; ++phase)
    for (int u = 0; u < phases.planeRows; ++u) {
      const float* at = from + (std::int64_t{phase} * phases.rows + u) * phases.stride;
      for (int o = phase; o < phases.planeCols; o += phases.step) body(u * phases.planeCols + o, at++);
    }
}

/// Cuts the pooled pixels into pieces of rows, with `pack` without those that meet zeros alone, and lists both kinds.
inline void cutPieces(const ConvShape& g, bool pack, const Phases& phases, PlanePiece* piece, PixelLists& pixels) {
  const int rowStep = g.sy * g.poolH * phases.stride;
  int live = 0, dead = 0;
  for (int i = 0; i < g.outH; ++i)
    for (int j = 0; j < g.outW; j += kLanes, ++piece) {
      const unsigned inside = g.outW - j < kLanes ? (1u << (g.outW - j)) - 1 : ~0u >> (32 - kLanes);
      const int from = i * rowStep + j;
      IntVec any{};
      if (pack)
        eachPlane(phases, phases.data + from, [&](int, const float* at) { any |= reinterpret_cast<IntVec>(load(at)); });
      const unsigned mask = pack ? inside & bits(any != IntVec{}) : inside;
      *piece = {from, live, mask};
      const IntVec numbers = ramp() + all(i * g.outW + j);
      live += compress(mask, numbers, pixels.live + live);
      dead += compress(~mask & inside, numbers, pixels.dead + dead);
    }
  pixels.liveCount = live, pixels.deadCount = dead;
}

/// Fills the planes piece by piece: what is written past the end of one is overwritten by the next.
inline void fillPlanes(const ConvShape& g, bool pack, const float* x, const PlaneScratch& scratch, PixelLists& pixels) {
  Phases phases{x, g.planeStep(), g.rows, g.phaseStride(kLanes), g.planeRows(), g.planeCols() * g.c};
  if (phases.step > 1) {
    splitPhases(g, x, phases.step, phases.stride, scratch.phases);
    phases.data = scratch.phases;
  }
  cutPieces(g, pack, phases, scratch.pieces, pixels);
  // Too few to pass over.
  if (pixels.deadCount > 0 && pixels.deadCount < kLanes) cutPieces(g, false, phases, scratch.pieces, pixels);
  const int planeStride = g.planeStride(kLanes);
  const PlanePiece *piece = scratch.pieces, *end = piece + g.outH * ((g.outW + kLanes - 1) / kLanes);
  for (; piece < end; ++piece) {
    if (piece->mask == 0) continue;
    const unsigned mask = piece->mask;
    float* to = scratch.planes + piece->to;
    eachPlane(phases, phases.data + piece->from,
              [&](int plane, const float* at) { compress(mask, load(at), to + plane * planeStride); });
  }
}

/// Lists the vectors of the frame's pixels, where the input's rows serve as planes: those that meet a value other than
/// zero, and the pixels of the others.
inline void listFrame(const ConvShape& g, const float* x, const std::int32_t* framePixels, PlanePiece* piece,
                      PixelLists& pixels) {
  int live = 0, dead = 0;
  for (int at = 0; at < g.framePixels(); at += kLanes) {
    const IntVec numbers = load(framePixels + at);
    IntVec any{};
    for (int r = 0; r < g.r; ++r) {
      const float* row = x + at + std::int64_t{r} * g.cols;
      for (int s = 0; s < g.s - 1; s += kLanes) any |= reinterpret_cast<IntVec>(load(row + s));
      any |= reinterpret_cast<IntVec>(load(row + g.s - 1));
    }
    if (bits(any != IntVec{}) == 0) {
      dead += compress(bits(numbers >= 0), numbers, pixels.dead + dead);
      continue;
    }
    *piece++ = {at, live, ~0u};
    store(pixels.live + live, numbers);
    live += kLanes;
  }
  pixels.liveCount = live, pixels.deadCount = dead;
}

/// The candidates of a pooling window of 2 x 2, or vectors of pixels without pooling.
inline constexpr int kPlaneVecs = 4;
inline constexpr int kPlaneChannels = (kRegisters - kPlaneVecs - 1) / kPlaneVecs;

/// Floats from one plane to the next kernel row's, to the next tap's, and to those of the vectors worked on together.
struct PlaneSteps {
  std::int64_t row = 0, tap = 0, vector[kPlaneVecs] = {};
};

/// acc[c][kPlaneVecs] += the planes' products with C channels' weights.
template <int C>
STRATA_INLINE void addPlanes(const ConvShape& g, Vec (&acc)[C * kPlaneVecs], const float* planes,
                             const PlaneSteps& steps, const float* weights, int width) {
  constexpr int Q = kPlaneVecs;
  const int taps = g.s * g.c;
  for (int r = 0; r < g.r; ++r) {
    const float* plane = planes + r * steps.row;
    for (int t = 0; t < taps; ++t) {
      Vec pixels[Q];
      STRATA_UNROLL for (int q = 0; q < Q; ++q) pixels[q] = load(plane + steps.vector[q]);
      STRATA_UNROLL for (int c = 0; c < C; ++c) {
        const float weight = weights[c];
        STRATA_UNROLL for (int q = 0; q < Q; ++q) acc[c * Q + q] += weight * pixels[q];
      }
      plane = onePointer(plane + steps.tap);
      weights = onePointer(weights + width);
    }
  }
}

/// The largest of each window of 2 x 2, whose values come in the order of places, with bias and ReLU, and its place.
STRATA_INLINE void finishWindow(const ConvShape& g, const Vec (&window)[4], Vec bias, float* to, std::uint8_t* code,
                                Vec& probe) {
  Vec best = window[0], sum = best;
  IntVec place{};
  STRATA_UNROLL for (int q = 1; q < 4; ++q) {
    const IntVec larger = window[q] > best;
    sum += window[q];
    best = larger ? window[q] : best;
    place = larger ? all(q) : place;
  }
  probe += sum - sum;
  best += bias;
  if (g.relu()) {
    const IntVec none = best <= Vec{};
    best = none ? Vec{} : best;
    place = none ? all(std::int32_t{kNoPlace}) : place;
  }
  store(to, best);
  storeBytes(code, place);
}

/// Bias, pooling and ReLU of one channel into tile[pixel]; without pooling for kPlaneVecs vectors of pixels.
STRATA_INLINE void finishPlanes(const ConvShape& g, const Vec* acc, float bias, float* tile, std::uint8_t* codes,
                                Vec& probe) {
  if (g.poolH * g.poolW > 1) return finishWindow(g, {acc[0], acc[1], acc[2], acc[3]}, all(bias), tile, codes, probe);
  STRATA_UNROLL for (int q = 0; q < kPlaneVecs; ++q) {
    Vec v = acc[q] + bias;
    probe += v - v;
    if (g.relu()) v = v < Vec{} ? Vec{} : v;
    store(tile + q * kLanes, v);
  }
}

/// What the pixels that meet zeros alone become.
STRATA_INLINE void storeDeadPixels(const ConvShape& g, const float* bias, float* scratch, const PixelPlace* places,
                                   const PixelLists& pixels, Frame y) {
  for (int channel = 0; pixels.deadCount > 0 && channel < g.k; channel += kLanes) {
    store(scratch, load(bias + channel));
    activate(g.activation, scratch, kLanes);
    const Vec v = load(scratch);
    for (int i = 0, k = g.k; i < pixels.deadCount; ++i)
      storeSome(y.data + places[pixels.dead[i]].out * k + channel, v, k - channel);
  }
}

/// Turns up to kLanes channels of a tile [k][stride] into rows of pixels: `count` pixels, whose numbers are listed;
/// those below 0 are passed over.
STRATA_INLINE void storePixels(const ConvShape& g, const float* tile, int stride, const std::int32_t* pixels, int count,
                               int channel, const PixelPlace* places, Frame y) {
  const int some = g.k - channel;
  constexpr int kHalf = kLanes / 2;
  float* out = y.data + channel;
  tile += std::int64_t{channel} * stride;
  if (some == kHalf) {  // each row holds two pixels
    Vec rows[kHalf];
    STRATA_UNROLL for (int c = 0; c < kHalf; ++c) rows[c] = load(tile + std::int64_t{c} * stride);
    transposeHalves(rows);
    STRATA_UNROLL for (int i = 0; i < kHalf; ++i) {
      if (i < count && pixels[i] >= 0) store(out + places[pixels[i]].out * g.k, half<0>(rows[i]));
      if (i + kHalf < count && pixels[i + kHalf] >= 0)
        store(out + places[pixels[i + kHalf]].out * g.k, half<kHalf>(rows[i]));
    }
    return;
  }
  Vec rows[kLanes];
  STRATA_UNROLL for (int c = 0; c < kLanes; ++c) rows[c] = load(tile + std::int64_t{c} * stride);
  transposeTile(rows);
  STRATA_UNROLL for (int i = 0; i < kLanes; ++i) {
    if (i < count && pixels[i] >= 0) storeSome(out + places[pixels[i]].out * g.k, rows[i], some);
  }
}

/// storePixels() of unpooled pixels for at most half a vector of channels: two neighbours at a time, whose channels lie
/// side by side. Writes up to a vector past each, so pixels must come in the order of y, which must have no frame.
/// Pairs must not lie across the end of a row.
STRATA_INLINE void storePairs(const ConvShape& g, const float* tile, int stride, const std::int32_t* pixels, int count,
                              const PixelPlace* places, Frame y) {
  constexpr int kHalf = kLanes / 2;
  Vec pairs[kHalf];
  STRATA_UNROLL for (int c = 0; c < kHalf; ++c) pairs[c] = c < g.k ? load(tile + std::int64_t{c} * stride) : Vec{};
  interleave<false>(pairs);
  const unsigned one = (1u << g.k) - 1, both = one | one << kHalf;
  STRATA_UNROLL for (int i = 0; i < kHalf; ++i) {
    if (2 * i >= count) break;
    if (pixels[2 * i] >= 0) compress(both, pairs[i], y.data + places[pixels[2 * i]].out * g.k);
  }
}

inline float convForwardPlanes(const ConvShape& g, bool pack, const float* x, const float* weights,
                               const OutputChannels& channels, const float* bias, const PlaneScratch& scratch,
                               const PixelPlace* places, PixelLists& pixels, Frame y, std::uint8_t* codes) {
  const bool pooled = g.poolH * g.poolW > 1, rows = g.rowsArePlanes() && !pack;
  const float* planes = rows ? x : scratch.planes;
  const std::int64_t planeStride = g.planeStride(kLanes);
  PlaneSteps steps{rows ? g.cols : std::int64_t{g.planeCols()} * g.c * planeStride, rows ? 1 : planeStride};
  for (int q = 0; q < kPlaneVecs; ++q)
    steps.vector[q] = pooled ? q / 2 * g.sy * steps.row + q % 2 * g.sx * g.c * planeStride : q * kLanes;
  const bool pairs = rows && 2 * g.k <= kLanes && g.outW % 2 == 0 && g.cols % 2 == 0 && y.rowStride == g.outW * g.k;
  if (rows) listFrame(g, x, scratch.framePixels, scratch.pieces, pixels);
  else fillPlanes(g, pack, x, scratch, pixels);
  const int atOnce = pooled ? kLanes : kPlaneVecs * kLanes,
            blocks = (channels.count + kPlaneChannels - 1) / kPlaneChannels;
  if (channels.count < g.k) {
    std::memset(scratch.tile, 0, sizeof(float) * std::size_t(g.k) * atOnce);
    if (pooled) std::memset(codes, kNoPlace, std::size_t(pixels.liveCount + kLanes - 1) / kLanes * kLanes * g.k);
  }
  Vec probe{};
  for (int first = 0; first < pixels.liveCount; first += atOnce) {
    const float* from = planes + first;
    if (rows) {
      const PlanePiece *piece = scratch.pieces + first / kLanes, *last = scratch.pieces + pixels.liveCount / kLanes - 1;
      from = planes + piece->from;
      for (int q = 0; q < kPlaneVecs; ++q) steps.vector[q] = (piece + q < last ? piece[q] : *last).from - piece->from;
    }
    for (int block = 0; block < blocks; ++block) {
      const int begin = channels.count * block / blocks, past = channels.count * (block + 1) / blocks;
      withConstant<kPlaneChannels>(past - begin, [&](auto size) {
        constexpr int C = decltype(size)::value;
        Vec acc[C * kPlaneVecs] = {};
        addPlanes<C>(g, acc, from, steps, weights + begin, channels.count);
        STRATA_UNROLL for (int c = 0; c < C; ++c) {
          const int channel = channels.numbers[begin + c];
          finishPlanes(g, acc + c * kPlaneVecs, bias[channel], scratch.tile + channel * atOnce,
                       pooled ? codes + std::int64_t{first} * g.k + channel * kLanes : nullptr, probe);
        }
      });
    }
    if (g.curved()) activate(g.activation, scratch.tile, std::int64_t{g.k} * atOnce);
    for (int i = 0; i < atOnce && first + i < pixels.liveCount; i += kLanes) {
      const std::int32_t* numbers = pixels.live + first + i;
      const int count = pixels.liveCount - first - i;
      if (pairs) {
        storePairs(g, scratch.tile + i, atOnce, numbers, count, places, y);
        continue;
      }
      for (int channel = 0; channel < g.k; channel += kLanes)
        storePixels(g, scratch.tile + i, atOnce, numbers, count, channel, places, y);
    }
  }
  storeDeadPixels(g, bias, scratch.tile, places, pixels, y);
  return sumOf(probe);
}

/// The gradients of a run of live pixels and up to kLanes channels, one channel a row.
STRATA_INLINE void gradientRows(const float* const (&pixels)[kLanes], int channel, int some, Vec (&rows)[kLanes]) {
  constexpr int kHalf = kLanes / 2;
  if (some > kHalf) {
    STRATA_UNROLL for (int i = 0; i < kLanes; ++i) rows[i] = load(pixels[i] + channel);
    transposeTile(rows);
    return;
  }
  Vec pairs[kHalf];
  STRATA_UNROLL for (int i = 0; i < kHalf; ++i) pairs[i] =
      joinHalves(loadHalf(pixels[i] + channel), loadHalf(pixels[i + kHalf] + channel));
  transposeHalves(pairs);
  STRATA_UNROLL for (int i = 0; i < kLanes; ++i) rows[i] = i < kHalf ? pairs[i] : Vec{};
}

inline int planeChannelLists(const ConvShape& g, Frame dy, const std::int32_t* channels, int channelCount, Frame y,
                             const PixelPlace* places, const PixelLists& pixels, const std::uint8_t* codes,
                             std::int32_t base, float* biasSums, float* biasGradient, ChannelLists to) {
  const int rowStep = g.sy * g.cols * g.c, colStep = g.sx * g.c;
  int total = 0;
  for (int first = 0; first < pixels.liveCount; first += kLanes) {
    const int count = pixels.liveCount - first < kLanes ? pixels.liveCount - first : kLanes;
    const float* gradients[kLanes];
    alignas(64) std::int32_t corners[kLanes];
    for (int i = 0; i < kLanes; ++i) {
      const PixelPlace place = places[pixels.live[first + (i < count ? i : 0)]];
      gradients[i] = dy.data + place.out * channelCount;
      corners[i] = base + place.in;
    }
    const IntVec inside = ramp() < all(count);
    for (int i = 0; i < channelCount; i += kLanes) {
      const int some = channelCount - i < kLanes ? channelCount - i : kLanes;
      Vec rows[kLanes];
      gradientRows(gradients, i, some, rows);
      STRATA_UNROLL for (int c = 0; c < kLanes; ++c) {
        if (c >= some) break;
        const int channel = channels[i + c];
        const IntVec place = loadBytes(codes + std::int64_t{first} * g.k + channel * kLanes),
                     passed = inside & (place != all(std::int32_t{kNoPlace}));
        float* sums = biasSums + channel * kLanes;
        store(sums, load(sums) + (passed ? rows[c] : Vec{}));
        const int slot = channel * to.capacity + to.counts[channel];
        const int n = compress(bits(passed & (rows[c] != Vec{})), rows[c],
                               load(corners) + windowOffset(place, g.poolW, rowStep, colStep), to.list.values + slot,
                               to.list.offsets + slot);
        to.counts[channel] += n;
        total += n;
      }
    }
  }
  for (int first = 0; pixels.deadCount > 0 && first < channelCount;
       first += kLanes) {  // dead pixels all have the same output
    Vec sum{};
    for (int i = 0; i < pixels.deadCount; ++i) sum += load(dy.data + places[pixels.dead[i]].out * channelCount + first);
    const float* out = y.data + places[pixels.dead[0]].out * g.k;
    for (int c = 0; c < kLanes && first + c < channelCount; ++c) {
      const int channel = channels[first + c];
      if (!(g.relu() && out[channel] <= 0)) biasGradient[channel] += sum[c];
    }
  }
  return total;
}

}  // namespace strata::STRATA_ISA_NAMESPACE

// SPDX-License-Identifier: Apache-2.0
// Dense-layer kernels on lists of live values; see kernels.h for the idea. Included once per instruction set.
#pragma once
#include "engine/backend/cpu/kernels_conv.h"

namespace strata::STRATA_ISA_NAMESPACE {

/// A chunk is a whole number of panels, or a part of the only one.
inline void listSamples(const Panels& x, int begin, int end, int chunk, int scale, const ChunkLists& lists, int at) {
  const IntVec lane = ramp() * scale;
  for (int first = 0, c = 0; first < x.width; first += chunk, ++c) {
    const int past = first + chunk < x.width ? first + chunk : x.width;
    for (int s = begin; s < end; ++s) {
      const int from = at;
      for (int j = first; j < past; j += x.panel) {
        const float* values = x.data + j / x.panel * x.panelStride + s * x.rowStride + j % x.panel;
        const int n = past - j < x.panel ? past - j : x.panel;
        for (int i = 0; i < n; i += kLanes) {
          const Vec v = loadSome(values + i, n - i);
          at += compress(bits(v != Vec{}), v, lane + all((j - first + i) * scale), lists.list.values + at,
                         lists.list.offsets + at);
        }
      }
      lists.of(c, s) = {from, at};
    }
  }
}

/// One panel of outputs for samples [begin, end), chunk by chunk so that the chunk's weights stay in the first cache.
inline float denseForward(const ChunkLists& lists, int chunks, int chunk, int begin, int end, const float* weights,
                          const float* bias, int vecs, bool relu, float* y, std::int64_t rowStride) {
  Vec probe{};
  withConstant<kPanelVecs>(vecs, [&](auto nb) {
    constexpr int kVecs = decltype(nb)::value;
    // Of the next chunk with each sample.
    const int floats = chunk * kVecs * kLanes, lines = (floats / 16 + end - begin - 1) / (end - begin);
    for (int c = 0; c < chunks; ++c) {
      LinesAhead nextChunk{weights + std::int64_t{c + 1} * floats};
      for (int s = begin; s < end; ++s) {
        for (int i = 0; i < lines; ++i) nextChunk.next();
        const auto [from, past] = lists.of(c, s);
        float* out = y + s * rowStride;
        Vec acc[kVecs];
        loadRow(acc, c == 0 ? bias : out);
        addRows(acc, lists.list.values + from, lists.list.offsets + from, past - from,
                weights + std::int64_t{c} * floats);
        if (c == chunks - 1) {
          STRATA_UNROLL for (int i = 0; i < kVecs; ++i) {
            probe += acc[i] - acc[i];
            if (relu) acc[i] = acc[i] < Vec{} ? Vec{} : acc[i];
          }
        }
        storeRow(out, acc);
      }
    }
  });
  return sumOf(probe);
}

/// One panel of `width` input gradients for samples [begin, end): what chunk `c` of the outputs adds to them.
inline void denseInputGradient(const ChunkLists& lists, int c, int begin, int end, const float* transposed, int vecs,
                               float* dx, std::int64_t rowStride, int width) {
  withConstant<kPanelVecs>(vecs, [&](auto nb) {
    constexpr int kVecs = decltype(nb)::value;
    for (int s = begin; s < end; ++s) {
      const auto [from, past] = lists.of(c, s);
      float* out = dx + s * rowStride;
      Vec acc[kVecs];
      STRATA_UNROLL for (int i = 0; i < kVecs; ++i) acc[i] =
          c > 0 && i * kLanes < width ? loadSome(out + i * kLanes, width - i * kLanes) : Vec{};
      addRows(acc, lists.list.values + from, lists.list.offsets + from, past - from, transposed);
      STRATA_UNROLL for (int i = 0; i < kVecs; ++i) {
        if (i * kLanes < width) storeSome(out + i * kLanes, acc[i], width - i * kLanes);
      }
    }
  });
}

/// The features of a matrix in stretches that lie together in memory and whose weights fit the first cache: calls
/// body(first, count).
template <class Body>
STRATA_INLINE void eachStretch(const Panels& x, Body&& body) {
  constexpr int kMost = 128;
  for (int j = 0; j < x.width;) {
    const int panelLeft = x.panel - j % x.panel, left = x.width - j < panelLeft ? x.width - j : panelLeft,
              count = left < kMost ? left : kMost;
    body(j, count);
    j += count;
  }
}

STRATA_INLINE const float* valueAt(const Panels& x, int sample, int feature) {
  return x.data + feature / x.panel * x.panelStride + sample * x.rowStride + feature % x.panel;
}

/// denseForward() by register blocks: every input is multiplied.
inline float denseForwardDense(const Panels& x, int begin, int end, const float* weights, const float* bias, int vecs,
                               bool relu, float* y, std::int64_t rowStride) {
  const int width = vecs * kLanes;
  Vec probe{};
  eachStretch(x, [&](int first, int count) {
    const bool last = first + count == x.width;
    LinesAhead nextStretch{weights + std::int64_t{first + count} * width};
    eachBlockPiece(vecs, [&](auto nb, int at) {
      constexpr int NB = decltype(nb)::value;
      const float* w = weights + std::int64_t{first} * width + at * kLanes;
      eachBlock<NB>(end - begin, [&](auto rows, int row) {
        constexpr int P = decltype(rows)::value;
        float* out = y + (begin + row) * rowStride + at * kLanes;
        Vec acc[P * NB];
        if (first == 0) loadRowGroups<P, NB>(acc, bias + at * kLanes, 0);
        else loadRowGroups<P, NB>(acc, out, rowStride);
        addProducts<P, NB>(acc, valueAt(x, begin + row, first), x.rowStride, 1, count, w, width, nextStretch);
        if (last) {
          STRATA_UNROLL for (int i = 0; i < P * NB; ++i) {
            probe += acc[i] - acc[i];
            if (relu) acc[i] = acc[i] < Vec{} ? Vec{} : acc[i];
          }
        }
        storeRowGroups<P, NB>(out, rowStride, acc);
      });
    });
  });
  return sumOf(probe);
}

inline void cutIntoPieces(const float* from, int begin, int end, int vecs, int rows, float* pieces) {
  eachBlockPiece(vecs, [&](auto nb, int at) {
    constexpr int NB = decltype(nb)::value;
    for (int row = begin; row < end; ++row) {
      Vec piece[NB];
      loadRow(piece, from + (std::int64_t{row} * vecs + at) * kLanes);
      storeRow(pieces + (std::int64_t{rows} * at + row * NB) * kLanes, piece);
    }
  });
}

/// denseInputGradient() by register blocks, of the outputs [first, past), whose chunk lies in one panel of dz or holds
/// whole ones. Asks for what is `ahead` meanwhile.
inline void denseInputGradientDense(const Panels& dz, int first, int past, int begin, int end, const float* transposed,
                                    const float* ahead, int vecs, float* dx, std::int64_t rowStride, int width) {
  LinesAhead nextChunk{ahead};
  for (int j = first; j < past;) {
    const int count = past - j < dz.panel ? past - j : dz.panel;
    eachBlockPiece(vecs, [&](auto nb, int at) {
      constexpr int NB = decltype(nb)::value;
      if (at * kLanes >= width) return;
      const float* w = transposed + (std::int64_t{past - first} * at + (j - first) * NB) * kLanes;
      eachBlock<NB>(end - begin, [&](auto rows, int row) {
        constexpr int P = decltype(rows)::value;
        float* out = dx + (begin + row) * rowStride + at * kLanes;
        Vec acc[P * NB] = {};
        addProducts<P, NB>(acc, valueAt(dz, begin + row, j), dz.rowStride, 1, count, w, NB * kLanes, nextChunk);
        STRATA_UNROLL for (int p = 0; p < P; ++p, out += rowStride) {
          STRATA_UNROLL for (int i = 0; i < NB; ++i) {
            const int some = width - (at + i) * kLanes;
            if (some > 0)
              storeSome(out + i * kLanes, j == 0 ? acc[p * NB + i] : acc[p * NB + i] + loadSome(out + i * kLanes, some),
                        some);
          }
        }
      });
    });
    j += count;
  }
}

/// denseWeightGradient() by register blocks, of the features of x, which lie in one panel. Asks for what is `ahead`
/// meanwhile.
inline void denseWeightGradientDense(const Panels& x, int samples, const float* dz, int rows, const float* ahead,
                                     int vecs, float* gradient) {
  const int width = vecs * kLanes;
  LinesAhead weights{ahead};
  eachBlockPiece(vecs, [&](auto nb, int at) {
    constexpr int NB = decltype(nb)::value;
    eachBlock<NB>(x.width, [&](auto features, int j) {
      constexpr int P = decltype(features)::value;
      Vec acc[P * NB] = {};
      addProducts<P, NB>(acc, valueAt(x, 0, j), 1, x.rowStride, samples, dz + std::int64_t{rows} * at * kLanes,
                         NB * kLanes, weights);
      storeRowGroups<P, NB>(gradient + std::int64_t{j} * width + at * kLanes, width, acc);
    });
  });
}

/// The live samples of each of the features [begin, end), which lie in one panel of x.
inline int listFeatures(const Panels& x, int samples, int begin, int end, int scale, ChannelLists lists) {
  const float* from = x.data + begin / x.panel * x.panelStride + begin % x.panel;
  const IntVec lane = ramp() * scale;
  int live = 0;
  for (int j = 0; j < end - begin; j += kLanes) {
    const int features = end - begin - j < kLanes ? end - begin - j : kLanes;
    std::int32_t counts[kLanes] = {};
    for (int s = 0; s < samples; s += kLanes) {
      Vec tile[kLanes];
      STRATA_UNROLL for (int i = 0; i < kLanes; ++i) tile[i] =
          s + i < samples ? loadSome(from + (s + i) * x.rowStride + j, features) : Vec{};
      transposeTile(tile);
      STRATA_UNROLL for (int i = 0; i < kLanes; ++i) {
        const int slot = (j + i) * lists.capacity + counts[i];
        counts[i] += compress(bits(tile[i] != Vec{}), tile[i], lane + all(s * scale), lists.list.values + slot,
                              lists.list.offsets + slot);
      }
    }
    for (int i = 0; i < features; ++i) live += lists.counts[j + i] = counts[i];
  }
  return live;
}

/// gradient[feature][vecs * lanes] from each feature's live samples and one panel of dz, [samples][vecs * lanes].
inline void denseWeightGradient(const ChannelLists& lists, int features, const float* dz, int vecs, float* gradient) {
  withConstant<kPanelVecs>(vecs, [&](auto nb) {
    constexpr int kVecs = decltype(nb)::value;
    for (int j = 0; j < features; ++j) {
      Vec acc[kVecs] = {};
      addRows(acc, lists.list.values + std::int64_t{j} * lists.capacity,
              lists.list.offsets + std::int64_t{j} * lists.capacity, lists.counts[j], dz);
      storeRow(gradient + std::int64_t{j} * kVecs * kLanes, acc);
    }
  });
}

}  // namespace strata::STRATA_ISA_NAMESPACE

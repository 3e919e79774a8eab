// SPDX-License-Identifier: Apache-2.0
// Dense-layer kernels on lists of live values; see kernels.h for the idea. Included once per instruction set.
#pragma once
#include "engine/cpu/kernels_conv.h"

namespace strata::STRATA_ISA_NAMESPACE {

inline constexpr int kPanelVecs = 8;  // widest panel of outputs

/// A chunk is a whole number of panels, or a part of the only one.
inline int listSample(const Panels& x, int sample, int chunk, int scale, ListView list, std::int32_t* starts, int at) {
  const IntVec lane = ramp() * scale;
  for (int first = 0; first < x.width; first += chunk) {
    *starts++ = at;
    const int past = first + chunk < x.width ? first + chunk : x.width;
    for (int j = first; j < past; j += x.panel) {
      const float* from = x.data + j / x.panel * x.panelStride + sample * x.rowStride + j % x.panel;
      const int n = past - j < x.panel ? past - j : x.panel;
      for (int i = 0; i < n; i += kLanes) {
        const Vec v = loadSome(from + i, n - i);
        at += compress(bits(v != Vec{}), v, lane + all((j - first + i) * scale), list.values + at, list.offsets + at);
      }
    }
  }
  *starts = at;
  return at;
}

/// One panel of outputs for samples [begin, end), chunk by chunk so that the chunk's weights stay in the first cache.
inline float denseForward(const ListView& list, const std::int32_t* starts, int chunks, int chunk, int begin, int end, const float* weights, const float* bias,
                          int vecs, bool relu, float* y, std::int64_t rowStride) {
  Vec probe{};
  withConstant<kPanelVecs>(vecs, [&](auto nb) {
    constexpr int kVecs = decltype(nb)::value;
    for (int c = 0; c < chunks; ++c)
      for (int s = begin; s < end; ++s) {
        const std::int32_t* at = starts + std::int64_t{s} * (chunks + 1) + c;
        float* out = y + s * rowStride;
        Vec acc[kVecs];
        loadRow(acc, c == 0 ? bias : out);
        addRows(acc, list.values + at[0], list.offsets + at[0], at[1] - at[0], weights + std::int64_t{c} * chunk * kVecs * kLanes);
        if (c == chunks - 1) {
          STRATA_UNROLL for (int i = 0; i < kVecs; ++i) {
            probe += acc[i] - acc[i];
            if (relu) acc[i] = acc[i] < Vec{} ? Vec{} : acc[i];
          }
        }
        storeRow(out, acc);
      }
  });
  return sumOf(probe);
}

/// One panel of `width` input gradients for samples [begin, end).
inline void denseInputGradient(const ListView& list, const std::int32_t* starts, int chunks, int chunk, int begin, int end, const float* transposed, int vecs,
                               float* dx, std::int64_t rowStride, int width) {
  withConstant<kPanelVecs>(vecs, [&](auto nb) {
    constexpr int kVecs = decltype(nb)::value;
    for (int c = 0; c < chunks; ++c)
      for (int s = begin; s < end; ++s) {
        const std::int32_t* at = starts + std::int64_t{s} * (chunks + 1) + c;
        float* out = dx + s * rowStride;
        Vec acc[kVecs];
        STRATA_UNROLL for (int i = 0; i < kVecs; ++i) acc[i] = c > 0 && i * kLanes < width ? loadSome(out + i * kLanes, width - i * kLanes) : Vec{};
        addRows(acc, list.values + at[0], list.offsets + at[0], at[1] - at[0], transposed + std::int64_t{c} * chunk * kVecs * kLanes);
        STRATA_UNROLL for (int i = 0; i < kVecs; ++i) {
          if (i * kLanes < width) storeSome(out + i * kLanes, acc[i], width - i * kLanes);
        }
      }
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
      STRATA_UNROLL for (int i = 0; i < kLanes; ++i) tile[i] = s + i < samples ? loadSome(from + (s + i) * x.rowStride + j, features) : Vec{};
      transposeTile(tile);
      STRATA_UNROLL for (int i = 0; i < kLanes; ++i) {
        const int slot = (j + i) * lists.capacity + counts[i];
        counts[i] += compress(bits(tile[i] != Vec{}), tile[i], lane + all(s * scale), lists.list.values + slot, lists.list.offsets + slot);
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
      addRows(acc, lists.list.values + std::int64_t{j} * lists.capacity, lists.list.offsets + std::int64_t{j} * lists.capacity, lists.counts[j], dz);
      storeRow(gradient + std::int64_t{j} * kVecs * kLanes, acc);
    }
  });
}

}  // namespace strata::STRATA_ISA_NAMESPACE

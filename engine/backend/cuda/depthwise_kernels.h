// SPDX-License-Identifier: Apache-2.0
// A convolution whose channels have kernels of their own: w is [R,S,C,M], output channel k = c * M + m sees input
// channel c alone.
#pragma once
#include "engine/backend/cuda/groups.h"
#include "engine/backend/cuda/kernel_types.h"

namespace strata::cuda {

/// With bias and activation; an item is one output value.
struct DepthwiseForward {
  static constexpr const char* kName = "DepthwiseForward";
  Window window;
  int c = 1, each = 1;  ///< input channels; kernels a channel
  Act act = Act::Linear;
  In<Real> x;
  In<float> w, bias;  ///< bias [C*M], or unset
  Out<Real> y;
  std::vector<Access> buffers() const { return accesses(x, w, bias, y); }
  STRATA_DEVICE void operator()(Index item) const {
    const int k = c * each;
    const ImagePlace to = placeIn(item, window.outH, window.outW, k);
    float sum = bias ? bias[to.c] : 0.0f;
    for (int r = 0; r < window.r; ++r) {
      const int iy = window.y(to.y, r);
      if (!window.hasY(iy)) continue;
      for (int s = 0; s < window.s; ++s) {
        const int ix = window.x(to.x, s);
        if (window.hasX(ix))
          sum += x[((to.n * window.inH + iy) * window.inW + ix) * c + to.c / each] *
                 w[(Index{r} * window.s + s) * k + to.c];
      }
    }
    y[item] = activated(act, sum);
  }
};

/// An item is one input value: the sum over the outputs whose window holds it and the channel's kernels.
struct DepthwiseDataGradient {
  static constexpr const char* kName = "DepthwiseDataGradient";
  Window window;
  int c = 1, each = 1;
  Act act = Act::Linear;
  In<Real> y, dy;  ///< y is unset where nothing bends it
  In<float> w;
  Out<Real> dx;
  std::vector<Access> buffers() const { return accesses(y, dy, w, dx); }
  STRATA_DEVICE void operator()(Index item) const {
    const int k = c * each;
    const ImagePlace to = placeIn(item, window.inH, window.inW, c);
    float sum = 0;
    forEachOutput(window, to.n, to.y, to.x, k, [&](Index out, int oy, int ox) {
      const int tap = (to.y - window.y(oy, 0)) * window.s + to.x - window.x(ox, 0);
      for (int ki = to.c * each; ki < (to.c + 1) * each; ++ki)
        sum += activationGradient(act, y ? y[out + ki] : 0.0f, dy[out + ki]) * w[Index{tap} * k + ki];
    });
    dx[item] = sum;
  }
};

/// The gradients of kernel and bias, one sum for each part of the output's pixels. A group takes its columns' kTaps
/// taps at once, so that dz is found once for all of them.
struct DepthwiseKernelGradient {
  static constexpr const char* kName = "DepthwiseKernelGradient";
  static constexpr int kTaps = 9;
  struct Common {
    float sums[kTaps + 1][kGroup];  ///< and the bias's
  };
  Tiling tiling;  ///< of [N * outH * outW, C*M]
  Window window;
  int c = 1, each = 1;
  bool bias = false;
  Act act = Act::Linear;
  In<Real> x, y, dy;    ///< y is unset where nothing bends it
  Out<float> partials;  ///< [parts, R*S*C*M], with `bias` [parts, R*S*C*M + C*M]
  std::vector<Access> buffers() const { return accesses(x, y, dy, partials); }

  STRATA_DEVICE int taps() const { return window.r * window.s; }
  STRATA_DEVICE int chunks() const { return (taps() + kTaps - 1) / kTaps; }
  STRATA_DEVICE int groups() const { return tiling.groups() * chunks(); }
  STRATA_DEVICE int phases() const { return treeSteps(tiling.lanes()) + 2; }

  struct Place : Tiling::Place {
    int firstTap;
  };
  STRATA_DEVICE Place place(int group, int member) const {
    return {tiling.placeOf(group / chunks(), member), group % chunks() * kTaps};
  }
  STRATA_DEVICE void own(const Place& place, Common& common) const {
    int down[kTaps], across[kTaps];
    float sums[kTaps + 1];
    for (int t = 0; t < kTaps; ++t) {
      down[t] =
          place.firstTap + t < taps() ? (place.firstTap + t) / window.s : window.inH + window.top;  // never inside
      across[t] = (place.firstTap + t) % window.s;
      sums[t] = 0;
    }
    sums[kTaps] = 0;
    tiling.eachRow(place, [&](Index row, Index at) {
      const ImagePlace out = placeIn(row, window.outH, window.outW, 1);
      const float dz = activationGradient(act, y ? y[at] : 0.0f, dy[at]);
      for (int t = 0; t < kTaps; ++t) {
        const int iy = window.y(out.y, down[t]), ix = window.x(out.x, across[t]);
        if (window.hasY(iy) && window.hasX(ix))
          sums[t] += x[((out.n * window.inH + iy) * window.inW + ix) * c + place.column / each] * dz;
      }
      sums[kTaps] += dz;
    });
    for (int t = 0; t <= kTaps; ++t) common.sums[t][place.member] = sums[t];
  }
  STRATA_DEVICE void operator()(const Place& place, int phase, Common& common) const {
    if (place.idle) return;
    if (phase == 0) {
      own(place, common);
    } else if (phase + 1 < phases()) {
      const int stride = treeStride(place.lane, tiling.lanes(), phase - 1) * tiling.width;
      if (stride > 0)
        for (int t = 0; t <= kTaps; ++t) common.sums[t][place.member] += common.sums[t][place.member + stride];
    } else if (place.lane == 0) {
      const Index to = place.part * (taps() + bias) * tiling.columns + place.column;
      for (int t = 0; t < kTaps && place.firstTap + t < taps(); ++t)
        partials[to + Index{place.firstTap + t} * tiling.columns] = common.sums[t][place.member];
      if (bias && place.firstTap == 0) partials[to + Index{taps()} * tiling.columns] = common.sums[kTaps][place.member];
    }
  }
};

}  // namespace strata::cuda

// SPDX-License-Identifier: Apache-2.0
// What the CUDA backend's kernels share: what a step is told and tells, windows, activations, the samples of a batch.
#pragma once
#include <cmath>

#include "engine/backend/cuda/views.h"
#include "engine/layers/activation.h"
#include "engine/learn/update_rule.h"

namespace strata::cuda {

/// What one step is given by the host; a ring of these lies on the device.
struct StepParams {
  std::uint64_t step = 0;   ///< batches trained before
  UpdateRule rule;          ///< how its end changes the weights
  std::uint32_t epoch = 0;  ///< from which samples that are moved are drawn
};
/// What one step tells the host. All zero before the step.
struct StepResult {
  static constexpr int kCounts = 8;  ///< metrics at most
  double lossSum = 0;
  std::int32_t spoiled = 0;           ///< a gradient was not finite
  std::int32_t counts[kCounts] = {};  ///< of each metric: samples whose class was among its best
};
/// Where a run of steps stands on the device; the optimizer moves it on at the end of each step.
struct StepCursor {
  std::int32_t slot = 0;     ///< in the rings of StepParams, sample numbers and StepResults
  std::int32_t healthy = 1;  ///< 0 from the first loss on that was not finite: the weights no longer change
  std::int32_t spoiled = 0;  ///< 1 from the first gradient on that was not finite: likewise
  UpdateRule rule;           ///< of the step being finished
};

/// How a window slides over an image. Taps outside the image count as absent.
struct Window {
  int inH = 1, inW = 1, outH = 1, outW = 1, r = 1, s = 1, strideH = 1, strideW = 1, top = 0, left = 0;
  STRATA_DEVICE int y(int out, int tap) const { return out * strideH - top + tap; }
  STRATA_DEVICE int x(int out, int tap) const { return out * strideW - left + tap; }
  STRATA_DEVICE bool hasY(int y) const { return y >= 0 && y < inH; }
  STRATA_DEVICE bool hasX(int x) const { return x >= 0 && x < inW; }
};

/// The outputs whose window holds (iy, ix), in order: visit(offset of the output pixel's first channel).
template <class Visit>
STRATA_DEVICE void forEachOutput(const Window& window, Index n, int iy, int ix, int c, Visit visit) {
  const int lastY = (iy + window.top) / window.strideH, lastX = (ix + window.left) / window.strideW;
  for (int oy = lastY; oy >= 0 && window.y(oy, 0) + window.r > iy; --oy) {
    if (oy >= window.outH) continue;
    for (int ox = lastX; ox >= 0 && window.x(ox, 0) + window.s > ix; --ox)
      if (ox < window.outW) visit(((n * window.outH + oy) * window.outW + ox) * c, oy, ox);
  }
}

/// Where a number of [N,H,W,C] lies.
struct ImagePlace {
  Index n;
  int y, x, c;
};
STRATA_DEVICE ImagePlace placeIn(Index item, int h, int w, int c) {
  const Index row = item / c, n = row / (Index{h} * w);
  const int pixel = static_cast<int>(row - n * h * w);  // the rest in 32 bits, in which a device divides faster
  return {n, pixel / w, pixel % w, static_cast<int>(item - row * c)};
}

using Act = Activation;

struct DeviceMath {
  STRATA_DEVICE float tanh(float z) const { return tanhf(z); }
  STRATA_DEVICE float sigmoid(float z) const { return 1 / (1 + expf(-z)); }
  STRATA_DEVICE float root(float value) const { return sqrtf(value); }
  STRATA_DEVICE float sign(float value) const { return value > 0 ? 1.0f : value < 0 ? -1.0f : 0.0f; }
  STRATA_DEVICE float clipped(float value, float limit) const {
    return value < -limit ? -limit : value > limit ? limit : value;
  }
};
STRATA_DEVICE float activated(Act act, float z) {
  return withActivation(act, [z](auto kind) { return strata::activated<decltype(kind)::value>(z, DeviceMath{}); });
}
/// dz from y = act(z) and dy.
STRATA_DEVICE float activationGradient(Act act, float y, float dy) {
  return withActivation(act, [y, dy](auto kind) { return gradientBefore<decltype(kind)::value>(y, dy); });
}

/// The samples of the current batch as the net reads them: bytes of a data set by sample number, or bytes or floats in
/// batch order.
struct InputImages {
  In<StepCursor> cursor;
  In<std::int32_t> numbers;  ///< [ring, maxBatch]
  In<std::uint8_t> bytes;    ///< [samples, sampleSize], or [N, sampleSize] when `inOrder`, or unset
  In<float> floats;          ///< [N, sampleSize], or unset
  bool inOrder = false;
  Index sampleSize = 0;
  int maxBatch = 0;
  float scale = 1, offset = 0;
  /// Where sample n of the batch begins; for at().
  STRATA_DEVICE Index first(Index n) const {
    return (floats || inOrder ? n : Index{numbers[Index{cursor[0].slot} * maxBatch + n]}) * sampleSize;
  }
  STRATA_DEVICE float at(Index i) const { return floats ? floats[i] : static_cast<float>(bytes[i]) * scale + offset; }
};

}  // namespace strata::cuda

// SPDX-License-Identifier: Apache-2.0
// How a convolution is cut up to fit the caches and the registers, and which ways of computing it suit its shape. Sizes
// are counted in floats; a vector is `lanes` of them.
#pragma once
#include "engine/backend/cpu/kernels.h"

namespace strata {

/// What every way of computing a convolution is made from.
struct ConvContext {
  const Kernels& kernels;
  ConvShape shape;               ///< planned
  int threads = 1;               ///< each has a scratch of its own
  std::int64_t inputValues = 0;  ///< of a sample, without its frame
  int lanes() const { return kernels.lanes; }
  int inputPixels() const { return shape.rows * shape.cols; }
  int outputPixels() const { return shape.outH * shape.outW; }
  int window() const { return shape.poolH * shape.poolW; }
  int panelWidth() const { return shape.panelVecs * lanes(); }
  /// Output channels with the room after them.
  int width() const { return shape.panels * panelWidth(); }
  /// Of one row of the weights, [r][k][rowSize], zeros after s*c.
  std::int64_t rowSize() const { return std::int64_t{shape.rowVecs} * lanes(); }
};

/// Lists are written a vector at a time: room for one more.
inline constexpr int kListRoom = 16;

/// Fills in what follows from the kernels' width and the cache: panels, bands and groups.
void planConv(ConvShape& shape, bool inputGradient, const Kernels& kernels);

/// Samples whose weight gradient is taken together.
int tileSamples(std::int64_t sampleSize);

/// Whether planes are worth packing: pixels that meet zeros alone left out.
bool planesPack(const ConvShape& shape);
/// Whether a pooling window at a time is possible instead of planes.
bool windowsSuit(const ConvShape& shape, const Kernels& kernels);
/// Whether the weight gradient can be taken from live inputs instead of live gradients.
bool inputListsSuit(const ConvShape& shape, bool inputGradient);

}  // namespace strata

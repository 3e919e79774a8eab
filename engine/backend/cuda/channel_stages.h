// SPDX-License-Identifier: Apache-2.0
// Stages that treat every channel by itself, by own kernels alone: batch norm, the mean of an image, a depthwise
// convolution.
#pragma once
#include "engine/backend/cuda/stages.h"

namespace strata::cuda {

struct BatchNormShape {
  int channels = 1;
  Index pixels = 1;  ///< of a sample
  bool scale = true, center = true;
  double momentum = 0, epsilon = 0;
  Act act = Act::Linear;
  std::size_t node = 0;  ///< of its variables: gamma with `scale`, beta with `center`, the moving statistics
  bool learns = true;    ///< otherwise it normalizes by the moving statistics, in training too
};
std::unique_ptr<Stage> makeBatchNormStage(Shared& shared, const BatchNormShape& shape, Input input);

std::unique_ptr<Stage> makeGlobalAverageStage(Shared& shared, Input input, int channels);

struct DepthwiseShape {
  Window window;
  int channels = 1, each = 1;  ///< of the input; kernels a channel
  bool bias = true;
  Act act = Act::Linear;
  std::size_t node = 0;
  bool learns = true;
};
/// Reduce writes its gradients.
std::unique_ptr<Stage> makeDepthwiseStage(Shared& shared, const DepthwiseShape& shape, Input input);

}  // namespace strata::cuda

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/losses.h"

namespace strata::cuda {
namespace {

void softmaxCrossEntropy(Device& device, const LossLaunch& from) {
  SoftmaxCrossEntropy loss;
  loss.cursor = from.images.cursor;
  loss.numbers = from.images.numbers;
  loss.labels = from.labels;
  loss.batch = from.batch;
  loss.maxBatch = from.images.maxBatch;
  loss.classes = static_cast<int>(from.outputs.count / from.batch);
  loss.smoothing = static_cast<float>(from.spec.def().softmaxSmoothing(from.spec.fields));
  loss.logits = from.outputs;
  loss.dlogits = from.gradients;
  loss.losses = from.losses;
  loss.ranks = from.ranks;
  launch(device, Lane::Main, loss, from.batch);
}

void meanSquaredError(Device& device, const LossLaunch& from) {
  const Tiling bySample = tilingBySample(from.batch, from.outputs.count / from.batch, 1);
  launch(device, Lane::Main, MeanSquaredError{bySample, from.images, from.outputs, from.gradients, from.losses},
         bySample.groups());
}

}  // namespace

const std::map<std::string, LossKernel>& lossKernels() {
  static const std::map<std::string, LossKernel> table{
      {"softmax_cross_entropy", softmaxCrossEntropy},
      {"mean_squared_error", meanSquaredError},
  };
  return table;
}

}  // namespace strata::cuda

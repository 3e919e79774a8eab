// SPDX-License-Identifier: Apache-2.0
// The losses that are computed on the device: each one launch, which leaves the loss of every sample and the gradient
// of the net's output. A loss that is not here runs on the host. To add one: a kernel, and a row in the table of
// losses.cpp.
#pragma once
#include <map>
#include <string>

#include "engine/backend/cuda/device.h"
#include "engine/learn/loss.h"

namespace strata::cuda {

struct LossLaunch {
  const LossSpec& spec;
  int batch = 1;
  InputImages images;
  In<std::int32_t> labels;  ///< by sample number, as images.numbers
  In<Real> outputs;         ///< [N, size]
  Out<Real> gradients;      ///< [N, size], of the mean over the batch
  Out<float> losses;        ///< [N]
  Out<std::int32_t> ranks;  ///< [N] of the samples' classes; left alone by a loss without labels
};
using LossKernel = void (*)(Device& device, const LossLaunch& launch);

const std::map<std::string, LossKernel>& lossKernels();  ///< by type

}  // namespace strata::cuda

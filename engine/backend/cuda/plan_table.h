// SPDX-License-Identifier: Apache-2.0
// Planning for GPUs that are described instead of present.
#pragma once
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/backend/cuda/cudnn_graphs.h"

namespace strata::cuda {

/// A GPU of resources/devices/, and what cuDNN must know of it to plan for it.
struct DescribedGpu {
  std::string name;
  int capability = 0;       ///< 75 is 7.5
  std::string description;  ///< cuDNN's JSON
};
std::vector<DescribedGpu> describedGpus();

/// Every convolution graph that the CUDA backend asks cuDNN for to train the net. Needs no device.
std::vector<ConvGraph> convGraphsOf(const NetworkSpec& network, int batch, Precision precision);

/// BackendDef::plans.
std::vector<PlannedConv> plansFor(const NetworkSpec& network, int batch);

}  // namespace strata::cuda

// SPDX-License-Identifier: Apache-2.0
// cuDNN through its graph API: a ConvGraph becomes a cuDNN graph, is planned for a device, described or present, and
// run. The only file that sees cuDNN is cudnn_graphs.cpp; cuDNN itself is loaded at run time.
#pragma once
#include <memory>
#include <string>

#include "engine/backend/cuda/plan_choice.h"

namespace strata::cuda {

/// Of the cuDNN that loadCudnn() found: "9.19.0".
std::string cudnnVersion();

/// Loads cuDNN 9. Returns why it cannot be used, in one sentence, or "".
std::string loadCudnn();

/// The graph as the frontend writes it down: nodes and tensors with dimensions and strides. Needs loadCudnn(), but no
/// driver.
std::string convGraphJson(const ConvGraph& graph);

/// What cuDNN chose, or why it has nothing.
struct PlanOutcome {
  std::string engine;
  std::size_t workspaceBytes = 0;
  std::string problem;  ///< empty when planned
};
/// Plans for a device that need not be present, given as cuDNN's JSON description of it. `seconds` is what `choice`
/// times with, where it does. Needs loadCudnn(), but no driver.
PlanOutcome planOnDescribed(const ConvGraph& graph, const std::string& deviceJson, PlanChoice& choice,
                            const std::function<double(std::size_t)>& seconds);

/// cuDNN on the current device, bound to one stream (cudaStream_t) a lane. Its failures are told as libraryError() has
/// it.
class Cudnn {
 public:
  Cudnn(void* const (&streams)[kLanes], std::function<std::string()> contextError);  ///< Error::Device
  ~Cudnn();
  /// Null when there is no engine for the graph. `seconds` times a plan for `choice`. Error::Device when the device is
  /// lost.
  std::unique_ptr<ConvPlan> plan(const ConvGraph& graph, PlanChoice& choice,
                                 const std::function<double(ConvPlan&)>& seconds);

 private:
  struct Handles;
  std::shared_ptr<Handles> m_handles;
};

}  // namespace strata::cuda

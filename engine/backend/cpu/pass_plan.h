// SPDX-License-Identifier: Apache-2.0
// Which passes a net becomes on the cpu, in order, and the buffers between them.
#pragma once
#include "engine/backend/cpu/pass_kind.h"

namespace strata {

struct PlannedPass {
  std::unique_ptr<Pass> pass;
  bool learns = false;    ///< it has weights that training changes
  bool backward = false;  ///< something up to it learns, so its output has a gradient
};

struct PassPlan {
  std::vector<std::unique_ptr<Buffer>> buffers;
  Buffer* input = nullptr;   ///< of the net, in the form that its first reader wants
  Buffer* output = nullptr;  ///< of the net
  std::vector<PlannedPass> passes;
};

/// `request` and `graph` must outlive the plan.
PassPlan planPasses(const CompileRequest& request, const Graph& graph, const Kernels& kernels, int threads);

}  // namespace strata

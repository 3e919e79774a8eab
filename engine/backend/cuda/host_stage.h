// SPDX-License-Identifier: Apache-2.0
// A node for which there is no kernel runs by its reference op on the host: what it reads is copied there and what it
// makes back, forward and backward.
#pragma once
#include "engine/backend/cuda/stages.h"

namespace strata::cuda {

std::unique_ptr<Stage> makeHostStage(Shared& shared, const Graph& graph, std::size_t node, std::vector<Input> inputs);

}  // namespace strata::cuda

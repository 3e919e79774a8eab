// SPDX-License-Identifier: Apache-2.0
// Stages without weights, by own kernels alone.
#pragma once
#include "engine/backend/cuda/stages.h"

namespace strata::cuda {

/// Bytes or floats to the numbers that the first layer reads.
std::unique_ptr<Stage> makeLoadStage(Shared& shared);
std::unique_ptr<Stage> makePoolStage(Shared& shared, Input input, const Window& window, int channels, bool max);
std::unique_ptr<Stage> makeActivationStage(Shared& shared, Input input, Act act);
/// `stream`: the node's.
std::unique_ptr<Stage> makeDropoutStage(Shared& shared, Input input, double rate, std::uint64_t stream);
/// Up to kMostJoined inputs, value by value, and what bends the result.
std::unique_ptr<Stage> makeJoinStage(Shared& shared, std::vector<Input> inputs, Merge merge, Act act);
/// The channels of up to kMostJoined inputs one behind the other.
std::unique_ptr<Stage> makeConcatStage(Shared& shared, std::vector<Input> inputs, const std::vector<int>& channels);

}  // namespace strata::cuda

// SPDX-License-Identifier: Apache-2.0
// The device of device.h on a real GPU: CUDA runtime, cuDNN and cuBLASLt. Every call is checked; a failure names the
// call and CUDA's own words for it. Nothing throws in a destructor.
#pragma once
#include <memory>
#include <string>

#include "engine/backend/cuda/device.h"

namespace strata::cuda {

/// Why cuDNN or cuBLASLt cannot be used, in one sentence; "" when they can. Loads both.
std::string librariesProblem();

/// GPU number 0. With `timedPlans` timings choose plans where they may (plan_choice.h), else heuristics alone.
/// Error::Device when it does not start.
std::shared_ptr<Device> makeCudaDevice(bool timedPlans);

}  // namespace strata::cuda

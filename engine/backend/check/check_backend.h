// SPDX-License-Identifier: Apache-2.0
// A backend that runs everything on two others and stops at the first thing that differs: `--backend
// check:reference,cpu`. Op by op, or, where the checked backend compiles the stack into passes of its own, the whole
// net step by step.
#pragma once
#include "engine/backend/backend.h"

namespace strata {

/// Goes on with the results of `expected`; `checked` is given the very same inputs, so differences do not pile up.
std::unique_ptr<Backend> makeCheckBackend(std::unique_ptr<Backend> expected, std::unique_ptr<Backend> checked);

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// A backend that runs every op on two others and stops at the first that differs: `--backend check:reference,cpu`.
#pragma once
#include "engine/backend.h"

namespace strata {

/// Goes on with the results of `expected`; `checked` is given the very same inputs, so differences do not pile up.
std::unique_ptr<Backend> makeCheckBackend(std::unique_ptr<Backend> expected, std::unique_ptr<Backend> checked);

}  // namespace strata

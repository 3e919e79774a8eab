// SPDX-License-Identifier: Apache-2.0
// The fast CPU backend: oneDNN op by op, and fused passes over the whole stack where they are measured faster.
#pragma once
#include "engine/backend.h"

namespace strata {

BackendDef cpuBackendDef();

}  // namespace strata

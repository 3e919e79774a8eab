// SPDX-License-Identifier: Apache-2.0
// The fast CPU backend: it compiles the whole stack into fused passes (pipeline.h). A layer without a pass of its own,
// and a net too large for the passes, run by the reference ops.
#pragma once
#include "engine/backend/backend.h"

namespace strata {

BackendDef cpuBackendDef();

}  // namespace strata

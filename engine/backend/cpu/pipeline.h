// SPDX-License-Identifier: Apache-2.0
// A stack compiled into fused passes: what compile() of the cpu backend makes.
#pragma once
#include <memory>

#include "engine/backend/backend.h"

namespace strata {

/// Null when the stack is too large for the passes' 32-bit offsets.
std::unique_ptr<CompiledNetwork> makePipeline(const CompileRequest& request, int threads);

}  // namespace strata

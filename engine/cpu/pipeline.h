// SPDX-License-Identifier: Apache-2.0
// A stack compiled into fused passes: what compile() of the cpu backend makes.
#pragma once
#include <memory>

#include "engine/backend.h"

namespace strata {

/// `opByOp` makes the ops for what is not about speed (looking inside, finding what is not finite) and must outlive the net.
/// Null when the stack is too large for the passes' 32-bit offsets.
std::unique_ptr<CompiledNetwork> makePipeline(Backend& opByOp, const CompileRequest& request, int threads);

}  // namespace strata

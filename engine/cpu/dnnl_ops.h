// SPDX-License-Identifier: Apache-2.0
// Conv2d, pooling and dense layers by oneDNN, one op at a time: the general case, and the path of every net that the
// fused pipeline does not take. oneDNN's own headers stay in dnnl_ops.cpp.
#pragma once
#include <memory>

#include "engine/layer.h"

namespace strata {

/// An op for the site, or null for a layer oneDNN is not used for. `threads` is set before every call.
std::unique_ptr<Op> makeDnnlOp(const LayerDef& def, const Site& site, int threads);

}  // namespace strata

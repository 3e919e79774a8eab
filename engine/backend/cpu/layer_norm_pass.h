// SPDX-License-Identifier: Apache-2.0
// Layer norm with its activation, place by place.
#pragma once
#include "engine/backend/cpu/pass_kind.h"

namespace strata {

PassKind layerNormPassKind();

}  // namespace strata

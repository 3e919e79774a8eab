// SPDX-License-Identifier: Apache-2.0
// Activations as passes of their own: those that layers can do in place, those whose gradient needs their input, and
// softmax.
#pragma once
#include "engine/backend/cpu/pass_kind.h"

namespace strata {

PassKind activationPassKind();
PassKind geluPassKind();
PassKind swishPassKind();
PassKind softplusPassKind();
PassKind softmaxPassKind();

}  // namespace strata

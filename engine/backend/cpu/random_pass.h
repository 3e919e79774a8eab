// SPDX-License-Identifier: Apache-2.0
// Dropout, spatial dropout and Gaussian noise. What was drawn is drawn again on the way back.
#pragma once
#include "engine/backend/cpu/pass_kind.h"

namespace strata {

PassKind dropoutPassKind();
PassKind spatialDropoutPassKind();
PassKind gaussianNoisePassKind();

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// A convolution with groups or dilation, as ordinary ones: each group is a convolution of some channels. A dilated one
// sees, from every other pixel say, every other pixel only; those that belong together make smaller images, each a
// sample of its own, on which the kernel's taps lie side by side.
#pragma once
#include "engine/backend/cpu/pass_kind.h"

namespace strata {

PassKind splitConvPassKind();

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// A transposed convolution as the convolution that it is the way back of, for the layer and for kernels.
#pragma once
#include "engine/layers/common.h"

namespace strata {

/// How that convolution's kernel slides over the layer's output: its outputs are the layer's inputs.
Slides transposedSlides(const Site& site);

}  // namespace strata

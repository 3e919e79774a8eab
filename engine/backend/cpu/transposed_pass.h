// SPDX-License-Identifier: Apache-2.0
// A transposed convolution, bias and activation, by the kernels of the convolution that it is the way back of: its
// output is that one's input gradient, its input gradient that one's output, and its weight gradient the same with the
// two changed over.
#pragma once
#include "engine/backend/cpu/pass_kind.h"

namespace strata {

PassKind transposedPassKind();

}  // namespace strata

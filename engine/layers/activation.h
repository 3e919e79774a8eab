// SPDX-License-Identifier: Apache-2.0
// The activations, for those who need no more than their names.
#pragma once

namespace strata {

enum class Activation { Linear, Relu, Tanh, Sigmoid };

}  // namespace strata

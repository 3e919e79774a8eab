// SPDX-License-Identifier: Apache-2.0
// Draws the first values of a tensor.
#pragma once
#include <span>

#include "engine/base/rng.h"
#include "engine/net/layer.h"

namespace strata {

/// Fills `values` (param.size() of them) as Keras would: glorot_uniform and he_uniform from ±sqrt(6 / (in + out)) and
/// ±sqrt(6 / in), he_normal from a normal distribution of deviation sqrt(2 / in) cut at two deviations, uniform from
/// ±limit; orthogonal with the orthogonal rows or columns of a recurrent kernel; unit_forget an LSTM's bias.
void initialize(const ParamInfo& param, Rng& rng, std::span<float> values);

}  // namespace strata

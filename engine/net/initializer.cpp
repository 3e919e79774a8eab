// SPDX-License-Identifier: Apache-2.0
// Glorot & Bengio 2010; He et al. 2015.
#include "engine/net/initializer.h"

#include <algorithm>
#include <cmath>

namespace strata {
namespace {

void fillUniform(double limit, Rng& rng, std::span<float> values) {
  const auto high = static_cast<float>(limit);
  for (float& value : values) value = rng.uniform(-high, high);
}

void fillTruncatedNormal(double deviation, Rng& rng, std::span<float> values) {
  constexpr double kShrink = 0.87962566103423978;  // deviation left after the cut at two; Keras divides by it
  for (float& value : values) {
    float drawn = rng.normal();
    while (std::abs(drawn) > 2) drawn = rng.normal();
    value = static_cast<float>(drawn * deviation / kShrink);
  }
}

}  // namespace

void initialize(const ParamInfo& param, Rng& rng, std::span<float> values) {
  const auto fanIn = static_cast<double>(param.fanIn), fanOut = static_cast<double>(param.fanOut);
  const std::string& type = param.initializer.type;
  if (type == "uniform") fillUniform(param.initializer.limit, rng, values);
  else if (type == "glorot_uniform") fillUniform(std::sqrt(6 / (fanIn + fanOut)), rng, values);
  else if (type == "he_uniform") fillUniform(std::sqrt(6 / fanIn), rng, values);
  else if (type == "he_normal") fillTruncatedNormal(std::sqrt(2 / fanIn), rng, values);
  else std::fill(values.begin(), values.end(), type == "ones" ? 1.0f : 0.0f);
}

}  // namespace strata

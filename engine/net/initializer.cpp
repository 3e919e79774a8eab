// SPDX-License-Identifier: Apache-2.0
// Glorot & Bengio 2010; He et al. 2015.
#include "engine/net/initializer.h"

#include <algorithm>
#include <cmath>
#include <vector>

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

/// a · b, in eight sums side by side, which compilers turn into vectors.
double dot(const float* a, const float* b, std::int64_t size) {
  double sums[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= size; i += 8)
    for (int lane = 0; lane < 8; ++lane) sums[lane] += double{a[i + lane]} * double{b[i + lane]};
  for (; i < size; ++i) sums[0] += double{a[i]} * double{b[i]};
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/// Rows, or columns where there are fewer of them, that are orthogonal and of length 1: what Gram and Schmidt make of
/// normal numbers. The matrix is [all sides but the last][the last], as in Keras.
void fillOrthogonal(std::int64_t cols, Rng& rng, std::span<float> values) {
  const std::int64_t rows = std::ssize(values) / cols, count = std::min(rows, cols), length = std::max(rows, cols);
  std::vector<float> vectors(values.size());
  for (float* vector = vectors.data(); vector < vectors.data() + count * length; vector += length) {
    for (std::int64_t i = 0; i < length; ++i) vector[i] = rng.normal();
    for (const float* before = vectors.data(); before < vector; before += length) {
      const auto along = static_cast<float>(dot(vector, before, length));
      for (std::int64_t i = 0; i < length; ++i) vector[i] -= along * before[i];
    }
    const auto scale = static_cast<float>(1 / std::sqrt(std::max(dot(vector, vector, length), 1e-30)));
    for (std::int64_t i = 0; i < length; ++i) vector[i] *= scale;
  }
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t col = 0; col < cols; ++col)
      values[static_cast<std::size_t>(row * cols + col)] =
          vectors[static_cast<std::size_t>(rows <= cols ? row * length + col : col * length + row)];
}

/// Of an LSTM's bias [4 * units]: ones for the forget gate, the second, so that it remembers at first (Jozefowicz et
/// al. 2015), zeros for the others.
void fillUnitForget(std::span<float> values) {
  const std::size_t units = values.size() / 4;
  std::fill(values.begin(), values.end(), 0.f);
  std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(units), units, 1.f);
}

}  // namespace

void initialize(const ParamInfo& param, Rng& rng, std::span<float> values) {
  const auto fanIn = static_cast<double>(param.fanIn), fanOut = static_cast<double>(param.fanOut);
  const std::string& type = param.initializer.type;
  if (type == "uniform") fillUniform(param.initializer.limit, rng, values);
  else if (type == "glorot_uniform") fillUniform(std::sqrt(6 / (fanIn + fanOut)), rng, values);
  else if (type == "he_uniform") fillUniform(std::sqrt(6 / fanIn), rng, values);
  else if (type == "orthogonal") fillOrthogonal(param.shape.back(), rng, values);
  else if (type == "unit_forget") fillUnitForget(values);
  else if (type == "he_normal") fillTruncatedNormal(std::sqrt(2 / fanIn), rng, values);
  else std::fill(values.begin(), values.end(), type == "ones" ? 1.0f : 0.0f);
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// As torch.optim.Muon, whose matrices this computes in float32 in place of bfloat16.
#include "engine/learn/muon.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace strata {
namespace {

constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;  // of the quintic polynomial
constexpr int kSteps = 5;
constexpr double kLeastNorm = 1e-7;

/// A matrix with its rows side by side; there are no more rows than columns.
struct Matrix {
  int rows, cols;
  std::vector<float> values;
  float* row(int i) { return values.data() + static_cast<std::size_t>(i) * static_cast<std::size_t>(cols); }
};

/// to += factor * from
void addRow(float* to, const float* from, float factor, int count) {
  for (int i = 0; i < count; ++i) to[i] += factor * from[i];
}

/// Eight sums side by side, which a processor takes at once.
float dot(const float* a, const float* b, int count) {
  float sums[8] = {};
  int i = 0;
  for (; i + 8 <= count; i += 8)
    for (int lane = 0; lane < 8; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  for (int lane = 0; i < count; ++i, ++lane) sums[lane] += a[i] * b[i];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

/// x becomes a x + (b g + c g g) x with g = x x^T.
void newtonSchulz(Matrix& x) {
  const int n = x.rows;
  Matrix gram{n, n, std::vector<float>(static_cast<std::size_t>(n) * static_cast<std::size_t>(n))}, mix = gram,
                                                                                                    next = x;
  for (int i = 0; i < n; ++i)
    for (int j = 0; j <= i; ++j) gram.row(i)[j] = gram.row(j)[i] = dot(x.row(i), x.row(j), x.cols);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) mix.row(i)[j] = kB * gram.row(i)[j];
    for (int k = 0; k < n; ++k) addRow(mix.row(i), gram.row(k), kC * gram.row(i)[k], n);
  }
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < x.cols; ++j) next.row(i)[j] = kA * x.row(i)[j];
    for (int k = 0; k < n; ++k) addRow(next.row(i), x.row(k), mix.row(i)[k], x.cols);
  }
  x = std::move(next);
}

}  // namespace

void orthogonalise(const MuonStep& step, int rows, int cols, std::span<float> gradient, std::span<float> momentum) {
  const float fresh = 1 - step.momentum;
  double squares = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    momentum[i] += (gradient[i] - momentum[i]) * fresh;
    gradient[i] = step.nesterov ? gradient[i] + (momentum[i] - gradient[i]) * step.momentum : momentum[i];
    squares += static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]);
  }
  const auto scale = static_cast<float>(1 / std::max(std::sqrt(squares), kLeastNorm));
  const bool tall = rows > cols;
  Matrix x{std::min(rows, cols), std::max(rows, cols), std::vector<float>(gradient.size())};
  const auto at = [&](int i, int j) -> float& {
    const int r = tall ? j : i, c = tall ? i : j;
    return gradient[static_cast<std::size_t>(r) * static_cast<std::size_t>(cols) + static_cast<std::size_t>(c)];
  };
  for (int i = 0; i < x.rows; ++i)
    for (int j = 0; j < x.cols; ++j) x.row(i)[j] = at(i, j) * scale;
  for (int i = 0; i < kSteps; ++i) newtonSchulz(x);
  const float size = 0.2f * std::sqrt(static_cast<float>(x.cols));
  for (int i = 0; i < x.rows; ++i)
    for (int j = 0; j < x.cols; ++j) at(i, j) = x.row(i)[j] * size;
}

}  // namespace strata

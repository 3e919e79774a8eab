// SPDX-License-Identifier: Apache-2.0
// Softmax and cross-entropy, in double inside, the largest logit taken off first so that nothing overflows.
#include "engine/learn/loss.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/base/error.h"

namespace strata {
namespace {

/// probabilities[k]; returns log(sum of exp(logits)).
template <class Real>
double softmaxRow(const Real* logits, int k, double* probabilities) {
  const double largest = *std::max_element(logits, logits + k);
  double sum = 0;
  for (int j = 0; j < k; ++j) sum += probabilities[j] = std::exp(logits[j] - largest);
  for (int j = 0; j < k; ++j) probabilities[j] /= sum;
  return largest + std::log(sum);
}

}  // namespace

template <class Real>
LossResult softmaxCrossEntropy(const Real* logits, const std::int32_t* labels, int n, int k, Real* dlogits,
                               double labelSmoothing) {
  LossResult result;
  std::vector<double> probabilities(static_cast<std::size_t>(k));
  const double spread = labelSmoothing / k;
  for (int i = 0; i < n; ++i, logits += k) {
    const std::int32_t label = labels[i];
    if (label < 0 || label >= k)
      throw Error(Error::Kind::Input, "labels",
                  "got label " + std::to_string(label) + ", needed 0 to " + std::to_string(k - 1));
    const double logSum = softmaxRow(logits, k, probabilities.data());
    result.lossSum += (1 - labelSmoothing) * (logSum - logits[label]);
    if (spread > 0)
      for (int j = 0; j < k; ++j) result.lossSum += spread * (logSum - logits[j]);
    result.hits += std::max_element(logits, logits + k) - logits == label;
    if (!dlogits) continue;
    for (int j = 0; j < k; ++j) {
      const double target = (j == label ? 1 - labelSmoothing : 0) + spread;
      *dlogits++ = static_cast<Real>((probabilities[static_cast<std::size_t>(j)] - target) / n);
    }
  }
  return result;
}

template LossResult softmaxCrossEntropy(const float*, const std::int32_t*, int, int, float*, double);
template LossResult softmaxCrossEntropy(const double*, const std::int32_t*, int, int, double*, double);

void softmax(const float* logits, int n, int k, float* probabilities) {
  std::vector<double> row(static_cast<std::size_t>(k));
  for (int i = 0; i < n; ++i, logits += k, probabilities += k) {
    softmaxRow(logits, k, row.data());
    std::copy(row.begin(), row.end(), probabilities);
  }
}

}  // namespace strata

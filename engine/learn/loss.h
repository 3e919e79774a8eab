// SPDX-License-Identifier: Apache-2.0
// Softmax cross-entropy, the loss of every classifier here, with its gradient in one pass.
#pragma once
#include <cstdint>

namespace strata {

struct LossResult {
  double lossSum = 0;  ///< summed over the batch, natural logarithm
  int hits = 0;        ///< samples whose largest logit is the label; the first wins a tie
};

/// logits [N,K]; labels [N] in 0..K-1; dlogits [N,K] = (softmax - target) / N, or null. `labelSmoothing` as Keras:
/// target = (1-s) one-hot + s/K. NaN and infinity come through into lossSum.
template <class Real>
LossResult softmaxCrossEntropy(const Real* logits, const std::int32_t* labels, int n, int k, Real* dlogits,
                               double labelSmoothing = 0);

/// probabilities [N,K] from logits [N,K].
void softmax(const float* logits, int n, int k, float* probabilities);

}  // namespace strata

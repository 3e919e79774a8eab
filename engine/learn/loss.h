// SPDX-License-Identifier: Apache-2.0
// The table of losses. A LossDef says what a net's output is compared with, what it must look like, the loss with its
// gradient, and what makes a prediction of it. To add one: a row in loss.cpp; it trains on every backend from its first
// day, by its function here.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/learn/choice.h"
#include "engine/net/analysis.h"

namespace strata {

/// What a net's output is compared with.
enum class TargetKind {
  ClassIndex,  ///< the sample's label
  Sample,      ///< the sample itself, as the net reads it: an autoencoder
};
/// "class", "sample": as in a project's "data".
const std::vector<Choice>& targetKinds();

/// Some samples of a batch as losses and metrics read them.
template <class Real>
struct BasicLossIo {
  int count = 0;                         ///< samples
  std::int64_t size = 0;                 ///< values that the net puts out for one
  const Real* outputs = nullptr;         ///< [N, size]
  const std::int32_t* labels = nullptr;  ///< [N], of TargetKind::ClassIndex
  const Real* targets = nullptr;         ///< [N, size], of the others
  Real* gradients = nullptr;             ///< [N, size], of the mean over these N samples; overwritten. May be null
};
using LossIo = BasicLossIo<float>;

struct LossDef : ChoiceDef {
  TargetKind target = TargetKind::ClassIndex;
  /// The loss summed over the samples. NaN and infinity come through. Error::Input for a label that is no class.
  double (*compute)(const Fields& fields, const LossIo& io) = nullptr;
  /// The same code in double, for gradient checks.
  double (*compute64)(const Fields& fields, const BasicLossIo<double>& io) = nullptr;
  OutputRule outputRule = nullptr;  ///< what it asks of the net's output
  /// Predictions [N, size] from outputs [N, size], which may be the same memory.
  void (*predict)(const float* outputs, int count, std::int64_t size, float* predictions) = nullptr;
  /// The mean loss of a net that only guesses; null where nothing can be said.
  double (*guess)(const Fields& fields, const NetworkSpec& network) = nullptr;
  /// Set where this is softmax cross-entropy with so much label smoothing: a backend may have that fused.
  double (*softmaxSmoothing)(const Fields& fields) = nullptr;
  std::string answer;  ///< what stands below the last layer: "softmax, cross-entropy loss"
  std::string story;   ///< two sentences on how the last layer's values, %1 of them, become a loss
};
/// "softmax_cross_entropy" (label_smoothing), "sigmoid_cross_entropy", "focal" (gamma), "mean_squared_error",
/// "mean_absolute_error", "huber" (delta).
const std::vector<LossDef>& allLosses();

struct LossSpec {
  std::string type = "softmax_cross_entropy";
  Fields fields{allLosses().front().fields};
  const LossDef& def() const;  ///< Error::Input for a type that is not in the table
  bool operator==(const LossSpec&) const = default;
};

/// The mean loss of a net that only guesses; not a number where nothing can be said.
double guessingLoss(const LossSpec& loss, const NetworkSpec& network);

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// The table of metrics: what people read beside the loss. Most are a sum over samples, so that parts of a batch and
// batches of an epoch add up. What is no mean over samples, as a mean over classes, keeps a tally of a whole validation
// instead, whose parts add up too. To add one: a row in metric.cpp.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "engine/learn/loss.h"

namespace strata {

struct MetricDef {
  enum class Format { Percent, Number };
  std::string id;     ///< as in history keys: "accuracy"; of the validation "val_accuracy"
  std::string title;  ///< "Accuracy"
  std::string help;
  Format format = Format::Percent;
  bool higherIsBetter = true;
  TargetKind target = TargetKind::ClassIndex;  ///< it fits the losses with this target
  /// Summed over the samples; divided by their number it is the metric. Null for one with a tally.
  double (*sum)(const MetricDef& def, const LossIo& io) = nullptr;
  /// Set where the metric is the share of samples whose class is among so many best: a backend may have that fused.
  int withinTop = 0;

  /// How many numbers the tally has for a net of `size` outputs. Set for a metric of the validation alone.
  std::size_t (*tallySize)(std::int64_t size) = nullptr;
  /// Adds samples to a tally. `predictions` [N, size] are what the loss makes of the outputs.
  void (*count)(const LossIo& io, const float* predictions, std::span<double> tally) = nullptr;
  /// The metric of a tally.
  double (*ofTally)(std::span<const double> tally) = nullptr;
  bool validationAlone() const { return tallySize != nullptr; }
};
/// "accuracy", "top_5"; of the validation "precision", "recall", "f1_score", "calibration_error"; of samples
/// "mean_absolute_error".
const std::vector<MetricDef>& allMetrics();
const MetricDef* findMetric(const std::string& id);

/// A run computes at most so many.
inline constexpr int kMostMetrics = 8;
using MetricIds = std::vector<std::string>;
/// Those of `chosen` that fit the loss, in that order, each once.
MetricIds fittingMetrics(const MetricIds& chosen, const LossSpec& loss);

/// Of a history key: "loss", "val_loss", a metric's id or that behind "val_".
bool higherIsBetter(const std::string& key);
/// The same without "val_".
std::string withoutVal(const std::string& key);
/// "val_" and the id.
std::string withVal(const std::string& id);

/// How well one class is found, of the numbers of samples that are rightly given it, that are given it, and that are of
/// it. 0 where there is nothing to divide by.
struct ClassScores {
  double precision = 0, recall = 0, f1 = 0;
};
ClassScores classScores(double right, double predicted, double actual);

/// How many classes come before the sample's own: those with a larger output, or with the same and a smaller number.
/// What is not a number comes before everything.
int rankOf(const float* outputs, std::int64_t classes, std::int32_t label);

}  // namespace strata

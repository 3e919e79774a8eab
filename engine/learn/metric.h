// SPDX-License-Identifier: Apache-2.0
// The table of metrics: what people read beside the loss. A metric is a sum over samples, so that parts of a batch and
// batches of an epoch add up. To add one: a row in metric.cpp.
#pragma once
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
  /// Summed over the samples; divided by their number it is the metric.
  double (*sum)(const MetricDef& def, const LossIo& io) = nullptr;
  /// Set where the metric is the share of samples whose class is among so many best: a backend may have that fused.
  int withinTop = 0;
};
const std::vector<MetricDef>& allMetrics();  ///< "accuracy", "top_5"
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

/// How many classes come before the sample's own: those with a larger output, or with the same and a smaller number.
/// What is not a number comes before everything.
int rankOf(const float* outputs, std::int64_t classes, std::int32_t label);

}  // namespace strata

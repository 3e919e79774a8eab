// SPDX-License-Identifier: Apache-2.0
// The table of schedules: how the learning rate changes over a run. All but one are pure functions of the step; a rate
// that falls when learning stalls remembers what it has seen (PlateauState), and a checkpoint keeps that.
#pragma once
#include <cstdint>
#include <limits>

#include "engine/learn/choice.h"

namespace strata {

/// Where a batch stands in its run.
struct RunPosition {
  std::uint64_t step = 0;           ///< batches before it
  std::uint64_t totalSteps = 0;     ///< of the whole run; 0: not known
  std::uint64_t stepsPerEpoch = 1;  ///< at least 1
};

/// What reduce_on_plateau has seen so far.
struct PlateauState {
  double best = std::numeric_limits<double>::quiet_NaN();  ///< of the monitored values; NaN before the first
  int waited = 0;                                          ///< epochs in a row that were no better
  double factor = 1;                                       ///< what the rate is multiplied by now
  bool operator==(const PlateauState&) const = default;
};

struct ScheduleDef : ChoiceDef {
  /// The rate without its warm-up.
  double (*rate)(const Fields& fields, double base, const RunPosition& at, const PlateauState& plateau) = nullptr;
  /// Whether it follows what the validation finds, so that seeValue() has to be told.
  bool followsMonitor = false;
};
/// "constant", "inverse_time" (decay), "step" (step_size, gamma), "exponential" (gamma), "cosine" (end_factor),
/// "one_cycle" (peak_fraction, start_factor, end_factor), "reduce_on_plateau" (factor, patience, min_delta, min_rate);
/// all with warmup_steps.
const std::vector<ScheduleDef>& allSchedules();

struct ScheduleSpec {
  std::string type = "constant";
  Fields fields{allSchedules().front().fields};
  bool followsMonitor() const;
  bool operator==(const ScheduleSpec&) const = default;
};

/// The rate of a batch. inverse_time: base / (1 + decay * step), the lesson's rule. During the warm-up it is multiplied
/// by step / warmup_steps.
double learningRateAt(const ScheduleSpec& spec, double base, const RunPosition& at, const PlateauState& plateau = {});

/// Takes in the monitored value of an epoch that has ended, as PyTorch's ReduceLROnPlateau with an absolute threshold:
/// after more than `patience` epochs without a value better than the best by `min_delta` the factor falls, but never a
/// rate of `base` below min_rate. A value that is not finite is not better. Nothing for other schedules.
void seeValue(const ScheduleSpec& spec, double base, double value, bool higherIsBetter, PlateauState& plateau);

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// How the learning rate changes over a run: a pure function of the step.
#pragma once
#include <cstdint>

#include "engine/learn/choice.h"

namespace strata {

const std::vector<ChoiceDef>&
allSchedules();  ///< "constant", "inverse_time" (decay), "one_cycle" (peak_fraction, start_factor, end_factor)

struct ScheduleSpec {
  std::string type = "constant";
  Fields fields{allSchedules().front().fields};
  bool operator==(const ScheduleSpec&) const = default;
};

/// The rate of batch `step` (from 0) in a run of `totalSteps`. inverse_time: base / (1 + decay * step), the lesson's
/// rule.
double learningRateAt(const ScheduleSpec& spec, double base, std::uint64_t step, std::uint64_t totalSteps);

}  // namespace strata

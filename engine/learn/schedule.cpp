// SPDX-License-Identifier: Apache-2.0
// The schedules that can be chosen. one_cycle: Smith & Topin 2019, both phases along a cosine, as PyTorch's OneCycleLR.
#include "engine/learn/schedule.h"

#include <cmath>
#include <numbers>

namespace strata {
namespace {

/// From `from` at fraction 0 to `to` at fraction 1, level at both ends.
double cosineBetween(double from, double to, double fraction) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * fraction)) / 2;
}

double oneCycle(const Fields& fields, double base, double step, double lastStep) {
  const double peak = fields.real("peak_fraction") * lastStep;
  if (step < peak) return cosineBetween(base * fields.real("start_factor"), base, step / peak);
  if (step >= lastStep) return lastStep > 0 ? base * fields.real("end_factor") : base;
  return cosineBetween(base, base * fields.real("end_factor"), (step - peak) / (lastStep - peak));
}

}  // namespace

const std::vector<ChoiceDef>& allSchedules() {
  static const std::vector<ChoiceDef> schedules{
      {"constant", "Constant", "The rate stays as it is.", {}},
      {"inverse_time",
       "Inverse time",
       "The rate falls slowly: rate / (1 + decay × step).",
       {realField("decay", "Decay", 1e-6, 0, 1, "How fast it falls; the rate is halved after 1 / decay steps.")}},
      {"one_cycle",
       "One cycle",
       "The rate climbs to its full value, then falls to almost nothing by the end of the run. The quickest way to a "
       "good net.",
       {realField("peak_fraction", "Peak at", 0.3, 0, 1,
                  "Where in the run the full rate is reached: 0 at the start, 1 at the end."),
        realField("start_factor", "Start factor", 0.04, 0, 1, "The first rate, as a share of the full one."),
        realField("end_factor", "End factor", 0.0001, 0, 1, "The last rate, as a share of the full one.")}},
  };
  return schedules;
}

double learningRateAt(const ScheduleSpec& spec, double base, std::uint64_t step, std::uint64_t totalSteps) {
  const auto at = static_cast<double>(step);
  if (spec.type == "inverse_time") return base / (1 + spec.fields.real("decay") * at);
  if (spec.type == "one_cycle")
    return oneCycle(spec.fields, base, at, totalSteps == 0 ? 0 : static_cast<double>(totalSteps - 1));
  return base;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// The schedules that can be chosen. one_cycle: Smith & Topin 2019, both phases along a cosine, as PyTorch's OneCycleLR.
// step, exponential, cosine, reduce_on_plateau: PyTorch's StepLR, ExponentialLR (both by the epoch), CosineAnnealingLR
// (by the step) and ReduceLROnPlateau.
#include "engine/learn/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace strata {
namespace {

constexpr const char* kWarmup = "warmup_steps";
constexpr std::int64_t kMostEpochs = 1'000'000;  // of a run
constexpr std::int64_t kMostWarmup = 1'000'000'000;

/// Whole epochs before the batch.
double epochsBefore(const RunPosition& at) {
  return static_cast<double>(at.step / (at.stepsPerEpoch > 0 ? at.stepsPerEpoch : 1));
}

ScheduleDef scheduleDef(const std::string& type, const std::string& title, const std::string& help,
                        std::vector<Field> fields) {
  ScheduleDef def;
  def.type = type;
  def.title = title;
  def.help = help;
  def.fields = std::move(fields);
  Field warmup = intField(kWarmup, "Warm-up", 0, 0, kMostWarmup,
                          "Over so many steps the rate climbs from 0 to what the schedule says. A gentle start lets "
                          "large rates and Adam's averages settle.");
  warmup.unit = "steps";
  warmup.zeroText = "none";
  def.fields.push_back(std::move(warmup));
  return def;
}

ScheduleDef constantDef() {
  ScheduleDef def = scheduleDef("constant", "Constant", "The rate stays as it is.", {});
  def.rate = [](const Fields&, double base, const RunPosition&, const PlateauState&) { return base; };
  return def;
}

ScheduleDef inverseTimeDef() {
  ScheduleDef def = scheduleDef(
      "inverse_time", "Inverse time", "The rate falls slowly: rate / (1 + decay × step).",
      {realField("decay", "Decay", 1e-6, 0, 1, "How fast it falls; the rate is halved after 1 / decay steps.")});
  def.rate = [](const Fields& fields, double base, const RunPosition& at, const PlateauState&) {
    return base / (1 + fields.real("decay") * static_cast<double>(at.step));
  };
  return def;
}

ScheduleDef stepDef() {
  Field size = intField("step_size", "Every", 10, 1, kMostEpochs, "So many epochs lie between two falls.");
  size.unit = "epochs";
  ScheduleDef def =
      scheduleDef("step", "Steps", "The rate falls to a share of itself every few epochs, as down stairs.",
                  {std::move(size),
                   realField("gamma", "Falls to", 0.1, 0, 1, "What each fall leaves of the rate: 0.1 is a tenth.")});
  def.rate = [](const Fields& fields, double base, const RunPosition& at, const PlateauState&) {
    return base * std::pow(fields.real("gamma"), std::floor(epochsBefore(at) / fields.integer("step_size")));
  };
  return def;
}

ScheduleDef exponentialDef() {
  ScheduleDef def = scheduleDef(
      "exponential", "Exponential", "After every epoch the rate is multiplied by the same number.",
      {realField("gamma", "Gamma", 0.95, 0, 1, "What each epoch leaves of the rate; 0.95 halves it in 14 epochs.")});
  def.rate = [](const Fields& fields, double base, const RunPosition& at, const PlateauState&) {
    return base * std::pow(fields.real("gamma"), epochsBefore(at));
  };
  return def;
}

/// From `from` at fraction 0 to `to` at fraction 1, level at both ends.
double cosineBetween(double from, double to, double fraction) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * fraction)) / 2;
}

ScheduleDef cosineDef() {
  ScheduleDef def = scheduleDef(
      "cosine", "Cosine",
      "The rate falls along a cosine over the whole run: slowly at first, fast in the middle, slowly at the end.",
      {realField("end_factor", "End factor", 0, 0, 1, "The rate at the run's end, as a share of the full one.")});
  def.rate = [](const Fields& fields, double base, const RunPosition& at, const PlateauState&) {
    const auto step = static_cast<double>(at.step), total = static_cast<double>(at.totalSteps);
    return cosineBetween(base, base * fields.real("end_factor"), step < total ? step / total : total > 0 ? 1 : 0);
  };
  return def;
}

double oneCycle(const Fields& fields, double base, double step, double lastStep) {
  const double peak = fields.real("peak_fraction") * lastStep;
  if (step < peak) return cosineBetween(base * fields.real("start_factor"), base, step / peak);
  if (step >= lastStep) return lastStep > 0 ? base * fields.real("end_factor") : base;
  return cosineBetween(base, base * fields.real("end_factor"), (step - peak) / (lastStep - peak));
}

ScheduleDef oneCycleDef() {
  ScheduleDef def = scheduleDef(
      "one_cycle", "One cycle",
      "The rate climbs to its full value, then falls to almost nothing by the end of the run. The quickest way to a "
      "good net.",
      {realField("peak_fraction", "Peak at", 0.3, 0, 1,
                 "Where in the run the full rate is reached: 0 at the start, 1 at the end."),
       realField("start_factor", "Start factor", 0.04, 0, 1, "The first rate, as a share of the full one."),
       realField("end_factor", "End factor", 0.0001, 0, 1, "The last rate, as a share of the full one.")});
  def.rate = [](const Fields& fields, double base, const RunPosition& at, const PlateauState&) {
    return oneCycle(fields, base, static_cast<double>(at.step),
                    at.totalSteps == 0 ? 0 : static_cast<double>(at.totalSteps - 1));
  };
  return def;
}

/// `factor` of the base rate, but no less than min_rate, unless the base itself is less.
double reducedRate(const Fields& fields, double base, double factor) {
  return std::max(base * factor, std::min(base, fields.real("min_rate")));
}

ScheduleDef reduceOnPlateauDef() {
  Field patience = intField("patience", "Patience", 10, 0, kMostEpochs,
                            "So many epochs without a better value are borne; after one more the rate falls.");
  patience.unit = "epochs";
  ScheduleDef def =
      scheduleDef("reduce_on_plateau", "On a plateau",
                  "The rate falls whenever the value that the best epoch is chosen by has stopped getting better.",
                  {realField("factor", "Factor", 0.1, 0, 1, "What each fall leaves of the rate: 0.1 is a tenth."),
                   std::move(patience),
                   realField("min_delta", "Least gain", 1e-4, 0, 1e6,
                             "A value counts as better when it is better by more than this."),
                   realField("min_rate", "Least rate", 0, 0, 1e6, "The rate falls no further than to this.")});
  def.rate = [](const Fields& fields, double base, const RunPosition&, const PlateauState& plateau) {
    return reducedRate(fields, base, plateau.factor);
  };
  def.followsMonitor = true;
  return def;
}

}  // namespace

const std::vector<ScheduleDef>& allSchedules() {
  static const std::vector<ScheduleDef> schedules{
      constantDef(), inverseTimeDef(), stepDef(), exponentialDef(), cosineDef(), oneCycleDef(), reduceOnPlateauDef()};
  return schedules;
}

bool ScheduleSpec::followsMonitor() const {
  const ScheduleDef* def = findChoice(allSchedules(), type);
  return def && def->followsMonitor;
}

double learningRateAt(const ScheduleSpec& spec, double base, const RunPosition& at, const PlateauState& plateau) {
  const ScheduleDef* def = findChoice(allSchedules(), spec.type);
  if (!def) return base;
  const double rate = def->rate(spec.fields, base, at, plateau);
  const auto warmup = static_cast<std::uint64_t>(spec.fields.integer(kWarmup));
  return at.step < warmup ? rate * (static_cast<double>(at.step) / static_cast<double>(warmup)) : rate;
}

void seeValue(const ScheduleSpec& spec, double base, double value, bool higherIsBetter, PlateauState& plateau) {
  if (!spec.followsMonitor()) return;
  const double least = spec.fields.real("min_delta");
  const bool better =
      std::isfinite(value) &&
      (std::isnan(plateau.best) || (higherIsBetter ? value > plateau.best + least : value < plateau.best - least));
  if (better) {
    plateau.best = value;
    plateau.waited = 0;
    return;
  }
  if (++plateau.waited <= spec.fields.integer("patience")) return;
  plateau.waited = 0;
  if (base * plateau.factor > spec.fields.real("min_rate")) plateau.factor *= spec.fields.real("factor");
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// The averages that can be chosen. swa: Izmailov et al. 2018, with a step in place of an epoch.
#include "engine/learn/average.h"

#include <cmath>

namespace strata {
namespace {

AverageDef emaDef() {
  AverageDef def;
  def.type = "ema";
  def.title = "Moving average";
  def.help =
      "Validates and keeps a mean of the weights in which the newest count most. Steadier than the weights themselves, "
      "and mostly better.";
  def.fields = {realField("decay", "Decay", 0.999, 0, 0.9999999,
                          "What each step leaves of the mean; 0.999 looks back over about 1000 steps.")};
  // A mean that begins with zeros, corrected for those as Adam's are: so its first steps are a mean of the steps so
  // far.
  def.share = [](const Fields& fields, std::uint64_t step, std::uint64_t start) {
    const double decay = fields.real("decay");
    return (1 - decay) / (1 - std::pow(decay, static_cast<double>(step - start) + 1));
  };
  return def;
}

AverageDef swaDef() {
  AverageDef def;
  def.type = "swa";
  def.title = "Mean of the end";
  def.help =
      "Stochastic weight averaging: validates and keeps the plain mean of the weights over the last part of the run. "
      "Goes well with a rate that stays large.";
  def.fields = {realField("start_fraction", "From", 0.75, 0, 1, "The share of the run after which the mean begins.")};
  def.share = [](const Fields&, std::uint64_t step, std::uint64_t start) {
    return 1 / (static_cast<double>(step - start) + 1);
  };
  def.startFraction = [](const Fields& fields) { return fields.real("start_fraction"); };
  return def;
}

AverageDef noneDef() {
  AverageDef def;
  def.type = "none";
  def.title = "None";
  def.help = "The weights as the last step leaves them.";
  return def;
}

}  // namespace

const std::vector<AverageDef>& allAverages() {
  static const std::vector<AverageDef> averages{noneDef(), emaDef(), swaDef()};
  return averages;
}

const AverageDef& AverageSpec::def() const {
  const AverageDef* found = findChoice(allAverages(), type);
  return found ? *found : allAverages().front();
}

std::uint64_t AverageSpec::startIn(std::uint64_t totalSteps) const {
  const AverageDef& average = def();
  if (!average.startFraction) return 0;
  return static_cast<std::uint64_t>(std::ceil(average.startFraction(fields) * static_cast<double>(totalSteps)));
}

double averageShare(const AverageSpec& spec, std::uint64_t step) {
  const AverageDef& average = spec.def();
  return average.share && step >= spec.start ? average.share(spec.fields, step, spec.start) : 0;
}

}  // namespace strata

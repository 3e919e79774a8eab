// SPDX-License-Identifier: Apache-2.0
// The table of averages: weights that wander around a good place are better taken as a mean over many steps. Training
// goes on from the raw weights; the mean is kept beside them, as a slot of the optimizer's state. To add one: a row in
// average.cpp.
#pragma once
#include <cstdint>

#include "engine/learn/choice.h"

namespace strata {

struct AverageDef : ChoiceDef {
  /// The share of step `step`'s weights in the mean, which begins with step `start`, where the share is 1.
  double (*share)(const Fields& fields, std::uint64_t step, std::uint64_t start) = nullptr;  ///< null: no mean is kept
  /// Where in the run it begins, as a share of all its steps; null: with the first.
  double (*startFraction)(const Fields& fields) = nullptr;
};
const std::vector<AverageDef>& allAverages();  ///< "none", "ema" (decay), "swa" (start_fraction)

struct AverageSpec {
  std::string type = "none";
  Fields fields{allAverages().front().fields};
  std::uint64_t start = 0;  ///< the step it begins with: of one run, not of the document

  const AverageDef& def() const;  ///< that of "none" for a type that is not in the table
  bool kept() const { return def().share != nullptr; }
  /// With which step it begins in a run of so many.
  std::uint64_t startIn(std::uint64_t totalSteps) const;
  /// Whether the mean holds something after so many steps.
  bool begunAfter(std::uint64_t steps) const { return kept() && steps > start; }
  bool operator==(const AverageSpec&) const = default;
};

/// The share of a step's weights in the mean; 0 before it begins and where none is kept.
double averageShare(const AverageSpec& spec, std::uint64_t step);

}  // namespace strata

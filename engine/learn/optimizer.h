// SPDX-License-Identifier: Apache-2.0
// The table of optimizers. A person chooses one (OptimizerSpec); each step makes an UpdateRule of it, which every
// backend applies. To add one: a row in optimizer.cpp, and a formula in update_rule.h where none of those there fits.
// All can clip gradients, by the norm of all that are trained together and one by one.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/learn/average.h"
#include "engine/learn/choice.h"
#include "engine/learn/muon.h"
#include "engine/learn/update_rule.h"
#include "engine/net/graph.h"

namespace strata {

/// What an optimizer remembers of each weight, besides the weight itself.
struct OptimizerSlot {
  std::string name;           ///< as in checkpoints: "momentum"; "m" and "v" of Adam
  bool mayBeNegative = true;  ///< a mean of squares may not
};

struct OptimizerDef : ChoiceDef {
  /// What it remembers with these fields: as many as its rule says, at most kMostSlots.
  std::span<const OptimizerSlot> (*stateSlots)(const Fields& fields) = nullptr;
  /// `step` counts batches from 0.
  UpdateRule (*rule)(const Fields& fields, double learningRate, std::uint64_t step) = nullptr;
  /// Set where matrices, kernels as [rest, out], are updated as a whole: what is done to their gradients first. Their
  /// momentum takes slot 0; they then move by plain SGD, and `rule` is for the vectors alone.
  MuonStep (*matrixStep)(const Fields& fields) = nullptr;
};
/// "sgd", "adam", "adamw", "rmsprop", "nadam", "adagrad", "lion", "muon".
const std::vector<OptimizerDef>& allOptimizers();

struct OptimizerSpec {
  std::string type = "sgd";
  Fields fields{allOptimizers().front().fields};
  AverageSpec average = {};  ///< of the weights that it makes
  double learningRate() const { return fields.real("learning_rate"); }
  /// In the order in which they lie in the state, each as long as the weights: none for plain SGD. The mean of the
  /// weights, where one is kept, is the last of them.
  std::vector<OptimizerSlot> stateSlots() const;
  /// Floats of state kept per weight: 0 plain SGD, 1 momentum, 2 Adam; one more for a mean of the weights.
  int slotsPerWeight() const { return static_cast<int>(stateSlots().size()); }
  /// Whether some variables are updated as a whole, so that a backend has to call updateVariables().
  bool updatesMatrices() const;
  bool operator==(const OptimizerSpec&) const = default;
};

/// The numbers of one step, the same for every weight. `step` counts batches from 0.
UpdateRule makeUpdateRule(const OptimizerSpec& spec, double learningRate, std::uint64_t step);

/// The name of the slot that holds the mean of the weights.
inline constexpr const char* kAverageSlot = "average";

/// Updates a range of weights in place. `state` is zero before the first step.
void updateWeights(const UpdateRule& rule, std::span<float> weights, std::span<const float> gradients,
                   const SlotPointers& state);
/// Likewise the whole arena, whose state is slotsPerWeight() * weights.size() floats, slot after slot.
void updateWeights(const OptimizerSpec& spec, double learningRate, std::uint64_t step, std::span<float> weights,
                   std::span<const float> gradients, std::span<float> state);

/// The sum of the squares of the gradients that training goes by: those of trained variables that are not frozen.
double squaresOf(const Graph& graph, std::span<const float> gradients);

/// Updates the variables of a net in place, all in the canonical layout: trained ones by the optimizer, running ones to
/// what lies where their gradients would, frozen ones not at all. A backend that has its own layouts does the same by
/// UpdateRule, unless updatesMatrices().
void updateVariables(const Graph& graph, const OptimizerSpec& optimizer, double learningRate, std::uint64_t step,
                     std::span<float> weights, std::span<const float> gradients, std::span<float> state);

/// `weights`, with those that the optimizer changes taken from `mean`, the slot kAverageSlot. Running values stay: they
/// are means over many batches already, of which a mean would be no better known.
std::vector<float> averagedWeights(const Graph& graph, std::span<const float> weights, std::span<const float> mean);

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// The table of optimizers. A person chooses one (OptimizerSpec); each step makes an UpdateRule of it, which every
// backend applies. To add one: a row in optimizer.cpp, and a formula in update_rule.h where none of those there fits.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/learn/choice.h"
#include "engine/learn/update_rule.h"

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
};
const std::vector<OptimizerDef>& allOptimizers();  ///< "sgd", "adam", "adamw"

struct OptimizerSpec {
  std::string type = "sgd";
  Fields fields{allOptimizers().front().fields};
  double learningRate() const { return fields.real("learning_rate"); }
  /// In the order in which they lie in the state, each as long as the weights: none for plain SGD.
  std::span<const OptimizerSlot> stateSlots() const;
  /// Floats of state kept per weight: 0 plain SGD, 1 momentum, 2 Adam.
  int slotsPerWeight() const { return static_cast<int>(stateSlots().size()); }
  bool operator==(const OptimizerSpec&) const = default;
};

/// The numbers of one step, the same for every weight. `step` counts batches from 0.
UpdateRule makeUpdateRule(const OptimizerSpec& spec, double learningRate, std::uint64_t step);

/// Updates a range of weights in place. `state` is zero before the first step.
void updateWeights(const UpdateRule& rule, std::span<float> weights, std::span<const float> gradients,
                   const SlotPointers& state);
/// Likewise the whole arena, whose state is slotsPerWeight() * weights.size() floats, slot after slot.
void updateWeights(const OptimizerSpec& spec, double learningRate, std::uint64_t step, std::span<float> weights,
                   std::span<const float> gradients, std::span<float> state);

}  // namespace strata

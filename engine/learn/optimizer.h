// SPDX-License-Identifier: Apache-2.0
// Optimizers: what a person chooses (OptimizerSpec) and the plain update of one arena (reference; backends may fuse
// their own).
#pragma once
#include <span>
#include <string>
#include <vector>

#include "engine/net/field.h"

namespace strata {

/// An optimizer or schedule that can be chosen: like a LayerDef, its fields drive form, JSON and validation.
struct ChoiceDef {
  std::string type, title, help;
  std::vector<Field> fields;
};
const std::vector<ChoiceDef>&
allOptimizers();  ///< "sgd" (learning_rate, momentum, nesterov), "adam" (learning_rate, beta_1, beta_2, epsilon)

/// What an optimizer remembers of each weight, besides the weight itself.
struct OptimizerSlot {
  std::string name;           ///< as in checkpoints: "momentum"; "m" and "v" of Adam
  bool mayBeNegative = true;  ///< a mean of squares may not
};

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

/// Updates `weights` in place. `state` has slotsPerWeight() * weights.size() floats, zero before the first step. `step`
/// counts from 0. Formulas: Keras 3. momentum: v = m v - lr g; w += v, Nesterov: w += m v - lr g. Adam: Kingma & Ba
/// 2015, Keras's form.
void updateWeights(const OptimizerSpec& spec, double learningRate, std::uint64_t step, std::span<float> weights,
                   std::span<const float> gradients, std::span<float> state);

}  // namespace strata

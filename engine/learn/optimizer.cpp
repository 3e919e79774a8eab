// SPDX-License-Identifier: Apache-2.0
// The optimizers that can be chosen, and their plain updates.
#include "engine/learn/optimizer.h"

#include <cmath>

namespace strata {
namespace {

Field learningRateField(double initial) {
  return realField("learning_rate", "Learning rate", initial, 0, 1e6,
                   "How far each step moves the weights. Too small learns slowly, too large diverges.");
}

ChoiceDef sgdDef() {
  Field nesterov =
      boolField("nesterov", "Nesterov", false, "Looks one momentum step ahead. Does nothing while the momentum is 0.");
  nesterov.advanced = true;
  return {"sgd",
          "SGD",
          "Moves every weight against its gradient. Simple and hard to beat with a good learning rate.",
          {learningRateField(0.01),
           realField("momentum", "Momentum", 0, 0, 1,
                     "The share of the last step that is taken again; 0.9 is usual, 0 is plain SGD."),
           nesterov}};
}

ChoiceDef adamDef() {
  Field beta1 = realField("beta_1", "Beta 1", 0.9, 0, 0.999999, "How long the mean gradient is remembered.");
  Field beta2 = realField("beta_2", "Beta 2", 0.999, 0, 0.999999, "How long the mean squared gradient is remembered.");
  Field epsilon = realField("epsilon", "Epsilon", 1e-7, 1e-12, 1, "Keeps the division sound where gradients vanish.");
  beta1.advanced = beta2.advanced = epsilon.advanced = true;
  return {"adam",
          "Adam",
          "Gives every weight a step of its own from the mean and spread of its gradients. A safe first choice.",
          {learningRateField(0.001), beta1, beta2, epsilon}};
}

void sgd(double learningRate, std::span<float> weights, std::span<const float> gradients) {
  const auto rate = static_cast<float>(learningRate);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] -= rate * gradients[i];
}

void momentumSgd(const OptimizerSpec& spec, double learningRate, std::span<float> weights,
                 std::span<const float> gradients, std::span<float> velocity) {
  const auto rate = static_cast<float>(learningRate), momentum = static_cast<float>(spec.fields.real("momentum"));
  const bool nesterov = spec.fields.flag("nesterov");
  for (std::size_t i = 0; i < weights.size(); ++i) {
    velocity[i] = momentum * velocity[i] - rate * gradients[i];
    weights[i] += nesterov ? momentum * velocity[i] - rate * gradients[i] : velocity[i];
  }
}

void adam(const OptimizerSpec& spec, double learningRate, std::uint64_t step, std::span<float> weights,
          std::span<const float> gradients, std::span<float> state) {
  const double beta1 = spec.fields.real("beta_1"), beta2 = spec.fields.real("beta_2"),
               t = static_cast<double>(step) + 1;
  const auto rate = static_cast<float>(learningRate * std::sqrt(1 - std::pow(beta2, t)) / (1 - std::pow(beta1, t)));
  const auto fresh1 = static_cast<float>(1 - beta1), fresh2 = static_cast<float>(1 - beta2),
             epsilon = static_cast<float>(spec.fields.real("epsilon"));
  const std::span<float> mean = state.first(weights.size()), square = state.last(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    mean[i] += (gradients[i] - mean[i]) * fresh1;
    square[i] += (gradients[i] * gradients[i] - square[i]) * fresh2;
    weights[i] -= mean[i] * rate / (std::sqrt(square[i]) + epsilon);
  }
}

}  // namespace

const std::vector<ChoiceDef>& allOptimizers() {
  static const std::vector<ChoiceDef> optimizers{sgdDef(), adamDef()};
  return optimizers;
}

std::span<const OptimizerSlot> OptimizerSpec::stateSlots() const {
  static const std::vector<OptimizerSlot> adam{{"m", true}, {"v", false}}, momentum{{"momentum", true}};
  if (type == "adam") return adam;
  if (fields.real("momentum") == 0) return {};
  return momentum;
}

void updateWeights(const OptimizerSpec& spec, double learningRate, std::uint64_t step, std::span<float> weights,
                   std::span<const float> gradients, std::span<float> state) {
  if (spec.type == "adam") adam(spec, learningRate, step, weights, gradients, state);
  else if (spec.slotsPerWeight() == 1) momentumSgd(spec, learningRate, weights, gradients, state);
  else sgd(learningRate, weights, gradients);
}

}  // namespace strata

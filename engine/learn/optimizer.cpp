// SPDX-License-Identifier: Apache-2.0
// The optimizers that can be chosen, and the numbers of their steps.
#include "engine/learn/optimizer.h"

#include <cmath>

namespace strata {
namespace {

using Kind = UpdateRule::Kind;

Field learningRateField(double initial) {
  return realField("learning_rate", "Learning rate", initial, 0, 1e6,
                   "How far each step moves the weights. Too small learns slowly, too large diverges.");
}

Field advanced(Field field) {
  field.advanced = true;
  return field;
}

Field addedDecayField() {
  return advanced(realField("weight_decay", "Weight decay", 0, 0, 1,
                            "Pulls every weight towards zero: so much of it is added to its gradient."));
}

// ---- SGD

std::span<const OptimizerSlot> sgdSlots(const Fields& fields) {
  static const std::vector<OptimizerSlot> momentum{{"momentum", true}};
  if (fields.real("momentum") == 0) return {};
  return momentum;
}

UpdateRule sgdRule(const Fields& fields, double learningRate, std::uint64_t) {
  UpdateRule rule;
  rule.rate = static_cast<float>(learningRate);
  rule.momentum = static_cast<float>(fields.real("momentum"));
  rule.decay = static_cast<float>(fields.real("weight_decay"));
  if (!sgdSlots(fields).empty()) rule.kind = fields.flag("nesterov") ? Kind::Nesterov : Kind::Momentum;
  return rule;
}

OptimizerDef sgdDef() {
  OptimizerDef def;
  def.type = "sgd";
  def.title = "SGD";
  def.help = "Moves every weight against its gradient. Simple and hard to beat with a good learning rate.";
  def.fields = {learningRateField(0.01),
                realField("momentum", "Momentum", 0, 0, 1,
                          "The share of the last step that is taken again; 0.9 is usual, 0 is plain SGD."),
                advanced(boolField("nesterov", "Nesterov", false,
                                   "Looks one momentum step ahead. Does nothing while the momentum is 0.")),
                addedDecayField()};
  def.stateSlots = sgdSlots;
  def.rule = sgdRule;
  return def;
}

// ---- Adam and AdamW

std::span<const OptimizerSlot> adamSlots(const Fields&) {
  static const std::vector<OptimizerSlot> slots{{"m", true}, {"v", false}};
  return slots;
}

/// Without weight decay.
UpdateRule plainAdamRule(const Fields& fields, double learningRate, std::uint64_t step) {
  const double beta1 = fields.real("beta_1"), beta2 = fields.real("beta_2"), t = static_cast<double>(step) + 1;
  UpdateRule rule;
  rule.kind = Kind::Adam;
  rule.rate = static_cast<float>(learningRate * std::sqrt(1 - std::pow(beta2, t)) / (1 - std::pow(beta1, t)));
  rule.fresh1 = static_cast<float>(1 - beta1);
  rule.fresh2 = static_cast<float>(1 - beta2);
  rule.epsilon = static_cast<float>(fields.real("epsilon"));
  return rule;
}

UpdateRule adamRule(const Fields& fields, double learningRate, std::uint64_t step) {
  UpdateRule rule = plainAdamRule(fields, learningRate, step);
  rule.decay = static_cast<float>(fields.real("weight_decay"));
  return rule;
}

UpdateRule adamwRule(const Fields& fields, double learningRate, std::uint64_t step) {
  UpdateRule rule = plainAdamRule(fields, learningRate, step);
  rule.shrink = static_cast<float>(learningRate * fields.real("weight_decay"));
  return rule;
}

std::vector<Field> adamFields(Field weightDecay) {
  return {
      learningRateField(0.001),
      advanced(realField("beta_1", "Beta 1", 0.9, 0, 0.999999, "How long the mean gradient is remembered.")),
      advanced(realField("beta_2", "Beta 2", 0.999, 0, 0.999999, "How long the mean squared gradient is remembered.")),
      advanced(realField("epsilon", "Epsilon", 1e-7, 1e-12, 1, "Keeps the division sound where gradients vanish.")),
      std::move(weightDecay)};
}

OptimizerDef adamDef() {
  OptimizerDef def;
  def.type = "adam";
  def.title = "Adam";
  def.help = "Gives every weight a step of its own from the mean and spread of its gradients. A safe first choice.";
  def.fields = adamFields(addedDecayField());
  def.stateSlots = adamSlots;
  def.rule = adamRule;
  return def;
}

OptimizerDef adamwDef() {
  OptimizerDef def;
  def.type = "adamw";
  def.title = "AdamW";
  def.help =
      "Adam, with a weight decay that its steps do not weaken: every weight shrinks by the same share. Often learns "
      "what carries over to new samples better than Adam.";
  def.fields = adamFields(realField("weight_decay", "Weight decay", 0.01, 0, 1,
                                    "Every step takes the learning rate times so much of each weight off it."));
  def.stateSlots = adamSlots;
  def.rule = adamwRule;
  return def;
}

}  // namespace

const std::vector<OptimizerDef>& allOptimizers() {
  static const std::vector<OptimizerDef> optimizers{sgdDef(), adamDef(), adamwDef()};
  return optimizers;
}

std::span<const OptimizerSlot> OptimizerSpec::stateSlots() const {
  const OptimizerDef* def = findChoice(allOptimizers(), type);
  return def ? def->stateSlots(fields) : std::span<const OptimizerSlot>();
}

UpdateRule makeUpdateRule(const OptimizerSpec& spec, double learningRate, std::uint64_t step) {
  const OptimizerDef* def = findChoice(allOptimizers(), spec.type);
  return def ? def->rule(spec.fields, learningRate, step) : UpdateRule();
}

void updateWeights(const UpdateRule& rule, std::span<float> weights, std::span<const float> gradients,
                   const SlotPointers& state) {
  withKind(rule.kind, [&](auto kind) {
    constexpr Kind kKind = decltype(kind)::value;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      float slots[kMostSlots] = {};
      for (int s = 0; s < UpdateRule::slotCount(kKind); ++s) slots[s] = state.at[s][i];
      apply<kKind>(rule, weights[i], gradients[i], slots, [](float value) { return std::sqrt(value); });
      for (int s = 0; s < UpdateRule::slotCount(kKind); ++s) state.at[s][i] = slots[s];
    }
  });
}

void updateWeights(const OptimizerSpec& spec, double learningRate, std::uint64_t step, std::span<float> weights,
                   std::span<const float> gradients, std::span<float> state) {
  const UpdateRule rule = makeUpdateRule(spec, learningRate, step);
  SlotPointers slots{};
  for (int s = 0; s < rule.slotCount(); ++s) slots.at[s] = state.data() + static_cast<std::size_t>(s) * weights.size();
  updateWeights(rule, weights, gradients, slots);
}

}  // namespace strata

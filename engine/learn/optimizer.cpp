// SPDX-License-Identifier: Apache-2.0
// The optimizers that can be chosen, and the numbers of their steps.
#include "engine/learn/optimizer.h"

#include <algorithm>
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

Field shrinkField(double initial) {
  return realField("weight_decay", "Weight decay", initial, 0, 1,
                   "Every step takes the learning rate times so much of each weight off it.");
}

Field epsilonField() {
  return advanced(realField("epsilon", "Epsilon", 1e-7, 1e-12, 1, "Keeps the division sound where gradients vanish."));
}

float addedDecay(const Fields& fields) { return static_cast<float>(fields.real("weight_decay")); }
float shrinkOf(const Fields& fields, double learningRate) {
  return static_cast<float>(learningRate * fields.real("weight_decay"));
}
/// 1 - beta.
float freshOf(const Fields& fields, const char* beta) { return static_cast<float>(1 - fields.real(beta)); }

// ---- clipping, of every optimizer

constexpr const char *kClipNorm = "clip_norm", *kClipValue = "clip_value";

OptimizerDef withClipping(OptimizerDef def) {
  Field norm =
      realField(kClipNorm, "Clip norm", 0, 0, 1e6,
                "Where all gradients together are longer than this, they are made shorter alike. Keeps one odd "
                "batch from throwing the net off; 1 is usual.");
  Field value = realField(kClipValue, "Clip values", 0, 0, 1e6, "No single gradient counts for more than this.");
  for (Field* field : {&norm, &value}) {
    field->zeroText = "off";
    def.fields.push_back(advanced(*field));
  }
  return def;
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
  rule.decay = addedDecay(fields);
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
  rule.decay = addedDecay(fields);
  return rule;
}

UpdateRule adamwRule(const Fields& fields, double learningRate, std::uint64_t step) {
  UpdateRule rule = plainAdamRule(fields, learningRate, step);
  rule.shrink = shrinkOf(fields, learningRate);
  return rule;
}

std::vector<Field> adamFields(Field weightDecay) {
  return {
      learningRateField(0.001),
      advanced(realField("beta_1", "Beta 1", 0.9, 0, 0.999999, "How long the mean gradient is remembered.")),
      advanced(realField("beta_2", "Beta 2", 0.999, 0, 0.999999, "How long the mean squared gradient is remembered.")),
      epsilonField(), std::move(weightDecay)};
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
  def.fields = adamFields(shrinkField(0.01));
  def.stateSlots = adamSlots;
  def.rule = adamwRule;
  return def;
}

// ---- RMSprop

std::span<const OptimizerSlot> rmspropSlots(const Fields& fields) {
  static const std::vector<OptimizerSlot> slots{{"mean_square", false}, {"momentum", true}};
  return std::span(slots).first(fields.real("momentum") == 0 ? 1 : 2);
}

UpdateRule rmspropRule(const Fields& fields, double learningRate, std::uint64_t) {
  UpdateRule rule;
  rule.kind = fields.real("momentum") == 0 ? Kind::RmsProp : Kind::RmsMomentum;
  rule.rate = static_cast<float>(learningRate);
  rule.momentum = static_cast<float>(fields.real("momentum"));
  rule.fresh2 = freshOf(fields, "rho");
  rule.epsilon = static_cast<float>(fields.real("epsilon"));
  rule.decay = addedDecay(fields);
  return rule;
}

OptimizerDef rmspropDef() {
  OptimizerDef def;
  def.type = "rmsprop";
  def.title = "RMSprop";
  def.help = "Divides every gradient by how large that weight's gradients have been lately. Adam without its mean "
             "gradient; an "
             "old friend of recurrent nets.";
  def.fields = {
      learningRateField(0.001),
      advanced(realField("rho", "Rho", 0.9, 0, 0.999999, "How long the mean squared gradient is remembered.")),
      advanced(realField("momentum", "Momentum", 0, 0, 1, "The share of the last step that is taken again.")),
      epsilonField(), addedDecayField()};
  def.stateSlots = rmspropSlots;
  def.rule = rmspropRule;
  return def;
}

// ---- Nadam

/// The momentum of step t, from 1.
double nadamMomentum(const Fields& fields, double t) {
  return fields.real("beta_1") * (1 - 0.5 * std::pow(0.96, t * fields.real("momentum_decay")));
}

/// The product of the momenta of the steps 1 to t. They are small at first, so it soon makes no difference.
double nadamProduct(const Fields& fields, std::uint64_t t) {
  double product = 1;
  for (std::uint64_t i = 1; i <= t && product > 1e-20; ++i) product *= nadamMomentum(fields, static_cast<double>(i));
  return product;
}

UpdateRule nadamRule(const Fields& fields, double learningRate, std::uint64_t step) {
  const double t = static_cast<double>(step) + 1, product = nadamProduct(fields, step + 1);
  const double now = nadamMomentum(fields, t), next = nadamMomentum(fields, t + 1);
  UpdateRule rule;
  rule.kind = Kind::Nadam;
  rule.rate = static_cast<float>(learningRate * next / (1 - product * next));
  rule.ahead = static_cast<float>(learningRate * (1 - now) / (1 - product));
  rule.rootScale = static_cast<float>(1 / std::sqrt(1 - std::pow(fields.real("beta_2"), t)));
  rule.fresh1 = freshOf(fields, "beta_1");
  rule.fresh2 = freshOf(fields, "beta_2");
  rule.epsilon = static_cast<float>(fields.real("epsilon"));
  rule.decay = addedDecay(fields);
  return rule;
}

OptimizerDef nadamDef() {
  OptimizerDef def;
  def.type = "nadam";
  def.title = "Nadam";
  def.help = "Adam that looks one momentum step ahead, as Nesterov does. Often a little quicker than Adam.";
  def.fields = adamFields(addedDecayField());
  def.fields.push_back(advanced(realField("momentum_decay", "Momentum decay", 0.004, 0, 1,
                                          "How fast the momentum grows from half of beta 1 to all of it.")));
  def.stateSlots = adamSlots;
  def.rule = nadamRule;
  return def;
}

// ---- Adagrad. Its slot holds the squares that have come since the start, so that it begins with zeros like all
// others.

std::span<const OptimizerSlot> adagradSlots(const Fields&) {
  static const std::vector<OptimizerSlot> slots{{"squares", false}};
  return slots;
}

UpdateRule adagradRule(const Fields& fields, double learningRate, std::uint64_t) {
  UpdateRule rule;
  rule.kind = Kind::Adagrad;
  rule.rate = static_cast<float>(learningRate);
  rule.start = static_cast<float>(fields.real("initial_accumulator_value"));
  rule.epsilon = static_cast<float>(fields.real("epsilon"));
  rule.decay = addedDecay(fields);
  return rule;
}

OptimizerDef adagradDef() {
  OptimizerDef def;
  def.type = "adagrad";
  def.title = "Adagrad";
  def.help =
      "Makes the steps of a weight smaller the more it has been moved already. Suits data in which some features are "
      "rare; its steps only ever shrink.";
  def.fields = {learningRateField(0.01),
                advanced(realField("initial_accumulator_value", "Initial sum", 0.1, 0, 1e6,
                                   "What the sum of squared gradients begins with: keeps the first steps small.")),
                epsilonField(), addedDecayField()};
  def.stateSlots = adagradSlots;
  def.rule = adagradRule;
  return def;
}

// ---- Lion

std::span<const OptimizerSlot> lionSlots(const Fields&) {
  static const std::vector<OptimizerSlot> slots{{"momentum", true}};
  return slots;
}

UpdateRule lionRule(const Fields& fields, double learningRate, std::uint64_t) {
  UpdateRule rule;
  rule.kind = Kind::Lion;
  rule.rate = static_cast<float>(learningRate);
  rule.fresh1 = freshOf(fields, "beta_1");
  rule.fresh2 = freshOf(fields, "beta_2");
  rule.shrink = shrinkOf(fields, learningRate);
  return rule;
}

OptimizerDef lionDef() {
  OptimizerDef def;
  def.type = "lion";
  def.title = "Lion";
  def.help =
      "Moves every weight by the same amount, up or down as its gradients say. Needs less memory than Adam, and a "
      "learning rate of about a tenth of Adam's.";
  def.fields = {learningRateField(0.0001),
                advanced(realField("beta_1", "Beta 1", 0.9, 0, 0.999999,
                                   "How much the gradients before count in which way to go.")),
                advanced(realField("beta_2", "Beta 2", 0.99, 0, 0.999999, "How long the mean gradient is remembered.")),
                shrinkField(0)};
  def.stateSlots = lionSlots;
  def.rule = lionRule;
  return def;
}

// ---- Muon: of vectors AdamW, as Keras's

/// AdamW with the usual betas, which are no fields here.
UpdateRule muonVectorRule(const Fields& fields, double learningRate, std::uint64_t step) {
  Fields adam(adamFields(shrinkField(0)));
  adam.set("weight_decay", fields.real("weight_decay"));
  return adamwRule(adam, learningRate, step);
}

OptimizerDef muonDef() {
  OptimizerDef def;
  def.type = "muon";
  def.title = "Muon";
  def.help =
      "Moves a layer's weights as one matrix, in all directions equally far. Learns in few steps, each of which takes "
      "longer. Biases and the like move by AdamW.";
  def.fields = {learningRateField(0.001),
                realField("momentum", "Momentum", 0.95, 0, 1, "How much of the gradients before is kept."),
                advanced(boolField("nesterov", "Nesterov", true, "Looks one momentum step ahead.")), shrinkField(0.1)};
  def.stateSlots = adamSlots;
  def.rule = muonVectorRule;
  def.matrixStep = [](const Fields& fields) {
    return MuonStep{static_cast<float>(fields.real("momentum")), fields.flag("nesterov")};
  };
  return def;
}

struct FloatMath {
  float root(float value) const { return std::sqrt(value); }
  float sign(float value) const { return value > 0 ? 1.0f : value < 0 ? -1.0f : 0.0f; }
  float clipped(float value, float limit) const { return value < -limit ? -limit : value > limit ? limit : value; }
};

/// `vectorRule` has the decay, the clipping and the mean, which matrices have too.
void updateMatrix(const UpdateRule& vectorRule, const MuonStep& step, double learningRate, const ParamInfo& param,
                  std::span<float> weights, std::span<const float> gradients, const SlotPointers& slots) {
  std::vector<float> direction(gradients.begin(), gradients.end());
  for (float& slope : direction) {
    slope *= vectorRule.clipScale;
    if (vectorRule.clipValue > 0) slope = FloatMath().clipped(slope, vectorRule.clipValue);
  }
  const int out = param.shape.back();
  orthogonalise(step, static_cast<int>(param.size() / out), out, direction, {slots.at[0], direction.size()});
  UpdateRule rule;
  rule.rate = static_cast<float>(learningRate);
  rule.shrink = vectorRule.shrink;
  rule.average = vectorRule.average;
  SlotPointers mean;
  if (vectorRule.averages) mean.at[0] = slots.at[vectorRule.slotCount() - 1];
  updateWeights(rule, weights, direction, mean);
}

/// visit(variable, its offset in the arena) for the variables that training changes.
template <class Visit>
void eachLearning(const Graph& graph, Visit visit) {
  for (const Node& node : graph.nodes) {
    if (!node.learns()) continue;
    auto offset = static_cast<std::size_t>(node.weightsOffset);
    for (const ParamInfo& param : node.params) {
      visit(param, offset);
      offset += static_cast<std::size_t>(param.size());
    }
  }
}

}  // namespace

const std::vector<OptimizerDef>& allOptimizers() {
  static const std::vector<OptimizerDef> optimizers{
      withClipping(sgdDef()),   withClipping(adamDef()),    withClipping(adamwDef()), withClipping(rmspropDef()),
      withClipping(nadamDef()), withClipping(adagradDef()), withClipping(lionDef()),  withClipping(muonDef())};
  return optimizers;
}

std::vector<OptimizerSlot> OptimizerSpec::stateSlots() const {
  std::vector<OptimizerSlot> slots;
  if (const OptimizerDef* def = findChoice(allOptimizers(), type)) {
    const auto own = def->stateSlots(fields);
    slots.assign(own.begin(), own.end());
  }
  if (average.kept()) slots.push_back({kAverageSlot, true});
  return slots;
}

bool OptimizerSpec::updatesMatrices() const {
  const OptimizerDef* def = findChoice(allOptimizers(), type);
  return def && def->matrixStep;
}

UpdateRule makeUpdateRule(const OptimizerSpec& spec, double learningRate, std::uint64_t step) {
  const OptimizerDef* def = findChoice(allOptimizers(), spec.type);
  if (!def) return {};
  UpdateRule rule = def->rule(spec.fields, learningRate, step);
  rule.clipNorm = static_cast<float>(spec.fields.real(kClipNorm));
  rule.clipValue = static_cast<float>(spec.fields.real(kClipValue));
  rule.averages = spec.average.kept();
  rule.average = static_cast<float>(averageShare(spec.average, step));
  return rule;
}

void updateWeights(const UpdateRule& rule, std::span<float> weights, std::span<const float> gradients,
                   const SlotPointers& state) {
  withKind(rule.kind, [&](auto kind) {
    constexpr Kind kKind = decltype(kind)::value;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      float slots[kMostSlots] = {};
      for (int s = 0; s < UpdateRule::slotCount(kKind); ++s) slots[s] = state.at[s][i];
      apply<kKind>(rule, weights[i], gradients[i], slots, FloatMath());
      for (int s = 0; s < UpdateRule::slotCount(kKind); ++s) state.at[s][i] = slots[s];
      if (rule.average != 0) takeIn(rule, state.at[UpdateRule::slotCount(kKind)][i], weights[i]);
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

double squaresOf(const Graph& graph, std::span<const float> gradients) {
  double squares = 0;
  eachLearning(graph, [&](const ParamInfo& param, std::size_t offset) {
    if (param.role == ParamInfo::Role::Running) return;
    for (const float g : gradients.subspan(offset, static_cast<std::size_t>(param.size())))
      squares += static_cast<double>(g) * static_cast<double>(g);
  });
  return squares;
}

void updateVariables(const Graph& graph, const OptimizerSpec& optimizer, double learningRate, std::uint64_t step,
                     std::span<float> weights, std::span<const float> gradients, std::span<float> state) {
  const OptimizerDef* def = findChoice(allOptimizers(), optimizer.type);
  UpdateRule rule = makeUpdateRule(optimizer, learningRate, step);
  if (rule.clipNorm > 0) setNorm(rule, std::sqrt(squaresOf(graph, gradients)));
  eachLearning(graph, [&](const ParamInfo& param, std::size_t offset) {
    const auto size = static_cast<std::size_t>(param.size());
    const std::span<float> own = weights.subspan(offset, size);
    const std::span<const float> slopes = gradients.subspan(offset, size);
    SlotPointers slots;
    for (int slot = 0; slot < rule.slotCount(); ++slot)
      slots.at[slot] = state.data() + static_cast<std::size_t>(slot) * weights.size() + offset;
    if (param.role == ParamInfo::Role::Running) std::copy(slopes.begin(), slopes.end(), own.begin());
    else if (!def || !def->matrixStep || param.shape.size() < 2) updateWeights(rule, own, slopes, slots);
    else updateMatrix(rule, def->matrixStep(optimizer.fields), learningRate, param, own, slopes, slots);
  });
}

std::vector<float> averagedWeights(const Graph& graph, std::span<const float> weights, std::span<const float> mean) {
  std::vector<float> averaged(weights.begin(), weights.end());
  eachLearning(graph, [&](const ParamInfo& param, std::size_t offset) {
    const auto at = static_cast<std::ptrdiff_t>(offset);
    if (param.role == ParamInfo::Role::Trained) std::copy_n(mean.begin() + at, param.size(), averaged.begin() + at);
  });
  return averaged;
}

}  // namespace strata

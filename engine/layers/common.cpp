// SPDX-License-Identifier: Apache-2.0
// Fields, issues and window placement that several layers share.
#include "engine/layers/common.h"

namespace strata {

Slide slide(int in, int kernel, int stride, bool same) {
  if (!same) return {in, (in - kernel) / stride + 1, kernel, stride, 0};
  const int out = (in + stride - 1) / stride;
  const int padding = std::max(0, (out - 1) * stride + kernel - in);
  return {in, out, kernel, stride, padding / 2};
}

Slides slidesOf(const Fields& fields, Shape in) {
  const Pair kernel = fields.pair("kernel_size"), strides = fields.pair("strides");
  const bool same = fields.text("padding") == "same";
  return {slide(in.h, kernel.h, strides.h, same), slide(in.w, kernel.w, strides.w, same)};
}

std::optional<Issue> windowIssue(const std::string& noun, const std::string& field, Pair window, int usual, Shape in) {
  if (window.h <= in.h && window.w <= in.w) return std::nullopt;
  // The fix: as large as usual, or the largest odd size that fits.
  const auto fitting = [usual](int side) {
    return side >= usual ? usual : side - (usual % 2 == 1 && side % 2 == 0 ? 1 : 0);
  };
  const Pair mend{std::min(window.h, fitting(in.h)), std::min(window.w, fitting(in.w))};
  const std::string largest = in.h == in.w ? std::to_string(in.h) : pairText({in.h, in.w});
  Issue issue;
  issue.field = field;
  issue.text = noun + " " + pairText(window) + " does not fit the " + pairText({in.h, in.w}) +
               " input. Largest that fits: " + largest + ".";
  issue.fixes = {{"Use " + pairText(mend), field, mend, {}},
                 {"Set padding to Same", "padding", std::string("same"), {}}};
  return issue;
}

Issue needsImage(const std::string& title, Shape in) {
  Issue issue;
  issue.text = title + " needs an image, but its input is a vector of " + in.text() +
               ". Move it before the Flatten layer, or remove it.";
  return issue;
}

Field paddingField(const std::string& help) {
  return choiceField("padding", "Padding", {{"valid", "Valid", {}}, {"same", "Same", {}}}, "valid", help);
}

Field biasField() {
  return boolField("use_bias", "Bias", true, "Adds one trained number to every output channel; it starts at zero.");
}

Field initializerField() {
  Field field;
  field.id = "kernel_initializer";
  field.title = "Initial weights";
  field.kind = Field::Kind::Initializer;
  field.initial = Initializer{};
  field.help = "How the weights are drawn before training. Glorot suits most nets, He suits many layers of ReLU, "
               "Uniform draws from -limit to limit.";
  field.advanced = true;
  return field;
}

std::vector<ParamInfo> noParams(const Fields&, Shape) { return {}; }
std::int64_t noMacs(const Fields&, Shape) { return 0; }

std::string pairText(Pair pair) { return std::to_string(pair.h) + " × " + std::to_string(pair.w); }

const std::vector<ActivationDef>& allActivations() {
  static const std::vector<ActivationDef> activations{
      {Activation::Linear, {"linear", "Linear", "Leaves every output as it is."}},
      {Activation::Relu, {"relu", "ReLU", "Cuts off below zero."}},
      {Activation::LeakyRelu, {"leaky_relu", "Leaky ReLU", "Takes three tenths of what lies below zero."}},
      {Activation::Tanh, {"tanh", "Tanh", "Squeezes to -1..1."}},
      {Activation::Sigmoid, {"sigmoid", "Sigmoid", "Squeezes to 0..1."}},
  };
  return activations;
}

Field activationField(const std::string& initial) {
  std::vector<Choice> choices;
  for (const ActivationDef& def : allActivations()) choices.push_back(def.choice);
  return choiceField("activation", "Activation", choices, initial,
                     "What is done to every output: Linear leaves it, ReLU cuts off below zero, Tanh squeezes to "
                     "-1..1, Sigmoid to 0..1.");
}

namespace {

const ActivationDef& chosenActivation(const Fields& fields) {
  const std::string& id = fields.text("activation");
  for (const ActivationDef& def : allActivations())
    if (def.choice.id == id) return def;
  return allActivations().front();
}

}  // namespace

Activation activationOf(const Fields& fields) { return chosenActivation(fields).kind; }
std::string activationTitle(const Fields& fields) { return chosenActivation(fields).choice.title; }

}  // namespace strata

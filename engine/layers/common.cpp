// SPDX-License-Identifier: Apache-2.0
// Fields, issues and window placement that several layers share.
#include "engine/layers/common.h"

#include "engine/base/text.h"
#include "engine/net/network_spec.h"

namespace strata {

Slide slide(int in, int kernel, int stride, bool same, int dilation) {
  const int reach = reachOf(kernel, dilation);
  if (!same) return {in, (in - reach) / stride + 1, kernel, stride, 0, dilation};
  const int out = (in + stride - 1) / stride;
  const int padding = std::max(0, (out - 1) * stride + reach - in);
  return {in, out, kernel, stride, padding / 2, dilation};
}

namespace {

Pair dilationOf(const Fields& fields) {
  return fields.has("dilation_rate") ? fields.pair("dilation_rate") : Pair{1, 1};
}

}  // namespace

Slides slidesOf(const Fields& fields, Shape in) {
  const Pair kernel = fields.pair("kernel_size"), strides = fields.pair("strides"), dilation = dilationOf(fields);
  const bool same = fields.text("padding") == "same";
  return {slide(in.h, kernel.h, strides.h, same, dilation.h), slide(in.w, kernel.w, strides.w, same, dilation.w)};
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

std::optional<Issue> kernelIssue(const Fields& fields, Shape in) {
  if (fields.text("padding") == "same") return std::nullopt;
  const Pair kernel = fields.pair("kernel_size"), dilation = dilationOf(fields);
  if (auto issue = windowIssue("Kernel", "kernel_size", kernel, 5, in)) return issue;
  const Pair reach{reachOf(kernel.h, dilation.h), reachOf(kernel.w, dilation.w)};
  if (reach.h <= in.h && reach.w <= in.w) return std::nullopt;
  Issue issue;
  issue.field = "dilation_rate";
  issue.text = "With dilation " + strideText(dilation) + " the kernel reaches over " + pairText(reach) +
               ", which does not fit the " + pairText({in.h, in.w}) + " input.";
  issue.fixes = {{"Set dilation to 1", "dilation_rate", Pair{1, 1}, {}},
                 {"Set padding to Same", "padding", std::string("same"), {}}};
  return issue;
}

std::optional<Issue> sideIssue(const std::string& field, std::int64_t h, std::int64_t w) {
  if (h <= kMaxSide && w <= kMaxSide) return std::nullopt;
  Issue issue;
  issue.field = field;
  issue.text = "The output would have " + grouped(h) + " × " + grouped(w) + " pixels; at most " + grouped(kMaxSide) +
               " a side are allowed.";
  return issue;
}

Issue needsImage(const std::string& title, Shape in) {
  Issue issue;
  issue.text = title + " needs an image, but its input is a " +
               (in.isSequence() ? "sequence of " + in.text() + ". Put a Reshape layer before it, or remove it."
                                : "vector of " + in.text() + ". Move it before the Flatten layer, or remove it.");
  return issue;
}

Field paddingField(const std::string& help) {
  return choiceField("padding", "Padding", {{"valid", "Valid", {}}, {"same", "Same", {}}}, "valid", help);
}

namespace {

Field pixelsField(const std::string& id, const std::string& title, int initial, const std::string& help) {
  Field field = pairField(id, title, initial, 1, 1024, help);
  field.unit = "px";
  return field;
}

}  // namespace

Field kernelField(const std::string& help) { return pixelsField("kernel_size", "Kernel", 3, help); }
Field stridesField(const std::string& help) { return pixelsField("strides", "Stride", 1, help); }
Field dilationField() {
  return pixelsField("dilation_rate", "Dilation", 1,
                     "How far the kernel's weights lie apart; at 2 it skips every other pixel and sees twice as far.");
}

Field biasField() {
  return boolField("use_bias", "Bias", true, "Adds one trained number to every output channel; it starts at zero.");
}

Field initializerField(const std::string& id, const std::string& title) {
  Field field;
  field.id = id;
  field.title = title;
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
std::string strideText(Pair pair) { return pair.h == pair.w ? std::to_string(pair.h) : pairText(pair); }

const std::vector<ActivationDef>& allActivations() {
  static const std::vector<ActivationDef> activations{
      {Activation::Linear, {"linear", "Linear", "Leaves every output as it is."}},
      {Activation::Relu, {"relu", "ReLU", "Cuts off below zero."}},
      {Activation::LeakyRelu, {"leaky_relu", "Leaky ReLU", "Takes three tenths of what lies below zero."}},
      {Activation::Elu, {"elu", "ELU", "Bends smoothly to -1 below zero."}},
      {Activation::Selu, {"selu", "SELU", "ELU scaled so that signals keep their size; with LeCun normal weights."}},
      {Activation::Linear, {"gelu", "GELU", "A smooth ReLU: each value times the share of a bell curve below it."}},
      {Activation::Linear, {"swish", "Swish", "A smooth ReLU: each value times its sigmoid; also called SiLU."}},
      {Activation::Sigmoid, {"sigmoid", "Sigmoid", "Squeezes to 0..1."}},
      {Activation::Tanh, {"tanh", "Tanh", "Squeezes to -1..1."}},
      {Activation::Linear, {"softplus", "Softplus", "A smooth ReLU that stays above zero."}},
      {Activation::Linear, {"softmax", "Softmax", "Turns the channels into shares that add up to 1."}},
      {Activation::HardSigmoid, {"hard_sigmoid", "Hard sigmoid", "Squeezes to 0..1 along straight lines."}},
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
std::string thenActivation(const Fields& fields) {
  return fields.text("activation") == "linear" ? "" : " · " + activationTitle(fields);
}

}  // namespace strata

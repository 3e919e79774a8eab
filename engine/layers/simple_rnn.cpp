// SPDX-License-Identifier: Apache-2.0
// The plain recurrent layer (Elman 1990): h[t] = act(x[t] · kernel + h[t-1] · recurrent_kernel + bias).
#include "engine/layers/recurrent.h"

namespace strata {
namespace {

template <class Real>
struct SimpleCell {
  static constexpr int kGates = 1, kSaved = 0;
  static constexpr bool kTwoBiases = false;

  static void forward(const CellStep<Real>& step, const Real* input, const Real* inner, Real* out) {
    for (std::int64_t u = 0; u < step.units; ++u) out[u] = input[u] + inner[u];
    activate(step.activation, out, step.units);
  }
  static void backward(const CellStep<Real>& step, const Real* out, const Real* dOut, Real*, Real* dInput, Real* dInner,
                       Real* dBefore) {
    activationGradient(step.activation, out, dOut, dInput, step.units);
    std::copy_n(dInput, step.units, dInner);
    std::fill_n(dBefore, step.units, Real{0});
  }
};

}  // namespace

LayerDef simpleRnnLayer() {
  LayerDef def;
  makeRecurrent(def);
  def.type = "simple_rnn";
  def.title = "Simple RNN";
  def.stem = "rnn";
  def.icon = "rnn";
  def.help = std::string("Reads a sequence step by step and mixes each step with what it put out after the one before. "
                         "The plainest layer with a memory; over many steps it forgets, where LSTM and GRU keep.") +
             kRowsHelp;
  def.inferShape = [](const Fields& fields, Shape in) { return recurrentShape("Simple RNN", fields, in); };
  def.params = [](const Fields& fields, Shape in) {
    return recurrentParams(fields, in, 1, {fields.integer("units")}, "zeros");
  };
  def.macs = [](const Fields& fields, Shape in) { return recurrentMacs(fields, in, 1); };
  def.shortText = [](const Fields& fields) {
    return std::string(1, 'R').append(std::to_string(fields.integer("units")));
  };
  setRecurrentOp<SimpleCell>(def);
  def.examples = {
      {R"({"units": 5})", Shape::sequence(4, 3)},
      {R"({"units": 19, "return_sequences": true, "activation": "relu"})", Shape::image(3, 5, 2)},
      {R"({"units": 1, "return_sequences": true, "activation": "linear"})", Shape::sequence(1, 1)},
      {R"({"units": 16, "activation": "sigmoid"})", Shape::sequence(3, 17)},
  };
  return def;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// LSTM (Hochreiter & Schmidhuber 1997) in Keras's form, gates in the order i f c o, of z = x[t] · kernel + h[t-1] ·
// recurrent_kernel + bias: i f o = sigmoid(z), g = act(z of c), c[t] = f c[t-1] + i g, h[t] = o act(c[t]).
#include "engine/layers/recurrent.h"

namespace strata {
namespace {

template <class Real>
struct LstmCell {
  static constexpr int kGates = 4, kSaved = 6;  ///< i f g o c act(c)
  static constexpr bool kTwoBiases = false;

  static void forward(const CellStep<Real>& step, const Real* input, const Real* inner, Real* out) {
    const std::int64_t units = step.units;
    Real *i = step.saved, *f = i + units, *g = f + units, *o = g + units, *c = o + units, *bent = c + units;
    for (std::int64_t at = 0; at < 4 * units; ++at) i[at] = input[at] + inner[at];
    activate(Activation::Sigmoid, i, 2 * units);
    activate(step.activation, g, units);
    activate(Activation::Sigmoid, o, units);
    for (std::int64_t u = 0; u < units; ++u)
      c[u] = (step.savedBefore ? f[u] * step.savedBefore[4 * units + u] : Real{0}) + i[u] * g[u];
    std::copy_n(c, units, bent);
    activate(step.activation, bent, units);
    for (std::int64_t u = 0; u < units; ++u) out[u] = o[u] * bent[u];
  }

  /// carry is the gradient of c that comes from the step after.
  static void backward(const CellStep<Real>& step, const Real*, const Real* dOut, Real* carry, Real* dInput,
                       Real* dInner, Real* dBefore) {
    const std::int64_t units = step.units;
    const Real *i = step.saved, *f = i + units, *g = f + units, *o = g + units, *bent = o + 2 * units;
    Real *di = dInput, *df = di + units, *dg = df + units, *dO = dg + units;
    for (std::int64_t u = 0; u < units; ++u) di[u] = dOut[u] * o[u];
    activationGradient(step.activation, bent, di, di, units);
    for (std::int64_t u = 0; u < units; ++u) {
      const Real dc = carry[u] + di[u], before = step.savedBefore ? step.savedBefore[4 * units + u] : Real{0};
      dO[u] = dOut[u] * bent[u];
      di[u] = dc * g[u];
      df[u] = dc * before;
      dg[u] = dc * i[u];
      carry[u] = dc * f[u];
    }
    activationGradient(Activation::Sigmoid, i, di, di, 2 * units);
    activationGradient(step.activation, g, dg, dg, units);
    activationGradient(Activation::Sigmoid, o, dO, dO, units);
    std::copy_n(dInput, 4 * units, dInner);
    std::fill_n(dBefore, units, Real{0});
  }
};

}  // namespace

LayerDef lstmLayer() {
  LayerDef def;
  makeRecurrent(def);
  def.type = "lstm";
  def.title = "LSTM";
  def.stem = "lstm";
  def.icon = "lstm";
  def.help = std::string("Reads a sequence step by step with a memory of its own: gates that it learns say what goes "
                         "in, what is kept and what is put out, so that it can remember over many steps.") +
             kRowsHelp;
  def.inferShape = [](const Fields& fields, Shape in) { return recurrentShape("LSTM", fields, in); };
  def.params = [](const Fields& fields, Shape in) {
    return recurrentParams(fields, in, 4, {4 * fields.integer("units")}, "unit_forget");
  };
  def.macs = [](const Fields& fields, Shape in) { return recurrentMacs(fields, in, 4); };
  def.shortText = [](const Fields& fields) {
    return std::string(1, 'L').append(std::to_string(fields.integer("units")));
  };
  setRecurrentOp<LstmCell>(def);
  def.examples = {
      {R"({"units": 5})", Shape::sequence(4, 3)},
      {R"({"units": 17, "return_sequences": true})", Shape::image(3, 5, 2)},
      {R"({"units": 1, "return_sequences": true, "activation": "linear"})", Shape::sequence(1, 1)},
      {R"({"units": 16, "activation": "sigmoid"})", Shape::sequence(3, 7)},
  };
  return def;
}

}  // namespace strata

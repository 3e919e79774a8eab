// SPDX-License-Identifier: Apache-2.0
// GRU (Cho et al. 2014) in Keras's form with reset_after, gates in the order z r h. With a = x[t] · kernel + bias[0]
// and b = h[t-1] · recurrent_kernel + bias[1]: z = sigmoid(a.z + b.z), r = sigmoid(a.r + b.r), g = act(a.h + r b.h),
// h[t] = z h[t-1] + (1 - z) g.
#include "engine/layers/recurrent.h"

namespace strata {
namespace {

template <class Real>
struct GruCell {
  static constexpr int kGates = 3, kSaved = 4;  ///< z r g, b.h
  static constexpr bool kTwoBiases = true;

  static void forward(const CellStep<Real>& step, const Real* input, const Real* inner, Real* out) {
    const std::int64_t units = step.units;
    Real *z = step.saved, *r = z + units, *g = r + units;
    for (std::int64_t u = 0; u < 2 * units; ++u) z[u] = input[u] + inner[u];
    activate(Activation::Sigmoid, z, 2 * units);
    for (std::int64_t u = 0; u < units; ++u) g[u] = input[2 * units + u] + r[u] * inner[2 * units + u];
    activate(step.activation, g, units);
    std::copy_n(inner + 2 * units, units, g + units);
    for (std::int64_t u = 0; u < units; ++u) out[u] = z[u] * step.before[u] + (1 - z[u]) * g[u];
  }

  static void backward(const CellStep<Real>& step, const Real*, const Real* dOut, Real*, Real* dInput, Real* dInner,
                       Real* dBefore) {
    const std::int64_t units = step.units;
    const Real *z = step.saved, *r = z + units, *g = r + units, *inner = g + units;
    Real *dz = dInput, *dr = dz + units, *dg = dr + units;
    for (std::int64_t u = 0; u < units; ++u) dg[u] = dOut[u] * (1 - z[u]);
    activationGradient(step.activation, g, dg, dg, units);
    for (std::int64_t u = 0; u < units; ++u) {
      dz[u] = dOut[u] * (step.before[u] - g[u]);
      dr[u] = dg[u] * inner[u];
      dBefore[u] = dOut[u] * z[u];
    }
    activationGradient(Activation::Sigmoid, z, dz, dz, 2 * units);
    std::copy_n(dInput, 2 * units, dInner);
    for (std::int64_t u = 0; u < units; ++u) dInner[2 * units + u] = dg[u] * r[u];
  }
};

}  // namespace

LayerDef gruLayer() {
  LayerDef def;
  makeRecurrent(def);
  def.type = "gru";
  def.title = "GRU";
  def.stem = "gru";
  def.icon = "gru";
  def.help = std::string("Reads a sequence step by step and learns at each how much of its memory to keep and how much "
                         "to renew. Often as good as an LSTM, with a quarter fewer weights.") +
             kRowsHelp;
  def.inferShape = [](const Fields& fields, Shape in) { return recurrentShape("GRU", fields, in); };
  def.params = [](const Fields& fields, Shape in) {
    return recurrentParams(fields, in, 3, {2, 3 * fields.integer("units")}, "zeros");
  };
  def.macs = [](const Fields& fields, Shape in) { return recurrentMacs(fields, in, 3); };
  def.shortText = [](const Fields& fields) {
    return std::string(1, 'G').append(std::to_string(fields.integer("units")));
  };
  setRecurrentOp<GruCell>(def);
  def.examples = {
      {R"({"units": 5})", Shape::sequence(4, 3)},
      {R"({"units": 18, "return_sequences": true})", Shape::image(3, 5, 2)},
      {R"({"units": 1, "return_sequences": true, "activation": "linear"})", Shape::sequence(1, 1)},
      {R"({"units": 16, "activation": "sigmoid"})", Shape::sequence(3, 7)},
  };
  return def;
}

}  // namespace strata

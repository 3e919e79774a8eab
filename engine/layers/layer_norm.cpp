// SPDX-License-Identifier: Apache-2.0
// Layer normalization (Ba et al. 2016), in Keras's form: the channels at each place are brought to mean 0 and variance
// 1, then scaled and shifted. y = act(gamma * (x - mean) / sqrt(variance + epsilon) + beta).
#include "engine/layers/common.h"

namespace strata {
namespace {

std::vector<ParamInfo> layerNormParams(const Fields&, Shape in) {
  return {{"gamma", {in.c}, {"ones"}, in.c, in.c}, {"beta", {in.c}, {"zeros"}, in.c, in.c}};
}

template <class Real>
class LayerNormOp : public BasicOp<Real> {
 public:
  explicit LayerNormOp(const Site& site)
      : m_channels(site.in.c), m_places(site.in.places()), m_epsilon(static_cast<Real>(site.fields.real("epsilon"))),
        m_activation(activationOf(site.fields)), m_normalized(static_cast<std::size_t>(m_channels)) {}

  void forward(const BasicOpIo<Real>& io) override {
    const Real *gamma = io.weights.data(), *beta = gamma + m_channels;
    for (std::int64_t i = 0; i < io.batch * m_places; ++i) {
      normalize(io.x + i * m_channels);
      Real* y = io.y + i * m_channels;
      for (std::int64_t c = 0; c < m_channels; ++c) y[c] = m_normalized[at(c)] * gamma[c] + beta[c];
    }
    activate(m_activation, io.y, io.batch * m_places * m_channels);
  }

  /// With g = dz gamma and xh the normalized x, each mean over the channels: dx = (g - mean(g) - xh mean(g xh)) /
  /// sqrt(variance + epsilon).
  void backward(const BasicOpIo<Real>& io) override {
    const std::int64_t rows = io.batch * m_places;
    m_dz.resize(at(rows * m_channels));
    activationGradient(m_activation, io.y, io.dy, m_dz.data(), rows * m_channels);
    std::fill(io.gradients.begin(), io.gradients.end(), Real{0});
    const Real* gamma = io.weights.data();
    Real *dGamma = io.gradients.data(), *dBeta = dGamma + m_channels;
    for (std::int64_t i = 0; i < rows; ++i) {
      const Real inverse = normalize(io.x + i * m_channels), *dz = m_dz.data() + i * m_channels;
      Real sum = 0, product = 0;
      for (std::int64_t c = 0; c < m_channels; ++c) {
        dGamma[c] += dz[c] * m_normalized[at(c)];
        dBeta[c] += dz[c];
        sum += dz[c] * gamma[c];
        product += dz[c] * gamma[c] * m_normalized[at(c)];
      }
      if (!io.dx) continue;
      for (std::int64_t c = 0; c < m_channels; ++c)
        io.dx[i * m_channels + c] =
            inverse * (dz[c] * gamma[c] - (sum + m_normalized[at(c)] * product) / static_cast<Real>(m_channels));
    }
  }

 private:
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
  /// Fills m_normalized from the channels of one place; returns 1 / sqrt(variance + epsilon).
  Real normalize(const Real* x) {
    Real mean = 0, variance = 0;
    for (std::int64_t c = 0; c < m_channels; ++c) mean += x[c];
    mean /= static_cast<Real>(m_channels);
    for (std::int64_t c = 0; c < m_channels; ++c) variance += (x[c] - mean) * (x[c] - mean);
    const Real inverse = 1 / std::sqrt(variance / static_cast<Real>(m_channels) + m_epsilon);
    for (std::int64_t c = 0; c < m_channels; ++c) m_normalized[at(c)] = (x[c] - mean) * inverse;
    return inverse;
  }

  const std::int64_t m_channels, m_places;
  const Real m_epsilon;
  const Activation m_activation;
  std::vector<Real> m_normalized;  ///< [C], of one place
  std::vector<Real> m_dz;          ///< [N, in] gradient before the activation
};

}  // namespace

LayerDef layerNormLayer() {
  LayerDef def;
  def.type = "layer_norm";
  def.title = "Layer norm";
  def.stem = "ln";
  def.category = "norm";
  def.icon = "ln";
  def.help =
      "Brings the channels at each place, or all values of a vector, to the same mean and spread, then scales and "
      "shifts them by what it learns. Unlike batch norm it looks at one sample only, so it does the same in "
      "training and in use. Usual in nets for sequences.";
  Field epsilon = realField("epsilon", "Epsilon", 1e-3, 1e-12, 1, "Keeps the division sound where nothing varies.");
  epsilon.advanced = true;
  def.fields = {activationField("linear"), epsilon};
  def.inferShape = [](const Fields&, Shape in) { return ShapeResult{in, {}}; };
  def.params = layerNormParams;
  def.macs = [](const Fields&, Shape in) { return in.size(); };
  def.summary = [](const Fields& fields) { return "over the channels" + thenActivation(fields); };
  def.makeOp = makeReferenceOp<LayerNormOp, float>;
  def.makeOp64 = makeReferenceOp<LayerNormOp, double>;
  def.samplesIndependent = true;
  def.examples = {
      {"{}", Shape::sequence(5, 7)},
      {R"({"activation": "relu"})", Shape::image(3, 4, 17)},
      {R"({"epsilon": 0.1, "activation": "tanh"})", Shape::vector(33)},
      {R"({"activation": "softmax"})", Shape::vector(5)},
  };
  for (Example& example : def.examples) example.tolerance = 1e-5;  // a bias before it has nearly no gradient
  return def;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Batch normalization (Ioffe & Szegedy 2015), in Keras's form: each channel is brought to mean 0 and variance 1 over
// the batch and all pixels, then scaled and shifted. y = act(gamma * (x - mean) / sqrt(variance + epsilon) + beta).
// After training, and where the layer is frozen, the moving statistics take the batch's place.
#include "engine/layers/common.h"

namespace strata {
namespace {

ParamInfo channels(const char* name, int count, const char* initial, ParamInfo::Role role) {
  ParamInfo param{name, {count}, {initial}};
  param.role = role;
  return param;
}

std::vector<ParamInfo> batchNormParams(const Fields& fields, Shape in) {
  using Role = ParamInfo::Role;
  std::vector<ParamInfo> params;
  if (fields.flag("scale")) params.push_back(channels("gamma", in.c, "ones", Role::Trained));
  if (fields.flag("center")) params.push_back(channels("beta", in.c, "zeros", Role::Trained));
  params.push_back(channels("moving_mean", in.c, "zeros", Role::Running));
  params.push_back(channels("moving_variance", in.c, "ones", Role::Running));
  return params;
}

template <class Real>
class BatchNormOp : public BasicOp<Real> {
 public:
  explicit BatchNormOp(const Site& site)
      : m_channels(site.in.c), m_pixels(site.in.size() / site.in.c), m_scale(site.fields.flag("scale")),
        m_center(site.fields.flag("center")), m_trainable(site.trainable), m_momentum(site.fields.real("momentum")),
        m_epsilon(site.fields.real("epsilon")), m_activation(activationOf(site.fields)),
        m_mean(static_cast<std::size_t>(m_channels)), m_variance(m_mean.size()), m_gain(m_mean.size()),
        m_shift(m_mean.size()) {}

  void forward(const BasicOpIo<Real>& io) override {
    const std::int64_t rows = io.batch * m_pixels;
    m_byBatch = io.training && m_trainable;
    if (m_byBatch) measure(io.x, rows);
    else
      for (std::int64_t c = 0; c < m_channels; ++c) {
        m_mean[at(c)] = static_cast<double>(running(io.weights, 0)[c]);
        m_variance[at(c)] = static_cast<double>(running(io.weights, 1)[c]);
      }
    for (std::int64_t c = 0; c < m_channels; ++c) {
      const double gamma = m_scale ? static_cast<double>(io.weights[at(c)]) : 1;
      const double beta = m_center ? static_cast<double>(io.weights[at(m_scale ? m_channels + c : c)]) : 0;
      const double gain = gamma / std::sqrt(m_variance[at(c)] + m_epsilon);
      m_gain[at(c)] = static_cast<Real>(gain);
      m_shift[at(c)] = static_cast<Real>(beta - m_mean[at(c)] * gain);
    }
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t c = 0; c < m_channels; ++c)
        io.y[i * m_channels + c] = io.x[i * m_channels + c] * m_gain[at(c)] + m_shift[at(c)];
    activate(m_activation, io.y, rows * m_channels);
  }

  /// With z before the activation and xh the normalized x: dgamma = sum dz xh, dbeta = sum dz, and through the batch's
  /// statistics dx = gain (dz - dbeta / M - xh dgamma / M), M the values of a channel.
  void backward(const BasicOpIo<Real>& io) override {
    const std::int64_t rows = io.batch * m_pixels, count = rows * m_channels;
    m_dz.resize(static_cast<std::size_t>(count));
    activationGradient(m_activation, io.y, io.dy, m_dz.data(), count);
    std::vector<double> sum(m_mean.size()), product(m_mean.size()), inverse(m_mean.size());
    for (std::int64_t c = 0; c < m_channels; ++c) inverse[at(c)] = 1 / std::sqrt(m_variance[at(c)] + m_epsilon);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::size_t c = at(i % m_channels);
      const auto dz = static_cast<double>(m_dz[at(i)]);
      sum[c] += dz;
      product[c] += dz * (static_cast<double>(io.x[i]) - m_mean[c]) * inverse[c];
    }
    writeGradients(io, sum, product);
    if (!io.dx) return;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::size_t c = at(i % m_channels);
      const double dz = static_cast<double>(m_dz[at(i)]);
      const double normalized = (static_cast<double>(io.x[i]) - m_mean[c]) * inverse[c];
      const double through = m_byBatch ? (sum[c] + normalized * product[c]) / static_cast<double>(rows) : 0;
      io.dx[i] = static_cast<Real>(static_cast<double>(m_gain[c]) * (dz - through));
    }
  }

 private:
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
  /// The moving mean (0) or variance (1) in the layer's slice.
  template <class Span>
  auto running(Span slice, int which) const {
    return slice.data() + (m_scale + m_center + which) * m_channels;
  }

  void measure(const Real* x, std::int64_t rows) {
    std::fill(m_mean.begin(), m_mean.end(), 0);
    std::fill(m_variance.begin(), m_variance.end(), 0);
    for (std::int64_t i = 0; i < rows * m_channels; ++i) m_mean[at(i % m_channels)] += static_cast<double>(x[i]);
    for (double& mean : m_mean) mean /= static_cast<double>(rows);
    for (std::int64_t i = 0; i < rows * m_channels; ++i) {
      const double off = static_cast<double>(x[i]) - m_mean[at(i % m_channels)];
      m_variance[at(i % m_channels)] += off * off;
    }
    for (double& variance : m_variance) variance /= static_cast<double>(rows);
  }

  void writeGradients(const BasicOpIo<Real>& io, const std::vector<double>& sum,
                      const std::vector<double>& product) const {
    for (std::int64_t c = 0; c < m_channels; ++c) {
      if (m_scale) io.gradients[at(c)] = static_cast<Real>(product[at(c)]);
      if (m_center) io.gradients[at(m_scale ? m_channels + c : c)] = static_cast<Real>(sum[at(c)]);
      const auto next = [&](Real old, double measured) {
        return m_byBatch ? static_cast<Real>(m_momentum * static_cast<double>(old) + (1 - m_momentum) * measured) : old;
      };
      running(io.gradients, 0)[c] = next(running(io.weights, 0)[c], m_mean[at(c)]);
      running(io.gradients, 1)[c] = next(running(io.weights, 1)[c], m_variance[at(c)]);
    }
  }

  const std::int64_t m_channels, m_pixels;
  const bool m_scale, m_center, m_trainable;
  const double m_momentum, m_epsilon;
  const Activation m_activation;
  bool m_byBatch = false;                  ///< the last forward() took the batch's statistics
  std::vector<double> m_mean, m_variance;  ///< [C], of the last forward()
  std::vector<Real> m_gain, m_shift;       ///< [C]: y = act(gain x + shift)
  std::vector<Real> m_dz;                  ///< [N, in]
};

}  // namespace

LayerDef batchNormLayer() {
  LayerDef def;
  def.type = "batch_norm";
  def.title = "Batch norm";
  def.stem = "bn";
  def.category = "norm";
  def.icon = "bn";
  def.help = "Brings every channel to the same mean and spread over the batch, then scales and shifts it by what it "
             "learns. Deep nets train faster and at higher learning rates with it. Put it between a layer and its "
             "activation; the layer before needs no bias then.";
  Field momentum = realField("momentum", "Momentum", 0.99, 0, 1,
                             "The share of the old moving statistics that is kept at each batch.");
  Field epsilon = realField("epsilon", "Epsilon", 1e-3, 1e-12, 1, "Keeps the division sound where nothing varies.");
  Field center = boolField("center", "Shift", true, "Learns a shift for every channel.");
  Field scale = boolField("scale", "Scale", true, "Learns a factor for every channel.");
  epsilon.advanced = center.advanced = scale.advanced = true;
  def.fields = {activationField("linear"), momentum, epsilon, center, scale};
  def.inferShape = [](const Fields&, Shape in) { return ShapeResult{in, {}}; };
  def.params = batchNormParams;
  def.macs = [](const Fields&, Shape in) { return in.size(); };
  def.summary = [](const Fields& fields) {
    return "momentum " + numberText(fields.real("momentum")) + " · " + activationTitle(fields);
  };
  def.makeOp = makeReferenceOp<BatchNormOp, float>;
  def.makeOp64 = makeReferenceOp<BatchNormOp, double>;
  def.examples = {
      {"{}", Shape::image(4, 3, 5)},
      {R"({"activation": "relu", "momentum": 0.9})", Shape::image(5, 4, 3)},
      {R"({"center": false, "epsilon": 0.1, "activation": "tanh"})", Shape::vector(6)},
      {R"({"scale": false})", Shape::vector(3)},
      {R"({"scale": false, "center": false, "activation": "sigmoid"})", Shape::image(2, 2, 2)},
  };
  for (Example& example : def.examples) example.tolerance = 1e-5;  // a bias before it has no gradient at all
  return def;
}

}  // namespace strata

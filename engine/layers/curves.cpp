// SPDX-License-Identifier: Apache-2.0
// The activations whose gradient needs their input: GELU, Swish, Softplus, Softmax. A person chooses them in the field
// "activation" of a layer; lowering (analysis.cpp) makes a node of the type of that name behind the layer.
#include <numbers>

#include "engine/layers/common.h"

namespace strata {
namespace {

/// x Phi(x), Phi the share of the normal distribution below x: the exact form of Hendrycks & Gimpel 2016.
struct Gelu {
  template <class Real>
  static Real share(Real x) {
    return Real{0.5} * std::erfc(-x / std::numbers::sqrt2_v<Real>);
  }
  template <class Real>
  static Real value(Real x) {
    return x * share(x);
  }
  template <class Real>
  static Real slope(Real x) {
    return share(x) + x * std::exp(-x * x / 2) * std::numbers::inv_sqrtpi_v<Real> / std::numbers::sqrt2_v<Real>;
  }
};

/// x sigmoid(x).
struct Swish {
  template <class Real>
  static Real value(Real x) {
    return x * PlainMath<Real>{}.sigmoid(x);
  }
  template <class Real>
  static Real slope(Real x) {
    const Real share = PlainMath<Real>{}.sigmoid(x);
    return share * (1 + x * (1 - share));
  }
};

/// log(1 + e^x).
struct Softplus {
  template <class Real>
  static Real value(Real x) {
    return std::max(x, Real{0}) + std::log1p(std::exp(-std::abs(x)));
  }
  template <class Real>
  static Real slope(Real x) {
    return PlainMath<Real>{}.sigmoid(x);
  }
};

template <class Curve, class Real>
class CurveOp : public BasicOp<Real> {
 public:
  explicit CurveOp(const Site& site) : m_size(site.in.size()) {}
  void forward(const BasicOpIo<Real>& io) override {
    for (std::int64_t i = 0; i < io.batch * m_size; ++i) io.y[i] = Curve::value(io.x[i]);
  }
  void backward(const BasicOpIo<Real>& io) override {
    if (!io.dx) return;
    for (std::int64_t i = 0; i < io.batch * m_size; ++i) io.dx[i] = io.dy[i] * Curve::slope(io.x[i]);
  }

 private:
  std::int64_t m_size;
};
template <class Real>
using GeluOp = CurveOp<Gelu, Real>;
template <class Real>
using SwishOp = CurveOp<Swish, Real>;
template <class Real>
using SoftplusOp = CurveOp<Softplus, Real>;

/// At each place, y[c] = e^x[c] / sum over the channels of e^x. The largest is taken off first, so that no power is
/// too large.
template <class Real>
class SoftmaxOp : public BasicOp<Real> {
 public:
  explicit SoftmaxOp(const Site& site) : m_places(site.in.places()), m_channels(site.in.c) {}
  void forward(const BasicOpIo<Real>& io) override {
    for (std::int64_t i = 0; i < io.batch * m_places; ++i) {
      const Real* x = io.x + i * m_channels;
      Real *y = io.y + i * m_channels, sum = 0;
      const Real most = *std::max_element(x, x + m_channels);
      for (int c = 0; c < m_channels; ++c) sum += y[c] = std::exp(x[c] - most);
      for (int c = 0; c < m_channels; ++c) y[c] /= sum;
    }
  }
  void backward(const BasicOpIo<Real>& io) override {
    if (!io.dx) return;
    for (std::int64_t i = 0; i < io.batch * m_places; ++i) {
      const Real *y = io.y + i * m_channels, *dy = io.dy + i * m_channels;
      Real* dx = io.dx + i * m_channels;
      Real sum = 0;
      for (int c = 0; c < m_channels; ++c) sum += dy[c] * y[c];
      for (int c = 0; c < m_channels; ++c) dx[c] = y[c] * (dy[c] - sum);
    }
  }

 private:
  const std::int64_t m_places;
  const int m_channels;
};

template <template <class> class OpTemplate>
LayerDef curveDef(const std::string& type, const std::string& title, const std::string& help) {
  LayerDef def;
  def.type = def.stem = type;
  def.title = title;
  def.help = help;
  def.category = "act";
  def.icon = type == "softmax" ? "softmax" : "relu";
  def.hidden = true;
  def.samplesIndependent = true;
  def.inferShape = [](const Fields&, Shape in) { return ShapeResult{in, {}}; };
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields&) { return std::string("bends every value"); };
  def.makeOp = makeReferenceOp<OpTemplate, float>;
  def.makeOp64 = makeReferenceOp<OpTemplate, double>;
  def.examples = {{"{}", Shape::image(3, 5, 7)}, {"{}", Shape::vector(33)}, {"{}", Shape::sequence(4, 17)}};
  return def;
}

}  // namespace

LayerDef geluLayer() {
  return curveDef<GeluOp>("gelu", "GELU", "Each value times the share of a bell curve below it.");
}
LayerDef swishLayer() { return curveDef<SwishOp>("swish", "Swish", "Each value times its sigmoid."); }
LayerDef softplusLayer() {
  return curveDef<SoftplusOp>("softplus", "Softplus", "A smooth ReLU that stays above zero.");
}
LayerDef softmaxLayer() {
  return curveDef<SoftmaxOp>("softmax", "Softmax", "Turns the channels at each place into shares that add up to 1.");
}

}  // namespace strata

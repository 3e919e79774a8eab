// SPDX-License-Identifier: Apache-2.0
// Gaussian noise: in training, y = x + stddev * z, z from a normal distribution. Like what dropout drops, z is a pure
// function of the run's seed, the layer's place, the step and the value's place in the batch.
#include <numbers>

#include "engine/base/rng.h"
#include "engine/layers/common.h"

namespace strata {
namespace {

template <class Real>
class GaussianNoiseOp : public BasicOp<Real> {
 public:
  explicit GaussianNoiseOp(const Site& site)
      : m_size(site.in.size()), m_stream(site.stream), m_deviation(site.fields.real("stddev")) {}

  void forward(const BasicOpIo<Real>& io) override {
    const std::int64_t count = io.batch * m_size;
    std::copy_n(io.x, count, io.y);
    if (!io.training) return;
    Rng rng(io.seed, Stream::Noise, m_stream << 40 | io.step);
    for (std::int64_t i = 0; i < count; i += 2) {
      // Two values from two drawn numbers (Box & Muller 1958), of which the first is never 0.
      const double first = ((rng.next() >> 8) + 1) * 0x1p-24, second = (rng.next() >> 8) * 0x1p-24;
      const double radius = m_deviation * std::sqrt(-2 * std::log(first)), angle = 2 * std::numbers::pi * second;
      io.y[i] += static_cast<Real>(radius * std::cos(angle));
      if (i + 1 < count) io.y[i + 1] += static_cast<Real>(radius * std::sin(angle));
    }
  }
  void backward(const BasicOpIo<Real>& io) override {
    if (io.dx) std::copy_n(io.dy, io.batch * m_size, io.dx);
  }

 private:
  std::int64_t m_size;
  std::uint64_t m_stream;
  double m_deviation;
};

}  // namespace

LayerDef gaussianNoiseLayer() {
  LayerDef def;
  def.type = "gaussian_noise";
  def.title = "Gaussian noise";
  def.stem = "noise";
  def.category = "reg";
  def.icon = "noise";
  def.help = "Adds a little random noise to every value in each training step, so that the net learns not to mind it "
             "and overfits less. When the net is used it does nothing. Usually the first layer.";
  def.fields = {realField("stddev", "Deviation", 0.1, 0, 100,
                          "The standard deviation of the noise; inputs usually lie between 0 and 1.")};
  def.inferShape = [](const Fields&, Shape in) { return ShapeResult{in, {}}; };
  def.onlyInTraining = true;
  def.shortText = [](const Fields&) { return std::string("noise"); };
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields& fields) { return "deviation " + numberText(fields.real("stddev")); };
  def.makeOp = makeReferenceOp<GaussianNoiseOp, float>;
  def.makeOp64 = makeReferenceOp<GaussianNoiseOp, double>;
  def.examples = {{"{}", Shape::vector(37)}, {R"({"stddev": 0.5})", Shape::image(3, 5, 3)}};
  return def;
}

}  // namespace strata

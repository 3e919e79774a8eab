// SPDX-License-Identifier: Apache-2.0
// Dropout (Srivastava et al. 2014), inverted as in Keras: in training a share of the values is set to zero and the rest
// scaled up by 1 / (1 - rate). Which ones is a pure function of the run's seed, the layer's place, the step and the
// value's place, so a resumed run and every backend drop the same.
#include "engine/base/rng.h"
#include "engine/layers/common.h"

namespace strata {
namespace {

template <class Real>
class DropoutOp : public BasicOp<Real> {
 public:
  explicit DropoutOp(const Site& site)
      : m_size(site.in.size()), m_stream(site.stream), m_rate(site.fields.real("rate")) {}

  void forward(const BasicOpIo<Real>& io) override { apply(io, io.x, io.y); }
  void backward(const BasicOpIo<Real>& io) override {
    if (io.dx) apply(io, io.dy, io.dx);
  }

 private:
  void apply(const BasicOpIo<Real>& io, const Real* from, Real* to) const {
    const std::int64_t count = io.batch * m_size;
    if (!io.training) {
      std::copy_n(from, count, to);
      return;
    }
    const auto threshold = static_cast<std::uint32_t>(m_rate * 0x1p32);  // rate < 1
    const auto scale = static_cast<Real>(1 / (1 - m_rate));
    Rng rng(io.seed, Stream::Dropout, m_stream << 40 | io.step);
    for (std::int64_t i = 0; i < count; ++i) to[i] = rng.next() >= threshold ? from[i] * scale : Real{0};
  }

  std::int64_t m_size;
  std::uint64_t m_stream;
  double m_rate;
};

}  // namespace

LayerDef dropoutLayer() {
  LayerDef def;
  def.type = "dropout";
  def.title = "Dropout";
  def.stem = "dropout";
  def.category = "reg";
  def.icon = "dropout";
  def.help = "Sets a random share of its values to zero in every training step, so that the net cannot lean on single "
             "ones and "
             "overfits less. When the net is used it does nothing. Usually placed before the last Dense layers.";
  def.fields = {realField("rate", "Rate", 0.5, 0, 0.99, "The share of values set to zero in each training step.")};
  def.inferShape = [](const Fields&, Shape in) { return ShapeResult{in, {}}; };
  def.onlyInTraining = true;
  def.shortText = [](const Fields&) { return std::string("drop"); };
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields& fields) { return "rate " + numberText(fields.real("rate")); };
  def.makeOp = makeReferenceOp<DropoutOp, float>;
  def.makeOp64 = makeReferenceOp<DropoutOp, double>;
  def.examples = {{"{}", Shape::vector(37)}, {R"({"rate": 0.25})", Shape::image(3, 4, 5)}};
  return def;
}

}  // namespace strata

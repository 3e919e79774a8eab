// SPDX-License-Identifier: Apache-2.0
// Dropout (Srivastava et al. 2014), inverted as in Keras: in training a share of the values is set to zero and the rest
// scaled up by 1 / (1 - rate). Spatial dropout (Tompson et al. 2015) does so to whole channels of an image. Which ones
// is a pure function of the run's seed, the layer's place, the step and the value's (or channel's) place in the batch,
// so a resumed run and every backend drop the same.
#include "engine/base/rng.h"
#include "engine/layers/common.h"

namespace strata {
namespace {

/// `places` values in a row, a channel apart, live or die together: 1 of dropout, all pixels of spatial dropout.
template <class Real>
class SharedDropoutOp : public BasicOp<Real> {
 public:
  SharedDropoutOp(const Site& site, std::int64_t places)
      : m_places(places), m_each(site.in.size() / places), m_stream(site.stream), m_rate(site.fields.real("rate")) {}

  void forward(const BasicOpIo<Real>& io) override { apply(io, io.x, io.y); }
  void backward(const BasicOpIo<Real>& io) override {
    if (io.dx) apply(io, io.dy, io.dx);
  }

 private:
  void apply(const BasicOpIo<Real>& io, const Real* from, Real* to) const {
    if (!io.training) {
      std::copy_n(from, io.batch * m_places * m_each, to);
      return;
    }
    const auto threshold = static_cast<std::uint32_t>(m_rate * 0x1p32);  // rate < 1
    const auto scale = static_cast<Real>(1 / (1 - m_rate));
    Rng rng(io.seed, Stream::Dropout, m_stream << 40 | io.step);
    for (std::int64_t n = 0; n < io.batch; ++n, from += m_places * m_each, to += m_places * m_each)
      for (std::int64_t c = 0; c < m_each; ++c) {
        const bool lives = rng.next() >= threshold;
        for (std::int64_t i = c; i < m_places * m_each; i += m_each) to[i] = lives ? from[i] * scale : Real{0};
      }
  }

  std::int64_t m_places, m_each;  ///< values of a sample that are drawn for
  std::uint64_t m_stream;
  double m_rate;
};

template <class Real>
class DropoutOp : public SharedDropoutOp<Real> {
 public:
  explicit DropoutOp(const Site& site) : SharedDropoutOp<Real>(site, 1) {}
};
template <class Real>
class SpatialDropoutOp : public SharedDropoutOp<Real> {
 public:
  explicit SpatialDropoutOp(const Site& site) : SharedDropoutOp<Real>(site, site.in.places()) {}
};

LayerDef dropoutDef() {
  LayerDef def;
  def.category = "reg";
  def.icon = "dropout";
  def.inferShape = [](const Fields&, Shape in) { return ShapeResult{in, {}}; };
  def.onlyInTraining = true;
  def.shortText = [](const Fields&) { return std::string("drop"); };
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields& fields) { return "rate " + numberText(fields.real("rate")); };
  return def;
}

}  // namespace

LayerDef dropoutLayer() {
  LayerDef def = dropoutDef();
  def.type = "dropout";
  def.title = "Dropout";
  def.stem = "dropout";
  def.help = "Sets a random share of its values to zero in every training step, so that the net cannot lean on single "
             "ones and overfits less. When the net is used it does nothing. Usually placed before the last Dense "
             "layers.";
  def.fields = {realField("rate", "Rate", 0.5, 0, 0.99, "The share of values set to zero in each training step.")};
  def.makeOp = makeReferenceOp<DropoutOp, float>;
  def.makeOp64 = makeReferenceOp<DropoutOp, double>;
  def.examples = {{"{}", Shape::vector(37)}, {R"({"rate": 0.25})", Shape::image(3, 4, 5)}};
  return def;
}

LayerDef spatialDropout2dLayer() {
  LayerDef def = dropoutDef();
  def.type = "spatial_dropout2d";
  def.title = "Spatial dropout";
  def.stem = "sdropout";
  def.icon = "sdrop";
  def.help =
      "Sets a random share of whole channels to zero in every training step. Neighbouring pixels tell nearly the "
      "same, so between convolutions this works better than dropping single values. When the net is used it "
      "does nothing.";
  def.fields = {realField("rate", "Rate", 0.5, 0, 0.99, "The share of channels set to zero in each training step.")};
  def.inferShape = [](const Fields&, Shape in) {
    return in.isImage() ? ShapeResult{in, {}} : ShapeResult{{}, needsImage("Spatial dropout", in)};
  };
  def.makeOp = makeReferenceOp<SpatialDropoutOp, float>;
  def.makeOp64 = makeReferenceOp<SpatialDropoutOp, double>;
  def.examples = {{"{}", Shape::image(3, 4, 5)}, {R"({"rate": 0.25})", Shape::image(2, 3, 35)}};
  return def;
}

}  // namespace strata

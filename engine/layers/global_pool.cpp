// SPDX-License-Identifier: Apache-2.0
// Global average pooling: the mean of every channel over the whole image.
#include "engine/layers/common.h"

namespace strata {
namespace {

ShapeResult globalShape(const Fields&, Shape in) {
  if (!in.isImage()) return {{}, needsImage("Global average", in)};
  return {Shape::vector(in.c), {}};
}

template <class Real>
class GlobalAveragePoolOp : public BasicOp<Real> {
 public:
  explicit GlobalAveragePoolOp(const Site& site) : m_channels(site.in.c), m_pixels(site.in.size() / site.in.c) {}

  void forward(const BasicOpIo<Real>& io) override {
    for (std::int64_t n = 0; n < io.batch; ++n) {
      Real* y = io.y + n * m_channels;
      std::fill_n(y, m_channels, Real{0});
      for (std::int64_t i = 0; i < m_pixels; ++i)
        for (std::int64_t c = 0; c < m_channels; ++c) y[c] += io.x[(n * m_pixels + i) * m_channels + c];
      for (std::int64_t c = 0; c < m_channels; ++c) y[c] /= static_cast<Real>(m_pixels);
    }
  }
  void backward(const BasicOpIo<Real>& io) override {
    if (!io.dx) return;
    for (std::int64_t n = 0; n < io.batch; ++n)
      for (std::int64_t i = 0; i < m_pixels; ++i)
        for (std::int64_t c = 0; c < m_channels; ++c)
          io.dx[(n * m_pixels + i) * m_channels + c] = io.dy[n * m_channels + c] / static_cast<Real>(m_pixels);
  }

 private:
  const std::int64_t m_channels, m_pixels;
};

}  // namespace

LayerDef globalAveragePoolLayer() {
  LayerDef def;
  def.type = "global_avg_pool";
  def.title = "Global average";
  def.stem = "gap";
  def.category = "pool";
  def.icon = "gap";
  def.help =
      "Takes the mean of every channel over the whole image, so that a vector with one value a channel is left. In "
      "front of the last Dense layer it saves many weights. It has nothing to train.";
  def.samplesIndependent = true;
  def.inferShape = globalShape;
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields&) { return std::string("one value a channel, no parameters"); };
  def.makeOp = makeReferenceOp<GlobalAveragePoolOp, float>;
  def.makeOp64 = makeReferenceOp<GlobalAveragePoolOp, double>;
  def.examples = {{"{}", Shape::image(5, 4, 3)}, {"{}", Shape::image(1, 1, 7)}};
  return def;
}

}  // namespace strata

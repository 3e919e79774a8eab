// SPDX-License-Identifier: Apache-2.0
// Global pooling: the mean, or the largest value, of every channel over the whole image.
#include "engine/layers/common.h"

namespace strata {
namespace {

ShapeResult globalShape(const Fields&, Shape in) {
  if (!in.isImage()) return {{}, needsImage("Global pooling", in)};
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

/// The first of equal values wins; a NaN wins over everything, so that it is seen.
template <class Real>
class GlobalMaxPoolOp : public BasicOp<Real> {
 public:
  explicit GlobalMaxPoolOp(const Site& site)
      : m_channels(site.in.c), m_pixels(site.in.places()),
        m_winners(static_cast<std::size_t>(site.maxBatch * site.in.c)) {}

  void forward(const BasicOpIo<Real>& io) override {
    for (std::int64_t n = 0; n < io.batch; ++n) {
      const Real* x = io.x + n * m_pixels * m_channels;
      Real* y = io.y + n * m_channels;
      std::int32_t* winners = m_winners.data() + n * m_channels;
      std::copy_n(x, m_channels, y);
      std::fill_n(winners, m_channels, 0);
      for (std::int64_t i = 0; i < m_pixels; ++i)
        for (std::int64_t c = 0; c < m_channels; ++c) {
          const Real value = x[i * m_channels + c];
          const bool wins = (value > y[c]) | (value != value);
          y[c] = wins ? value : y[c];
          winners[c] = wins ? static_cast<std::int32_t>(i) : winners[c];
        }
    }
  }
  void backward(const BasicOpIo<Real>& io) override {
    if (!io.dx) return;
    std::fill_n(io.dx, io.batch * m_pixels * m_channels, Real{0});
    for (std::int64_t n = 0; n < io.batch; ++n)
      for (std::int64_t c = 0; c < m_channels; ++c) {
        const std::int64_t winner = m_winners[static_cast<std::size_t>(n * m_channels + c)];
        io.dx[(n * m_pixels + winner) * m_channels + c] = io.dy[n * m_channels + c];
      }
  }

 private:
  const std::int64_t m_channels, m_pixels;
  std::vector<std::int32_t> m_winners;  ///< [N, C] the pixel that each output took
};

LayerDef globalDef() {
  LayerDef def;
  def.category = "pool";
  def.samplesIndependent = true;
  def.inferShape = globalShape;
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields&) { return std::string("one value a channel, no parameters"); };
  def.examples = {{"{}", Shape::image(5, 4, 3)}, {"{}", Shape::image(1, 1, 7)}, {"{}", Shape::image(3, 7, 33)}};
  return def;
}

}  // namespace

LayerDef globalAveragePoolLayer() {
  LayerDef def = globalDef();
  def.type = "global_avg_pool";
  def.title = "Global average";
  def.stem = "gap";
  def.icon = "gap";
  def.help =
      "Takes the mean of every channel over the whole image, so that a vector with one value a channel is left. In "
      "front of the last Dense layer it saves many weights. It has nothing to train.";
  def.makeOp = makeReferenceOp<GlobalAveragePoolOp, float>;
  def.makeOp64 = makeReferenceOp<GlobalAveragePoolOp, double>;
  return def;
}

LayerDef globalMaxPoolLayer() {
  LayerDef def = globalDef();
  def.type = "global_max_pool";
  def.title = "Global max";
  def.stem = "gmp";
  def.icon = "gmp";
  def.help =
      "Keeps the largest value of every channel over the whole image: whether a pattern is there at all, wherever it "
      "is. In front of the last Dense layer it saves many weights. It has nothing to train.";
  def.makeOp = makeReferenceOp<GlobalMaxPoolOp, float>;
  def.makeOp64 = makeReferenceOp<GlobalMaxPoolOp, double>;
  return def;
}

}  // namespace strata

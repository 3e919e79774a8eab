// SPDX-License-Identifier: Apache-2.0
// Max pool and average pool: the largest or the mean value under a window that slides over each channel of an image.
// This file is the one to copy for a new layer. It holds, top to bottom: the fields, the shape rule, the reference ops,
// and the LayerDefs that name them all; one line each in layers.h, all_layers.cpp and CMakeLists.txt makes it known to
// the whole program. Edges as Keras: windows that reach over the edge ("same") ignore the padding, in the mean's count
// as well.
#include <numeric>

#include "engine/layers/common.h"

namespace strata {
namespace {

// What a person can set. From this come the form, the JSON, the limits and the help.
std::vector<Field> poolFields() {
  Field window = pairField("pool_size", "Window", 2, 1, 1024, "Height and width of the window.");
  Field strides = pairField("strides", "Stride", 0, 0, 1024,
                            "How far the window moves each time. As the window: windows lie side by side.");
  strides.zeroText = "as window";
  window.unit = strides.unit = "px";
  return {
      window,
      strides,
      paddingField("Valid drops what no longer fills a window at the lower and right edge; Same keeps it."),
  };
}

Pair stridesOf(const Fields& fields) {
  const Pair strides = fields.pair("strides"), window = fields.pair("pool_size");
  return {strides.h == 0 ? window.h : strides.h, strides.w == 0 ? window.w : strides.w};
}

// How the window slides down and across.
Slides poolSlides(const Fields& fields, Shape in) {
  const Pair window = fields.pair("pool_size"), strides = stridesOf(fields);
  const bool same = fields.text("padding") == "same";
  return {slide(in.h, window.h, strides.h, same), slide(in.w, window.w, strides.w, same)};
}

// The shape rule: an output shape, or one helpful issue. It is asked at every keystroke, so it never throws.
ShapeResult poolShape(const Fields& fields, Shape in) {
  if (!in.isImage()) return {{}, needsImage("A pooling layer", in)};
  if (fields.text("padding") == "valid")
    if (auto issue = windowIssue("Window", "pool_size", fields.pair("pool_size"), 2, in)) return {{}, issue};
  const Slides slides = poolSlides(fields, in);
  return {Shape::image(slides.y.out, slides.x.out, in.c), {}};
}

std::string poolSummary(const Fields& fields) {
  const Pair strides = stridesOf(fields);
  const std::string stride = strides.h == strides.w ? std::to_string(strides.h) : pairText(strides);
  return pairText(fields.pair("pool_size")) + " · stride " + stride +
         (fields.text("padding") == "same" ? " · same" : "");
}

// The reference ops. Written once for float (training) and double (gradient checks), plain loops, channels innermost.
template <class Real>
class MaxPool2dOp : public BasicOp<Real> {
 public:
  explicit MaxPool2dOp(const Site& site)
      : m_in(site.in), m_out(site.out), m_slides(poolSlides(site.fields, site.in)),
        m_winners(site.maxBatch * site.out.size()) {}

  void forward(const BasicOpIo<Real>& io) override {
    std::int64_t o = 0;  // of the output pixel's first channel
    for (int n = 0; n < io.batch; ++n)
      for (int oy = 0; oy < m_out.h; ++oy)
        for (int ox = 0; ox < m_out.w; ++ox, o += m_out.c)
          forwardPixel(io.x + n * m_in.size(), oy, ox, io.y + o, m_winners.data() + o);
  }

  void backward(const BasicOpIo<Real>& io) override {
    if (!io.dx) return;
    std::fill_n(io.dx, io.batch * m_in.size(), Real{0});
    for (int n = 0; n < io.batch; ++n) {
      Real* dx = io.dx + n * m_in.size();
      const std::int64_t begin = n * m_out.size(), end = begin + m_out.size();
      for (std::int64_t o = begin; o < end; ++o) dx[m_winners[o]] += io.dy[o];  // windows may overlap
    }
  }

 private:
  /// Offset in a sample of the first channel under tap (r, s) of the window of output (oy, ox).
  int under(int oy, int ox, int r, int s) const {
    return (m_slides.y.at(oy, r) * m_in.w + m_slides.x.at(ox, s)) * m_in.c;
  }

  /// All channels of one output pixel. The first of equal values wins; a NaN wins over everything, so that it is seen.
  void forwardPixel(const Real* x, int oy, int ox, Real* y, std::int32_t* winners) const {
    const int r0 = m_slides.y.begin(oy), s0 = m_slides.x.begin(ox), first = under(oy, ox, r0, s0), channels = m_in.c;
    std::copy_n(x + first, channels, y);
    std::iota(winners, winners + channels, first);
    for (int r = r0; r < m_slides.y.end(oy); ++r)
      for (int s = s0; s < m_slides.x.end(ox); ++s) {
        const int pixel = under(oy, ox, r, s);
        for (int c = 0; c < channels; ++c) {
          const Real value = x[pixel + c];
          // | and not ||: without a branch this loop becomes vectors.
          const bool wins = (value > y[c]) | (value != value);
          y[c] = wins ? value : y[c];
          winners[c] = wins ? pixel + c : winners[c];
        }
      }
  }

  Shape m_in, m_out;
  Slides m_slides;
  std::vector<std::int32_t> m_winners;  ///< [N, out] which value of the sample each output took
};

template <class Real>
class AvgPool2dOp : public BasicOp<Real> {
 public:
  explicit AvgPool2dOp(const Site& site) : m_in(site.in), m_out(site.out), m_slides(poolSlides(site.fields, site.in)) {}

  void forward(const BasicOpIo<Real>& io) override {
    std::fill_n(io.y, io.batch * m_out.size(), Real{0});
    forEachTap(io.batch, [&](std::int64_t in, std::int64_t out, Real share) {
      for (int c = 0; c < m_in.c; ++c) io.y[out + c] += share * io.x[in + c];
    });
  }

  void backward(const BasicOpIo<Real>& io) override {
    if (!io.dx) return;
    std::fill_n(io.dx, io.batch * m_in.size(), Real{0});
    forEachTap(io.batch, [&](std::int64_t in, std::int64_t out, Real share) {
      for (int c = 0; c < m_in.c; ++c) io.dx[in + c] += share * io.dy[out + c];
    });
  }

 private:
  /// visit(input pixel, output pixel, 1 / taps of that output), pixels as offsets of their first channel.
  template <class Visit>
  void forEachTap(int batch, Visit visit) const {
    std::int64_t out = 0;
    for (int n = 0; n < batch; ++n)
      for (int oy = 0; oy < m_out.h; ++oy)
        for (int ox = 0; ox < m_out.w; ++ox, out += m_out.c) {
          const int r0 = m_slides.y.begin(oy), r1 = m_slides.y.end(oy), s0 = m_slides.x.begin(ox),
                    s1 = m_slides.x.end(ox);
          const Real share = Real{1} / ((r1 - r0) * (s1 - s0));
          for (int r = r0; r < r1; ++r)
            for (int s = s0; s < s1; ++s)
              visit(n * m_in.size() + (m_slides.y.at(oy, r) * m_in.w + m_slides.x.at(ox, s)) * std::int64_t{m_in.c},
                    out, share);
        }
  }

  Shape m_in, m_out;
  Slides m_slides;
};

// Cases for the generated tests: plain, overlapping windows, odd edges with both paddings, and windows that are not
// square.
std::vector<Example> poolExamples() {
  return {
      {"{}", Shape::image(6, 6, 3)},
      {R"({"pool_size": 3, "strides": 2})", Shape::image(7, 8, 5)},
      {R"({"pool_size": 3, "strides": 2, "padding": "same"})", Shape::image(8, 7, 4)},
      {R"({"pool_size": 2, "padding": "same"})", Shape::image(5, 5, 9)},
      {R"({"pool_size": [1, 3], "strides": [2, 1]})", Shape::image(5, 5, 2)},
      {R"({"pool_size": 2, "strides": 3})", Shape::image(9, 9, 1)},
  };
}

// Everything but the op is the same for both.
LayerDef poolDef() {
  LayerDef def;
  def.stem = "pool";
  def.category = "pool";
  def.icon = "pool";
  def.fields = poolFields();
  def.inferShape = poolShape;
  def.params = noParams;
  def.macs = noMacs;
  def.summary = poolSummary;
  def.shortText = [](const Fields&) { return std::string("P"); };
  def.samplesIndependent = true;
  def.examples = poolExamples();
  return def;
}

}  // namespace

LayerDef maxPool2dLayer() {
  LayerDef def = poolDef();
  def.type = "max_pool2d";
  def.title = "Max pool";
  def.help = "Keeps the largest value under each window, channel by channel, so the image shrinks and what was found "
             "stays found "
             "when it moves a little. A 2 × 2 window halves height and width. It has nothing to train.";
  def.makeOp = makeReferenceOp<MaxPool2dOp, float>;
  def.makeOp64 = makeReferenceOp<MaxPool2dOp, double>;
  return def;
}

LayerDef avgPool2dLayer() {
  LayerDef def = poolDef();
  def.type = "avg_pool2d";
  def.title = "Average pool";
  def.icon = "avgpool";
  def.help = "Takes the mean under each window, channel by channel: the image shrinks smoothly and noise averages out. "
             "A 2 × 2 window halves height and width. It has nothing to train.";
  def.makeOp = makeReferenceOp<AvgPool2dOp, float>;
  def.makeOp64 = makeReferenceOp<AvgPool2dOp, double>;
  return def;
}

}  // namespace strata

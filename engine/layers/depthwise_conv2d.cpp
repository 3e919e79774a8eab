// SPDX-License-Identifier: Apache-2.0
// Depthwise Conv 2D: every channel has kernels of its own and sees no other channel. With M kernels a channel,
// y[oy,ox,c*M+m] = act(bias[c*M+m] + sum over r,s of x[oy*stride+r*dilation-pad, ox*stride+s*dilation-pad, c] *
// kernel[r,s,c,m]).
#include "engine/base/text.h"
#include "engine/layers/common.h"

namespace strata {
namespace {

std::vector<Field> depthwiseFields() {
  return {kernelField("Height and width of the patch of its channel that one output pixel looks at."),
          stridesField("How far the kernel moves each time; 2 halves height and width."),
          paddingField("Valid keeps the kernel inside the image, which shrinks by its size less one; Same pads with "
                       "zeros to keep the size."),
          dilationField(),
          intField("depth_multiplier", "Kernels a channel", 1, 1, 256,
                   "How many output channels are made of every input channel."),
          activationField("linear"),
          biasField(),
          initializerField()};
}

ShapeResult depthwiseShape(const Fields& fields, Shape in) {
  if (!in.isImage()) return {{}, needsImage("A convolution", in)};
  if (auto issue = kernelIssue(fields, in)) return {{}, issue};
  const Slides slides = slidesOf(fields, in);
  return {Shape::image(slides.y.out, slides.x.out, in.c * fields.integer("depth_multiplier")), {}};
}

std::vector<ParamInfo> depthwiseParams(const Fields& fields, Shape in) {
  const Pair kernel = fields.pair("kernel_size");
  const int each = fields.integer("depth_multiplier");
  const std::int64_t patch = std::int64_t{kernel.h} * kernel.w;
  std::vector<ParamInfo> params{{"kernel",
                                 {kernel.h, kernel.w, in.c, each},
                                 fields.initializer("kernel_initializer"),
                                 patch * in.c,
                                 patch * each}};
  if (fields.flag("use_bias")) params.push_back({"bias", {in.c * each}, {"zeros"}, in.c * each, in.c * each});
  return params;
}

std::int64_t depthwiseMacs(const Fields& fields, Shape in) {
  const Slides slides = slidesOf(fields, in);
  return saturatingMul(std::int64_t{slides.y.out} * slides.x.out, depthwiseParams(fields, in).front().size());
}

std::string depthwiseSummary(const Fields& fields) {
  const Pair dilation = fields.pair("dilation_rate");
  return counted(fields.integer("depth_multiplier"), "kernel") + " a channel · " +
         pairText(fields.pair("kernel_size")) + " · stride " + strideText(fields.pair("strides")) +
         (fields.text("padding") == "same" ? " · same" : "") +
         (dilation == Pair{1, 1} ? "" : " · dilation " + strideText(dilation)) + thenActivation(fields);
}

template <class Real>
class DepthwiseConv2dOp : public BasicOp<Real> {
 public:
  explicit DepthwiseConv2dOp(const Site& site)
      : m_in(site.in), m_out(site.out), m_slides(slidesOf(site.fields, site.in)), m_each(site.out.c / site.in.c),
        m_activation(activationOf(site.fields)), m_bias(site.fields.flag("use_bias")) {}

  void forward(const BasicOpIo<Real>& io) override {
    const Real* bias = io.weights.data() + kernelSize();
    for (std::int64_t i = 0; i < io.batch * m_out.size(); ++i) io.y[i] = m_bias ? bias[i % m_out.c] : 0;
    eachTap(io.batch, [&](std::int64_t x, std::int64_t y, std::int64_t w) {
      for (int c = 0; c < m_in.c; ++c)
        for (int m = 0; m < m_each; ++m)
          io.y[y + c * m_each + m] += io.x[x + c] * io.weights[index(w + c * m_each + m)];
    });
    activate(m_activation, io.y, io.batch * m_out.size());
  }

  void backward(const BasicOpIo<Real>& io) override {
    m_dz.resize(index(io.batch * m_out.size()));
    activationGradient(m_activation, io.y, io.dy, m_dz.data(), io.batch * m_out.size());
    std::fill(io.gradients.begin(), io.gradients.end(), Real{0});
    if (m_bias)
      for (std::size_t i = 0; i < m_dz.size(); ++i) io.gradients[index(kernelSize()) + i % index(m_out.c)] += m_dz[i];
    if (io.dx) std::fill_n(io.dx, io.batch * m_in.size(), Real{0});
    eachTap(io.batch, [&](std::int64_t x, std::int64_t y, std::int64_t w) {
      for (int c = 0; c < m_in.c; ++c)
        for (int m = 0; m < m_each; ++m) {
          const Real dz = m_dz[index(y + c * m_each + m)];
          io.gradients[index(w + c * m_each + m)] += io.x[x + c] * dz;
          if (io.dx) io.dx[x + c] += io.weights[index(w + c * m_each + m)] * dz;
        }
    });
  }

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  std::int64_t kernelSize() const { return std::int64_t{m_slides.y.kernel} * m_slides.x.kernel * m_out.c; }

  /// visit(x, y, w): the first channel of an input pixel, of the output pixel that sees it, and of the tap between.
  template <class Visit>
  void eachTap(int batch, Visit visit) const {
    const Slide &down = m_slides.y, &across = m_slides.x;
    for (std::int64_t n = 0; n < batch; ++n)
      for (int oy = 0; oy < m_out.h; ++oy)
        for (int ox = 0; ox < m_out.w; ++ox)
          for (int r = down.begin(oy); r < down.end(oy); ++r)
            for (int s = across.begin(ox); s < across.end(ox); ++s)
              visit(n * m_in.size() + (std::int64_t{down.at(oy, r)} * m_in.w + across.at(ox, s)) * m_in.c,
                    n * m_out.size() + (std::int64_t{oy} * m_out.w + ox) * m_out.c,
                    (std::int64_t{r} * across.kernel + s) * m_out.c);
  }

  const Shape m_in, m_out;
  const Slides m_slides;
  const int m_each;  ///< kernels a channel
  const Activation m_activation;
  const bool m_bias;
  std::vector<Real> m_dz;
};

}  // namespace

LayerDef depthwiseConv2dLayer() {
  LayerDef def;
  def.type = "depthwise_conv2d";
  def.title = "Depthwise Conv 2D";
  def.stem = "dwconv";
  def.category = "conv";
  def.icon = "dwconv";
  def.help =
      "Slides kernels of its own over every channel, so channels do not mix. With a 1 × 1 convolution behind it, "
      "which mixes them, it does nearly what a convolution does with a fraction of the weights and the work.";
  def.fields = depthwiseFields();
  def.samplesIndependent = true;
  def.inferShape = depthwiseShape;
  def.params = depthwiseParams;
  def.macs = depthwiseMacs;
  def.summary = depthwiseSummary;
  def.shortText = [](const Fields&) { return std::string("DW"); };
  def.makeOp = makeReferenceOp<DepthwiseConv2dOp, float>;
  def.makeOp64 = makeReferenceOp<DepthwiseConv2dOp, double>;
  def.examples = {
      {"{}", Shape::image(6, 5, 4)},
      {R"({"kernel_size": 3, "padding": "same", "activation": "relu"})", Shape::image(5, 7, 3)},
      {R"({"kernel_size": [2, 3], "strides": 2, "depth_multiplier": 3, "activation": "tanh"})", Shape::image(6, 7, 2)},
      {R"({"kernel_size": 5, "padding": "same", "strides": [1, 2], "use_bias": false})", Shape::image(3, 4, 9)},
      {R"({"kernel_size": 1, "depth_multiplier": 2, "activation": "sigmoid"})", Shape::image(3, 3, 1)},
      {R"({"dilation_rate": 2, "padding": "same", "activation": "relu"})", Shape::image(7, 6, 5)},
      {R"({"dilation_rate": [2, 1], "depth_multiplier": 2, "activation": "swish"})", Shape::image(6, 5, 3)},
  };
  return def;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Conv 2D transposed: every input pixel paints its kernel onto a larger image, which is what a convolution does to the
// gradient on its way back. y[iy*stride+r-pad, ix*stride+s-pad, k] sums x[iy,ix,c] * kernel[r,s,k,c] over all r, s and
// c that fall there; then bias and activation. Sizes as in Keras: with padding Same, stride times the input.
#include "engine/base/text.h"
#include "engine/layers/common.h"
#include "engine/layers/transposed.h"

namespace strata {
namespace {

std::int64_t paintedSide(int in, int kernel, int stride, bool same) {
  return std::int64_t{in} * stride + (same ? 0 : std::max(0, kernel - stride));
}

std::vector<Field> transposeFields() {
  return {
      intField("filters", "Filters", 32, 1, 4096, "How many channels the output has."),
      kernelField("Height and width of the patch of the output that one input pixel paints."),
      stridesField("How far the patches lie apart; 2 doubles height and width."),
      paddingField("Valid keeps all that is painted; Same cuts the edges so that the output is stride times the "
                   "input."),
      activationField("linear"),
      biasField(),
      initializerField(),
  };
}

ShapeResult transposeShape(const Fields& fields, Shape in) {
  if (!in.isImage()) return {{}, needsImage("A convolution", in)};
  const Pair kernel = fields.pair("kernel_size"), strides = fields.pair("strides");
  const bool same = fields.text("padding") == "same";
  const std::int64_t h = paintedSide(in.h, kernel.h, strides.h, same), w = paintedSide(in.w, kernel.w, strides.w, same);
  if (auto issue = sideIssue("strides", h, w)) return {{}, issue};
  return {Shape::image(static_cast<int>(h), static_cast<int>(w), fields.integer("filters")), {}};
}

std::vector<ParamInfo> transposeParams(const Fields& fields, Shape in) {
  const Pair kernel = fields.pair("kernel_size");
  const int filters = fields.integer("filters");
  const std::int64_t patch = std::int64_t{kernel.h} * kernel.w;
  // Keras counts what comes in and goes out by the kernel's sides, whose last one are the inputs here.
  std::vector<ParamInfo> params{{"kernel",
                                 {kernel.h, kernel.w, filters, in.c},
                                 fields.initializer("kernel_initializer"),
                                 patch * filters,
                                 patch * in.c}};
  if (fields.flag("use_bias")) params.push_back({"bias", {filters}, {"zeros"}, filters, filters});
  return params;
}

std::int64_t transposeMacs(const Fields& fields, Shape in) {
  return saturatingMul(in.places(), transposeParams(fields, in).front().size());
}

std::string transposeSummary(const Fields& fields) {
  return counted(fields.integer("filters"), "filter") + " · " + pairText(fields.pair("kernel_size")) + " · stride " +
         strideText(fields.pair("strides")) + (fields.text("padding") == "same" ? " · same" : "") +
         thenActivation(fields);
}

template <class Real>
class Conv2dTransposeOp : public BasicOp<Real> {
 public:
  explicit Conv2dTransposeOp(const Site& site)
      : m_in(site.in), m_out(site.out), m_slides(transposedSlides(site)), m_activation(activationOf(site.fields)),
        m_bias(site.fields.flag("use_bias")) {}

  // The kernel's taps are transposed first to [C, K]: a vector times a matrix for each tap that an input paints.
  void forward(const BasicOpIo<Real>& io) override {
    const std::int64_t tap = std::int64_t{m_out.c} * m_in.c;
    m_transposed.resize(static_cast<std::size_t>(kernelSize()));
    for (std::int64_t at = 0; at < kernelSize(); at += tap)
      transpose(io.weights.data() + at, m_out.c, m_in.c, m_transposed.data() + at);
    for (std::int64_t i = 0; i < io.batch * m_out.size(); ++i)
      io.y[i] = m_bias ? io.weights[static_cast<std::size_t>(kernelSize() + i % m_out.c)] : Real{0};
    eachTap(io.batch, [&](std::int64_t in, std::int64_t out, std::int64_t kernel) {
      addProduct<Real>(m_in.c, m_out.c, io.x + in, 1, m_transposed.data() + kernel, m_out.c, io.y + out);
    });
    activate(m_activation, io.y, io.batch * m_out.size());
  }

  void backward(const BasicOpIo<Real>& io) override {
    const std::int64_t count = io.batch * m_out.size();
    m_dz.resize(static_cast<std::size_t>(count));
    activationGradient(m_activation, io.y, io.dy, m_dz.data(), count);
    std::fill(io.gradients.begin(), io.gradients.end(), Real{0});
    if (m_bias)
      for (std::int64_t i = 0; i < count; ++i)
        io.gradients[static_cast<std::size_t>(kernelSize() + i % m_out.c)] += m_dz[static_cast<std::size_t>(i)];
    if (io.dx) std::fill_n(io.dx, io.batch * m_in.size(), Real{0});
    eachTap(io.batch, [&](std::int64_t in, std::int64_t out, std::int64_t kernel) {
      const Real* dz = m_dz.data() + out;
      for (int k = 0; k < m_out.c; ++k) {
        Real* row = io.gradients.data() + kernel + std::int64_t{k} * m_in.c;
        for (int c = 0; c < m_in.c; ++c) row[c] += dz[k] * io.x[in + c];
      }
      if (io.dx) addProduct<Real>(m_out.c, m_in.c, dz, 1, io.weights.data() + kernel, m_in.c, io.dx + in);
    });
  }

 private:
  std::int64_t kernelSize() const { return std::int64_t{m_slides.y.kernel} * m_slides.x.kernel * m_out.c * m_in.c; }

  /// visit(input pixel, output pixel, the tap between them), each as the offset of its first value.
  template <class Visit>
  void eachTap(int batch, Visit visit) const {
    const Slide &down = m_slides.y, &across = m_slides.x;
    for (std::int64_t n = 0; n < batch; ++n)
      for (int iy = 0; iy < m_in.h; ++iy)
        for (int ix = 0; ix < m_in.w; ++ix)
          for (int r = down.begin(iy); r < down.end(iy); ++r)
            for (int s = across.begin(ix); s < across.end(ix); ++s)
              visit(n * m_in.size() + (std::int64_t{iy} * m_in.w + ix) * m_in.c,
                    n * m_out.size() + (std::int64_t{down.at(iy, r)} * m_out.w + across.at(ix, s)) * m_out.c,
                    (std::int64_t{r} * across.kernel + s) * m_out.c * m_in.c);
  }

  const Shape m_in, m_out;
  const Slides m_slides;
  const Activation m_activation;
  const bool m_bias;
  std::vector<Real> m_dz;          ///< [N, out] gradient before the activation
  std::vector<Real> m_transposed;  ///< kernel as [R, S, C, K]
};

}  // namespace

Slides transposedSlides(const Site& site) { return slidesOf(site.fields, site.out); }

LayerDef conv2dTransposeLayer() {
  LayerDef def;
  def.type = "conv2d_transpose";
  def.title = "Conv 2D transposed";
  def.stem = "deconv";
  def.category = "conv";
  def.icon = "tconv";
  def.help = "The opposite way of a convolution: every pixel paints a learned patch onto a larger image. With stride 2 "
             "it doubles height and width. For nets that draw images or mark pixels; also called deconvolution.";
  def.fields = transposeFields();
  def.inferShape = transposeShape;
  def.params = transposeParams;
  def.macs = transposeMacs;
  def.summary = transposeSummary;
  def.width = "filters";
  def.shortText = [](const Fields& fields) { return "T" + std::to_string(fields.integer("filters")); };
  def.makeOp = makeReferenceOp<Conv2dTransposeOp, float>;
  def.makeOp64 = makeReferenceOp<Conv2dTransposeOp, double>;
  def.samplesIndependent = true;
  def.examples = {
      {R"({"filters": 5})", Shape::image(4, 3, 2)},
      {R"({"filters": 3, "kernel_size": 4, "strides": 2, "padding": "same", "activation": "relu"})",
       Shape::image(3, 5, 4)},
      {R"({"filters": 4, "kernel_size": [2, 3], "strides": [3, 1], "activation": "tanh"})", Shape::image(3, 4, 3)},
      {R"({"filters": 9, "kernel_size": 3, "strides": 2, "padding": "same", "use_bias": false})",
       Shape::image(3, 3, 17)},
      {R"({"filters": 2, "kernel_size": 1, "strides": 2, "padding": "same", "activation": "elu"})",
       Shape::image(2, 3, 1)},
      {R"({"filters": 18, "kernel_size": 5, "padding": "same"})", Shape::image(6, 4, 3)},
  };
  return def;
}

}  // namespace strata

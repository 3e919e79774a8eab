// SPDX-License-Identifier: Apache-2.0
// Conv 2D: every filter slides over the image and answers how well its kernel matches at each place.
// y[oy,ox,k] = act(bias[k] + sum over r,s,c of x[oy*stride+r*dilation-pad, ox*stride+s*dilation-pad, first+c] *
// kernel[r,s,c,k]), where filter k sees the C/groups channels from `first` on that belong to its group.
#include <numeric>

#include "engine/base/text.h"
#include "engine/layers/common.h"

namespace strata {
namespace {

std::vector<Field> convFields() {
  return {
      intField("filters", "Filters", 32, 1, 4096,
               "How many patterns the layer learns to find; the output has one channel for each."),
      kernelField("Height and width of the patch of the input that one output pixel looks at."),
      stridesField("How far the kernel moves each time; 2 halves height and width."),
      paddingField("Valid keeps the kernel inside the image, which shrinks by its size less one; Same pads with zeros "
                   "to keep the size."),
      dilationField(),
      intField("groups", "Groups", 1, 1, 4096,
               "Splits channels and filters into so many groups that do not see each other, which saves weights."),
      activationField("linear"),
      biasField(),
      initializerField(),
  };
}

std::string channelsAndFilters(int channels, int filters) {
  return counted(channels, "channel") + " and " + counted(filters, "filter");
}

std::optional<Issue> groupsIssue(const Fields& fields, Shape in) {
  const int groups = fields.integer("groups"), filters = fields.integer("filters");
  if (in.c % groups == 0 && filters % groups == 0) return std::nullopt;
  int largest = std::gcd(in.c, filters);
  while (largest > groups) {  // the largest number of groups below it that divides both
    do --largest;
    while (in.c % largest != 0 || filters % largest != 0);
  }
  Issue issue;
  issue.field = "groups";
  issue.text = channelsAndFilters(in.c, filters) + " cannot both be split into " + std::to_string(groups) +
               " groups of one size.";
  issue.fixes = {{"Use " + counted(largest, "group"), "groups", std::int64_t{largest}, {}}};
  const int more = (filters + groups - 1) / groups * groups;
  if (in.c % groups == 0 && more <= 4096)
    issue.fixes.push_back({"Use " + counted(more, "filter"), "filters", std::int64_t{more}, {}});
  return issue;
}

ShapeResult convShape(const Fields& fields, Shape in) {
  if (!in.isImage()) return {{}, needsImage("A convolution", in)};
  if (auto issue = kernelIssue(fields, in)) return {{}, issue};
  if (auto issue = groupsIssue(fields, in)) return {{}, issue};
  const Slides slides = slidesOf(fields, in);
  return {Shape::image(slides.y.out, slides.x.out, fields.integer("filters")), {}};
}

std::vector<ParamInfo> convParams(const Fields& fields, Shape in) {
  const Pair kernel = fields.pair("kernel_size");
  const int filters = fields.integer("filters");
  const int seen = in.c / fields.integer("groups");  // channels that one filter sees
  const std::int64_t patch = std::int64_t{kernel.h} * kernel.w;
  std::vector<ParamInfo> params{{"kernel",
                                 {kernel.h, kernel.w, seen, filters},
                                 fields.initializer("kernel_initializer"),
                                 patch * seen,
                                 patch * filters}};
  if (fields.flag("use_bias")) params.push_back({"bias", {filters}, {"zeros"}, filters, filters});
  return params;
}

std::int64_t convMacs(const Fields& fields, Shape in) {
  const Slides slides = slidesOf(fields, in);
  return saturatingMul(std::int64_t{slides.y.out} * slides.x.out, convParams(fields, in).front().size());
}

std::string convSummary(const Fields& fields) {
  const Pair dilation = fields.pair("dilation_rate");
  const int groups = fields.integer("groups");
  return counted(fields.integer("filters"), "filter") + " · " + pairText(fields.pair("kernel_size")) + " · stride " +
         strideText(fields.pair("strides")) + (fields.text("padding") == "same" ? " · same" : "") +
         (dilation == Pair{1, 1} ? "" : " · dilation " + strideText(dilation)) +
         (groups == 1 ? "" : " · " + counted(groups, "group")) + thenActivation(fields);
}

template <class Real>
class Conv2dOp : public BasicOp<Real> {
 public:
  explicit Conv2dOp(const Site& site)
      : m_in(site.in), m_out(site.out), m_slides(slidesOf(site.fields, site.in)),
        m_groups(site.fields.integer("groups")), m_channels(site.in.c / m_groups), m_filters(site.out.c / m_groups),
        m_activation(activationOf(site.fields)), m_bias(site.fields.flag("use_bias")),
        m_rowSize(std::int64_t{m_slides.x.kernel} * m_channels) {}

  void forward(const BasicOpIo<Real>& io) override {
    Real* y = io.y;
    for (int n = 0; n < io.batch; ++n)
      for (int oy = 0; oy < m_out.h; ++oy)
        for (int ox = 0; ox < m_out.w; ++ox, y += m_out.c) forwardPixel(io.weights, io.x + n * m_in.size(), oy, ox, y);
    activate(m_activation, io.y, io.batch * m_out.size());
  }

  void backward(const BasicOpIo<Real>& io) override {
    m_dz.resize(io.batch * m_out.size());
    activationGradient(m_activation, io.y, io.dy, m_dz.data(), io.batch * m_out.size());
    weightGradient(io);
    if (io.dx) inputGradient(io);
  }

 private:
  std::int64_t kernelSize() const { return m_slides.y.kernel * m_rowSize * m_out.c; }
  /// Offset in a sample of the first channel under tap (r, s) of the window of output (oy, ox).
  std::int64_t under(int oy, int ox, int r, int s) const {
    return (std::int64_t{m_slides.y.at(oy, r)} * m_in.w + m_slides.x.at(ox, s)) * m_in.c;
  }

  /// visit(r, first tap, taps) for what of a window lies together in memory, in the input as in the kernel: a row, or
  /// single taps where they are apart or where a group sees some of the channels.
  template <class Visit>
  void eachStretch(int oy, int ox, Visit visit) const {
    const int s0 = m_slides.x.begin(ox), s1 = m_slides.x.end(ox);
    const int taps = m_groups == 1 && m_slides.x.dilation == 1 ? s1 - s0 : 1;
    for (int r = m_slides.y.begin(oy); r < m_slides.y.end(oy); ++r)
      for (int s = s0; s < s1; s += taps) visit(r, s, taps);
  }

  // A vector times a matrix for each stretch and group.
  void forwardPixel(std::span<const Real> weights, const Real* x, int oy, int ox, Real* y) const {
    if (m_bias) std::copy_n(weights.data() + kernelSize(), m_out.c, y);
    else std::fill_n(y, m_out.c, Real{0});
    eachStretch(oy, ox, [&](int r, int s, int taps) {
      const Real* w = weights.data() + (r * m_rowSize + s * m_channels) * m_out.c;
      for (int g = 0; g < m_groups; ++g)
        addProduct<Real>(taps * m_channels, m_filters, x + under(oy, ox, r, s) + g * m_channels, 1, w + g * m_filters,
                         m_out.c, y + g * m_filters);
    });
  }

  // Row (r,s,c) of the kernel's gradient sums x * dz over all places: along one output row, again a vector times a
  // matrix.
  void weightGradient(const BasicOpIo<Real>& io) const {
    std::fill(io.gradients.begin(), io.gradients.end(), Real{0});
    for (int n = 0; n < io.batch; ++n)
      for (int oy = 0; oy < m_out.h; ++oy) {
        const Real* dz = m_dz.data() + (std::int64_t{n} * m_out.h + oy) * m_out.w * m_out.c;
        for (int r = m_slides.y.begin(oy); r < m_slides.y.end(oy); ++r)
          for (int s = 0; s < m_slides.x.kernel; ++s) weightGradientTap(io, n, oy, r, s, dz);
        if (m_bias)
          for (int ox = 0; ox < m_out.w; ++ox)
            for (int k = 0; k < m_out.c; ++k) io.gradients[kernelSize() + k] += dz[ox * m_out.c + k];
      }
  }

  void weightGradientTap(const BasicOpIo<Real>& io, int n, int oy, int r, int s, const Real* dz) const {
    const Slide& slide = m_slides.x;
    int first = 0, last = m_out.w;  // outputs whose tap s lies inside the input
    while (first < last && slide.at(first, s) < 0) ++first;
    while (first < last && slide.at(last - 1, s) >= m_in.w) --last;
    if (first == last) return;
    const Real* x = io.x + n * m_in.size() + under(oy, first, r, s);
    Real* dw = io.gradients.data() + (r * m_rowSize + s * m_channels) * m_out.c;
    for (int g = 0; g < m_groups; ++g)
      for (int c = 0; c < m_channels; ++c)
        addProduct<Real>(last - first, m_filters, x + g * m_channels + c, std::int64_t{slide.stride} * m_in.c,
                         dz + first * m_out.c + g * m_filters, m_out.c, dw + c * m_out.c + g * m_filters);
  }

  // The window's values get back dz times the kernel; the kernel's rows are transposed first to [K, row].
  void inputGradient(const BasicOpIo<Real>& io) {
    m_transposed.resize(kernelSize());
    for (int r = 0; r < m_slides.y.kernel; ++r)
      transpose(io.weights.data() + r * m_rowSize * m_out.c, m_rowSize, m_out.c,
                m_transposed.data() + r * m_rowSize * m_out.c);
    std::fill_n(io.dx, io.batch * m_in.size(), Real{0});
    const Real* dz = m_dz.data();
    for (int n = 0; n < io.batch; ++n)
      for (int oy = 0; oy < m_out.h; ++oy)
        for (int ox = 0; ox < m_out.w; ++ox, dz += m_out.c)
          eachStretch(oy, ox, [&](int r, int s, int taps) {
            const Real* w = m_transposed.data() + r * m_rowSize * m_out.c + s * m_channels;
            for (int g = 0; g < m_groups; ++g)
              addProduct<Real>(m_filters, taps * m_channels, dz + g * m_filters, 1, w + g * m_filters * m_rowSize,
                               m_rowSize, io.dx + n * m_in.size() + under(oy, ox, r, s) + g * m_channels);
          });
  }

  Shape m_in, m_out;
  Slides m_slides;
  int m_groups, m_channels, m_filters;  ///< channels and filters of one group
  Activation m_activation;
  bool m_bias;
  std::int64_t m_rowSize;          ///< values of one sample that one filter meets under one row of the window
  std::vector<Real> m_dz;          ///< [N, out] gradient before the activation
  std::vector<Real> m_transposed;  ///< kernel as [R, K, S*C/groups]
};

}  // namespace

LayerDef conv2dLayer() {
  LayerDef def;
  def.type = "conv2d";
  def.title = "Conv 2D";
  def.stem = "conv";
  def.category = "conv";
  def.icon = "conv";
  def.help = "Slides small learned patterns, the filters, over the image and reports where each one is found. "
             "The same weights serve every place, so a few hundred numbers can learn edges, strokes and textures. "
             "The usual first layers of a net for images; ReLU is the usual activation.";
  def.fields = convFields();
  def.inferShape = convShape;
  def.params = convParams;
  def.macs = convMacs;
  def.summary = convSummary;
  def.width = "filters";
  def.shortText = [](const Fields& fields) { return "C" + std::to_string(fields.integer("filters")); };
  def.makeOp = makeReferenceOp<Conv2dOp, float>;
  def.makeOp64 = makeReferenceOp<Conv2dOp, double>;
  def.samplesIndependent = true;
  def.examples = {
      {R"({"filters": 8, "kernel_size": 5, "activation": "relu"})", Shape::image(9, 9, 1)},
      {R"({"filters": 16, "kernel_size": 3, "padding": "same", "activation": "relu"})", Shape::image(7, 6, 8)},
      {R"({"filters": 5, "kernel_size": 4, "padding": "same", "strides": 2})", Shape::image(7, 8, 3)},
      {R"({"filters": 3, "kernel_size": [2, 3], "strides": [1, 2], "activation": "tanh"})", Shape::image(5, 8, 2)},
      {R"({"filters": 7, "kernel_size": 1, "use_bias": false, "activation": "sigmoid"})", Shape::image(4, 3, 5)},
      {R"({"filters": 2, "kernel_size": 5, "padding": "same", "strides": 3})", Shape::image(2, 3, 1)},
      {R"({"filters": 4, "kernel_size": 3, "activation": "leaky_relu"})", Shape::image(5, 6, 3)},
      {R"({"filters": 9, "kernel_size": 3, "strides": 2, "kernel_initializer": {"type": "uniform", "limit": 0.1}})",
       Shape::image(8, 8, 17)},
      {R"({"filters": 5, "dilation_rate": 2, "padding": "same", "activation": "relu"})", Shape::image(9, 7, 3)},
      {R"({"filters": 3, "kernel_size": [3, 2], "dilation_rate": [2, 3]})", Shape::image(8, 9, 4)},
      {R"({"filters": 4, "dilation_rate": 2, "strides": 2, "padding": "same"})", Shape::image(7, 9, 2)},
      {R"({"filters": 6, "groups": 3, "activation": "elu"})", Shape::image(6, 5, 9)},
      {R"({"filters": 8, "groups": 4, "padding": "same", "strides": 2, "use_bias": false})", Shape::image(5, 6, 4)},
      {R"({"filters": 10, "groups": 2, "dilation_rate": 2, "activation": "gelu"})", Shape::image(7, 6, 6)},
  };
  return def;
}

}  // namespace strata

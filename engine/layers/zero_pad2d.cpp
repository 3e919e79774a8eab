// SPDX-License-Identifier: Apache-2.0
// Zero padding: a frame of zeros around an image.
#include "engine/layers/common.h"

namespace strata {
namespace {

ShapeResult paddedShape(const Fields& fields, Shape in) {
  if (!in.isImage()) return {{}, needsImage("Zero padding", in)};
  const Pair padding = fields.pair("padding");
  if (auto issue = sideIssue("padding", in.h + 2 * padding.h, in.w + 2 * padding.w)) return {{}, issue};
  return {Shape::image(in.h + 2 * padding.h, in.w + 2 * padding.w, in.c), {}};
}

template <class Real>
class ZeroPad2dOp : public BasicOp<Real> {
 public:
  explicit ZeroPad2dOp(const Site& site) : m_in(site.in), m_out(site.out), m_padding(site.fields.pair("padding")) {}

  void forward(const BasicOpIo<Real>& io) override {
    std::fill_n(io.y, io.batch * m_out.size(), Real{0});
    eachRow(io.batch, [&](std::int64_t inner, std::int64_t outer) { copyRow(io.x + inner, io.y + outer); });
  }
  void backward(const BasicOpIo<Real>& io) override {
    if (io.dx)
      eachRow(io.batch, [&](std::int64_t inner, std::int64_t outer) { copyRow(io.dy + outer, io.dx + inner); });
  }

 private:
  void copyRow(const Real* from, Real* to) const { std::copy_n(from, std::int64_t{m_in.w} * m_in.c, to); }
  /// visit(where a row of the input begins, and where it lies in the output).
  template <class Visit>
  void eachRow(int batch, Visit visit) const {
    for (int n = 0; n < batch; ++n)
      for (int row = 0; row < m_in.h; ++row)
        visit(n * m_in.size() + std::int64_t{row} * m_in.w * m_in.c,
              n * m_out.size() + (std::int64_t{row + m_padding.h} * m_out.w + m_padding.w) * m_out.c);
  }

  const Shape m_in, m_out;
  const Pair m_padding;
};

}  // namespace

LayerDef zeroPad2dLayer() {
  LayerDef def;
  def.type = "zero_pad2d";
  def.title = "Zero padding";
  def.stem = "pad";
  def.category = "shape";
  def.icon = "zeropad";
  def.help = "Puts a frame of zeros around an image. A convolution's own padding Same does that as well; this layer is "
             "for a frame of another width. It has nothing to train.";
  Field padding = pairField("padding", "Frame", 1, 0, 1024,
                            "Rows added above and below, and columns added on the left and on the right.");
  padding.unit = "px";
  def.fields = {padding};
  def.inferShape = paddedShape;
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields& fields) { return strideText(fields.pair("padding")) + " px around"; };
  def.makeOp = makeReferenceOp<ZeroPad2dOp, float>;
  def.makeOp64 = makeReferenceOp<ZeroPad2dOp, double>;
  def.samplesIndependent = true;
  def.examples = {
      {"{}", Shape::image(3, 4, 5)},
      {R"({"padding": [2, 1]})", Shape::image(5, 3, 1)},
      {R"({"padding": [0, 3]})", Shape::image(2, 2, 17)},
      {R"({"padding": 0})", Shape::image(2, 3, 2)},
  };
  return def;
}

}  // namespace strata

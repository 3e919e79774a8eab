// SPDX-License-Identifier: Apache-2.0
// Upsampling: an image enlarged by whole numbers, each pixel repeated or drawn out between its neighbours.
#include "engine/layers/common.h"
#include "engine/layers/upsample.h"

namespace strata {

std::vector<UpsampleTap> upsampleTaps(int in, int size, bool bilinear) {
  std::vector<UpsampleTap> taps;
  for (int o = 0; o < in * size; ++o) {
    if (!bilinear) {
      taps.push_back({o / size, o / size, 0});
      continue;
    }
    const double at = std::max(0.0, (o + 0.5) / size - 0.5);
    const int first = std::min(static_cast<int>(at), in - 1);
    taps.push_back({first, std::min(first + 1, in - 1), at - first});
  }
  return taps;
}

namespace {

ShapeResult upsampledShape(const Fields& fields, Shape in) {
  if (!in.isImage()) return {{}, needsImage("Upsampling", in)};
  const Pair size = fields.pair("size");
  if (auto issue = sideIssue("size", std::int64_t{in.h} * size.h, std::int64_t{in.w} * size.w)) return {{}, issue};
  return {Shape::image(in.h * size.h, in.w * size.w, in.c), {}};
}

template <class Real>
class Upsample2dOp : public BasicOp<Real> {
 public:
  explicit Upsample2dOp(const Site& site) : m_in(site.in), m_out(site.out) {
    const Pair size = site.fields.pair("size");
    const bool bilinear = site.fields.text("interpolation") == "bilinear";
    m_rows = upsampleTaps(m_in.h, size.h, bilinear);
    m_cols = upsampleTaps(m_in.w, size.w, bilinear);
  }

  void forward(const BasicOpIo<Real>& io) override {
    std::fill_n(io.y, io.batch * m_out.size(), Real{0});
    eachTap(io.batch, [&](std::int64_t in, std::int64_t out, Real share) {
      for (int c = 0; c < m_in.c; ++c) io.y[out + c] += share * io.x[in + c];
    });
  }
  void backward(const BasicOpIo<Real>& io) override {
    if (!io.dx) return;
    std::fill_n(io.dx, io.batch * m_in.size(), Real{0});
    eachTap(io.batch, [&](std::int64_t in, std::int64_t out, Real share) {
      for (int c = 0; c < m_in.c; ++c) io.dx[in + c] += share * io.dy[out + c];
    });
  }

 private:
  /// visit(input pixel, output pixel, share of the one in the other), pixels as offsets of their first channel.
  template <class Visit>
  void eachTap(int batch, Visit visit) const {
    std::int64_t out = 0;
    for (int n = 0; n < batch; ++n)
      for (const UpsampleTap& row : m_rows)
        for (const UpsampleTap& col : m_cols) {
          const auto tap = [&](int y, int x, double share) {
            if (share > 0) visit(n * m_in.size() + (std::int64_t{y} * m_in.w + x) * m_in.c, out, Real(share));
          };
          tap(row.first, col.first, (1 - row.share) * (1 - col.share));
          tap(row.first, col.second, (1 - row.share) * col.share);
          tap(row.second, col.first, row.share * (1 - col.share));
          tap(row.second, col.second, row.share * col.share);
          out += m_out.c;
        }
  }

  const Shape m_in, m_out;
  std::vector<UpsampleTap> m_rows, m_cols;  ///< of each row and column of the output
};

}  // namespace

LayerDef upsample2dLayer() {
  LayerDef def;
  def.type = "upsample2d";
  def.title = "Upsampling";
  def.stem = "up";
  def.category = "shape";
  def.icon = "upsample";
  def.help = "Enlarges an image by a whole number, the opposite of pooling. Followed by a convolution it is the usual "
             "way back to a large image in nets that draw or mark pixels. It has nothing to train.";
  def.fields = {pairField("size", "Factor", 2, 1, 1024, "How many times as high and as wide the image becomes."),
                choiceField("interpolation", "Between pixels",
                            {{"nearest", "Nearest", "Repeats each pixel."},
                             {"bilinear", "Bilinear", "Goes evenly from one pixel to the next."}},
                            "nearest", "Whether pixels are repeated or drawn out evenly.")};
  def.inferShape = upsampledShape;
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields& fields) {
    return "× " + strideText(fields.pair("size")) + " · " + fields.text("interpolation");
  };
  def.shortText = [](const Fields&) { return std::string("U"); };
  def.makeOp = makeReferenceOp<Upsample2dOp, float>;
  def.makeOp64 = makeReferenceOp<Upsample2dOp, double>;
  def.samplesIndependent = true;
  def.examples = {
      {"{}", Shape::image(3, 4, 5)},
      {R"({"size": [3, 2]})", Shape::image(2, 5, 1)},
      {R"({"interpolation": "bilinear"})", Shape::image(4, 3, 17)},
      {R"({"size": [1, 3], "interpolation": "bilinear"})", Shape::image(3, 1, 2)},
      {R"({"size": [5, 4], "interpolation": "bilinear"})", Shape::image(2, 3, 3)},
  };
  return def;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Flatten and Reshape: the same values, in the same order, as another shape; in memory nothing moves.
#include <numeric>

#include "engine/base/text.h"
#include "engine/layers/common.h"
#include "engine/net/network_spec.h"

namespace strata {
namespace {

template <class Real>
class ReshapeOp : public BasicOp<Real> {
 public:
  explicit ReshapeOp(const Site& site) : m_size(site.in.size()) {}
  void forward(const BasicOpIo<Real>& io) override { std::copy_n(io.x, io.batch * m_size, io.y); }
  void backward(const BasicOpIo<Real>& io) override {
    if (io.dx) std::copy_n(io.dy, io.batch * m_size, io.dx);
  }

 private:
  std::int64_t m_size;
};

LayerDef reshapeDef() {
  LayerDef def;
  def.category = "shape";
  def.params = noParams;
  def.macs = noMacs;
  def.makeOp = makeReferenceOp<ReshapeOp, float>;
  def.makeOp64 = makeReferenceOp<ReshapeOp, double>;
  def.samplesIndependent = true;
  def.reshapes = true;
  return def;
}

// analyse() has refused inputs past kMaxElements, so the product fits an int.
ShapeResult flattenShape(const Fields&, Shape in) { return {Shape::vector(static_cast<int>(in.size())), {}}; }

Shape shapeOf(const Sizes& sizes) {
  if (sizes.size() == 1) return Shape::vector(sizes[0]);
  if (sizes.size() == 2) return Shape::sequence(sizes[0], sizes[1]);
  return Shape::image(sizes[0], sizes[1], sizes[2]);
}

ShapeResult reshapeShape(const Fields& fields, Shape in) {
  const Sizes& wanted = fields.sizes("target_shape");
  Sizes sizes = wanted;
  std::int64_t told = 1;  // the product of the sides that are numbers
  for (const int side : sizes)
    if (side != -1) told = saturatingMul(told, side);
  const bool divides = in.size() % told == 0, open = std::count(sizes.begin(), sizes.end(), -1) > 0;
  if (open ? divides : told == in.size()) {
    std::replace(sizes.begin(), sizes.end(), -1, static_cast<int>(in.size() / told));
    return {shapeOf(sizes), {}};
  }
  Issue issue;
  issue.field = "target_shape";
  issue.text = "The input of " + in.text() + " holds " + counted(in.size(), "value") + ", which do not make " +
               sizesText(wanted) + ".";
  Sizes fitting = wanted;  // its last side as large as the others allow
  const std::int64_t others = fitting.back() == -1 ? told : told / fitting.back();
  if (!open && in.size() % others == 0) {
    fitting.back() = static_cast<int>(in.size() / others);
    issue.fixes.push_back({"Use " + sizesText(fitting), "target_shape", fitting, {}});
  }
  issue.fixes.push_back({"Make it a vector", "target_shape", Sizes{-1}, {}});
  return {{}, issue};
}

}  // namespace

LayerDef flattenLayer() {
  LayerDef def = reshapeDef();
  def.type = "flatten";
  def.title = "Flatten";
  def.stem = "flatten";
  def.icon = "flatten";
  def.help = "Lays the pixels of an image out as one long vector, row by row, each pixel with its channels. "
             "Needed once between the convolutions and the first Dense layer. It has nothing to train.";
  def.inferShape = flattenShape;
  def.summary = [](const Fields&) { return std::string("row by row, no parameters"); };
  def.examples = {{"{}", Shape::image(3, 4, 5)}, {"{}", Shape::vector(7)}, {"{}", Shape::sequence(3, 5)}};
  return def;
}

LayerDef reshapeLayer() {
  LayerDef def = reshapeDef();
  def.type = "reshape";
  def.title = "Reshape";
  def.stem = "reshape";
  def.icon = "reshape";
  def.help =
      "Gives the same values another shape: a vector as an image, an image as a sequence of its rows. Nothing is "
      "computed and nothing moves; the number of values has to stay. It has nothing to train.";
  def.fields = {sizesField("target_shape", "Shape", {-1}, static_cast<int>(kMaxElements),
                           "Sides with × between them: one for a vector, two for a sequence of vectors, three for an "
                           "image with its channels. One side may be -1: what is left.")};
  def.inferShape = reshapeShape;
  def.summary = [](const Fields& fields) {
    const Sizes& sizes = fields.sizes("target_shape");
    return sizes == Sizes{-1} ? std::string("to a vector") : "to " + sizesText(sizes);
  };
  def.examples = {
      {"{}", Shape::image(3, 4, 5)},
      {R"({"target_shape": [2, 3, 5]})", Shape::vector(30)},
      {R"({"target_shape": [4, -1]})", Shape::image(4, 3, 2)},
      {R"({"target_shape": [-1, 3, 2]})", Shape::sequence(6, 3)},
  };
  return def;
}

}  // namespace strata

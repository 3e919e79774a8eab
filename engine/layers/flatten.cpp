// SPDX-License-Identifier: Apache-2.0
// Flatten: an image [H,W,C] becomes a vector of H*W*C, in that order; in memory nothing moves.
#include "engine/layers/common.h"

namespace strata {
namespace {

// analyse() has refused inputs past kMaxElements, so the product fits an int.
ShapeResult flattenShape(const Fields&, Shape in) { return {Shape::vector(static_cast<int>(in.size())), {}}; }

template <class Real>
class FlattenOp : public BasicOp<Real> {
 public:
  explicit FlattenOp(const Site& site) : m_size(site.in.size()) {}
  void forward(const BasicOpIo<Real>& io) override { std::copy_n(io.x, io.batch * m_size, io.y); }
  void backward(const BasicOpIo<Real>& io) override {
    if (io.dx) std::copy_n(io.dy, io.batch * m_size, io.dx);
  }

 private:
  std::int64_t m_size;
};

}  // namespace

LayerDef flattenLayer() {
  LayerDef def;
  def.type = "flatten";
  def.title = "Flatten";
  def.stem = "flatten";
  def.category = "shape";
  def.icon = "flatten";
  def.help = "Lays the pixels of an image out as one long vector, row by row, each pixel with its channels. "
             "Needed once between the convolutions and the first Dense layer. It has nothing to train.";
  def.inferShape = flattenShape;
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields&) { return std::string("row by row, no parameters"); };
  def.makeOp = makeReferenceOp<FlattenOp, float>;
  def.makeOp64 = makeReferenceOp<FlattenOp, double>;
  def.samplesIndependent = true;
  def.reshapes = true;
  def.examples = {{"{}", Shape::image(3, 4, 5)}, {"{}", Shape::vector(7)}};
  return def;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Activation: a layer of its own for what Conv 2D and Dense also have as a field.
#include "engine/layers/common.h"

namespace strata {
namespace {

template <class Real>
class ActivationOp : public BasicOp<Real> {
 public:
  explicit ActivationOp(const Site& site) : m_size(site.in.size()), m_activation(activationOf(site.fields)) {}
  void forward(const BasicOpIo<Real>& io) override {
    std::copy_n(io.x, io.batch * m_size, io.y);
    activate(m_activation, io.y, io.batch * m_size);
  }
  void backward(const BasicOpIo<Real>& io) override {
    if (io.dx) activationGradient(m_activation, io.y, io.dy, io.dx, io.batch * m_size);
  }

 private:
  std::int64_t m_size;
  Activation m_activation;
};

}  // namespace

LayerDef activationLayer() {
  LayerDef def;
  def.type = "activation";
  def.title = "Activation";
  def.stem = "act";
  def.category = "act";
  def.icon = "relu";
  def.help = "Bends every value by a fixed curve. Without a bend between them, two layers could be replaced by one. "
             "Conv 2D and Dense have it as a field, which is faster; as a layer it can stand anywhere.";
  def.onlyActivates = true;
  def.fields = {activationField("relu")};
  def.inferShape = [](const Fields&, Shape in) { return ShapeResult{in, {}}; };
  def.params = noParams;
  def.macs = noMacs;
  def.summary = activationTitle;
  def.makeOp = makeReferenceOp<ActivationOp, float>;
  def.makeOp64 = makeReferenceOp<ActivationOp, double>;
  def.samplesIndependent = true;
  def.examples = {
      {"{}", Shape::image(3, 5, 7)},
      {R"({"activation": "tanh"})", Shape::vector(11)},
      {R"({"activation": "sigmoid"})", Shape::vector(16)},
      {R"({"activation": "linear"})", Shape::image(2, 2, 2)},
      {R"({"activation": "leaky_relu"})", Shape::vector(9)},
      {R"({"activation": "elu"})", Shape::sequence(5, 3)},
      {R"({"activation": "selu"})", Shape::vector(21)},
      {R"({"activation": "hard_sigmoid"})", Shape::image(2, 3, 5)},
  };
  return def;
}

}  // namespace strata

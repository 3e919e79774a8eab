// SPDX-License-Identifier: Apache-2.0
// Positional embedding, learned: y[t] = x[t] + embedding[t], one vector for each step.
#include "engine/layers/recurrent.h"

namespace strata {
namespace {

template <class Real>
class PositionalEmbeddingOp : public BasicOp<Real> {
 public:
  explicit PositionalEmbeddingOp(const Site& site) : m_size(site.in.size()) {}

  void forward(const BasicOpIo<Real>& io) override {
    for (std::int64_t n = 0; n < io.batch; ++n)
      for (std::int64_t i = 0; i < m_size; ++i)
        io.y[n * m_size + i] = io.x[n * m_size + i] + io.weights[static_cast<std::size_t>(i)];
  }
  void backward(const BasicOpIo<Real>& io) override {
    std::fill(io.gradients.begin(), io.gradients.end(), Real{0});
    for (std::int64_t n = 0; n < io.batch; ++n)
      for (std::int64_t i = 0; i < m_size; ++i) io.gradients[static_cast<std::size_t>(i)] += io.dy[n * m_size + i];
    if (io.dx) std::copy_n(io.dy, io.batch * m_size, io.dx);
  }

 private:
  const std::int64_t m_size;
};

}  // namespace

LayerDef positionalEmbeddingLayer() {
  LayerDef def;
  def.type = "positional_embedding";
  def.title = "Positions";
  def.stem = "position";
  def.category = "seq";
  def.icon = "posemb";
  def.help = std::string("Adds to every step a vector of numbers that stands for its place in the sequence. Attention "
                         "treats all steps alike; with this it can learn where each one stands.") +
             kRowsHelp;
  def.inferShape = [](const Fields&, Shape in) {
    if (in.isVector()) return ShapeResult{{}, needsSequence("Positional embedding", in)};
    return ShapeResult{asSequence(in), {}};
  };
  def.params = [](const Fields&, Shape in) -> std::vector<ParamInfo> {
    const Shape sequence = asSequence(in);
    return {{"embedding", {sequence.h, sequence.c}, {}, sequence.h, sequence.c}};
  };
  def.macs = noMacs;
  def.summary = [](const Fields&) { return std::string("a learned vector for each step"); };
  def.makeOp = makeReferenceOp<PositionalEmbeddingOp, float>;
  def.makeOp64 = makeReferenceOp<PositionalEmbeddingOp, double>;
  def.samplesIndependent = true;
  def.examples = {{"{}", Shape::sequence(5, 7)}, {"{}", Shape::image(3, 5, 3)}, {"{}", Shape::sequence(1, 1)}};
  return def;
}

}  // namespace strata

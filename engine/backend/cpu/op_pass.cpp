// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/op_pass.h"

#include <algorithm>

namespace strata {

OpPass::OpPass(const Node& node, const Site& site, int stateSlots, bool training, std::vector<Buffer*> xs, Buffer& y)
    : WeightedPass(node, stateSlots), m_out(site.out.size()), m_y(y) {
  const int ops = node.parameters == 0 && node.def->samplesIndependent ? kMostParts : 1;
  Site own = site;
  own.maxBatch = ops > 1 ? largestPart(site.maxBatch) : site.maxBatch;
  for (int i = 0; i < ops; ++i) m_ops.push_back(node.def->makeOp(own));
  for (std::size_t i = 0; i < xs.size(); ++i) {
    Input& input = m_inputs.emplace_back(Input{xs[i], site.ins[i].size(), {}, {}});
    input.values.resize(std::size_t(input.size * site.maxBatch));
    if (xs[i]->gradients.size() > 0) input.gradients.resize(input.values.size());
  }
  m_yPlain.resize(std::size_t(m_out * site.maxBatch));
  if (training) m_dyPlain.resize(m_yPlain.size());
}

/// One call's tensors, and the arrays that its lists of inputs lie in.
struct OpPass::Call {
  OpIo io;
  std::vector<const float*> xs;
  std::vector<float*> dxs;
};

OpPass::Call OpPass::callFor(const Step& step, int begin, int end) {
  Call call;
  for (Input& input : m_inputs) {
    call.xs.push_back(input.values.data() + begin * input.size);
    call.dxs.push_back(input.gradients.empty() ? nullptr : input.gradients.data() + begin * input.size);
  }
  OpIo& io = call.io;
  io.batch = end - begin;
  io.x = call.xs.front();
  io.dx = call.dxs.front();
  io.xs = call.xs;
  io.dxs = call.dxs;
  io.y = m_yPlain.data() + begin * m_out;
  io.dy = m_dyPlain.empty() ? nullptr : m_dyPlain.data() + begin * m_out;
  io.weights = {m_weights.data(), m_weights.size()};
  io.gradients = {m_gradients.data(), m_gradients.size()};
  io.training = step.training;
  io.seed = step.seed;
  io.step = step.index;
  return call;
}

template <class Body>
void OpPass::eachPiece(const Step& step, Body body) {
  const int count = pieces(step);
  step.pool.run(count, [&](int piece, int) {
    const int begin = count == 1 ? 0 : step.begin(piece), end = count == 1 ? step.batch : step.end(piece);
    body(*m_ops[std::size_t(piece)], begin, end);
  });
}

void OpPass::forward(const Step& step) {
  m_finite = true;
  eachPiece(step, [&](Op& op, int begin, int end) {
    for (Input& input : m_inputs)
      copySamples<Copy::Out>(*input.buffer, input.buffer->values, input.values.data(), begin, end);
    op.forward(callFor(step, begin, end).io);
    copySamples<Copy::In>(m_y, m_y.values, m_yPlain.data(), begin, end);
  });
}

void OpPass::backward(const Step& step) {
  eachPiece(step, [&](Op& op, int begin, int end) {
    copySamples<Copy::Out>(m_y, m_y.gradients, m_dyPlain.data(), begin, end);
    op.backward(callFor(step, begin, end).io);
    for (Input& input : m_inputs)
      if (!input.gradients.empty())
        copySamples<Copy::In>(*input.buffer, input.buffer->gradients, input.gradients.data(), begin, end);
  });
}

PassWork OpPass::work() const {
  const std::string how = m_ops.size() > 1 ? "reference op, in parts" : "reference op, in one piece";
  return {m_node.path, how, how, 0, false, false, 1, 1, 1};
}

const PassKind& opPassKind() {
  static const PassKind kind = [] {
    PassKind made;
    made.anyShape = true;
    made.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
      place.y.hasZeros = true;  // for all that is known
      return std::make_unique<OpPass>(place.node(), place.site(), place.stateSlots(), place.request.training, place.xs,
                                      place.y);
    };
    return made;
  }();
  return kind;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/op_pass.h"

#include <algorithm>

namespace strata {
namespace {

bool samplesAreIndependent(const std::string& type) {
  return type == "max_pool2d" || type == "avg_pool2d" || type == "activation" || type == "flatten";
}

}  // namespace

OpPass::OpPass(const LayerDef& def, const Site& site, std::int64_t weightsOffset, int stateSlots, bool training,
               Buffer& x, Buffer& y)
    : m_name(site.name), m_weightsOffset(weightsOffset), m_in(site.in.size()), m_out(site.out.size()),
      m_inputGradient(site.needsInputGradient), m_x(x), m_y(y) {
  std::int64_t parameters = 0;
  for (const ParamInfo& param : def.params(site.fields, site.in)) parameters += param.size();
  const int ops = parameters == 0 && samplesAreIndependent(def.type) ? kMostParts : 1;
  Site own = site;
  own.maxBatch = ops > 1 ? largestPart(site.maxBatch) : site.maxBatch;
  for (int i = 0; i < ops; ++i) m_ops.push_back(def.makeOp(own));
  m_weights.resize(std::size_t(parameters));
  if (training) m_gradients.resize(m_weights.size());
  for (int slot = 0; slot < stateSlots; ++slot) m_state[slot].resize(m_weights.size());
  m_xPlain.resize(std::size_t(m_in * site.maxBatch));
  m_yPlain.resize(std::size_t(m_out * site.maxBatch));
  if (training) m_dyPlain.resize(m_yPlain.size());
  if (m_inputGradient) m_dxPlain.resize(m_xPlain.size());
}

OpIo OpPass::ioFor(const Step& step, int begin, int end) {
  OpIo io;
  io.batch = end - begin;
  io.x = m_xPlain.data() + begin * m_in;
  io.y = m_yPlain.data() + begin * m_out;
  io.dy = m_dyPlain.empty() ? nullptr : m_dyPlain.data() + begin * m_out;
  io.dx = m_inputGradient ? m_dxPlain.data() + begin * m_in : nullptr;
  io.weights = m_weights;
  io.gradients = m_gradients;
  io.training = step.training;
  io.seed = step.seed;
  io.step = step.index;
  return io;
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
    copySamples<false>(m_x, m_x.values, m_xPlain.data(), begin, end);
    op.forward(ioFor(step, begin, end));
    copySamples<true>(m_y, m_y.values, m_yPlain.data(), begin, end);
  });
}

void OpPass::backward(const Step& step) {
  if (m_y.gradients.size() == 0) return;  // nothing up to here is trained
  eachPiece(step, [&](Op& op, int begin, int end) {
    copySamples<false>(m_y, m_y.gradients, m_dyPlain.data(), begin, end);
    op.backward(ioFor(step, begin, end));
    if (m_inputGradient) copySamples<true>(m_x, m_x.gradients, m_dxPlain.data(), begin, end);
  });
}

void OpPass::gradientTask(const Step& step, int) {
  m_finite = step.kernels.probe(m_gradients.data(), std::int64_t(m_gradients.size())) == 0;
}

float OpPass::updateTask(const Step& step, int, int, const UpdateRule& rule) {
  return step.kernels.update(rule, m_weights.data(), m_gradients.data(), slotsAt(m_state, 0),
                             std::int64_t(m_weights.size()));
}

void OpPass::setWeights(const float* canonical) { std::copy_n(canonical, m_weights.size(), m_weights.data()); }
void OpPass::getWeights(float* canonical) const { std::copy_n(m_weights.data(), m_weights.size(), canonical); }
void OpPass::setState(int slot, const float* canonical) {
  std::copy_n(canonical, m_state[slot].size(), m_state[slot].data());
}
void OpPass::getState(int slot, float* canonical) const {
  std::copy_n(m_state[slot].data(), m_state[slot].size(), canonical);
}

PassWork OpPass::work() const {
  const std::string how = m_ops.size() > 1 ? "reference op, in parts" : "reference op, in one piece";
  return {m_name, how, how, 0, false, false, 1, 1, 1};
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/weighted_pass.h"

#include <algorithm>

namespace strata {

WeightedPass::WeightedPass(const Node& node, int stateSlots)
    : m_node(node), m_weights(std::size_t(node.parameters)), m_gradients(std::size_t(node.parameters)) {
  for (int slot = 0; slot < stateSlots; ++slot) m_state[slot] = Array<float>(m_weights.size());
}

void WeightedPass::gradientTask(const Step& step, int) {
  if (step.kernels.probe(m_gradients.data(), std::int64_t(m_gradients.size())) != 0) m_finite = false;
}

float WeightedPass::updateTask(const Step& step, int, int, const UpdateRule& rule) {
  float probe = 0;
  std::int64_t at = 0;
  for (const ParamInfo& param : m_node.params) {
    const std::int64_t size = param.size();
    if (param.role == ParamInfo::Role::Running) std::copy_n(m_gradients.data() + at, size, m_weights.data() + at);
    else probe += step.kernels.update(rule, m_weights.data() + at, m_gradients.data() + at, slotsAt(m_state, at), size);
    at += size;
  }
  return probe;
}

double WeightedPass::gradientSquares(const Step&, int, int) {
  double sum = 0;
  std::int64_t at = 0;
  for (const ParamInfo& param : m_node.params) {
    if (param.role == ParamInfo::Role::Trained) sum += squaresOf(m_gradients.data() + at, param.size());
    at += param.size();
  }
  return sum;
}

void WeightedPass::getGradients(float* canonical) const {
  std::copy_n(m_gradients.data(), m_gradients.size(), canonical);
}

void WeightedPass::setWeights(const float* canonical) { std::copy_n(canonical, m_weights.size(), m_weights.data()); }
void WeightedPass::getWeights(float* canonical) const { std::copy_n(m_weights.data(), m_weights.size(), canonical); }
void WeightedPass::setState(int slot, const float* canonical) {
  std::copy_n(canonical, m_state[slot].size(), m_state[slot].data());
}
void WeightedPass::getState(int slot, float* canonical) const {
  std::copy_n(m_state[slot].data(), m_state[slot].size(), canonical);
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/positional_pass.h"

#include <algorithm>
#include <atomic>

namespace strata {

PositionalPass::PositionalPass(const Node& node, int stateSlots, Buffer& x, Buffer& y)
    : WeightedPass(node, stateSlots), m_x(x), m_y(y), m_size(y.shape.size()),
      m_partGradients(std::size_t(y.gradients.size() > 0 ? kMostParts * m_size : 0)) {}

void PositionalPass::forward(const Step& step) {
  std::atomic<bool> finite{true};
  step.pool.run(step.batch, [&](int n, int) {
    float* y = m_y.sample(n, m_y.values);
    std::copy_n(m_x.sample(n, m_x.values), m_size, y);
    step.kernels.addInPlace(y, m_weights.data(), m_size);
    if (!(step.kernels.probe(y, m_size) == 0)) finite = false;
  });
  m_finite = finite;
}

void PositionalPass::backward(const Step& step) {
  step.pool.run(step.parts(), [&](int part, int) {
    float* gradient = m_partGradients.data() + part * m_size;
    std::fill_n(gradient, m_size, 0.f);
    for (int n = step.begin(part); n < step.end(part); ++n) {
      const float* dy = m_y.sample(n, m_y.gradients);
      step.kernels.addInPlace(gradient, dy, m_size);
      if (m_x.gradients.size() > 0) std::copy_n(dy, m_size, m_x.sample(n, m_x.gradients));
    }
  });
  std::fill_n(m_gradients.data(), m_size, 0.f);
  for (int part = 0; part < step.parts(); ++part)
    step.kernels.addInPlace(m_gradients.data(), m_partGradients.data() + part * m_size, m_size);
}

PassWork PositionalPass::work() const {
  return {m_node.path, "vectors", "vectors", 0, m_x.gradients.size() > 0, true, 1, 1, 1};
}

PassKind positionalPassKind() {
  PassKind kind{"positional_embedding"};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    return std::make_unique<PositionalPass>(place.node(), place.stateSlots(), place.x(), place.y);
  };
  return kind;
}

}  // namespace strata

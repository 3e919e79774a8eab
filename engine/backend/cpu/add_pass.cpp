// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/add_pass.h"

#include <algorithm>

namespace strata {

AddPass::AddPass(std::string name, Activation activation, std::vector<Buffer*> xs, Buffer& y)
    : m_name(std::move(name)), m_activation(activation), m_xs(std::move(xs)), m_y(y) {
  m_y.hasZeros |= activation == Activation::Relu;
}

void AddPass::forward(const Step& step) {
  step.pool.run(step.batch, [&](int n, int) {
    for (std::size_t i = 0; i < m_xs.size(); ++i)
      eachRow(n, {m_xs[i], &m_y}, {&m_xs[i]->values, &m_y.values}, [&](int, int count, int pixels, float*(&rows)[2]) {
        const std::int64_t size = std::int64_t{pixels} * count;
        if (i == 0) std::copy_n(rows[0], size, rows[1]);
        else step.kernels.addInPlace(rows[1], rows[0], size);
        if (i + 1 == m_xs.size()) step.kernels.activate(m_activation, rows[1], size);
      });
  });
}

void AddPass::backward(const Step& step) {
  step.pool.run(step.batch, [&](int n, int) {
    if (m_activation != Activation::Linear)
      eachRow(n, {&m_y, &m_y}, {&m_y.values, &m_y.gradients}, [&](int, int count, int pixels, float*(&rows)[2]) {
        step.kernels.activationGradient(m_activation, rows[0], rows[1], std::int64_t{pixels} * count);
      });
    for (Buffer* x : m_xs)
      if (x->gradients.size() > 0)
        eachRow(n, {&m_y, x}, {&m_y.gradients, &x->gradients}, [](int, int count, int pixels, float*(&rows)[2]) {
          std::copy_n(rows[0], std::int64_t{pixels} * count, rows[1]);
        });
  });
}

PassKind addPassKind() {
  PassKind kind{"add"};
  kind.fuses = [](const Site&, const Node& next, const Site&) { return next.def->type == "activation"; };
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    const Activation activation = place.fused() ? activationOf(place.tail().fields) : Activation::Linear;
    return std::make_unique<AddPass>(place.node().path, activation, place.xs, place.y);
  };
  return kind;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/pool_pass.h"

namespace strata {

AveragePoolPass::AveragePoolPass(const std::string& name, const WindowGeometry& g, Buffer& x, Buffer& y)
    : m_name(name), m_shape{g.in.c,     g.in.h,     g.in.w,     g.out.h,    g.out.w,   g.y.kernel,
                            g.x.kernel, g.y.stride, g.x.stride, g.y.before, g.x.before},
      m_x(x), m_y(y) {}

void AveragePoolPass::forward(const Step& step) {
  step.pool.run(step.batch, [&](int n, int) { forwardSample(step.kernels, n); });
}

void AveragePoolPass::backward(const Step& step) {
  if (m_x.gradients.size() == 0) return;
  step.pool.run(step.batch, [&](int n, int) { backwardSample(step.kernels, n); });
}

PassWork AveragePoolPass::work() const {
  return {m_name, "vectors of channels", "vectors of channels", 0, false, false, 1, 1, 1};
}

}  // namespace strata

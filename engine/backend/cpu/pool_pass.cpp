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

GlobalAveragePass::GlobalAveragePass(std::string name, Buffer& x, Buffer& y)
    : m_name(std::move(name)), m_shape{x.shape.c, x.shape.h, x.shape.w, 1, 1, x.shape.h,
                                       x.shape.w, x.shape.h, x.shape.w, 0, 0},
      m_x(x), m_y(y), m_means(std::size_t(x.batch) * x.shape.c) {}

void GlobalAveragePass::forward(const Step& step) {
  step.pool.run(step.batch, [&](int n, int) {
    float* mean = m_means.data() + std::int64_t{n} * m_shape.c;
    step.kernels.averagePool(m_shape, m_x.inside(n, m_x.values), {mean, m_shape.c});
    copySample<Copy::In>(m_y, m_y.values, mean, n);
  });
}

void GlobalAveragePass::backward(const Step& step) {
  if (m_x.gradients.size() == 0) return;
  step.pool.run(step.batch, [&](int n, int) {
    float* mean = m_means.data() + std::int64_t{n} * m_shape.c;
    copySample<Copy::Out>(m_y, m_y.gradients, mean, n);
    step.kernels.averagePoolGradient(m_shape, {mean, m_shape.c}, m_x.inside(n, m_x.gradients));
  });
}

PassWork GlobalAveragePass::work() const {
  return {m_name, "vectors of channels", "vectors of channels", 0, false, false, 1, 1, 1};
}

PassKind averagePoolPassKind() {
  PassKind kind{"avg_pool2d"};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    place.y.hasZeros |= place.x().hasZeros;
    return std::make_unique<AveragePoolPass>(place.node().path, poolGeometry(place.site()), place.x(), place.y);
  };
  return kind;
}

PassKind globalAveragePassKind() {
  PassKind kind{"global_avg_pool"};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    return std::make_unique<GlobalAveragePass>(place.node().path, place.x(), place.y);
  };
  return kind;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/depthwise_pass.h"

#include <algorithm>
#include <atomic>

namespace strata {

DepthwisePass::DepthwisePass(const Node& node, const Site& site, int stateSlots, Buffer& x, Buffer& y)
    : WeightedPass(node, stateSlots), m_x(x), m_y(y), m_bias(node.fields.flag("use_bias")) {
  const WindowGeometry g = convGeometry(site);
  m_shape = {
      g.in.c, x.cols, g.out.h, g.out.w, g.y.kernel, g.x.kernel, g.y.stride, g.x.stride, activationOf(node.fields)};
  m_y.hasZeros |= m_shape.activation == Activation::Relu;
  m_partGradients = Array<float>(std::size_t(kMostParts) * (g.y.kernel * g.x.kernel + 1) * g.in.c);
}

void DepthwisePass::forward(const Step& step) {
  std::atomic<bool> finite{true};
  const float* bias = m_bias ? m_weights.data() + std::int64_t{m_shape.kernelH} * m_shape.kernelW * m_shape.c : nullptr;
  step.pool.run(step.batch, [&](int n, int) {
    const float probe = step.kernels.depthwiseForward(m_shape, m_x.sample(n, m_x.values), m_weights.data(), bias,
                                                      m_y.inside(n, m_y.values));
    if (!(probe == 0)) finite = false;
  });
  m_finite = finite;
}

void DepthwisePass::backward(const Step& step) {
  const std::size_t size = m_partGradients.size() / kMostParts;
  step.pool.run(step.parts(), [&](int part, int) {
    float* gradient = m_partGradients.data() + std::size_t(part) * size;
    std::fill_n(gradient, size, 0.f);
    for (int n = step.begin(part); n < step.end(part); ++n) {
      const Frame dz = m_y.inside(n, m_y.gradients), y = m_y.inside(n, m_y.values);
      for (int row = 0; row < m_shape.outH; ++row)
        step.kernels.activationGradient(m_shape.activation, y.data + std::int64_t{row} * y.rowStride,
                                        dz.data + std::int64_t{row} * dz.rowStride,
                                        std::int64_t{m_shape.outW} * m_shape.c);
      step.kernels.depthwiseWeightGradient(m_shape, dz, m_x.sample(n, m_x.values), gradient);
      if (m_x.gradients.size() == 0) continue;
      float* dx = m_x.sample(n, m_x.gradients);
      std::fill_n(dx, m_x.sampleSize(), 0.f);
      step.kernels.depthwiseInputGradient(m_shape, dz, m_weights.data(), dx);
    }
  });
  std::fill_n(m_gradients.data(), m_gradients.size(), 0.f);
  for (int part = 0; part < step.parts(); ++part)
    step.kernels.addInPlace(m_gradients.data(), m_partGradients.data() + std::size_t(part) * size,
                            std::int64_t(m_gradients.size()));
}

PassWork DepthwisePass::work() const {
  const double macs = double(m_shape.outH) * m_shape.outW * m_shape.c * m_shape.kernelH * m_shape.kernelW;
  return {m_node.path, "vectors of channels", "vectors of channels", macs, m_x.gradients.size() > 0, true, 1, 1, 1};
}

PassKind depthwisePassKind() {
  PassKind kind{"depthwise_conv2d"};
  kind.framed = true;
  kind.takes = [](const Site& site) {  // one kernel a channel, and not too large
    const Pair kernel = site.fields.pair("kernel_size");
    return site.fields.integer("depth_multiplier") == 1 && std::int64_t{kernel.h} * kernel.w <= kDepthwiseTaps;
  };
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    return std::make_unique<DepthwisePass>(place.node(), place.site(), place.stateSlots(), place.x(), place.y);
  };
  return kind;
}

}  // namespace strata

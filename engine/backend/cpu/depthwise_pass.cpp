// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/depthwise_pass.h"

#include <algorithm>
#include <atomic>

namespace strata {

DepthwisePass::DepthwisePass(const Node& node, const Site& site, int stateSlots, Buffer& x, Buffer& y, int threads)
    : WeightedPass(node, stateSlots), m_x(x), m_y(y), m_each(site.out.c / site.in.c),
      m_bias(node.fields.flag("use_bias")) {
  const WindowGeometry g = convGeometry(site);
  m_shape = {g.out.c,
             x.cols,
             g.out.h,
             g.out.w,
             g.y.kernel,
             g.x.kernel,
             g.y.stride,
             g.x.stride,
             g.y.dilation,
             g.x.dilation,
             activationOf(node.fields)};
  m_y.hasZeros |= m_shape.activation == Activation::Relu;
  m_partGradients = Array<float>(std::size_t(kMostParts) * (g.y.kernel * g.x.kernel + 1) * g.out.c);
  if (m_each > 1) m_repeated = Array<float>(std::size_t(threads) * std::size_t(m_x.sampleSize()) * m_each);
}

const float* DepthwisePass::repeated(const Step& step, int n, int thread) const {
  const float* x = m_x.sample(n, m_x.values);
  if (m_each == 1) return x;
  float* to = m_repeated.data() + thread * m_x.sampleSize() * m_each;
  step.kernels.repeatChannels(x, std::int64_t{m_x.rows} * m_x.cols, m_x.shape.c, m_each, to);
  return to;
}

void DepthwisePass::writeInputGradient(const Step& step, Frame dz, int n, int thread) const {
  float* dx = m_x.sample(n, m_x.gradients);
  float* sums = m_each == 1 ? dx : m_repeated.data() + thread * m_x.sampleSize() * m_each;
  std::fill_n(sums, m_x.sampleSize() * m_each, 0.f);
  step.kernels.depthwiseInputGradient(m_shape, dz, m_weights.data(), sums);
  if (m_each > 1) step.kernels.sumChannels(sums, std::int64_t{m_x.rows} * m_x.cols, m_x.shape.c, m_each, dx);
}

void DepthwisePass::forward(const Step& step) {
  std::atomic<bool> finite{true};
  const float* bias = m_bias ? m_weights.data() + std::int64_t{m_shape.kernelH} * m_shape.kernelW * m_shape.c : nullptr;
  step.pool.run(step.batch, [&](int n, int thread) {
    const float probe = step.kernels.depthwiseForward(m_shape, repeated(step, n, thread), m_weights.data(), bias,
                                                      m_y.inside(n, m_y.values));
    if (!(probe == 0)) finite = false;
  });
  m_finite = finite;
}

void DepthwisePass::backward(const Step& step) {
  const std::size_t size = m_partGradients.size() / kMostParts;
  step.pool.run(step.parts(), [&](int part, int thread) {
    float* gradient = m_partGradients.data() + std::size_t(part) * size;
    std::fill_n(gradient, size, 0.f);
    for (int n = step.begin(part); n < step.end(part); ++n) {
      const Frame dz = m_y.inside(n, m_y.gradients), y = m_y.inside(n, m_y.values);
      for (int row = 0; row < m_shape.outH; ++row)
        step.kernels.activationGradient(m_shape.activation, y.data + std::int64_t{row} * y.rowStride,
                                        dz.data + std::int64_t{row} * dz.rowStride,
                                        std::int64_t{m_shape.outW} * m_shape.c);
      step.kernels.depthwiseWeightGradient(m_shape, dz, repeated(step, n, thread), gradient);
      if (m_x.gradients.size() > 0) writeInputGradient(step, dz, n, thread);
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

namespace {

constexpr int kMostDilation = 8;  // the frame grows with it

bool kernelFits(const Site& site) {
  const Pair kernel = site.fields.pair("kernel_size"), dilation = site.fields.pair("dilation_rate");
  return std::int64_t{kernel.h} * kernel.w <= kDepthwiseTaps && std::max(dilation.h, dilation.w) <= kMostDilation;
}

std::unique_ptr<Pass> makeDepthwise(const PassPlace& place) {
  return std::make_unique<DepthwisePass>(place.node(), place.site(), place.stateSlots(), place.x(), place.y,
                                         place.threads);
}

}  // namespace

PassKind depthwisePassKind() {
  PassKind kind{"depthwise_conv2d"};
  kind.framed = true;
  kind.takes = kernelFits;
  kind.make = makeDepthwise;
  return kind;
}

PassKind singleChannelGroupsPassKind() {
  PassKind kind{"conv2d"};
  kind.framed = true;
  kind.takes = [](const Site& site) {
    return site.in.c > 1 && site.fields.integer("groups") == site.in.c && kernelFits(site);
  };
  kind.make = makeDepthwise;
  return kind;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/channel_stages.h"

#include <algorithm>

namespace strata::cuda {
namespace {

class BatchNormStage : public Stage {
 public:
  BatchNormStage(Shared& shared, const BatchNormShape& shape, Input input)
      : Stage({input}), m_shared(shared), m_shape(shape), m_statistics(shared.device, 2 * Index{shape.channels}) {
    if (shape.learns) m_partials = Buffer<float>(shared.device, partialsOf(tiling(shared.maxBatch)));
    note = "own kernels BatchNorm and BatchNormGradient, two launches each";
  }

  void forward(const Pass& pass) override {
    const Tiling by = tiling(pass.batch);
    const Index count = pass.batch * out.size;
    BatchNorm norm;
    norm.tiling = by;
    norm.act = m_shape.act;
    norm.epsilon = static_cast<float>(m_shape.epsilon);
    norm.kept = static_cast<float>(m_shape.momentum);
    norm.taken = static_cast<float>(1 - m_shape.momentum);
    norm.x = in[0].values(pass.batch);
    norm.gamma = gamma();
    if (m_shape.center) norm.beta = m_shared.weight(variable(m_shape.scale));
    norm.movingMean = m_shared.weight(moving(0));
    norm.movingVariance = m_shared.weight(moving(1));
    norm.y = out.values.out(count);
    if (pass.training) norm.statistics = m_statistics.out();
    if (pass.training && m_shape.learns) {
      launch(m_shared.device, Lane::Main, BatchNormMoments{by, norm.x, m_partials.out(partialsOf(by))}, by.groups());
      norm.partials = m_partials.in(partialsOf(by));
      norm.nextMean = m_shared.gradient(moving(0));
      norm.nextVariance = m_shared.gradient(moving(1));
    }
    launch(m_shared.device, Lane::Main, norm, by.groups());
  }

  void backward(const Pass& pass) override {
    const Tiling by = tiling(pass.batch);
    const Index count = pass.batch * out.size;
    BatchNormGradient gradient;
    gradient.tiling = by;
    gradient.act = m_shape.act;
    if (m_shape.act != Act::Linear) gradient.y = out.values.in(count);
    gradient.dy = out.gradients.in(count);
    gradient.statistics = m_statistics.in();
    gradient.gamma = gamma();
    if (m_shape.learns) {
      gradient.x = in[0].values(pass.batch);
      launch(m_shared.device, Lane::Main,
             BatchNormSums{by, m_shape.act, gradient.x, gradient.y, gradient.dy, gradient.statistics,
                           m_partials.out(partialsOf(by))},
             by.groups());
      gradient.partials = m_partials.in(partialsOf(by));
      if (m_shape.scale) gradient.dgamma = m_shared.gradient(variable(0));
      if (m_shape.center) gradient.dbeta = m_shared.gradient(variable(m_shape.scale));
    }
    if (in[0].wantsGradient()) gradient.dx = in[0].gradient(pass.batch);
    launch(m_shared.device, Lane::Main, gradient, by.groups());
  }

 private:
  Tiling tiling(int batch) const { return tilingOf(batch * m_shape.pixels, m_shape.channels); }
  static Index partialsOf(const Tiling& by) { return Index{by.parts} * 2 * by.columns; }
  ParamId variable(std::size_t which) const { return {m_shape.node, which}; }
  ParamId moving(std::size_t which) const { return variable(std::size_t{m_shape.scale} + m_shape.center + which); }
  In<float> gamma() const { return m_shape.scale ? m_shared.weight(variable(0)) : In<float>{}; }

  Shared& m_shared;
  const BatchNormShape m_shape;
  Buffer<float> m_statistics, m_partials;  ///< [2, channels]; [parts, 2, channels], of one pass and then of the other
};

class GlobalAverageStage : public Stage {
 public:
  GlobalAverageStage(Shared& shared, Input input, int channels)
      : Stage({input}), m_shared(shared), m_channels(channels) {
    note = "own kernels GlobalAverage and GlobalAverageGradient";
  }
  void forward(const Pass& pass) override {
    const Tiling by = tiling(pass.batch);
    launch(m_shared.device, Lane::Main,
           GlobalAverage{by, in[0].values(pass.batch), out.values.out(pass.batch * out.size)}, by.groups());
  }
  void backward(const Pass& pass) override {
    if (!in[0].wantsGradient()) return;
    const Tiling by = tiling(pass.batch);
    launch(m_shared.device, Lane::Main,
           GlobalAverageGradient{by, out.gradients.in(pass.batch * out.size), in[0].gradient(pass.batch)}, by.groups());
  }

 private:
  Tiling tiling(int batch) const { return tilingBySample(batch, in[0].size() / m_channels, m_channels); }
  Shared& m_shared;
  int m_channels;
};

constexpr int kMostParts = 128;  // that Reduce adds up one by one

class DepthwiseStage : public Stage {
 public:
  DepthwiseStage(Shared& shared, const DepthwiseShape& shape, Input input)
      : Stage({input}), m_shared(shared), m_shape(shape) {
    if (shape.learns) m_partials = Buffer<float>(shared.device, tiling(shared.maxBatch).parts * columns());
    note = "own kernels DepthwiseForward, DepthwiseDataGradient and DepthwiseKernelGradient";
  }

  void forward(const Pass& pass) override {
    const Out<Real> y = out.values.out(pass.batch * out.size);
    launch(m_shared.device, Lane::Main,
           DepthwiseForward{m_shape.window, m_shape.channels, m_shape.each, m_shape.act, in[0].values(pass.batch),
                            m_shared.weight(kernel()), m_shape.bias ? m_shared.weight(bias()) : In<float>{}, y},
           y.count);
  }

  void backward(const Pass& pass) override {
    const Index count = pass.batch * out.size;
    const In<Real> y = m_shape.act == Act::Linear ? In<Real>{} : out.values.in(count), dy = out.gradients.in(count);
    if (m_shape.learns) {
      m_shared.device.wait(Lane::Side, Lane::Main);
      kernelGradient(pass.batch, y, dy);
    }
    if (!in[0].wantsGradient()) return;
    const Out<Real> dx = in[0].gradient(pass.batch);
    launch(m_shared.device, Lane::Main,
           DepthwiseDataGradient{m_shape.window, m_shape.channels, m_shape.each, m_shape.act, y, dy,
                                 m_shared.weight(kernel()), dx},
           dx.count);
  }

 private:
  ParamId kernel() const { return {m_shape.node, 0}; }
  ParamId bias() const { return {m_shape.node, 1}; }
  int outputs() const { return m_shape.channels * m_shape.each; }  ///< channels
  int taps() const { return m_shape.window.r * m_shape.window.s; }
  Index columns() const { return Index{taps() + m_shape.bias} * outputs(); }  ///< of the partials
  Tiling tiling(int batch) const {
    const int chunks = (taps() + DepthwiseKernelGradient::kTaps - 1) / DepthwiseKernelGradient::kTaps;
    Tiling tiling = tilingOf(Index{batch} * m_shape.window.outH * m_shape.window.outW, outputs(), kMostGroups / chunks);
    tiling.parts = std::min(tiling.parts, kMostParts);
    return tiling;
  }

  void kernelGradient(int batch, In<Real> y, In<Real> dy) {
    DepthwiseKernelGradient gradient;
    gradient.tiling = tiling(batch);
    gradient.window = m_shape.window;
    gradient.c = m_shape.channels;
    gradient.each = m_shape.each;
    gradient.bias = m_shape.bias;
    gradient.act = m_shape.act;
    gradient.x = in[0].values(batch);
    gradient.y = y;
    gradient.dy = dy;
    const Index parts = gradient.tiling.parts;
    gradient.partials = m_partials.out(parts * columns());
    launch(m_shared.device, Lane::Side, gradient, gradient.groups());
    const In<float> partials = m_partials.in(parts * columns());
    m_shared.reductions.add({partials, m_shared.gradient(kernel()), parts, columns(), 0});
    if (m_shape.bias)
      m_shared.reductions.add({partials, m_shared.gradient(bias()), parts, columns(), columns() - outputs()});
  }

  Shared& m_shared;
  const DepthwiseShape m_shape;
  Buffer<float> m_partials;  ///< [parts, columns]
};

}  // namespace

std::unique_ptr<Stage> makeBatchNormStage(Shared& shared, const BatchNormShape& shape, Input input) {
  return std::make_unique<BatchNormStage>(shared, shape, input);
}
std::unique_ptr<Stage> makeGlobalAverageStage(Shared& shared, Input input, int channels) {
  return std::make_unique<GlobalAverageStage>(shared, input, channels);
}
std::unique_ptr<Stage> makeDepthwiseStage(Shared& shared, const DepthwiseShape& shape, Input input) {
  return std::make_unique<DepthwiseStage>(shared, shape, input);
}

}  // namespace strata::cuda

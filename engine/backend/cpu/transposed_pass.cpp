// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/transposed_pass.h"

#include <algorithm>

#include "engine/backend/cpu/conv_gradient.h"
#include "engine/backend/cpu/geometry.h"
#include "engine/layers/transposed.h"

namespace strata {
namespace {

/// The convolution from the layer's output, `c` channels in a frame, to its input, `k` channels.
ConvShape convolutionOf(const Site& site, const WindowGeometry& g, const Kernels& kernels) {
  ConvShape shape;
  shape.c = site.out.c, shape.k = site.in.c;
  shape.r = g.y.kernel, shape.s = g.x.kernel, shape.sy = g.y.stride, shape.sx = g.x.stride;
  shape.rows = g.in.h + g.y.before + std::max(0, g.after(g.y));
  shape.cols = g.in.w + g.x.before + std::max(0, g.after(g.x));
  shape.outH = g.out.h, shape.outW = g.out.w;
  planConv(shape, true, kernels);
  return shape;
}

class TransposedPass : public Pass {
 public:
  explicit TransposedPass(const PassPlace& place);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  bool finite() const override { return m_finite; }
  PassWork work() const override;

  int gradientTasks(const Step&) const override { return m_context.shape.r; }
  void gradientTask(const Step& step, int row) override {
    if (!m_weights.addParts(row, step.parts(), m_context.shape.c)) m_finite = false;
    for (int part = 1; row == 0 && part < step.parts(); ++part)
      step.kernels.addInPlace(biasGradient(0), biasGradient(part), m_context.shape.c);
  }
  int updateTasks(const Step&) const override { return m_context.shape.r + m_hasBias; }
  float updateTask(const Step& step, int task, int thread, const UpdateRule& rule) override {
    if (task < m_context.shape.r) return m_weights.update(task, {}, thread, rule);
    return step.kernels.update(rule, m_bias.data(), biasGradient(0), slotsAt(m_biasState, 0), m_context.shape.c);
  }

  void setWeights(const float* canonical) override {
    m_weights.set(canonical);
    if (m_hasBias) std::copy_n(canonical + kernelSize(), m_bias.size(), m_bias.data());
  }
  void getWeights(float* canonical) const override {
    m_weights.get(canonical);
    if (m_hasBias) std::copy_n(m_bias.data(), m_bias.size(), canonical + kernelSize());
  }
  void setState(int slot, const float* canonical) override {
    m_weights.setState(slot, canonical);
    if (m_hasBias) std::copy_n(canonical + kernelSize(), m_bias.size(), m_biasState[slot].data());
  }
  void getState(int slot, float* canonical) const override {
    m_weights.getState(slot, canonical);
    if (m_hasBias) std::copy_n(m_biasState[slot].data(), m_bias.size(), canonical + kernelSize());
  }
  std::int64_t weightsOffset() const override { return m_weightsOffset; }

 private:
  std::int64_t kernelSize() const {
    const ConvShape& g = m_context.shape;
    return std::int64_t{g.r} * g.s * g.c * g.k;
  }
  float* biasGradient(int part) const { return m_biasGradients.data() + std::int64_t{part} * m_context.shape.c; }
  /// Row `row` of the layer's output in a thread's framed image.
  float* innerRow(const Array<float>& image, int row) const {
    return image.data() + (std::int64_t{row + m_g.y.before} * m_context.shape.cols + m_g.x.before) * m_context.shape.c;
  }
  void backwardSample(const Step& step, int n, int part, int thread);

  const std::string m_name;
  const WindowGeometry m_g;  ///< of that convolution: `in` is the layer's output
  const ConvContext m_context;
  const Activation m_activation;
  const bool m_hasBias, m_inputGradient;
  const std::int64_t m_weightsOffset;
  Buffer &m_x, &m_y;
  ConvWeights m_weights;
  Array<float> m_bias, m_ones, m_biasGradients, m_biasState[kMostSlots];  ///< [c]; gradients [parts][c]
  Array<float> m_noSums;                                                  ///< [kWidth]: that convolution has no bias
  std::vector<Array<float>> m_images;                                     ///< [rows][cols][c] and room, one a thread
  ForwardByBlocks m_forward;
  InputGradientByBlocks m_paint;
  std::unique_ptr<ConvWeightGradient> m_weightGradient;  ///< null where nothing is trained
  std::atomic<bool> m_finite{true};
};

TransposedPass::TransposedPass(const PassPlace& place)
    : m_name(place.node().path), m_g{place.site().out, place.site().in, transposedSlides(place.site()).y,
                                     transposedSlides(place.site()).x},
      m_context{place.kernels, convolutionOf(place.site(), m_g, place.kernels), place.threads, place.site().out.size()},
      m_activation(activationOf(place.node().fields)), m_hasBias(place.node().fields.flag("use_bias")),
      m_inputGradient(place.inputGradient()), m_weightsOffset(place.node().weightsOffset), m_x(place.x()), m_y(place.y),
      m_weights(m_context, {false, place.request.training, false, place.stateSlots()}),
      m_bias(std::size_t(m_context.shape.c)), m_ones(m_bias.size()), m_biasGradients(kMostParts * m_bias.size()),
      m_noSums(std::size_t(m_context.shape.kWidth(place.kernels.lanes))), m_forward(m_context, m_weights),
      m_paint(m_context) {
  const ConvShape& g = m_context.shape;
  m_y.hasZeros |= m_activation == Activation::Relu;
  std::fill_n(m_ones.data(), m_ones.size(), 1.f);
  for (int slot = 0; slot < place.stateSlots(); ++slot) m_biasState[slot] = Array<float>(m_bias.size());
  for (int thread = 0; thread < place.threads; ++thread)
    m_images.emplace_back(std::size_t(g.rows) * std::size_t(g.cols) * std::size_t(g.c));
  if (!place.request.training) return;
  if (g.patchVecs > 0) m_weightGradient = std::make_unique<WeightGradientByPatches>(m_context);
  else m_weightGradient = std::make_unique<WeightGradientByBlocks>(m_context);
}

void TransposedPass::forward(const Step& step) {
  m_finite = true;
  const int channels = m_context.shape.c;
  step.pool.run(step.batch, [&](int n, int thread) {
    const Array<float>& image = m_images[std::size_t(thread)];
    const GradientSample sample{m_context.shape, nullptr, {}, m_x.inside(n, m_x.values), nullptr, m_context.shape.k};
    m_paint.write(sample, m_weights.rows(), image.data(), thread);
    const Frame y = m_y.inside(n, m_y.values);
    float probe = 0;
    for (int row = 0; row < m_g.in.h; ++row)
      probe += step.kernels.channelAffine(m_activation, innerRow(image, row), m_g.in.w, channels, m_ones.data(),
                                          m_bias.data(), y.data + std::int64_t{row} * y.rowStride);
    if (!(probe == 0)) m_finite = false;
  });
}

void TransposedPass::backward(const Step& step) {
  step.pool.run(step.parts(), [&](int part, int thread) {
    const ConvGradient sum = m_weights.gradient(part);
    m_weights.clearGradient(part, m_context.shape.c);
    std::fill_n(biasGradient(part), m_context.shape.c, 0.f);
    std::fill_n(m_images[std::size_t(thread)].data(), m_images[std::size_t(thread)].size(), 0.f);  // the frame
    for (int n = step.begin(part); n < step.end(part); ++n) backwardSample(step, n, part, thread);
    m_weightGradient->finishPart(m_context.shape, sum, thread);
  });
}

/// The gradient before the activation, in its frame, is what that convolution reads.
void TransposedPass::backwardSample(const Step& step, int n, int part, int thread) {
  const int channels = m_context.shape.c, rowSize = m_g.in.w * channels;
  const Array<float>& image = m_images[std::size_t(thread)];
  const Frame y = m_y.inside(n, m_y.values), dy = m_y.inside(n, m_y.gradients);
  for (int row = 0; row < m_g.in.h; ++row) {
    float* dz = innerRow(image, row);
    std::copy_n(dy.data + std::int64_t{row} * dy.rowStride, rowSize, dz);
    step.kernels.activationGradient(m_activation, y.data + std::int64_t{row} * y.rowStride, dz, rowSize);
    for (int col = 0; m_hasBias && col < m_g.in.w; ++col)
      step.kernels.addInPlace(biasGradient(part), dz + std::int64_t{col} * channels, channels);
  }
  const GradientSample sample{m_context.shape,   image.data(),   {}, m_x.inside(n, m_x.values), nullptr,
                              m_context.shape.k, m_noSums.data()};
  m_weightGradient->add(sample, m_weights.gradient(part), thread);
  if (!m_inputGradient) return;
  ForwardSample back;
  back.x = image.data();
  back.y = m_x.inside(n, m_x.gradients);
  m_forward.forward(back, thread);
}

PassWork TransposedPass::work() const {
  const ConvShape& g = m_context.shape;
  const double macs = double(g.r) * g.s * g.c * g.k * g.outH * g.outW;
  return {m_name, "register blocks, painted", "register blocks", macs, m_inputGradient, true, 1, 1, 1};
}

}  // namespace

PassKind transposedPassKind() {
  PassKind kind{"conv2d_transpose"};
  kind.takes = [](const Site& site) { return site.out.c > 1; };  // of one channel the kernels make planes
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> { return std::make_unique<TransposedPass>(place); };
  return kind;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/attention_pass.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "engine/layers/recurrent.h"

namespace strata {
namespace {

constexpr float kOne = 1;

/// A matrix by its first value and its strides.
struct Matrix {
  const float* data;
  std::int64_t row, step = 1;
};

/// out [rows][cols] = a · b, or added to what is there.
void multiply(const Kernels& kernels, Matrix a, Matrix b, int rows, int depth, int cols, float* out,
              std::int64_t outRow, bool added = false) {
  kernels.product(
      {a.data, a.row, a.step, b.data, b.row, rows, depth, cols, out, outRow, added ? out : nullptr, outRow});
}

}  // namespace

AttentionPass::AttentionPass(const Node& node, int stateSlots, bool training, Buffer& x, Buffer& y,
                             const Kernels& kernels, int threads)
    : WeightedPass(node, stateSlots), m_x(x), m_y(y), m_steps(x.shape.h), m_width(asSequence(x.shape).c),
      m_heads(node.fields.integer("heads")), m_size(node.fields.integer("key_dim")), m_all(m_heads * m_size),
      m_sharesRow((m_steps + kernels.lanes - 1) / kernels.lanes * kernels.lanes), m_scale(1 / std::sqrt(float(m_size))),
      m_training(training), m_scratch(std::size_t(threads)) {
  const auto array = [](std::int64_t a, std::int64_t b, std::int64_t c) {
    return Array<float>(std::size_t(a * b * c));
  };
  const std::int64_t samples = training ? x.batch : threads;
  m_in = array(m_width, 3, m_all);
  m_inBias = array(1, 3, m_all);
  m_projected = array(samples, 1, projectedSize());
  m_shares = array(samples, std::int64_t{m_heads} * m_steps, m_sharesRow);
  m_mixed = array(samples, m_steps, m_all);
  for (Scratch& scratch : m_scratch) {
    scratch.turned = array(1, m_size, m_sharesRow);
    if (!training) continue;
    scratch.dShares = array(1, m_steps, m_sharesRow);
    scratch.dProjected = array(1, m_steps, 3 * m_all);
    scratch.dMixed = array(1, m_steps, m_all);
  }
  if (!training) return;
  m_inTurned = array(m_width, 3, m_all);
  m_outTurned = array(1, m_width, m_all);
  m_partGradients = array(kMostParts, 1, gradientSize());
}

/// Canonical: query kernel [width][all] and bias [all], key, value, then the output's kernel [all][width] and bias.
void AttentionPass::pack() {
  if (!m_stale) return;
  m_stale = false;
  for (int which = 0; which < 3; ++which) {
    const float* from = m_weights.data() + std::int64_t{which} * (m_width + 1) * m_all;
    for (int row = 0; row < m_width; ++row)
      std::copy_n(from + std::int64_t{row} * m_all, m_all, m_in.data() + (std::int64_t{row} * 3 + which) * m_all);
    std::copy_n(from + std::int64_t{m_width} * m_all, m_all, m_inBias.data() + which * m_all);
  }
  if (!m_training) return;
  const float* out = m_weights.data() + std::int64_t{3} * (m_width + 1) * m_all;
  for (int row = 0; row < m_width; ++row)
    for (int col = 0; col < 3 * m_all; ++col)
      m_inTurned.data()[std::int64_t{col} * m_width + row] = m_in.data()[std::int64_t{row} * 3 * m_all + col];
  for (int row = 0; row < m_all; ++row)
    for (int col = 0; col < m_width; ++col)
      m_outTurned.data()[std::int64_t{col} * m_all + row] = out[std::int64_t{row} * m_width + col];
}

AttentionPass::Kept AttentionPass::kept(int n, int thread) const {
  const std::int64_t at = m_training ? n : thread;
  return {m_projected.data() + at * projectedSize(), m_shares.data() + at * m_heads * m_steps * m_sharesRow,
          m_mixed.data() + at * m_steps * m_all};
}

void AttentionPass::forward(const Step& step) {
  pack();
  std::atomic<bool> finite{true};
  step.pool.run(step.batch, [&](int n, int thread) {
    const float probe = sampleForward(step.kernels, kept(n, thread), m_x.sample(n, m_x.values),
                                      m_scratch[std::size_t(thread)], m_y.sample(n, m_y.values));
    if (!(probe == 0)) finite = false;
  });
  m_finite = finite;
}

float AttentionPass::sampleForward(const Kernels& kernels, const Kept& kept, const float* x, Scratch& scratch,
                                   float* y) const {
  const std::int64_t row = 3 * m_all;
  kernels.product({x, m_width, 1, m_in.data(), row, m_steps, m_width, 3 * m_all, kept.projected, row, m_inBias.data()});
  float probe = 0;
  for (int head = 0; head < m_heads; ++head) {
    const float *query = kept.projected + head * m_size, *key = query + m_all, *value = key + m_all;
    float *shares = kept.shares + std::int64_t{head} * m_steps * m_sharesRow, *turned = scratch.turned.data();
    kernels.transpose(query, row, m_steps, m_size, turned, m_sharesRow);
    multiply(kernels, {key, row}, {turned, m_sharesRow}, m_steps, m_size, m_steps, shares, m_sharesRow);
    probe += kernels.softmaxColumns(shares, m_steps, m_steps, m_sharesRow, m_scale);
    multiply(kernels, {shares, 1, m_sharesRow}, {value, row}, m_steps, m_steps, m_size, kept.mixed + head * m_size,
             m_all);
  }
  const float *out = m_weights.data() + std::int64_t{3} * (m_width + 1) * m_all,
              *bias = out + std::int64_t{m_all} * m_width;
  kernels.product({kept.mixed, m_all, 1, out, m_width, m_steps, m_all, m_width, y, m_width, bias});
  return probe + kernels.probe(y, std::int64_t{m_steps} * m_width);
}

void AttentionPass::backward(const Step& step) {
  const std::int64_t size = gradientSize();
  const bool learns = m_node.learns();
  step.pool.run(step.parts(), [&](int part, int thread) {
    float* gradient = learns ? m_partGradients.data() + part * size : nullptr;
    if (gradient) std::fill_n(gradient, size, 0.f);
    for (int n = step.begin(part); n < step.end(part); ++n)
      sampleBackward(step.kernels, kept(n, thread), m_x.sample(n, m_x.values), m_y.sample(n, m_y.gradients),
                     m_scratch[std::size_t(thread)], gradient,
                     m_x.gradients.size() > 0 ? m_x.sample(n, m_x.gradients) : nullptr);
  });
  if (!learns) return;
  for (int part = 1; part < step.parts(); ++part)
    step.kernels.addInPlace(m_partGradients.data(), m_partGradients.data() + part * size, size);
  unpackGradients();
}

void AttentionPass::sampleBackward(const Kernels& kernels, const Kept& kept, const float* x, const float* dy,
                                   Scratch& scratch, float* gradient, float* dx) const {
  const int all3 = 3 * m_all;
  float* const dProjected = scratch.dProjected.data();
  multiply(kernels, {dy, m_width}, {m_outTurned.data(), m_all}, m_steps, m_width, m_all, scratch.dMixed.data(), m_all);
  for (int head = 0; head < m_heads; ++head) headBackward(kernels, kept, head, scratch);
  if (dx) multiply(kernels, {dProjected, all3}, {m_inTurned.data(), m_width}, m_steps, all3, m_width, dx, m_width);
  if (!gradient) return;
  float *inBias = gradient + std::int64_t{m_width} * all3, *out = inBias + all3,
        *outBias = out + std::int64_t{m_all} * m_width;
  multiply(kernels, {x, 1, m_width}, {dProjected, all3}, m_width, m_steps, all3, gradient, all3, true);
  multiply(kernels, {&kOne, 0, 0}, {dProjected, all3}, 1, m_steps, all3, inBias, all3, true);
  multiply(kernels, {kept.mixed, 1, m_all}, {dy, m_width}, m_all, m_steps, m_width, out, m_width, true);
  multiply(kernels, {&kOne, 0, 0}, {dy, m_width}, 1, m_steps, m_width, outBias, m_width, true);
}

/// Leaves the head's part of the projections' gradients.
void AttentionPass::headBackward(const Kernels& kernels, const Kept& kept, int head, Scratch& scratch) const {
  const std::int64_t row = 3 * m_all;
  const float *query = kept.projected + head * m_size, *key = query + m_all, *value = key + m_all;
  const float *shares = kept.shares + std::int64_t{head} * m_steps * m_sharesRow,
              *dMixed = scratch.dMixed.data() + head * m_size;
  float *dQuery = scratch.dProjected.data() + head * m_size, *dKey = dQuery + m_all, *dValue = dKey + m_all,
        *dShares = scratch.dShares.data(), *turned = scratch.turned.data();
  multiply(kernels, {shares, m_sharesRow}, {dMixed, m_all}, m_steps, m_steps, m_size, dValue, row);
  kernels.transpose(dMixed, m_all, m_steps, m_size, turned, m_sharesRow);
  multiply(kernels, {value, row}, {turned, m_sharesRow}, m_steps, m_size, m_steps, dShares, m_sharesRow);
  kernels.softmaxColumnsGradient(shares, dShares, m_steps, m_steps, m_sharesRow, m_scale);
  multiply(kernels, {dShares, 1, m_sharesRow}, {key, row}, m_steps, m_steps, m_size, dQuery, row);
  multiply(kernels, {dShares, m_sharesRow}, {query, row}, m_steps, m_steps, m_size, dKey, row);
}

void AttentionPass::unpackGradients() {
  const float* from = m_partGradients.data();
  for (int which = 0; which < 3; ++which)  // the bias lies below the kernel's rows here and there
    for (int row = 0; row <= m_width; ++row)
      std::copy_n(from + (std::int64_t{row} * 3 + which) * m_all, m_all,
                  m_gradients.data() + (std::int64_t{which} * (m_width + 1) + row) * m_all);
  const std::int64_t in = std::int64_t{m_width + 1} * 3 * m_all;
  std::copy_n(from + in, std::int64_t{m_all + 1} * m_width, m_gradients.data() + in);
}

float AttentionPass::updateTask(const Step& step, int task, int thread, const UpdateRule& rule) {
  m_stale = true;
  return WeightedPass::updateTask(step, task, thread, rule);
}

void AttentionPass::setWeights(const float* canonical) {
  m_stale = true;
  WeightedPass::setWeights(canonical);
}

PassWork AttentionPass::work() const {
  const std::string how = "register blocks, sample by sample";
  const double macs = double(m_steps) * m_all * (4.0 * m_width + 2.0 * m_steps);
  return {m_node.path, how, how, macs, m_x.gradients.size() > 0, true, 1, 1, 1};
}

PassKind attentionPassKind() {
  PassKind kind{"multi_head_attention"};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    return std::make_unique<AttentionPass>(place.node(), place.stateSlots(), place.request.training, place.x(), place.y,
                                           place.kernels, place.threads);
  };
  return kind;
}

}  // namespace strata

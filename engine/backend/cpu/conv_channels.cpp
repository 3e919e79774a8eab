// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_channels.h"

#include <cmath>

namespace strata {
namespace {

constexpr double kLiveBelow = 0.9;  // share of a row's vectors that must be left, to be worth packing
constexpr double kRounding = 1e-4;  // of sums in float, by far

}  // namespace

LiveOutputs::LiveOutputs(const ConvContext& context)
    : m_context(context), m_numbers(std::size_t(context.shape.k)),
      m_bits(std::size_t((context.shape.k + context.lanes() - 1) / context.lanes())) {}

bool LiveOutputs::provenDead(const ConvWeights& weights, int k, double least, double most) const {
  const ConvShape& g = m_context.shape;
  double largest = weights.bias()[k], size = std::abs(largest);
  for (int r = 0; r < g.r; ++r) {
    const float* taps = weights.taps(r, k);
    for (int i = 0; i < g.s * g.c; ++i) {
      const double weight = taps[i];
      largest += weight * (weight > 0 ? most : least);
      size += std::abs(weight) * (most - least);
    }
  }
  return largest < -kRounding * size;
}

void LiveOutputs::choose(const ConvWeights& weights, float leastValue, float mostValue) {
  const double least = std::min(leastValue, 0.f), most = std::max(mostValue, 0.f);  // the frame is zero
  const bool bounded = m_context.shape.relu() && std::isfinite(most - least);
  const int lanes = m_context.lanes();
  m_count = 0;
  std::fill_n(m_bits.data(), m_bits.size(), 0u);
  for (int k = 0; k < m_context.shape.k; ++k) {
    if (bounded && provenDead(weights, k, least, most)) continue;
    m_numbers[std::size_t(m_count++)] = k;
    m_bits[std::size_t(k / lanes)] |= 1u << k % lanes;
  }
}

LiveInputs::LiveInputs(const ConvContext& context, std::int64_t sampleSize, int tile)
    : m_context(context), m_back(context.shape), m_marks(context.shape.c, context.lanes(), context.threads),
      m_rows(std::size_t(context.shape.r * context.shape.k * context.rowSize())) {
  for (int thread = 0; thread < context.threads; ++thread)
    m_scratch.push_back({Array<float>(std::size_t(sampleSize) * tile), Array<float>(std::size_t(sampleSize))});
}

void LiveInputs::mark(const float* x, int thread) const {
  m_context.kernels.markChannels(x, m_context.inputPixels(), m_context.shape.c, m_marks.ofThread(thread));
}

ConvShape LiveInputs::choose(const ConvWeights& weights) {
  const ConvShape& g = m_context.shape;
  const int lanes = m_context.lanes(), live = m_marks.merge(), taps = g.s * live, vecs = (taps + lanes - 1) / lanes;
  m_back = g;
  m_packed = live > 0 && vecs < kLiveBelow * g.rowVecs;
  if (!m_packed) return m_back;
  m_back.c = live, m_back.rowVecs = vecs;
  if (g.patchVecs > 0) m_back.patchVecs = (g.r * taps + lanes - 1) / lanes;
  const std::int64_t rowSize = std::int64_t{vecs} * lanes;
  for (int row = 0; row < g.r * g.k; ++row) {
    float* to = m_rows.data() + row * rowSize;
    m_context.kernels.packChannels(weights.rows() + row * m_context.rowSize(), g.s, g.c, m_marks.merged(), to);
    std::fill(to + taps, to + rowSize, 0.f);
  }
  return m_back;
}

float* LiveInputs::sample(int inTile, int thread) const {
  return m_scratch[std::size_t(thread)].samples.data() + std::int64_t{inTile} * m_context.inputPixels() * m_back.c;
}

void LiveInputs::pack(const float* x, int inTile, int thread) const {
  m_context.kernels.packChannels(x, m_context.inputPixels(), m_context.shape.c, m_marks.merged(),
                                 sample(inTile, thread));
}

void LiveInputs::unpackGradient(int thread, float* dx) const {
  m_context.kernels.unpackChannels(gradient(thread), m_context.inputPixels(), m_context.shape.c, m_marks.merged(), dx);
}

}  // namespace strata

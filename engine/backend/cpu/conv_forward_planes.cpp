// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_forward_planes.h"

#include <algorithm>

namespace strata {
namespace {

constexpr int kWindowCost = 3;  // a pooling window's own costs are those of so many channels by planes

/// Most output channels that the panels of convForwardWindows() have room for.
std::size_t windowWidth(const ConvContext& context) {
  return std::size_t(context.shape.k + 2 * kWindowVecs * context.lanes());
}

}  // namespace

ForwardByPlanes::ForwardByPlanes(const ConvContext& context, const ConvWeights& weights, const PlanePlaces& places)
    : ConvForward(context, weights), m_places(places),
      m_packed(std::size_t(context.shape.r) * context.shape.s * context.shape.c * std::size_t(context.width())) {
  for (int thread = 0; thread < m_context.threads; ++thread) m_scratch.push_back(makeScratch());
}

ForwardByPlanes::Scratch ForwardByPlanes::makeScratch() const {
  const ConvShape& g = m_context.shape;
  const int lanes = m_context.lanes(), pixels = m_context.window() > 1 ? lanes : 4 * lanes;
  const std::size_t frameVecs = m_places.framePixels.size() / std::size_t(lanes) + 1;
  return {Array<float>(std::size_t(g.planeStep()) * g.rows * g.phaseStride(lanes)),
          Array<float>(std::size_t(g.planeFloats(lanes))), Array<float>(std::size_t(m_context.width()) * pixels),
          Array<PlanePiece>(std::max(std::size_t(m_context.outputPixels()), frameVecs))};
}

void ForwardByPlanes::prepare(const ConvBatch& batch) {
  const ConvShape& g = m_context.shape;
  m_outputs = batch.outputs;
  float* to = m_packed.data();
  for (int r = 0; r < g.r; ++r)
    for (int i = 0; i < g.s * g.c; ++i)
      for (int n = 0; n < m_outputs.count; ++n) *to++ = m_weights.taps(r, m_outputs.numbers[n])[i];
}

ForwardResult ForwardByPlanes::forward(const ForwardSample& sample, int thread) {
  const Scratch& scratch = m_scratch[std::size_t(thread)];
  const PlaneScratch room{scratch.phases.data(), scratch.planes.data(), scratch.tile.data(), scratch.pieces.data(),
                          m_places.framePixels.data()};
  const float probe = m_context.kernels.convForwardPlanes(m_context.shape, m_places.pack, sample.x, m_packed.data(),
                                                          m_outputs, m_weights.bias(), room, m_places.places.data(),
                                                          *sample.pixels, sample.y, sample.codes);
  const int pixels = m_context.outputPixels();
  return {probe, {pixels - sample.pixels->deadCount, pixels}};
}

std::string ForwardByPlanes::how() const {
  return "register blocks of the pixels that meet anything but zeros: one input channel";
}

ForwardByWindows::ForwardByWindows(const ConvContext& context, const ConvWeights& weights, const PlanePlaces& places)
    : SparseForward(context, weights), m_places(places), m_shape(context.shape),
      m_packed((std::size_t(m_shape.r + 2) * (m_shape.s + 2) + 1) * windowWidth(context)),
      m_lists(context, std::int64_t{m_shape.outW} * m_shape.rows * (m_shape.s + 1),
              std::int64_t{m_shape.outW} * (m_shape.rows + 1)) {
  const std::size_t size = windowWidth(context) * std::size_t(context.lanes());
  for (int thread = 0; thread < m_context.threads; ++thread)
    m_scratch.push_back({Array<float>(size), Array<std::uint8_t>(size)});
}

void ForwardByWindows::prepare(const ConvBatch& batch) {
  const int lanes = m_context.lanes();
  m_outputs = batch.outputs;
  ConvShape& g = m_shape = m_context.shape;
  const int vecs = std::max(1, (m_outputs.count + lanes - 1) / lanes);
  g.widePixels = 2;
  g.panels = (vecs + kWindowVecs - 1) / kWindowVecs;
  g.panelVecs = (vecs + g.panels - 1) / g.panels;
  const int width = g.panelVecs * lanes, row = g.wideTaps() * width, panelSize = (g.r + 2) * row + width;
  std::fill_n(m_packed.data(), m_packed.size(), 0.f);
  for (int n = 0; n < m_outputs.count; ++n) {
    const int channel = m_outputs.numbers[n];
    float* to = m_packed.data() + n / width * panelSize + n % width;
    for (int r = 0; r < g.r; ++r)
      for (int s = 0; s < g.s; ++s) to[(r + 1) * row + (s + 1) * width] = m_weights.taps(r, channel)[s];
    to[(g.r + 2) * row] = m_weights.bias()[channel];
  }
}

LiveCount ForwardByWindows::look(const float* x, int) {
  const int pixels = m_context.inputPixels();
  return {m_context.kernels.countLive(x, pixels), pixels};
}

double ForwardByWindows::below() const {
  const ConvShape& g = m_context.shape;
  const double useful = double(g.r * g.s * (m_outputs.count - kWindowCost)) /
                        ((g.r + 1) * (g.s + 1) * m_shape.panels * m_shape.panelVecs * m_context.lanes());
  return m_context.kernels.windowsBelow * useful;
}

ForwardResult ForwardByWindows::forward(const ForwardSample& sample, int thread) {
  const Scratch& scratch = m_scratch[std::size_t(thread)];
  const RowLists lists = m_lists.of(thread);
  m_context.kernels.listWindows(m_shape, sample.x, lists);
  const float probe = m_context.kernels.convForwardWindows(
      m_shape, lists, m_packed.data(), m_outputs, m_weights.bias(), {scratch.values.data(), scratch.codes.data()},
      m_places.places.data(), *sample.pixels, sample.y, sample.codes);
  return {probe, sample.inputs};
}

std::string ForwardByWindows::how() const {
  return "lists of live inputs, a pooling window at a time: one input channel";
}

}  // namespace strata

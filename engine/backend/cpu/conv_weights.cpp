// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_weights.h"

#include "engine/backend/cpu/pass.h"

namespace strata {

ConvWeights::ConvWeights(const ConvContext& context, const Plan& plan) : m_context(context), m_plan(plan) {
  const ConvShape& g = m_context.shape;
  const std::size_t weights = std::size_t(g.r * g.k * rowSize()), width = std::size_t(m_context.width());
  for (int slot = 0; slot < kStates + plan.stateSlots; ++slot)
    m_slots[slot] = {Array<float>(weights), Array<float>(width)};
  if (!g.planes) m_panels = Array<float>(std::size_t(g.r) * g.s * g.c * width);
  if (g.columns || g.widePixels > 0) m_spread = Array<float>(std::size_t(g.r) * g.c * g.wideTaps() * width);
  if (plan.training) m_gradients = {Array<float>(kMostParts * weights), Array<float>(kMostParts * width)};
  for (int thread = 0; plan.packedGradient && thread < m_context.threads; ++thread)
    m_unpacked.emplace_back(std::size_t(rowSize()));
}

void ConvWeights::set(const float* canonical) {
  fromCanonical(canonical, m_slots[kWeights]);
  for (int row = 0; row < m_context.shape.r; ++row) derive(row);
}

void ConvWeights::get(float* canonical) const { toCanonical(m_slots[kWeights], canonical); }
void ConvWeights::setState(int slot, const float* canonical) { fromCanonical(canonical, m_slots[kStates + slot]); }
void ConvWeights::getState(int slot, float* canonical) const { toCanonical(m_slots[kStates + slot], canonical); }

void ConvWeights::fromCanonical(const float* canonical, const Slot& slot) const {
  const ConvShape& g = m_context.shape;
  const int taps = g.s * g.c;
  for (int r = 0; r < g.r; ++r, canonical += std::int64_t{taps} * g.k)
    m_context.kernels.transpose(canonical, g.k, taps, g.k, slot.weights.data() + r * g.k * rowSize(), rowSize());
  if (m_plan.hasBias) std::copy_n(canonical, g.k, slot.bias.data());
}

void ConvWeights::toCanonical(const Slot& slot, float* canonical) const {
  const ConvShape& g = m_context.shape;
  const int taps = g.s * g.c;
  for (int r = 0; r < g.r; ++r, canonical += std::int64_t{taps} * g.k)
    m_context.kernels.transpose(slot.weights.data() + r * g.k * rowSize(), rowSize(), g.k, taps, canonical, g.k);
  if (m_plan.hasBias) std::copy_n(slot.bias.data(), g.k, canonical);
}

void ConvWeights::derive(int row) {
  if (m_context.shape.planes) return;
  for (int panel = 0; panel < m_context.shape.panels; ++panel) derivePanel(row, panel);
}

void ConvWeights::derivePanel(int row, int panel) {
  const ConvShape& g = m_context.shape;
  const int width = m_context.panelWidth(), taps = g.s * g.c, first = panel * width,
            count = std::min(width, g.k - first);
  const std::int64_t kernelRow = std::int64_t{panel} * g.r + row;
  float* to = m_panels.data() + kernelRow * taps * width;
  m_context.kernels.transpose(this->taps(row, first), rowSize(), count, taps, to, width);
  if (m_spread.size() == 0) return;
  for (int c = 0; c < g.c; ++c)
    for (int s = 0; s < g.s; ++s)
      std::copy_n(to + (s * g.c + c) * width, width,
                  m_spread.data() + ((kernelRow * g.c + c) * g.wideTaps() + g.tapsBefore() + s) * width);
}

std::int64_t ConvWeights::gradientRowSize(int channels) const {
  const int lanes = m_context.lanes();
  return std::int64_t{(m_context.shape.s * channels + lanes - 1) / lanes} * lanes;
}

ConvGradient ConvWeights::gradient(int part) const {
  return {m_gradients.weights.data() + m_slots[kWeights].weights.size() * std::size_t(part),
          m_gradients.bias.data() + m_slots[kWeights].bias.size() * std::size_t(part)};
}

void ConvWeights::clearGradient(int part, int channels) const {
  const ConvGradient sums = gradient(part);
  std::fill_n(sums.weights, m_context.shape.r * m_context.shape.k * gradientRowSize(channels), 0.f);
  std::fill_n(sums.bias, m_slots[kWeights].bias.size(), 0.f);
}

bool ConvWeights::addParts(int row, int parts, int channels) const {
  const Kernels& kernels = m_context.kernels;
  const std::int64_t size = m_context.shape.k * gradientRowSize(channels);
  float* sum = gradient(0).weights + row * size;
  for (int part = 1; part < parts; ++part) kernels.addInPlace(sum, gradient(part).weights + row * size, size);
  return kernels.probe(sum, size) == 0;
}

void ConvWeights::addBiasParts(int parts) const {
  for (int part = 1; part < parts; ++part)
    m_context.kernels.addInPlace(gradient(0).bias, gradient(part).bias, m_context.width());
}

SlotPointers ConvWeights::statesAt(Array<float> Slot::*of, std::int64_t at) const {
  SlotPointers states;
  for (int slot = 0; slot < m_plan.stateSlots; ++slot) states.at[slot] = (m_slots[kStates + slot].*of).data() + at;
  return states;
}

const float* ConvWeights::gradientTaps(int row, int k, const PackedChannels& channels, float* room) const {
  const ConvShape& g = m_context.shape;
  const std::int64_t line = std::int64_t{row} * g.k + k;
  const float* gradient = m_gradients.weights.data() + line * gradientRowSize(channels.live ? channels.count : g.c);
  if (!channels.live) return gradient;
  m_context.kernels.unpackChannels(gradient, g.s, g.c, channels.live, room);
  return room;
}

float ConvWeights::update(int row, const PackedChannels& channels, int thread, const UpdateRule& rule) {
  const ConvShape& g = m_context.shape;
  float* room = channels.live ? m_unpacked[std::size_t(thread)].data() : nullptr;
  float probe = 0;
  for (int k = 0; k < g.k; ++k) {
    const std::int64_t at = (std::int64_t{row} * g.k + k) * rowSize();
    probe += m_context.kernels.update(rule, m_slots[kWeights].weights.data() + at, gradientTaps(row, k, channels, room),
                                      statesAt(&Slot::weights, at), g.s * g.c);
  }
  derive(row);
  return probe;
}

double ConvWeights::squares(int row, const PackedChannels& channels) const {
  const ConvShape& g = m_context.shape;
  const int count = channels.live ? channels.count : g.c;
  double sum = 0;
  for (int k = 0; k < g.k; ++k)
    sum += squaresOf(m_gradients.weights.data() + (std::int64_t{row} * g.k + k) * gradientRowSize(count), g.s * count);
  return sum;
}

double ConvWeights::biasSquares() const {
  return m_plan.hasBias ? squaresOf(m_gradients.bias.data(), m_context.shape.k) : 0;
}

void ConvWeights::getGradients(const PackedChannels& channels, float* canonical) const {
  const ConvShape& g = m_context.shape;
  const int taps = g.s * g.c;
  std::vector<float> room(channels.live ? std::size_t(rowSize()) : 0);
  for (int r = 0; r < g.r; ++r, canonical += std::int64_t{taps} * g.k)
    for (int k = 0; k < g.k; ++k) {
      const float* gradient = gradientTaps(r, k, channels, room.data());
      for (int tap = 0; tap < taps; ++tap) canonical[std::int64_t{tap} * g.k + k] = gradient[tap];
    }
  if (m_plan.hasBias) std::copy_n(m_gradients.bias.data(), g.k, canonical);
}

float ConvWeights::updateBias(const UpdateRule& rule) {
  if (!m_plan.hasBias) return 0;
  return m_context.kernels.update(rule, m_slots[kWeights].bias.data(), m_gradients.bias.data(),
                                  statesAt(&Slot::bias, 0), m_context.shape.k);
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_gradient.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace strata {
namespace {

constexpr double kListCost = 1.5;  // putting a value on a list costs as much as so many products of vectors

void addBias(const Kernels& kernels, const GradientSample& sample, const ConvGradient& sum) {
  kernels.addInPlace(sum.bias, sample.sums, sample.shape.k);
}

}  // namespace

WeightGradientByLists::WeightGradientByLists(const ConvContext& context, int tile)
    : ConvWeightGradient(context), m_capacity(context.shape.backRows * context.shape.outW * tile + kListRoom) {
  const std::size_t channels = std::size_t(context.shape.k), size = std::size_t(m_capacity) * channels;
  for (int thread = 0; thread < context.threads; ++thread)
    m_scratch.push_back({Array<float>(size), Array<std::int32_t>(size), Array<std::int32_t>(channels)});
}

ChannelLists WeightGradientByLists::listsOf(const Scratch& scratch) const {
  return {{scratch.values.data(), scratch.offsets.data()}, scratch.counts.data(), m_capacity};
}

void WeightGradientByLists::empty(const ConvShape& shape, const ConvGradient& sum, const Scratch& scratch) const {
  m_context.kernels.convWeightGradient(shape, listsOf(scratch), scratch.x, sum.weights);
  std::fill_n(scratch.counts.data(), scratch.counts.size(), 0);
}

LiveCount WeightGradientByLists::add(const GradientSample& sample, const ConvGradient& sum, int thread) {
  Scratch& scratch = m_scratch[std::size_t(thread)];
  if (!scratch.x) scratch.x = sample.x;
  const auto base = std::int32_t(sample.x - scratch.x);
  LiveCount count{0, outputs()};
  for (int row = 0; row < sample.shape.outH; row += sample.shape.backRows) {
    if (row > 0) empty(sample.shape, sum, scratch);
    count.live += list(sample, row, base, listsOf(scratch), sum, thread);
  }
  return count;
}

void WeightGradientByLists::finishTile(const ConvShape& shape, const ConvGradient& sum, int thread) {
  Scratch& scratch = m_scratch[std::size_t(thread)];
  if (scratch.x) empty(shape, sum, scratch);
  scratch.x = nullptr;
}

int WeightGradientByLists::list(const GradientSample& sample, int firstRow, std::int32_t base,
                                const ChannelLists& lists, const ConvGradient& sum, int) {
  const int pastRow = std::min(firstRow + sample.shape.backRows, sample.shape.outH);
  return m_context.kernels.channelLists(sample.shape, firstRow, pastRow, sample.dy, sample.y, sample.codes, base,
                                        sum.bias, lists);
}

WeightGradientByPlanes::WeightGradientByPlanes(const ConvContext& context, const PlanePlaces& places, int tile)
    : WeightGradientByLists(context, tile), m_places(places) {
  for (int thread = 0; thread < context.threads; ++thread)
    m_biasSums.emplace_back(std::size_t(context.shape.k) * std::size_t(context.lanes()));
}

int WeightGradientByPlanes::list(const GradientSample& sample, int, std::int32_t base, const ChannelLists& lists,
                                 const ConvGradient& sum, int thread) {
  return m_context.kernels.planeChannelLists(sample.shape, sample.dy, sample.channels, sample.channelCount, sample.y,
                                             m_places.places.data(), *sample.pixels, sample.codes, base,
                                             m_biasSums[std::size_t(thread)].data(), sum.bias, lists);
}

void WeightGradientByPlanes::finishPart(const ConvShape&, const ConvGradient& sum, int thread) {
  const int lanes = m_context.lanes();
  float* sums = m_biasSums[std::size_t(thread)].data();
  for (int k = 0; k < m_context.shape.k; ++k)
    for (int lane = 0; lane < lanes; ++lane) sum.bias[k] += std::exchange(sums[k * lanes + lane], 0.f);
}

LiveCount WeightGradientByBlocks::add(const GradientSample& sample, const ConvGradient& sum, int) {
  m_context.kernels.convWeightGradientDense(sample.shape, sample.dy, sample.x, sum.weights);
  addBias(m_context.kernels, sample, sum);
  return {outputs(), outputs()};
}

WeightGradientByPatches::WeightGradientByPatches(const ConvContext& context) : ConvWeightGradient(context) {
  const ConvShape& g = context.shape;
  const std::size_t positions = std::size_t(g.patchRows) * g.outW, channels = std::size_t(g.k),
                    patch = std::size_t(g.patchVecs) * context.lanes();
  for (int thread = 0; thread < context.threads; ++thread)
    m_scratch.push_back(
        {Array<float>(positions * patch), Array<float>(positions * channels), Array<float>(channels * patch)});
}

LiveCount WeightGradientByPatches::add(const GradientSample& sample, const ConvGradient& sum, int thread) {
  const Scratch& scratch = m_scratch[std::size_t(thread)];
  const int patches = m_context.kernels.convWeightGradientPatches(
      sample.shape, sample.dy, sample.x, {scratch.patches.data(), scratch.gradients.data(), scratch.sums.data()});
  addBias(m_context.kernels, sample, sum);
  return {std::int64_t{sample.shape.k} * patches, outputs()};
}

void WeightGradientByPatches::finishPart(const ConvShape& g, const ConvGradient& sum, int thread) {
  const Array<float>& sums = m_scratch[std::size_t(thread)].sums;
  const int taps = g.s * g.c, lanes = m_context.lanes();
  const std::int64_t rowSize = std::int64_t{g.rowVecs} * lanes, patch = std::int64_t{g.patchVecs} * lanes;
  for (int r = 0; r < g.r; ++r)
    for (int k = 0; k < g.k; ++k)
      m_context.kernels.addInPlace(sum.weights + (std::int64_t{r} * g.k + k) * rowSize,
                                   sums.data() + k * patch + r * taps, taps);
  std::fill_n(sums.data(), sums.size(), 0.f);
}

WeightGradientByInputs::WeightGradientByInputs(const ConvContext& context)
    : ConvWeightGradient(context),
      m_lists(context, context.inputPixels(), (std::int64_t{context.shape.rows} + 1) * (context.shape.cols + 1)) {
  const ConvShape& g = context.shape;
  const std::size_t frame = std::size_t(g.rows + g.r - 1) * std::size_t(frameCols()) * std::size_t(pixel());
  for (int thread = 0; thread < context.threads; ++thread)
    m_scratch.push_back({Array<float>(frame), Array<float>(std::size_t(g.r) * g.s * std::size_t(pixel()))});
}

bool WeightGradientByInputs::look(const float* x, int thread) {
  const ConvShape& g = m_context.shape;
  const RowLists lists = m_lists.of(thread);
  const int width = pixel();
  m_context.kernels.listRows(x, g.rows, g.cols, 1, width, width, lists);
  const int live = m_scratch[std::size_t(thread)].live = lists.starts[g.rows * (g.cols + 1) - 1];
  const std::int64_t byInputs = std::int64_t{live} * g.s * (width / m_context.lanes()) * 2,
                     byGradients = std::int64_t{m_context.outputPixels()} * g.k * g.rowVecs;
  if (byInputs > byGradients) return false;
  for (int row = 1; row < g.rows; ++row) {  // offsets were those within a row
    const std::int32_t* starts = lists.starts + row * (g.cols + 1);
    for (int e = starts[0]; e < starts[g.cols]; ++e) lists.list.offsets[e] += row * frameCols() * width;
  }
  return true;
}

Frame WeightGradientByInputs::room(int thread) const {
  const ConvShape& g = m_context.shape;
  const int before = (g.r - 1) * frameCols() + g.s - 1;
  return {m_scratch[std::size_t(thread)].frame.data() + before * pixel(), frameCols() * pixel()};
}

LiveCount WeightGradientByInputs::add(const GradientSample& sample, const ConvGradient& sum, int thread) {
  const Scratch& scratch = m_scratch[std::size_t(thread)];
  addBias(m_context.kernels, sample, sum);
  m_context.kernels.convWeightGradientByInputs(m_context.shape, m_lists.of(thread).list, scratch.live,
                                               scratch.frame.data(), scratch.sums.data());
  return {scratch.live, m_context.outputPixels()};
}

/// The sums are of the kernel turned by half a turn.
void WeightGradientByInputs::finishPart(const ConvShape& g, const ConvGradient& sum, int thread) {
  const Array<float>& sums = m_scratch[std::size_t(thread)].sums;
  const int taps = g.r * g.s;
  for (int tap = 0; tap < taps; ++tap)
    for (int k = 0; k < g.k; ++k)
      sum.weights[(std::int64_t{tap / g.s} * g.k + k) * m_context.rowSize() + tap % g.s] +=
          sums[std::size_t((taps - 1 - tap) * pixel() + k)];
  std::fill_n(sums.data(), sums.size(), 0.f);
}

InputGradientByLists::InputGradientByLists(const ConvContext& context) : ConvInputGradient(context) {
  const std::size_t pixels = std::size_t(context.outputPixels()), positions = pixels * std::size_t(context.window()),
                    values = pixels * std::size_t(context.shape.k);
  orderPositions();
  for (int thread = 0; thread < context.threads; ++thread)
    m_scratch.push_back({Array<float>(values), Array<std::int32_t>(values), Array<std::int32_t>(positions + 1),
                         Array<std::int32_t>(3 * (positions + 1))});
}

/// By bands of rows, and within a band column by column: successive patches lie in different rows, so no sum has to
/// wait for the one before it to reach memory.
void InputGradientByLists::orderPositions() {
  const ConvShape& g = m_context.shape;
  const int convH = g.outH * g.poolH, convW = g.outW * g.poolW, band = g.backRows * g.poolH;
  m_order = Array<std::int32_t>(2 * std::size_t(convH) * std::size_t(convW));
  std::int32_t* at = m_order.data();
  for (int first = 0; first < convH; first += band)
    for (int ox = 0; ox < convW; ++ox)
      for (int oy = first; oy < std::min(first + band, convH); ++oy) {
        *at++ = oy * g.sy * g.cols + ox * g.sx;
        *at++ = ((oy / g.poolH * g.outW + ox / g.poolW) * g.poolH + oy % g.poolH) * g.poolW + ox % g.poolW;
      }
}

void InputGradientByLists::write(const GradientSample& sample, const float* rows, float* dx, int thread) {
  const ConvShape& g = sample.shape;
  const Kernels& kernels = m_context.kernels;
  const Scratch& scratch = m_scratch[std::size_t(thread)];
  const PositionLists lists{{scratch.values.data(), scratch.offsets.data()}, scratch.starts.data()};
  kernels.positionLists(g, sample.dy, sample.y, sample.codes, lists);
  std::memset(dx, 0, sizeof(float) * std::size_t(m_context.inputPixels()) * std::size_t(g.c));
  const int rowPositions = g.poolH * g.outW * g.poolW;
  for (int row = 0; row < g.outH; row += g.backRows)
    kernels.convInputGradient(g, lists, m_order.data() + 2 * row * rowPositions,
                              std::min(g.backRows, g.outH - row) * rowPositions, scratch.visits.data(), rows, dx);
}

void InputGradientByBlocks::write(const GradientSample& sample, const float* rows, float* dx, int) {
  m_context.kernels.convInputGradientDense(sample.shape, sample.dy, rows, dx);
}

bool gradientBlocksPay(const ConvContext& context, const ConvShape& g, bool inputGradient, int live) {
  // Products of vectors for each value: by lists, and by register blocks.
  const double rows = double(g.r) * g.rowVecs, back = inputGradient ? rows : 0, byLists = rows + back,
               byBlocks = (g.patchVecs > 0 ? g.patchVecs : rows) + back;
  const std::int64_t size = std::int64_t{g.outH} * g.outW * g.k;
  return double(live) * byLists >= (context.kernels.gradientListsBelow * byBlocks - kListCost) * double(size);
}

}  // namespace strata

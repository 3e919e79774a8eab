// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_forward.h"

#include <algorithm>

namespace strata {
namespace {

/// The ways that differ in their lists and weights only: a band of output rows after the other, then bias, pooling and
/// activation. Returns a probe.
float convolve(const ConvContext& context, ConvMethod method, const ForwardSample& sample, const RowLists& lists,
               const float* weights, const float* bias, float* sums) {
  const ConvShape& g = context.shape;
  const Kernels& kernels = context.kernels;
  const float probe = kernels.convForward(g, method, sample.x, lists, weights, bias, sums, sample.y, sample.codes);
  for (int row = 0; g.curved() && row < g.outH; ++row)
    kernels.activate(g.activation, sample.y.data + std::int64_t{row} * sample.y.rowStride, std::int64_t{g.outW} * g.k);
  return probe;
}

/// How many values of a sample are live, of those inside its frame.
LiveCount liveInside(const ConvContext& context, const float* x) {
  return {context.kernels.countLive(x, context.inputPixels() * context.shape.c), context.inputValues};
}

/// Lists by rows or columns of pixels.
InputLists listsByPixels(const ConvContext& context) {
  const ConvShape& g = context.shape;
  return {context, std::int64_t{g.rows} * g.cols * g.c, (std::int64_t{g.rows} + 1) * (g.cols + 1)};
}

}  // namespace

ConvSums::ConvSums(const ConvContext& context) {
  const ConvShape& g = context.shape;
  for (int thread = 0; thread < context.threads; ++thread)
    m_sums.emplace_back(std::size_t(g.bandRows) * g.poolH * g.outW * g.poolW * context.panelWidth());
}

InputLists::InputLists(const ConvContext& context, std::int64_t values, std::int64_t starts) {
  for (int thread = 0; thread < context.threads; ++thread)
    m_lists.push_back({Array<float>(std::size_t(values)), Array<std::int32_t>(std::size_t(values)),
                       Array<std::int32_t>(std::size_t(starts))});
}

RowLists InputLists::of(int thread) const {
  const Lists& lists = m_lists[std::size_t(thread)];
  return {{lists.values.data(), lists.offsets.data()}, lists.starts.data()};
}

ForwardResult ForwardByBlocks::forward(const ForwardSample& sample, int thread) {
  return {convolve(m_context, ConvMethod::Dense, sample, {}, m_weights.panels(), m_weights.bias(), m_sums.of(thread)),
          sample.inputs};
}

ForwardByLists::ForwardByLists(const ConvContext& context, const ConvWeights& weights)
    : SparseForward(context, weights), m_sums(context), m_lists(listsByPixels(context)) {}

LiveCount ForwardByLists::look(const float* x, int) { return liveInside(m_context, x); }

ForwardResult ForwardByLists::forward(const ForwardSample& sample, int thread) {
  const ConvShape& g = m_context.shape;
  const RowLists lists = m_lists.of(thread);
  const int width = m_context.panelWidth();
  m_context.kernels.listRows(sample.x, g.rows, g.cols, g.c, width, g.c * width, lists);
  return {
      convolve(m_context, ConvMethod::Lists, sample, lists, m_weights.panels(), m_weights.bias(), m_sums.of(thread)),
      sample.inputs};
}

ForwardByColumns::ForwardByColumns(const ConvContext& context, const ConvWeights& weights)
    : SparseForward(context, weights), m_sums(context), m_lists(listsByPixels(context)),
      m_background(std::size_t(context.shape.c)), m_bias(std::size_t(context.width())) {}

void ForwardByColumns::prepare(const ConvBatch& batch) {
  if (!severalRows()) return;
  std::copy_n(m_weights.bias(), m_bias.size(), m_bias.data());
  for (int c = 0; c < m_context.shape.c; ++c) {
    const float value = m_background[std::size_t(c)] = batch.background ? batch.background[c] : 0;
    if (value != 0) addToBias(c, value);
  }
}

/// Adds what an input channel that holds `value` everywhere amounts to.
void ForwardByColumns::addToBias(int c, float value) {
  const ConvShape& g = m_context.shape;
  const int width = m_context.panelWidth();
  for (int panel = 0; panel < g.panels; ++panel)
    for (int tap = 0; tap < g.r * g.s; ++tap) {
      const float* weights = m_weights.panels() + ((std::int64_t{panel} * g.r * g.s + tap) * g.c + c) * width;
      for (int i = 0; i < width; ++i) m_bias[std::size_t(panel * width + i)] += value * weights[i];
    }
}

LiveCount ForwardByColumns::look(const float* x, int) { return liveInside(m_context, x); }

ForwardResult ForwardByColumns::forward(const ForwardSample& sample, int thread) {
  const ConvShape& g = m_context.shape;
  const Kernels& kernels = m_context.kernels;
  const RowLists lists = m_lists.of(thread);
  const int tapWidth = g.s * m_context.panelWidth();
  LiveCount inputs = sample.inputs;
  if (severalRows()) {
    kernels.listColumns(sample.x, g.rows, g.cols, g.c, tapWidth, m_background.data(), lists);
    inputs.live = lists.starts[g.cols * (g.rows + 1) - 1];
  } else {
    kernels.listRows(sample.x, g.rows, g.cols, g.c, tapWidth, 0, lists);
  }
  const float* bias = severalRows() ? m_bias.data() : m_weights.bias();
  return {convolve(m_context, ConvMethod::Columns, sample, lists, m_weights.spread(), bias, m_sums.of(thread)), inputs};
}

std::string ForwardByColumns::how() const {
  const bool background = std::any_of(m_background.data(), m_background.data() + m_background.size(),
                                      [](float value) { return value != 0; });
  return std::string("lists of live inputs, column by column") + (background ? ", less what the background holds" : "");
}

ForwardByBands::ForwardByBands(const ConvContext& context, const ConvWeights& weights)
    : SparseForward(context, weights), m_sums(context),
      m_lists(context, context.shape.bandInputs(), std::int64_t{context.shape.bands()} * (context.shape.rows + 1)),
      m_offsets(std::size_t(context.shape.bandCols()) * context.shape.c) {
  const ConvShape& g = m_context.shape;
  for (int i = 0; i < g.bandCols() * g.c; ++i)
    m_offsets[std::size_t(i)] = (i / g.c + i % g.c * g.wideTaps()) * m_context.panelWidth();
}

LiveCount ForwardByBands::look(const float* x, int thread) {
  const ConvShape& g = m_context.shape;
  const RowLists lists = m_lists.of(thread);
  m_context.kernels.listBands(g, x, m_offsets.data(), lists);
  return {lists.starts[std::int64_t{g.bands()} * (g.rows + 1) - 1], g.bandInputs()};
}

double ForwardByBands::below() const {
  const double useful = double(m_context.shape.s) / m_context.shape.bandCols();  // the rest meet weights of zero
  return m_context.kernels.convListsBelow * useful;
}

ForwardResult ForwardByBands::forward(const ForwardSample& sample, int thread) {
  return {convolve(m_context, ConvMethod::Wide, sample, m_lists.of(thread), m_weights.spread(), m_weights.bias(),
                   m_sums.of(thread)),
          sample.inputs};
}

std::string ForwardByBands::how() const {
  return "lists of live inputs, " + std::to_string(m_context.shape.widePixels) +
         " pixels at a time: few input channels";
}

std::unique_ptr<SparseForward> makeSparseForward(const ConvContext& context, const ConvWeights& weights) {
  if (context.shape.widePixels > 0) return std::make_unique<ForwardByBands>(context, weights);
  if (context.shape.columns) return std::make_unique<ForwardByColumns>(context, weights);
  return std::make_unique<ForwardByLists>(context, weights);
}

}  // namespace strata

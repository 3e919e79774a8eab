// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/dense_pass.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace strata {
namespace {

constexpr int kChunk = 128;         // features whose values are listed and weights read together
constexpr int kChunkFloats = 8192;  // weights that the first cache holds
constexpr int kBlock = 32;          // features updated together
constexpr int kRoom = 16;           // lists are written a vector at a time
// Packing and unpacking an input's gradients costs as much as its products with this many outputs.
constexpr int kPackCost = 64;

/// Samples in one task: few panels need several tasks each, many should be read from memory once.
int rowsOf(int panels) { return panels >= 8 ? 128 : panels >= 4 ? 64 : 32; }
int tasksOf(int batch, int rows) { return (batch + rows - 1) / rows; }

/// Features of one chunk, for which rows of `width` weights are read: whole panels, or where one holds too many, equal
/// parts of it.
int chunkFor(int panel, int width, int lanes) {
  const int most = std::min(kChunk, kChunkFloats / width);
  if (panel == 0) return most;
  if (panel <= most) return most / panel * panel;
  for (int part = most / lanes * lanes; 2 * part > most; part -= lanes)
    if (panel % part == 0) return part;
  return panel;
}

}  // namespace

int DensePass::panelFor(std::int64_t size, const Kernels& kernels) {
  const std::int64_t vecs = (size + kernels.lanes - 1) / kernels.lanes, panels = (vecs + kPanelVecs - 1) / kPanelVecs;
  return int((vecs + panels - 1) / panels) * kernels.lanes;
}

void DensePass::SampleLists::allocate(int width, int chunkSize, int batch) {
  chunk = chunkSize;
  chunks = (width + chunk - 1) / chunk;
  capacity = (width + 31) / 16 * 16;
  values = Array<float>(std::size_t(capacity) * batch);
  offsets = Array<std::int32_t>(values.size());
  samples = batch;
  stretches = Array<ChunkLists::Stretch>(std::size_t(chunks) * batch);
}

DensePass::DensePass(const Plan& plan, Buffer& x, Buffer& y, const Kernels& kernels, int threads)
    : m_plan(plan), m_kernels(kernels), m_x(x), m_y(y), m_in(int(x.shape.size())), m_out(y.shape.c), m_panel(y.panel),
      m_panels(y.panels()), m_inPanel(panelFor(m_in, kernels)), m_outChunk(std::max(1, kChunk / m_panel) * m_panel),
      m_block(x.panel ? x.panel : kBlock), m_blocks((m_in + m_block - 1) / m_block),
      m_mayPack(x.rectified && plan.inputGradient && m_out > kPackCost), m_features(std::size_t(m_in)),
      m_featureCount(m_in), m_scratch(std::size_t(threads)) {
  m_weights = Array<float>(std::size_t(m_panels) * m_in * m_panel);
  m_bias = Array<float>(std::size_t(m_panels) * m_panel);
  for (int slot = 0; slot < plan.stateSlots; ++slot) {
    m_state[slot] = Array<float>(m_weights.size());
    m_biasState[slot] = Array<float>(m_bias.size());
  }
  if (plan.keepsGradient) {
    m_kept = Array<float>(m_weights.size());
    m_keptBias = Array<float>(m_bias.size());
  }
  if (x.hasZeros) m_inputs.allocate(m_in, chunkFor(x.panel, m_panel, kernels.lanes), x.batch);
  m_inputs.below = kernels.listsBelow(m_panel / kernels.lanes),
  m_outputs.below = kernels.listsBelow(m_inPanel / kernels.lanes);
  m_pieces = Array<float>(std::size_t(m_panels) * y.batch * m_panel);
  if (plan.inputGradient) {
    for (Scratch& scratch : m_scratch) scratch.transposed = Array<float>(std::size_t(m_outChunk) * m_inPanel);
    if (plan.gradientHasZeros) m_outputs.allocate(m_out, chunkFor(m_panel, m_inPanel, kernels.lanes), x.batch);
  }
  std::iota(m_features.data(), m_features.data() + m_in, 0);
  if (m_mayPack) {
    m_live = ChannelMarks(m_in, kernels.lanes, threads);
    m_packedGradients = Array<float>(std::size_t(m_in) * x.batch);
  }
  for (Scratch& scratch : m_scratch) {
    scratch.values = Array<float>(std::size_t(m_block + kRoom) * (x.batch + kRoom));
    scratch.offsets = Array<std::int32_t>(scratch.values.size());
    scratch.counts = Array<std::int32_t>(std::size_t(m_block));
    scratch.gradient = Array<float>(std::size_t(m_block) * m_panel);
  }
}

double DensePass::list(const Step& step, const Panels& rows, int scale, SampleLists& lists, Density& density,
                       int part) {
  const std::int64_t size = std::int64_t{step.end(part) - step.begin(part)} * rows.width;
  std::int64_t live = 0;
  for (int n = step.begin(part); n < step.end(part); ++n)
    for (int first = 0; first < rows.width; first += rows.panel)
      live += m_kernels.countLive(rows.data + first / rows.panel * rows.panelStride + n * rows.rowStride,
                                  std::min(rows.panel, rows.width - first));
  density.add(live, size);
  const double share = double(live) / double(size);
  if (share < lists.below)
    m_kernels.listSamples(rows, step.begin(part), step.end(part), lists.chunk, scale, lists.view(),
                          step.begin(part) * lists.capacity);
  return share;
}

void DensePass::forward(const Step& step) {
  m_finite = true;
  const Panels x = m_x.matrix(m_x.values);
  std::atomic<bool> listed = m_x.hasZeros, listFeatures = m_x.hasZeros;  // every part
  m_live.clear();
  if (m_x.hasZeros)
    step.pool.run(step.parts(), [&](int part, int thread) {
      const double share = list(step, x, m_panel, m_inputs, m_inputDensity, part);
      if (share >= m_inputs.below) listed = false;
      if (share >= m_kernels.featureListsBelow) listFeatures = false;
      if (step.training && m_mayPack) markFeatures(step, part, thread);
    });
  m_listInputs = listed;
  m_listFeatures = listFeatures;
  ++m_forwardBy[m_listInputs];
  ++m_weightsBy[m_listFeatures];
  const int rows = rowsOf(m_panels), groups = tasksOf(step.batch, rows);
  step.pool.run(m_panels * groups, [&](int task, int) {
    const int panel = task / groups, begin = task % groups * rows, end = std::min(begin + rows, step.batch),
              vecs = m_panel / m_kernels.lanes;
    float* y = m_y.values.data() + std::int64_t{panel} * m_y.batch * m_panel;
    const float *weights = m_weights.data() + std::int64_t{panel} * m_in * m_panel,
                *bias = m_bias.data() + panel * m_panel;
    const bool relu = m_plan.activation == Activation::Relu;
    const float probe = m_listInputs
                            ? m_kernels.denseForward(m_inputs.view(), m_inputs.chunks, m_inputs.chunk, begin, end,
                                                     weights, bias, vecs, relu, y, m_panel)
                            : m_kernels.denseForwardDense(x, begin, end, weights, bias, vecs, relu, y, m_panel);
    if (!(probe == 0)) m_finite = false;
    const std::int64_t count = std::int64_t{end - begin} * m_panel;
    if (!relu) m_kernels.activate(m_plan.activation, y + std::int64_t{begin} * m_panel, count);
  });
}

void DensePass::backward(const Step& step) {
  const Panels dz = m_y.matrix(m_y.gradients);
  std::atomic<bool> listed = m_plan.inputGradient && m_plan.gradientHasZeros;  // every part
  step.pool.run(step.parts(), [&](int part, int) {
    const int begin = step.begin(part), count = step.end(part) - begin;
    for (int panel = 0; panel < m_panels; ++panel) {
      const std::int64_t panelStart = std::int64_t{panel} * m_y.batch * m_panel,
                         at = panelStart + std::int64_t{begin} * m_panel;
      if (!(m_kernels.activationGradient(m_plan.activation, m_y.values.data() + at, m_y.gradients.data() + at,
                                         std::int64_t{count} * m_panel) == 0))
        m_finite = false;
      if (!m_listFeatures)
        m_kernels.cutIntoPieces(m_y.gradients.data() + panelStart, begin, begin + count, m_panel / m_kernels.lanes,
                                m_y.batch, m_pieces.data() + panelStart);
    }
    if (m_plan.inputGradient && m_plan.gradientHasZeros &&
        list(step, dz, m_inPanel, m_outputs, m_gradientDensity, part) >= m_outputs.below)
      listed = false;
  });
  if (!m_plan.inputGradient) return;
  ++m_gradientBy[listed];
  if (m_mayPack) chooseFeatures();
  inputGradient(step, listed);
  if (m_packed) step.pool.run(step.batch, [&](int n, int) { unpackGradient(n); });
}

void DensePass::inputGradient(const Step& step, bool lists) {
  const Panels dx = m_x.matrix(m_x.gradients), dz = m_y.matrix(m_y.gradients);
  const int lanes = m_kernels.lanes, vecs = (m_featureCount + lanes - 1) / lanes, most = m_inPanel / lanes;
  int panels = (vecs + most - 1) / most;
  if (m_packed) panels += panels % 2;  // for two threads
  const auto border = [=, packed = m_packed](int panel) {
    return packed ? vecs * panel / panels : std::min(panel * most, vecs);
  };
  const int rows = panels >= 4 ? step.batch : rowsOf(panels), groups = tasksOf(step.batch, rows);
  step.pool.run(panels * groups, [&](int task, int thread) {
    const int panel = task / groups, begin = task % groups * rows, end = std::min(begin + rows, step.batch);
    const int from = border(panel), past = border(panel + 1), feature = from * lanes,
              width = std::min(past * lanes, m_featureCount) - feature;
    const std::int32_t* features = m_features.data() + feature;
    float *out = dx.data + feature / dx.panel * dx.panelStride + feature % dx.panel,
          *transposed = m_scratch[std::size_t(thread)].transposed.data();
    std::int64_t rowStride = dx.rowStride;
    if (m_packed) out = m_packedGradients.data() + feature, rowStride = m_in;
    const int chunk = lists ? m_outputs.chunk : m_outChunk;
    for (int first = 0; first < m_out; first += chunk) {
      const int last = std::min(first + chunk, m_out);
      transposeChunk(first, last, features, width, !lists, transposed);
      if (lists) {
        m_kernels.denseInputGradient(m_outputs.view(), first / chunk, begin, end, transposed, past - from, out,
                                     rowStride, width);
        continue;
      }
      // What is turned over next.
      const float* ahead = m_weights.data() + (std::int64_t{last / m_panel} * m_in + features[0]) * m_panel;
      m_kernels.denseInputGradientDense(dz, first, last, begin, end, transposed, ahead, past - from, out, rowStride,
                                        width);
    }
  });
}

void DensePass::markFeatures(const Step& step, int part, int thread) const {
  const Panels x = m_x.matrix(m_x.values);
  for (int first = 0; first < m_in; first += x.panel)
    for (int n = step.begin(part); n < step.end(part); ++n)
      m_kernels.markChannels(x.data + first / x.panel * x.panelStride + n * x.rowStride, 1,
                             std::min(x.panel, m_in - first), m_live.ofThread(thread) + first / m_kernels.lanes);
}

/// Inputs that ReLU holds at zero throughout the batch need no gradient. Leaving them out costs packing and unpacking
/// the others, which the saved products must outweigh.
void DensePass::chooseFeatures() {
  const int live = m_live.merge();
  m_packed = live > 0 && std::int64_t{m_in - live} * m_out > std::int64_t{kPackCost} * m_in;
  m_featureCount = 0;
  for (int j = 0; j < m_in; ++j)
    if (!m_packed || m_live.has(j)) m_features[std::size_t(m_featureCount++)] = j;
  m_featureShare.add(m_featureCount, m_in);
}

void DensePass::unpackGradient(int n) const {
  const Panels dx = m_x.matrix(m_x.gradients);
  const float* from = m_packedGradients.data() + std::int64_t{n} * m_in;
  for (int first = 0; first < m_in; first += dx.panel) {
    const std::uint32_t* live = m_live.merged() + first / m_kernels.lanes;
    const int width = std::min(dx.panel, m_in - first);
    m_kernels.unpackChannels(from, 1, width, live, dx.data + first / dx.panel * dx.panelStride + n * dx.rowStride);
    for (int i = 0; i < width; i += m_kernels.lanes) from += std::popcount(*live++);
  }
}

template <class Take>
void DensePass::weightGradient(const Step& step, int task, int thread, bool skipsZeros, Take take) {
  Scratch& scratch = m_scratch[std::size_t(thread)];
  const int begin = task * m_block, end = std::min(begin + m_block, m_in);
  const ChannelLists lists{{scratch.values.data(), scratch.offsets.data()}, scratch.counts.data(), m_x.batch + kRoom};
  const Panels x = m_x.matrix(m_x.values);
  if (m_listFeatures && m_kernels.listFeatures(x, step.batch, begin, end, m_panel, lists) == 0 && skipsZeros) return;
  Panels block{scratch.values.data(), 0, m_block, m_block, end - begin};
  if (!m_listFeatures)  // side by side: in x a sample lies pages after the one before, too many for the processor's
                        // table of pages
    for (int n = 0; n < step.batch; ++n)
      std::copy_n(x.data + begin / x.panel * x.panelStride + n * x.rowStride + begin % x.panel, end - begin,
                  block.data + std::int64_t{n} * m_block);
  for (int panel = 0; panel < m_panels; ++panel) {
    const int vecs = m_panel / m_kernels.lanes;
    const std::int64_t panelStart = std::int64_t{panel} * m_y.batch * m_panel,
                       at = (std::int64_t{panel} * m_in + begin) * m_panel;
    if (m_listFeatures)
      m_kernels.denseWeightGradient(lists, end - begin, m_y.gradients.data() + panelStart, vecs,
                                    scratch.gradient.data());
    else
      m_kernels.denseWeightGradientDense(block, step.batch, m_pieces.data() + panelStart, m_y.batch,
                                         m_weights.data() + at, vecs, scratch.gradient.data());
    take(at, scratch.gradient.data(), std::int64_t{end - begin} * m_panel);
  }
}

float DensePass::updateTask(const Step& step, int task, int thread, const UpdateRule& rule) {
  if (task == m_blocks) {
    if (!m_plan.hasBias) return 0;
    const Array<float> gradient = m_plan.keepsGradient ? Array<float>() : biasGradient(step);
    return m_kernels.update(rule, m_bias.data(), m_plan.keepsGradient ? m_keptBias.data() : gradient.data(),
                            slotsAt(m_biasState, 0), m_out);
  }
  float probe = 0;
  const auto update = [&](std::int64_t at, const float* gradient, std::int64_t count) {
    probe += m_kernels.update(rule, m_weights.data() + at, gradient, slotsAt(m_state, at), count);
  };
  if (!m_plan.keepsGradient) {
    weightGradient(step, task, thread, rule.restsWithoutGradient(), update);
    return probe;
  }
  const int begin = task * m_block, end = std::min(begin + m_block, m_in);
  for (int panel = 0; panel < m_panels; ++panel) {
    const std::int64_t at = (std::int64_t{panel} * m_in + begin) * m_panel;
    update(at, m_kept.data() + at, std::int64_t{end - begin} * m_panel);
  }
  return probe;
}

/// What pads the last panel is left out.
double DensePass::gradientSquares(const Step& step, int task, int thread) {
  double sum = 0;
  if (task == m_blocks) {
    if (!m_plan.hasBias) return 0;
    m_keptBias = biasGradient(step);
    return squaresOf(m_keptBias.data(), m_out);
  }
  weightGradient(step, task, thread, false, [&](std::int64_t at, const float* gradient, std::int64_t count) {
    std::copy_n(gradient, count, m_kept.data() + at);
    const std::int64_t panel = at / (std::int64_t{m_in} * m_panel),
                       width = std::min<std::int64_t>(m_panel, m_out - panel * m_panel);
    for (std::int64_t i = 0; i < count; i += m_panel) sum += squaresOf(gradient + i, width);
  });
  return sum;
}

Array<float> DensePass::biasGradient(const Step& step) const {
  Array<float> gradient(m_bias.size());
  for (int panel = 0; panel < m_panels; ++panel)
    for (int n = 0; n < step.batch; ++n)
      m_kernels.addInPlace(gradient.data() + panel * m_panel,
                           m_y.gradients.data() + (std::int64_t{panel} * m_y.batch + n) * m_panel, m_panel);
  return gradient;
}

void DensePass::transposeChunk(int begin, int end, const std::int32_t* features, int count, bool pieces,
                               float* to) const {
  const int lanes = m_kernels.lanes, vecs = (count + lanes - 1) / lanes;
  for (int at = 0, take = 0; at < count; at += take) {
    take = pieces ? pieceVecs(vecs - at / lanes) * lanes : m_inPanel;
    for (int n = begin; n < end; n += m_panel)
      m_kernels.transposeSome(m_weights.data() + std::int64_t{n / m_panel} * m_in * m_panel + n % m_panel, m_panel,
                              features + at, std::min(take, count - at), std::min(m_panel, end - n),
                              to + std::int64_t{end - begin} * at + (n - begin) * take, take);
  }
}

// Canonical: kernel [in][out], then bias [out].
void DensePass::fromCanonical(const float* canonical, const Array<float>& panels, const Array<float>& bias) const {
  for (int k = 0; k < m_in; ++k, canonical += m_out)
    for (int n = 0; n < m_out; n += m_panel)
      std::copy_n(canonical + n, std::min(m_panel, m_out - n),
                  panels.data() + (std::int64_t{n / m_panel} * m_in + k) * m_panel);
  if (m_plan.hasBias) std::copy_n(canonical, m_out, bias.data());
}

void DensePass::toCanonical(const Array<float>& panels, const Array<float>& bias, float* canonical) const {
  for (int k = 0; k < m_in; ++k, canonical += m_out)
    for (int n = 0; n < m_out; n += m_panel)
      std::copy_n(panels.data() + (std::int64_t{n / m_panel} * m_in + k) * m_panel, std::min(m_panel, m_out - n),
                  canonical + n);
  if (m_plan.hasBias) std::copy_n(bias.data(), m_out, canonical);
}

void DensePass::setWeights(const float* canonical) { fromCanonical(canonical, m_weights, m_bias); }
void DensePass::getWeights(float* canonical) const { toCanonical(m_weights, m_bias, canonical); }
void DensePass::setState(int slot, const float* canonical) {
  fromCanonical(canonical, m_state[slot], m_biasState[slot]);
}
void DensePass::getState(int slot, float* canonical) const { toCanonical(m_state[slot], m_biasState[slot], canonical); }

PassWork DensePass::work() const {
  const auto lists = [](const std::atomic<std::int64_t>(&by)[2]) { return by[1] >= by[0]; };
  const auto method = [](bool listed, const char* what) {
    return (listed ? "lists of live " : "register blocks: too few zeros in the ") + std::string(what);
  };
  const auto live = [](bool listed, const Density& density) { return listed ? density.share() : 1; };
  const bool inputs = lists(m_forwardBy), gradients = lists(m_gradientBy), features = lists(m_weightsBy);
  const std::string ofWeights = method(features, "inputs");
  PassWork work{m_plan.name,
                method(inputs, "inputs"),
                ofWeights,
                double(m_in) * m_out,
                m_plan.inputGradient,
                false,
                live(inputs, m_inputDensity),
                live(gradients, m_gradientDensity),
                live(features, m_inputDensity)};
  if (!m_plan.inputGradient) return work;
  work.inputChannels = m_featureShare.share();
  work.backward = method(gradients, "gradients");
  if (work.inputChannels < 1)
    work.backward += ", without the " + std::to_string(std::lround(100 * (1 - work.inputChannels))) +
                     " % of inputs that a whole batch leaves dead";
  work.backward += "; of the weights: " + ofWeights;
  return work;
}

PassKind densePassKind() {
  PassKind kind{"dense"};
  kind.anyShape = true;
  kind.takes = [](const Site& site) { return site.in.isVector(); };
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    const Site site = place.site();
    const bool relu = activationOf(site.fields) == Activation::Relu;
    place.y.hasZeros |= relu;
    place.y.rectified = relu && place.readOnce;
    const DensePass::Plan plan{site.name,
                               activationOf(site.fields),
                               site.fields.flag("use_bias"),
                               site.needsInputGradient,
                               relu || place.readByOp,
                               place.stateSlots(),
                               place.node().weightsOffset,
                               keepsGradients(place.request)};
    return std::make_unique<DensePass>(plan, place.x(), place.y, place.kernels, place.threads);
  };
  return kind;
}

}  // namespace strata

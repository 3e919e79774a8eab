// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_pass.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace strata {
namespace {

constexpr std::int64_t kCacheFloats = 6144;  // 24 KB of a first cache of 32
constexpr double kListCost = 1.5;            // putting a value on a list costs as much as so many products of vectors
constexpr std::int64_t kMostPlaneFloats = 1 << 18;  // a megabyte: half of a second cache
constexpr int kPackBelow = 8;                       // moving a pixel of a plane costs as much as so many products
// Share of the vectors that whole patches must come down to, to be worth copying.
constexpr double kPatchesBelow = 0.75;
constexpr int kSkipFrom = 32;       // channels whose products are worth more than copying a patch and its gradients
constexpr double kLiveBelow = 0.9;  // the same for leaving out dead channels
constexpr int kWindowCost = 3;      // a pooling window's own costs are those of so many channels by planes
constexpr double kBackgroundFrom = 0.25;  // share of pixels alike, for what they hold to be taken off the others
constexpr int kLeastOutputs = 32;         // pooled pixels whose gradients are worth a list for each channel
constexpr int kRoom = 16;                 // lists are written a vector at a time

/// Whether ConvMethod::Columns has a kernel for the shape.
bool mayUseColumns(const ConvShape& g) { return !g.planes && g.sx == 1 && (g.s == 3 || g.s == 5); }

}  // namespace

void ConvPass::plan(ConvShape& g, bool inputGradient, const Kernels& kernels) {
  const int window = g.poolH * g.poolW;
  g.planes = g.c == 1 && g.planeFloats(kernels.lanes) <= kMostPlaneFloats &&
             (window == 1 || (g.poolH == 2 && g.poolW == 2 && !inputGradient));
  const int vecs = (g.k + kernels.lanes - 1) / kernels.lanes;
  // Of one kernel row, a vector of channels out.
  const std::int64_t rowFloats = std::int64_t{g.s} * g.c * kernels.lanes;
  const int mostVecs =
      mayUseColumns(g) ? int(std::clamp<std::int64_t>(kCacheFloats / rowFloats, 2, kWideVecs)) : kPanelVecs;
  g.panels = (vecs + mostVecs - 1) / mostVecs;
  g.panelVecs = (vecs + g.panels - 1) / g.panels;
  g.rowVecs = (g.s * g.c + kernels.lanes - 1) / kernels.lanes;
  g.patchVecs = (g.r * g.s * g.c + kernels.lanes - 1) / kernels.lanes;
  const bool skipPatches = g.c == 1 && g.k >= kSkipFrom;  // of pixels that meet zeros alone
  if (window > 1 || (!skipPatches && g.patchVecs > kPatchesBelow * g.r * g.rowVecs)) g.patchVecs = 0;
  if (g.patchVecs > 0)
    g.patchRows = int(
        std::clamp<std::int64_t>(4 * kCacheFloats / (std::int64_t{g.outW} * g.patchVecs * kernels.lanes), 1, g.outH));
  const std::int64_t width = std::int64_t{g.panelVecs} * kernels.lanes;
  g.groupRows = int(std::clamp<std::int64_t>(kCacheFloats / (g.panelVecs * rowFloats), 1, g.r));
  g.widePixels =
      !g.planes && g.sx == 1 && g.c < kernels.lanes / 2 && g.groupRows == g.r ? kernels.widePixels(g.panelVecs) : 0;
  // listColumns() counts in 32 bits.
  g.columns = g.widePixels == 0 && mayUseColumns(g) && std::int64_t{g.rows} * g.s * g.c * width <= INT32_MAX;
  g.columnRows = int(std::clamp<std::int64_t>(kListFloats / (g.panelVecs * rowFloats), 1, g.r));
  g.groupTaps = g.panelVecs * rowFloats > kListFloats ? 1 : g.s;
  const int fit = int((kListFloats / (g.cols * g.c) - g.r) / g.sy + 1) / g.poolH,
            least = (kLeastOutputs + g.outW - 1) / g.outW;
  const int most = std::clamp(std::max(fit, least), 1, g.outH), backBands = (g.outH + most - 1) / most;
  g.backRows = g.planes && window > 1 ? g.outH : (g.outH + backBands - 1) / backBands;  // planeChannelLists() takes all
  const std::int64_t bandRow = width * g.poolH * g.outW * g.poolW;
  g.bandRows = g.groupRows == g.r ? 1 : int(std::clamp<std::int64_t>(4 * kCacheFloats / bandRow, 1, g.outH));
}

ConvPass::ConvPass(const Plan& plan, Buffer& x, Buffer& y, std::unique_ptr<AveragePoolPass> average,
                   const Kernels& kernels, int threads)
    : m_plan(plan), m_shape(plan.shape), m_lanes(kernels.lanes),
      m_tile(int(std::clamp<std::int64_t>(3 * kCacheFloats / x.sampleSize(), 1, 4))),
      m_packPixels(x.hasZeros && plan.shape.k * plan.shape.poolH * plan.shape.poolW * plan.shape.r * plan.shape.s >
                                     kPackBelow * plan.shape.planeRows() * plan.shape.planeCols()),
      m_mayUseInputs(x.hasZeros && !plan.inputGradient && plan.shape.c == 1 && plan.shape.sx == 1 &&
                     plan.shape.sy == 1 && plan.shape.poolH * plan.shape.poolW == 1 &&
                     (!average || average->shape().tiles())),
      m_mayPackChannels(x.rectified && plan.inputGradient),
      m_mayUseWindows(kernels.windowsBelow > 0 && x.hasZeros && plan.shape.planes &&
                      plan.shape.poolH * plan.shape.poolW > 1 && plan.shape.sx == 1 && plan.shape.sy == 1 &&
                      plan.shape.s < m_lanes),
      m_kernels(kernels), m_x(x), m_y(y), m_average(std::move(average)), m_back(plan.shape),
      m_scratch(std::size_t(threads)) {
  const ConvShape& g = m_shape;
  const std::size_t width = std::size_t(g.panels) * g.panelVecs * m_lanes, places = std::size_t(g.outH) * g.outW,
                    window = std::size_t(g.poolH) * g.poolW;
  m_transposed = Array<float>(std::size_t(g.r * sliceSize()));
  m_forward = Array<float>(std::size_t(g.r) * g.s * g.c * width);
  if (g.planes) {
    m_outputChannels = Array<std::int32_t>(std::size_t(g.k));
    m_outputBits = Array<std::uint32_t>(std::size_t((g.k + m_lanes - 1) / m_lanes));
  }
  const std::size_t windowWidth = m_mayUseWindows ? std::size_t(g.k + 2 * kWindowVecs * m_lanes) : 0;  // at most
  m_windowWeights = Array<float>((std::size_t(g.r + 2) * (g.s + 2) + 1) * windowWidth);
  if (g.columns || g.widePixels) m_wide = Array<float>(std::size_t(g.r) * g.c * g.wideTaps() * width);
  if (g.widePixels) {
    m_windowOffsets = Array<std::int32_t>(std::size_t(g.bandCols()) * g.c);
    for (int i = 0; i < g.bandCols() * g.c; ++i)
      m_windowOffsets[std::size_t(i)] = (i / g.c + i % g.c * g.wideTaps()) * g.panelVecs * m_lanes;
  }
  m_bias = Array<float>(width);
  m_shiftedBias = Array<float>(width);
  m_background = Array<float>(std::size_t(g.c));
  if (plan.training) {
    m_gradients = Array<float>(kMostParts * m_transposed.size());
    m_biasGradients = Array<float>(kMostParts * width);
  }
  for (int slot = 0; slot < plan.stateSlots; ++slot) {
    m_state[slot] = Array<float>(m_transposed.size());
    m_biasState[slot] = Array<float>(width);
  }
  if (plan.inputGradient) orderPositions();
  if (m_mayPackChannels) {
    m_liveChannels = ChannelMarks(g.c, m_lanes, threads);
    m_packedWeights = Array<float>(m_transposed.size());
  }
  if (window > 1) m_codes = Array<std::uint8_t>(std::size_t(codesSize() * x.batch));
  if (g.planes) makePixelLists();
  m_y.mayPackGradients = g.planes && window > 1;  // planeChannelLists() takes them
  for (Scratch& scratch : m_scratch) {
    if (g.planes) {
      const int pixels = window > 1 ? m_lanes : 4 * m_lanes;
      scratch.phases = Array<float>(std::size_t(g.planeStep()) * g.rows * g.phaseStride(m_lanes));
      scratch.planes = Array<float>(std::size_t(g.planeFloats(m_lanes)));
      scratch.tile = Array<float>(width * pixels);
      scratch.pieces = Array<PlanePiece>(std::max(places, m_framePixels.size() / std::size_t(m_lanes) + 1));
      if (window > 1) scratch.biasSums = Array<float>(std::size_t(g.k) * m_lanes);
    }
    scratch.acc = Array<float>(std::size_t(g.bandRows) * g.poolH * g.outW * g.poolW * g.panelVecs * m_lanes);
    const std::int64_t bands = g.widePixels ? g.bands() : m_mayUseWindows ? g.outW : 0;  // the lists hold rows or bands
    const std::int64_t inBands = g.widePixels ? g.bandInputs() : bands * g.rows * (g.s + 1);
    scratch.windowValues = Array<float>(windowWidth * m_lanes);
    scratch.windowCodes = Array<std::uint8_t>(scratch.windowValues.size());
    scratch.rowStarts =
        Array<std::int32_t>(std::size_t(std::max(bands * (g.rows + 1), std::int64_t{g.rows + 1} * (g.cols + 1))));
    if (x.hasZeros) {
      scratch.rowValues = Array<float>(std::size_t(std::max(inBands, std::int64_t{g.rows} * g.cols * g.c)));
      scratch.rowOffsets = Array<std::int32_t>(scratch.rowValues.size());
    }
    if (plan.training) allocateForGradients(scratch);
  }
}

void ConvPass::allocateForGradients(Scratch& scratch) const {
  const ConvShape& g = m_shape;
  const std::size_t places = std::size_t(g.outH) * g.outW, window = std::size_t(g.poolH) * g.poolW;
  scratch.gradientSums = Array<float>(std::size_t(g.kWidth(m_lanes)));
  scratch.gradValues = Array<float>(places * g.k);
  scratch.gradOffsets = Array<std::int32_t>(scratch.gradValues.size());
  scratch.gradStarts = Array<std::int32_t>(places * window + 1);
  if (m_mayUseInputs) {
    scratch.frame = Array<float>(std::size_t(g.rows + g.r - 1) * (g.cols + g.s - 1) * g.kWidth(m_lanes));
    scratch.inputSums = Array<float>(std::size_t(g.r) * g.s * g.kWidth(m_lanes));
  }
  if (g.patchVecs > 0) {
    const std::size_t positions = std::size_t(g.patchRows) * g.outW, patch = std::size_t(g.patchVecs) * m_lanes;
    scratch.patches = Array<float>(positions * patch);
    scratch.patchGradients = Array<float>(positions * g.k);
    scratch.patchSums = Array<float>(g.k * patch);
  }
  if (m_mayPackChannels) {
    scratch.packedX = Array<float>(std::size_t(m_x.sampleSize()) * m_tile);
    scratch.packedDx = Array<float>(std::size_t(m_x.sampleSize()));
    scratch.gradientRow = Array<float>(std::size_t(rowSize()));
  }
  scratch.visits = Array<std::int32_t>(3 * (places * window + 1));
  scratch.channelValues = Array<float>(std::size_t(channelCapacity()) * g.k);
  scratch.channelOffsets = Array<std::int32_t>(scratch.channelValues.size());
  scratch.channelCounts = Array<std::int32_t>(std::size_t(g.k));
}

/// Of one channel's list: what a band adds to it for each sample of a tile.
int ConvPass::channelCapacity() const { return m_shape.backRows * m_shape.outW * m_tile + kRoom; }

void ConvPass::makePixelLists() {
  const ConvShape& g = m_shape;
  const int count = g.outH * g.outW;
  m_places = Array<PixelPlace>(std::size_t(count));
  for (int i = 0; i < count; ++i) {
    const int y = i / g.outW, x = i % g.outW;
    m_places[std::size_t(i)] = {y * m_y.cols + x, (y * g.poolH * g.sy * g.cols + x * g.poolW * g.sx) * g.c};
  }
  const bool rows = g.rowsArePlanes() && !m_packPixels;
  const std::size_t lists = m_codes.size() > 0 ? std::size_t(m_x.batch) : m_scratch.size(),
                    room = std::size_t(rows ? g.framePixels() : count) + kRoom;
  m_pixels = Array<std::int32_t>(2 * room * lists);
  for (std::size_t i = 0; i < lists; ++i)
    m_pixelLists.push_back({m_pixels.data() + 2 * room * i, m_pixels.data() + 2 * room * i + room});
  if (!rows) return;
  m_framePixels = Array<std::int32_t>(room);
  for (int i = 0; i < int(room); ++i)
    m_framePixels[std::size_t(i)] = i < g.framePixels() && i % g.cols < g.outW ? i / g.cols * g.outW + i % g.cols : -1;
}

/// By bands of rows, and within a band column by column: successive patches lie in different rows, so no sum has to
/// wait for the one before it to reach memory.
void ConvPass::orderPositions() {
  const ConvShape& g = m_shape;
  const int convH = g.outH * g.poolH, convW = g.outW * g.poolW;
  m_order = Array<std::int32_t>(2 * std::size_t(convH) * convW);
  std::int32_t* at = m_order.data();
  for (int first = 0; first < convH; first += g.backRows * g.poolH)
    for (int ox = 0; ox < convW; ++ox)
      for (int oy = first; oy < std::min(first + g.backRows * g.poolH, convH); ++oy) {
        *at++ = oy * g.sy * g.cols + ox * g.sx;
        *at++ = ((oy / g.poolH * g.outW + ox / g.poolW) * g.poolH + oy % g.poolH) * g.poolW + ox % g.poolW;
      }
}

/// Whether ReLU holds an output channel at zero whatever the input, whose values have bounds.
bool ConvPass::provenDead(int k) const {
  const double least = std::min(m_x.least, 0.f), most = std::max(m_x.most, 0.f);  // the frame is zero
  if (!m_shape.relu() || !std::isfinite(most - least)) return false;
  double largest = m_bias[std::size_t(k)], size = std::abs(largest);
  for (int r = 0; r < m_shape.r; ++r)
    for (int i = 0; i < m_shape.s * m_shape.c; ++i) {
      const double weight = m_transposed[std::size_t(r * sliceSize() + k * rowSize() + i)];
      largest += weight * (weight > 0 ? most : least);
      size += std::abs(weight) * (most - least);
    }
  constexpr double kRounding = 1e-4;  // of sums in float, by far
  return largest < -kRounding * size;
}

/// Gathers the weights of the channels that convForwardPlanes() and convForwardWindows() work on.
void ConvPass::chooseOutputChannels() {
  const ConvShape& g = m_shape;
  const int taps = g.s * g.c;
  m_outputCount = 0;
  std::fill_n(m_outputBits.data(), m_outputBits.size(), 0u);
  for (int k = 0; k < g.k; ++k) {
    if (provenDead(k)) continue;
    m_outputChannels[std::size_t(m_outputCount++)] = k;
    m_outputBits[std::size_t(k / m_lanes)] |= 1u << k % m_lanes;
  }
  m_outputChannelShare.add(m_outputCount, g.k);
  float* to = m_forward.data();
  for (int r = 0; r < g.r; ++r)
    for (int i = 0; i < taps; ++i)
      for (int c = 0; c < m_outputCount; ++c)
        *to++ = m_transposed[std::size_t(r * sliceSize() + m_outputChannels[std::size_t(c)] * rowSize() + i)];
  if (m_mayUseWindows) deriveWindows();
}

void ConvPass::deriveWindows() {
  ConvShape& g = m_windows = m_shape;
  const int vecs = std::max(1, (m_outputCount + m_lanes - 1) / m_lanes);
  g.widePixels = 2;
  g.panels = (vecs + kWindowVecs - 1) / kWindowVecs;
  g.panelVecs = (vecs + g.panels - 1) / g.panels;
  const int width = g.panelVecs * m_lanes;
  std::fill_n(m_windowWeights.data(), m_windowWeights.size(), 0.f);
  for (int c = 0; c < m_outputCount; ++c) {
    const int channel = m_outputChannels[std::size_t(c)];
    float* to = m_windowWeights.data() + c / width * ((g.r + 2) * g.wideTaps() + 1) * width + c % width;
    for (int r = 0; r < g.r; ++r)
      for (int s = 0; s < g.s; ++s)
        to[((r + 1) * g.wideTaps() + s + 1) * width] =
            m_transposed[std::size_t(r * sliceSize() + channel * rowSize() + s)];
    to[(g.r + 2) * g.wideTaps() * width] = m_bias[std::size_t(channel)];
  }
}

void ConvPass::forward(const Step& step) {
  m_finite = true;
  if (m_shape.planes) chooseOutputChannels();
  if (m_shape.columns && m_shape.columnRows > 1) subtractBackground();
  m_liveChannels.clear();
  step.pool.run(step.batch, [&](int n, int thread) { forwardSample(step, n, thread); });
  if (m_shape.planes && m_shape.relu() && !m_average) tellBackground(step);
}

/// Around a digit all pixels are alike, and where a bias is above zero they are live. Subtracting that value from the
/// whole channel makes its list shorter (unless there is a frame of zeros, which would come to life). What was
/// subtracted adds the same to all outputs, so it goes into their bias.
void ConvPass::subtractBackground() {
  const ConvShape& g = m_shape;
  const int width = g.panelVecs * m_lanes;
  const bool subtract = m_x.backgroundShare > kBackgroundFrom && !m_x.framed();
  std::copy_n(m_bias.data(), m_bias.size(), m_shiftedBias.data());
  for (int c = 0; c < g.c; ++c) {
    const float value = m_background[std::size_t(c)] = subtract ? m_x.background[std::size_t(c)] : 0;
    if (value == 0) continue;
    for (int panel = 0; panel < g.panels; ++panel)
      for (int tap = 0; tap < g.r * g.s; ++tap) {
        const float* weights = m_forward.data() + ((std::int64_t{panel} * g.r * g.s + tap) * g.c + c) * width;
        for (int i = 0; i < width; ++i) m_shiftedBias[std::size_t(panel * width + i)] += value * weights[i];
      }
  }
}

void ConvPass::tellBackground(const Step& step) {
  for (int k = 0; k < m_shape.k; ++k) m_y.background[std::size_t(k)] = std::max(m_bias[std::size_t(k)], 0.f);
  m_y.backgroundShare = double(m_deadPixels.exchange(0)) / (double(step.batch) * m_shape.outH * m_shape.outW);
}

ConvMethod ConvPass::chooseMethod(std::int64_t live, std::int64_t of) const {
  const double density = double(live) / double(of);
  if (m_mayUseWindows) {
    const double useful = double(m_shape.r * m_shape.s * (m_outputCount - kWindowCost)) /
                          ((m_shape.r + 1) * (m_shape.s + 1) * m_windows.panels * m_windows.panelVecs * m_lanes);
    return density < m_kernels.windowsBelow * useful ? ConvMethod::Windows : ConvMethod::Planes;
  }
  if (m_shape.columns) return density < m_kernels.columnsBelow ? ConvMethod::Columns : ConvMethod::Dense;
  if (m_shape.widePixels == 0) return density < m_kernels.convListsBelow ? ConvMethod::Lists : ConvMethod::Dense;
  const double useful = double(m_shape.s) / m_shape.bandCols();  // the rest are multiplied by zero weights
  return density < m_kernels.convListsBelow * useful ? ConvMethod::Wide : ConvMethod::Dense;
}

void ConvPass::forwardSample(const Step& step, int n, int thread) {
  const ConvShape& g = m_shape;
  Scratch& scratch = m_scratch[std::size_t(thread)];
  const float* x = m_x.sample(n, m_x.values);
  if (step.training && m_mayPackChannels)
    m_kernels.markChannels(x, inputPixels(), g.c, m_liveChannels.ofThread(thread));
  const RowLists lists{{scratch.rowValues.data(), scratch.rowOffsets.data()}, scratch.rowStarts.data()};
  const int width = g.panelVecs * m_lanes;
  ConvMethod method = g.planes ? ConvMethod::Planes : ConvMethod::Dense;
  if (m_mayUseWindows) {
    const int live = m_kernels.countLive(x, g.rows * g.cols);
    method = chooseMethod(live, g.rows * g.cols);
    if (method == ConvMethod::Windows) m_inputDensity.add(live, g.rows * g.cols);
  }
  const float* bias = m_bias.data();
  if (m_x.hasZeros && !g.planes) {
    const bool bands = g.widePixels > 0;
    const std::int64_t size = bands ? g.bandInputs() : m_x.shape.size();
    if (bands) m_kernels.listBands(g, x, m_windowOffsets.data(), lists);
    std::int64_t live = bands ? lists.starts[std::int64_t{g.bands()} * (g.rows + 1) - 1]
                              : m_kernels.countLive(x, g.rows * g.cols * g.c);
    method = chooseMethod(live, size);
    if (method == ConvMethod::Columns && g.columnRows > 1) {
      m_kernels.listColumns(x, g.rows, g.cols, g.c, g.s * width, m_background.data(), lists);
      live = lists.starts[g.cols * (g.rows + 1) - 1];
      bias = m_shiftedBias.data();
    } else if (method == ConvMethod::Columns) m_kernels.listRows(x, g.rows, g.cols, g.c, g.s * width, 0, lists);
    else if (method == ConvMethod::Lists) m_kernels.listRows(x, g.rows, g.cols, g.c, width, g.c * width, lists);
    m_inputDensity.add(live, size);
  }
  ++m_samplesBy[int(method)];
  const Frame y = m_y.inside(n, m_y.values);
  float probe;
  const OutputChannels channels{m_outputChannels.data(), m_outputBits.data(), m_outputCount};
  if (method == ConvMethod::Windows) {
    m_kernels.listWindows(m_windows, x, lists);
    probe = m_kernels.convForwardWindows(m_windows, lists, m_windowWeights.data(), channels, m_bias.data(),
                                         {scratch.windowValues.data(), scratch.windowCodes.data()}, m_places.data(),
                                         pixelsOf(n, scratch), y, codesOf(n));
  } else if (method == ConvMethod::Planes) {
    PixelLists& pixels = pixelsOf(n, scratch);
    probe = m_kernels.convForwardPlanes(g, m_packPixels, x, m_forward.data(), channels, m_bias.data(),
                                        forPlanes(scratch), m_places.data(), pixels, y, codesOf(n));
    m_inputDensity.add(g.outH * g.outW - pixels.deadCount, std::int64_t{g.outH} * g.outW);
  } else {
    probe = m_kernels.convForward(g, method, x, lists, weightsFor(method), bias, scratch.acc.data(), y, codesOf(n));
    if (g.curved())
      for (int row = 0; row < g.outH; ++row)
        m_kernels.activate(g.activation, y.data + std::int64_t{row} * y.rowStride, std::int64_t{g.outW} * g.k);
  }
  if (g.planes) m_deadPixels.fetch_add(pixelsOf(n, scratch).deadCount, std::memory_order_relaxed);
  if (!(probe == 0)) m_finite = false;
  if (m_average) m_average->forwardSample(m_kernels, n);
}

/// A channel that ReLU holds at zero throughout the batch gets no weight gradient and needs none for its values.
/// Packing copies x, dx and the weights; shorter rows must save more than that.
void ConvPass::chooseInputChannels() {
  m_back = m_shape;
  const int live = m_liveChannels.merge();
  const int taps = m_shape.s * live, vecs = (taps + m_lanes - 1) / m_lanes;
  m_packed = live > 0 && vecs < kLiveBelow * m_shape.rowVecs;
  m_inputChannelShare.add(m_packed ? live : m_shape.c, m_shape.c);
  if (m_x.mayPackGradients) {
    m_x.gradientChannels = 0;
    for (int c = 0; c < m_shape.c; ++c)
      if (!m_packed || m_liveChannels.has(c)) m_x.channels[std::size_t(m_x.gradientChannels++)] = c;
  }
  if (!m_packed) return;
  m_back.c = live, m_back.rowVecs = vecs;
  if (m_shape.patchVecs > 0) m_back.patchVecs = (m_shape.r * taps + m_lanes - 1) / m_lanes;
  for (int row = 0; row < m_shape.r * m_shape.k; ++row) {
    float* to = m_packedWeights.data() + row * gradientRowSize();
    m_kernels.packChannels(m_transposed.data() + row * rowSize(), m_shape.s, m_shape.c, m_liveChannels.merged(), to);
    std::fill(to + taps, to + gradientRowSize(), 0.f);
  }
}

void ConvPass::backward(const Step& step) {
  if (m_mayPackChannels) chooseInputChannels();
  step.pool.run(step.parts(), [&](int part, int thread) {
    float* gradient = m_gradients.data() + m_transposed.size() * part;
    float* biasGradient = m_biasGradients.data() + m_bias.size() * part;
    std::fill_n(gradient, m_back.r * m_back.k * gradientRowSize(), 0.f);
    std::fill_n(biasGradient, m_bias.size(), 0.f);
    Scratch& scratch = m_scratch[std::size_t(thread)];
    for (int n = step.begin(part); n < step.end(part); n += m_tile)
      backwardTile(n, std::min(n + m_tile, step.end(part)), scratch, gradient, biasGradient);
    if (scratch.biasSums.size() > 0) addBiasSums(scratch, biasGradient);
    if (m_mayUseInputs) addInputSums(scratch, gradient);
    if (m_shape.patchVecs > 0) addPatchSums(scratch, gradient);
  });
}

void ConvPass::backwardTile(int begin, int end, Scratch& scratch, float* gradient, float* biasGradient) {
  const ConvShape& g = m_back;
  const ChannelLists channels{
      {scratch.channelValues.data(), scratch.channelOffsets.data()}, scratch.channelCounts.data(), channelCapacity()};
  const std::int64_t sampleSize = m_packed ? std::int64_t{inputPixels()} * g.c : m_x.sampleSize();
  float* x = m_packed ? scratch.packedX.data() : m_x.sample(begin, m_x.values);
  for (int n = begin; m_packed && n < end; ++n)
    m_kernels.packChannels(m_x.sample(n, m_x.values), inputPixels(), m_shape.c, m_liveChannels.merged(),
                           x + (n - begin) * sampleSize);
  std::fill_n(channels.counts, g.k, 0);
  for (int n = begin; n < end; ++n) {
    if (m_mayUseInputs && gradientFromInputs(n, scratch, biasGradient)) continue;
    const std::int64_t base = (n - begin) * sampleSize;
    const bool unpack = m_packed && !m_x.mayPackGradients;
    float* dx = unpack ? scratch.packedDx.data() : m_plan.inputGradient ? m_x.sample(n, m_x.gradients) : nullptr;
    const bool maxPooled = g.poolH * g.poolW > 1;
    // Lists apply ReLU's derivative themselves.
    const int live = maxPooled && !g.curved() ? 0 : beforeActivation(n, m_y.gradientInside(n), g.k, scratch);
    if (maxPooled || !denseGradients(n, live, x + base, dx, scratch, gradient))
      listGradients(n, x, std::int32_t(base), dx, scratch, channels, gradient, biasGradient);
    else m_kernels.addInPlace(biasGradient, scratch.gradientSums.data(), g.k);
    if (unpack)
      m_kernels.unpackChannels(dx, inputPixels(), m_shape.c, m_liveChannels.merged(), m_x.sample(n, m_x.gradients));
  }
  m_kernels.convWeightGradient(g, channels, x, gradient);
}

/// The input's gradient, and the lists for that of the weights, a band of rows after the other; those of the last band
/// are left in `channels`.
void ConvPass::listGradients(int n, const float* x, std::int32_t base, float* dx, Scratch& scratch,
                             const ChannelLists& channels, float* gradient, float* biasGradient) {
  const ConvShape& g = m_back;
  const Frame y = m_y.inside(n, m_y.values), dy = m_y.gradientInside(n);
  int live = 0;
  for (int row = 0; row < g.outH; row += g.backRows) {
    if (row > 0) {
      m_kernels.convWeightGradient(g, channels, x, gradient);
      std::fill_n(channels.counts, g.k, 0);
    }
    live += scratch.biasSums.size() > 0
                ? m_kernels.planeChannelLists(g, dy, m_y.channels.data(), m_y.gradientChannels, y, m_places.data(),
                                              pixelsOf(n, scratch), codesOf(n), base, scratch.biasSums.data(),
                                              biasGradient, channels)
                : m_kernels.channelLists(g, row, std::min(row + g.backRows, g.outH), dy, y, codesOf(n), base,
                                         biasGradient, channels);
  }
  const std::int64_t size = std::int64_t{g.outH} * g.outW * g.poolH * g.poolW * g.k;
  m_gradientDensity.add(live, size);
  m_weightGradientDensity.add(live, size);
  if (!m_plan.inputGradient) return;
  const PositionLists positions{{scratch.gradValues.data(), scratch.gradOffsets.data()}, scratch.gradStarts.data()};
  m_kernels.positionLists(g, dy, y, codesOf(n), positions);
  std::memset(dx, 0, sizeof(float) * std::size_t(inputPixels()) * g.c);
  for (int row = 0; row < g.outH; row += g.backRows) {
    const int rowPositions = g.poolH * g.outW * g.poolW, rows = std::min(g.backRows, g.outH - row);
    m_kernels.convInputGradient(g, positions, m_order.data() + 2 * row * rowPositions, rows * rowPositions,
                                scratch.visits.data(), transposed(), dx);
  }
}

/// Writes a sample's gradient before the activation to where it is wanted, and its sums over the pixels into the
/// scratch. Returns how many values are live.
int ConvPass::beforeActivation(int n, Frame to, int pixel, Scratch& scratch) {
  const ConvShape& g = m_shape;
  const bool tiles = m_average && m_average->shape().tiles();
  if (m_average && !tiles) m_average->backwardSample(m_kernels, n);
  const PoolShape pool = tiles ? m_average->shape() : PoolShape{g.k, g.outH, g.outW, g.outH, g.outW};
  return m_kernels.outputGradient(g, pool, tiles ? m_average->gradientOf(n) : m_y.gradientInside(n),
                                  m_y.inside(n, m_y.values), to, pixel, scratch.gradientSums.data());
}

/// Where most gradients are live, register blocks are faster. Returns false, and does nothing, where few are.
bool ConvPass::denseGradients(int n, int live, const float* x, float* dx, Scratch& scratch, float* gradient) {
  const ConvShape& g = m_back;
  const Frame dy = m_y.gradientInside(n);
  const std::int64_t size = std::int64_t{g.outH} * g.outW * g.k;
  // Products of vectors for each value: by lists, and by register blocks.
  const double rows = double(g.r) * g.rowVecs, inputGradient = m_plan.inputGradient ? rows : 0;
  const double byLists = rows + inputGradient, byBlocks = (g.patchVecs > 0 ? g.patchVecs : rows) + inputGradient;
  if (double(live) * byLists < (m_kernels.gradientListsBelow * byBlocks - kListCost) * double(size)) return false;
  m_gradientDensity.add(live, size);
  ++m_samplesDense;
  std::int64_t products = size;
  if (g.patchVecs == 0) m_kernels.convWeightGradientDense(g, dy, x, gradient);
  else
    products = std::int64_t{g.k} *
               m_kernels.convWeightGradientPatches(
                   g, dy, x, {scratch.patches.data(), scratch.patchGradients.data(), scratch.patchSums.data()});
  m_weightGradientDensity.add(products, size);
  if (m_plan.inputGradient) m_kernels.convInputGradientDense(g, dy, transposed(), dx);
  return true;
}

/// Where few inputs are live they make fewer products than the live gradients do, of which ReLU leaves half. False
/// where they do not.
bool ConvPass::gradientFromInputs(int n, Scratch& scratch, float* biasGradient) {
  const ConvShape& g = m_shape;
  const int width = g.kWidth(m_lanes), frameCols = g.cols + g.s - 1;
  const RowLists lists{{scratch.rowValues.data(), scratch.rowOffsets.data()}, scratch.rowStarts.data()};
  m_kernels.listRows(m_x.sample(n, m_x.values), g.rows, g.cols, 1, width, width, lists);
  const int live = lists.starts[g.rows * (g.cols + 1) - 1];
  if (std::int64_t{live} * g.s * (width / m_lanes) * 2 > std::int64_t{g.outH} * g.outW * g.k * g.rowVecs) return false;
  for (int row = 1; row < g.rows; ++row)
    for (int e = lists.starts[row * (g.cols + 1)]; e < lists.starts[row * (g.cols + 1) + g.cols]; ++e)
      lists.list.offsets[e] += row * frameCols * width;
  const Frame inside{scratch.frame.data() + ((g.r - 1) * frameCols + g.s - 1) * width, frameCols * width};
  const int passed = beforeActivation(n, inside, width, scratch);
  m_kernels.addInPlace(biasGradient, scratch.gradientSums.data(), g.k);
  m_gradientDensity.add(passed, std::int64_t{g.outH} * g.outW * g.k);
  m_weightGradientDensity.add(live, std::int64_t{g.outH} * g.outW);
  m_kernels.convWeightGradientByInputs(g, lists.list, live, scratch.frame.data(), scratch.inputSums.data());
  ++m_samplesFromInputs;
  return true;
}

void ConvPass::addBiasSums(Scratch& scratch, float* biasGradient) const {
  for (int k = 0; k < m_shape.k; ++k)
    for (int lane = 0; lane < m_lanes; ++lane)
      biasGradient[k] += std::exchange(scratch.biasSums[std::size_t(k * m_lanes + lane)], 0.f);
}

void ConvPass::addInputSums(Scratch& scratch, float* gradient) const {
  const int width = m_shape.kWidth(m_lanes), taps = m_shape.r * m_shape.s;
  for (int tap = 0; tap < taps; ++tap)
    for (int k = 0; k < m_shape.k; ++k) {
      const int turned = taps - 1 - tap;
      gradient[tap / m_shape.s * sliceSize() + k * rowSize() + tap % m_shape.s] +=
          scratch.inputSums[std::size_t(turned * width + k)];
    }
  std::fill_n(scratch.inputSums.data(), scratch.inputSums.size(), 0.f);
}

void ConvPass::addPatchSums(Scratch& scratch, float* gradient) const {
  const ConvShape& g = m_back;
  const int taps = g.s * g.c;
  for (int r = 0; r < g.r; ++r)
    for (int k = 0; k < g.k; ++k)
      m_kernels.addInPlace(gradient + (std::int64_t{r} * g.k + k) * gradientRowSize(),
                           scratch.patchSums.data() + std::int64_t{k} * g.patchVecs * m_lanes + r * taps, taps);
  std::fill_n(scratch.patchSums.data(), scratch.patchSums.size(), 0.f);
}

void ConvPass::gradientTask(const Step& step, int row) {
  const std::int64_t size = m_back.k * gradientRowSize();
  float* sum = m_gradients.data() + row * size;
  for (int part = 1; part < step.parts(); ++part)
    m_kernels.addInPlace(sum, sum + std::int64_t(m_transposed.size()) * part, size);
  if (!(m_kernels.probe(sum, size) == 0)) m_finite = false;
  if (row > 0) return;
  for (int part = 1; part < step.parts(); ++part)
    m_kernels.addInPlace(m_biasGradients.data(), m_biasGradients.data() + m_bias.size() * part, m_bias.size());
}

float ConvPass::updateTask(const Step&, int task, int thread, const UpdateRule& rule) {
  if (task == m_shape.r) {
    if (!m_plan.hasBias) return 0;
    return m_kernels.update(rule, m_bias.data(), m_biasGradients.data(), slotsAt(m_biasState, 0), m_shape.k);
  }
  const int used = m_shape.s * m_shape.c;
  float probe = 0;
  for (int k = 0; k < m_shape.k; ++k) {
    const std::int64_t at = task * sliceSize() + k * rowSize();
    const float* gradient = m_gradients.data() + (std::int64_t{task} * m_shape.k + k) * gradientRowSize();
    if (m_packed) {
      float* row = m_scratch[std::size_t(thread)].gradientRow.data();
      m_kernels.unpackChannels(gradient, m_shape.s, m_shape.c, m_liveChannels.merged(), row);
      gradient = row;
    }
    probe += m_kernels.update(rule, m_transposed.data() + at, gradient, slotsAt(m_state, at), used);
  }
  deriveForward(task);
  return probe;
}

void ConvPass::deriveForward(int row) {
  const ConvShape& g = m_shape;
  if (g.planes) return;
  const int width = g.panelVecs * m_lanes, taps = g.s * g.c;
  for (int panel = 0; panel < g.panels; ++panel) {
    const int first = panel * width, count = std::min(width, g.k - first);
    float* to = m_forward.data() + (std::int64_t{panel} * g.r + row) * taps * width;
    m_kernels.transpose(m_transposed.data() + row * sliceSize() + first * rowSize(), rowSize(), count, taps, to, width);
    if (!g.columns && g.widePixels == 0) continue;
    for (int c = 0; c < g.c; ++c)
      for (int s = 0; s < g.s; ++s)
        std::copy_n(to + (s * g.c + c) * width, width,
                    m_wide.data() +
                        (((std::int64_t{panel} * g.r + row) * g.c + c) * g.wideTaps() + g.tapsBefore() + s) * width);
  }
}

// Canonical: kernel [r][s][c][k], then bias [k].
void ConvPass::fromCanonical(const float* canonical, const Array<float>& transposed, const Array<float>& bias) const {
  const int taps = m_shape.s * m_shape.c;
  for (int r = 0; r < m_shape.r; ++r, canonical += std::int64_t{taps} * m_shape.k)
    m_kernels.transpose(canonical, m_shape.k, taps, m_shape.k, transposed.data() + r * sliceSize(), rowSize());
  if (m_plan.hasBias) std::copy_n(canonical, m_shape.k, bias.data());
}

void ConvPass::toCanonical(const Array<float>& transposed, const Array<float>& bias, float* canonical) const {
  const int taps = m_shape.s * m_shape.c;
  for (int r = 0; r < m_shape.r; ++r, canonical += std::int64_t{taps} * m_shape.k)
    m_kernels.transpose(transposed.data() + r * sliceSize(), rowSize(), m_shape.k, taps, canonical, m_shape.k);
  if (m_plan.hasBias) std::copy_n(bias.data(), m_shape.k, canonical);
}

void ConvPass::setWeights(const float* canonical) {
  fromCanonical(canonical, m_transposed, m_bias);
  for (int row = 0; row < m_shape.r; ++row) deriveForward(row);
}
void ConvPass::getWeights(float* canonical) const { toCanonical(m_transposed, m_bias, canonical); }
void ConvPass::setState(int slot, const float* canonical) {
  fromCanonical(canonical, m_state[slot], m_biasState[slot]);
}
void ConvPass::getState(int slot, float* canonical) const { toCanonical(m_state[slot], m_biasState[slot], canonical); }

PassWork ConvPass::work() const {
  const ConvShape& g = m_shape;
  const double macs = double(g.r) * g.s * g.c * g.k * g.outH * g.poolH * g.outW * g.poolW;
  const std::int64_t lists = m_samplesBy[int(ConvMethod::Lists)] + m_samplesBy[int(ConvMethod::Columns)],
                     wide = m_samplesBy[int(ConvMethod::Wide)], dense = m_samplesBy[int(ConvMethod::Dense)];
  PassWork work{m_plan.name,
                "",
                "",
                macs,
                m_plan.inputGradient,
                true,
                g.planes || lists + wide > dense ? m_inputDensity.share() : 1,
                m_gradientDensity.share(),
                m_weightGradientDensity.share()};
  if (m_samplesBy[int(ConvMethod::Windows)] > m_samplesBy[int(ConvMethod::Planes)])
    work.forward = "lists of live inputs, a pooling window at a time: one input channel";
  else if (g.planes) work.forward = "register blocks of the pixels that meet anything but zeros: one input channel";
  else if (!m_x.hasZeros) work.forward = "register blocks: the input has no zeros";
  else if (dense >= lists + wide) work.forward = "register blocks: too few zeros in the input";
  else
    work.forward =
        wide        ? "lists of live inputs, " + std::to_string(g.widePixels) + " pixels at a time: few input channels"
        : g.columns ? "lists of live inputs, column by column"
                    : "lists of live inputs";
  if (std::any_of(m_background.data(), m_background.data() + g.c, [](float value) { return value != 0; }))
    work.forward += ", less what the background holds";
  work.inputChannels = m_inputChannelShare.share(), work.outputChannels = m_outputChannelShare.share();
  const auto percent = [](double share) { return std::to_string(std::lround(100 * share)) + " % of channels that "; };
  if (work.outputChannels < 1)
    work.forward += ", without the " + percent(1 - work.outputChannels) + "no input can bring to life";
  if (m_samplesFromInputs > 0) work.backward = "lists of live inputs";
  else if (2 * m_samplesDense > lists + wide + dense)
    work.backward = std::string("register blocks: too few zeros in the gradient") +
                    (work.weightGradientLive < 1 ? ", patches of zeros left out" : ""),
    work.gradientLive = 1;
  else work.backward = g.poolH * g.poolW > 1 ? "lists of the largest of each window" : "lists of live gradients";
  if (work.inputChannels < 1)
    work.backward += ", without the " + percent(1 - work.inputChannels) + "a whole batch leaves dead";
  return work;
}

}  // namespace strata

// SPDX-License-Identifier: GPL-3.0-or-later
// The shapes over which tst_conv_ways drives each way of a convolution, which ways suit them, and a batch with its
// weights for one of them.
#pragma once
#include <QTest>

#include <functional>
#include <numeric>

#include "engine/backend/cpu/conv_channels.h"
#include "engine/backend/cpu/conv_forward_planes.h"
#include "engine/backend/cpu/conv_gradient.h"
#include "plain_conv.h"
#include "reference_chain.h"

namespace strata::test {

inline constexpr int kSamples = 3;  // of a batch, in tiles of two
inline constexpr int kTile = 2;

struct Case {
  const char* name;
  int c, k, r, s, sy = 1, sx = 1;
  int poolH = 1, poolW = 1;
  int outH = 7, outW = 9;  ///< pooled
  int pad = 0;
  Activation activation = Activation::Relu;
};

inline constexpr Case kSites[] = {
    {"one channel", 1, 11, 5, 5},
    {"one channel, one filter, tanh", 1, 1, 3, 3, 1, 1, 1, 1, 6, 8, 1, Activation::Tanh},
    {"one channel, 40 filters", 1, 40, 3, 4, 1, 1, 1, 1, 10, 13, 1, Activation::Linear},
    {"one channel, a stride", 1, 33, 7, 5, 2, 3, 1, 1, 6, 5, 2, Activation::Sigmoid},
    {"one channel, pooled", 1, 24, 5, 5, 1, 1, 2, 2, 12, 12},
    {"one channel, pooled, odd", 1, 7, 3, 2, 1, 1, 2, 2, 5, 7, 1},
    {"one channel, pooled, linear", 1, 50, 4, 3, 1, 1, 2, 2, 6, 9, 0, Activation::Linear},
    {"one channel, pooled, strides", 1, 10, 3, 3, 2, 2, 2, 2, 4, 5, 1},
    {"one channel, pooled by 1 x 3", 1, 9, 3, 3, 1, 1, 1, 3, 8, 3},
    {"few channels", 3, 24, 3, 3, 1, 1, 1, 1, 9, 11, 1},
    {"few channels, pooled", 3, 19, 5, 3, 1, 1, 2, 3, 4, 5, 1},
    {"few channels, strides", 2, 8, 2, 2, 2, 2, 1, 1, 6, 7},
    {"few channels, tanh", 3, 72, 3, 1, 1, 1, 1, 1, 5, 6, 0, Activation::Tanh},
    {"1 x 1", 17, 20, 1, 1},
    {"a vector and a bit, 3 x 3", 17, 33, 3, 3, 1, 1, 1, 1, 7, 8, 1},
    {"a vector and a bit, pooled", 24, 48, 5, 5, 1, 1, 2, 2, 4, 4},
    {"a vertical stride", 24, 20, 3, 5, 2, 1, 1, 1, 5, 6, 1, Activation::Linear},
    {"a horizontal stride", 24, 20, 3, 3, 1, 2, 2, 1, 3, 5},
    {"even kernel", 20, 9, 4, 2, 1, 1, 1, 2, 6, 5, 1},
    {"rows too wide for the cache", 130, 70, 3, 3, 1, 1, 1, 1, 5, 6, 1},
    {"taps too wide for the cache", 200, 80, 2, 5, 1, 1, 1, 1, 3, 4},
    {"bands of rows", 40, 12, 3, 3, 1, 1, 1, 1, 30, 20, 1},
    {"bands of rows, pooled", 40, 12, 2, 3, 1, 1, 2, 2, 16, 10},
};

struct Live {
  const char* name;
  int inputs, gradients;  ///< percent that are not zero
};
inline constexpr Live kLive[] = {
    {"all live", 100, 100}, {"half live", 50, 60}, {"few live", 8, 15}, {"none live", 0, 30}};

enum class Way { Blocks, Lists, Columns, Bands, Planes, Windows, Patches, Inputs };
inline constexpr const char* kWayNames[] = {"blocks", "lists",   "columns", "bands",
                                            "planes", "windows", "patches", "inputs"};

inline ConvShape plannedShape(const Case& site, Way way, const Kernels& kernels) {
  ConvShape g;
  g.c = site.c, g.k = site.k, g.r = site.r, g.s = site.s, g.sy = site.sy, g.sx = site.sx;
  g.poolH = site.poolH, g.poolW = site.poolW, g.outH = site.outH, g.outW = site.outW, g.activation = site.activation;
  g.rows = (g.outH * g.poolH - 1) * g.sy + g.r, g.cols = (g.outW * g.poolW - 1) * g.sx + g.s;
  planConv(g, false, kernels);
  // What does not need planes is driven without them.
  if (way != Way::Planes && way != Way::Windows) g.planes = false;
  return g;
}

inline bool forwardSuits(Way way, const ConvShape& g, const Kernels& kernels) {
  switch (way) {
    case Way::Blocks:
    case Way::Lists:
      return true;
    case Way::Columns:
      return g.columns;
    case Way::Bands:
      return g.widePixels > 0;
    case Way::Planes:
      return g.planes;
    case Way::Windows:
      return windowsSuit(g, kernels);
    default:
      return false;
  }
}

inline bool weightGradientSuits(Way way, const ConvShape& g, const Live& live) {
  const bool pooled = g.poolH * g.poolW > 1;
  switch (way) {
    case Way::Lists:
      return true;
    case Way::Planes:
      return pooled && g.planes;
    case Way::Blocks:
      return !pooled;
    case Way::Patches:
      return !pooled && g.patchVecs > 0;
    case Way::Inputs:
      return inputListsSuit(g, false) && live.inputs < 10 && g.k > 8;
    default:
      return false;
  }
}

inline bool inputGradientSuits(Way way, const ConvShape& g, const Live&) {
  return way == Way::Lists || (way == Way::Blocks && g.poolH * g.poolW == 1);
}

using Suits = std::function<bool(Way, const ConvShape&, const Live&, const Kernels&)>;

inline void addRows(const Suits& suits) {
  QTest::addColumn<int>("site");
  QTest::addColumn<int>("way");
  QTest::addColumn<int>("live");
  QTest::addColumn<int>("isa");
  for (int site = 0; site < int(std::size(kSites)); ++site)
    for (int way = 0; way < int(std::size(kWayNames)); ++way)
      for (int live = 0; live < int(std::size(kLive)); ++live)
        for (const Isa isa : isasHere()) {
          const Kernels& kernels = kernelsFor(isa);
          if (!suits(Way(way), plannedShape(kSites[site], Way(way), kernels), kLive[live], kernels)) continue;
          QTest::addRow("%s: %s, %s, %s", kWayNames[way], kSites[site].name, kLive[live].name, isaName(isa))
              << site << way << live << int(isa);
        }
}

inline ConvContext contextOf(const Case& site, Way way, const Kernels& kernels) {
  const ConvShape g = plannedShape(site, way, kernels);
  return {kernels, g, 2, std::int64_t{g.rows - 2 * site.pad} * (g.cols - 2 * site.pad) * g.c};
}

/// A row's convolution with its weights and a batch of samples, one after the other in memory.
struct Driven {
  const Case& site;
  const Live& live;
  const Way way;
  Rng rng;
  const ConvContext context;
  const PlainConv plain;
  ConvWeights weights;
  const PlanePlaces places;
  ConvRecord record;
  std::int64_t stride;    ///< from one sample to the next
  Array<float> x, y, dy;  ///< y in a frame of one pixel, as is dy, of one sample
  std::vector<std::vector<int>> largest;
  std::vector<Doubles> expected;
  std::vector<std::int32_t> channels;

  Driven(int siteNumber, int wayNumber, int liveNumber, int isa)
      : site(kSites[siteNumber]), live(kLive[liveNumber]), way(Way(wayNumber)),
        rng(7, Stream::Test, std::uint64_t(siteNumber * 10 + liveNumber)),
        context(contextOf(site, way, kernelsFor(Isa(isa)))), plain(context.shape, rng),
        weights(context, {true, true, true, 0}), places(context, context.shape.outW + 2, planesPack(context.shape)),
        record(context, &places, kSamples), stride(std::int64_t(plain.xSize()) + 31), x(std::size_t(stride) * kSamples),
        y(std::size_t(yStride()) * kSamples), dy(std::size_t(yStride())), largest(kSamples),
        channels(std::size_t(site.k)) {
    std::iota(channels.begin(), channels.end(), 0);
    std::vector<float> canonical = plain.kernel;
    canonical.insert(canonical.end(), plain.bias.begin(), plain.bias.end());
    weights.set(canonical.data());
    for (int n = 0; n < kSamples; ++n) {
      const std::vector<float> made = plain.inputs(site.pad, live.inputs, rng);
      std::copy(made.begin(), made.end(), sample(n));
      expected.push_back(plain.forward(sample(n), largest[std::size_t(n)]));
    }
  }

  float* sample(int n) const { return x.data() + n * stride; }
  std::int64_t yStride() const { return std::int64_t{site.outH + 2} * (site.outW + 2) * site.k + 32; }
  Frame out(int n) const {
    const int row = (site.outW + 2) * site.k;
    return {y.data() + n * yStride() + row + site.k, row};
  }
  /// y as the loops have it.
  void fillY(int n) const {
    for (int i = 0; i < site.outH; ++i)
      for (int j = 0; j < site.outW * site.k; ++j)
        out(n).data[i * out(n).rowStride + j] = float(expected[std::size_t(n)][plain.yAt(i, 0, 0) + std::size_t(j)]);
  }
  /// Where the record of the forward pass has the place of a pooled pixel that lives; -1 where it has none.
  int placeOf(int n, int pixel, int k) {
    const std::uint8_t* codes = record.codes(n);
    if (!context.shape.planes) return codes[std::int64_t{pixel} * context.width() + k];
    const PixelLists& lists = *record.pixels(n, 0);
    for (int i = 0; i < lists.liveCount; ++i)
      if (lists.live[i] == pixel) {
        const int lanes = context.lanes(), code = codes[(i / lanes * site.k + k) * lanes + i % lanes];
        return code == kNoPlace ? -1 : code;
      }
    return -1;
  }
  /// Writes the places that the loops found, for ways without planes.
  void fillRecord(int n) const {
    for (int i = 0; context.window() > 1 && i < context.outputPixels(); ++i)
      for (int k = 0; k < site.k; ++k)
        record.codes(n)[std::int64_t{i} * context.width() + k] =
            std::uint8_t(largest[std::size_t(n)][std::size_t(i * site.k + k)]);
  }
  /// dz [outH][outW][k] goes into its frame.
  GradientSample gradientSample(int n, const std::vector<float>& dz, const std::vector<float>& sums) {
    const Frame inside{dy.data() + (out(0).data - y.data()), out(0).rowStride};
    for (int i = 0; i < site.outH; ++i)
      std::copy_n(dz.data() + plain.yAt(i, 0, 0), site.outW * site.k, inside.data + i * inside.rowStride);
    return {context.shape,   sample(n),          out(n), inside, channels.data(), site.k, sums.data(),
            record.codes(n), record.pixels(n, 0)};
  }
  /// A gradient before the activation (with pooling: after it), and its sums over the pixels.
  std::vector<float> madeGradient(int n, std::vector<float>& sums) {
    std::vector<float> dz = plain.gradients(live.gradients, rng);
    sums.assign(std::size_t(context.shape.kWidth(context.lanes())), 0.f);
    for (std::size_t i = 0; i < dz.size(); ++i) {
      if (context.window() == 1 && context.shape.relu() && expected[std::size_t(n)][i] <= 0) dz[i] = 0;
      sums[i % std::size_t(site.k)] += dz[i];
    }
    return dz;
  }
};

}  // namespace strata::test

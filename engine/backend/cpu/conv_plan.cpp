// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/conv_plan.h"

#include <algorithm>

namespace strata {
namespace {

constexpr std::int64_t kCacheFloats = 6144;         // 24 KB of a first cache of 32
constexpr std::int64_t kMostPlaneFloats = 1 << 18;  // a megabyte: half of a second cache
constexpr int kPackBelow = 8;                       // moving a pixel of a plane costs as much as so many products
// Share of the vectors that whole patches must come down to, to be worth copying.
constexpr double kPatchesBelow = 0.75;
constexpr int kSkipFrom = 32;      // channels whose products are worth more than copying a patch and its gradients
constexpr int kLeastOutputs = 32;  // pooled pixels whose gradients are worth a list for each channel

int divideUp(int a, int b) { return (a + b - 1) / b; }
int clamped(std::int64_t value, int least, int most) { return int(std::clamp<std::int64_t>(value, least, most)); }

bool planesSuit(const ConvShape& g, bool inputGradient, int lanes) {
  const bool window = g.poolH == 2 && g.poolW == 2 && !inputGradient;
  return g.c == 1 && g.planeFloats(lanes) <= kMostPlaneFloats && (g.poolH * g.poolW == 1 || window);
}

/// Whether ConvMethod::Columns has a kernel for the shape.
bool columnsSuit(const ConvShape& g) { return !g.planes && g.sx == 1 && (g.s == 3 || g.s == 5); }

/// Weights of one kernel row and a vector of output channels.
std::int64_t rowFloats(const ConvShape& g, int lanes) { return std::int64_t{g.s} * g.c * lanes; }

void cutChannels(ConvShape& g, int lanes) {
  const int vecs = divideUp(g.k, lanes),
            most = columnsSuit(g) ? clamped(kCacheFloats / rowFloats(g, lanes), 2, kWideVecs) : kPanelVecs;
  g.panels = divideUp(vecs, most);
  g.panelVecs = divideUp(vecs, g.panels);
  g.rowVecs = divideUp(g.s * g.c, lanes);
}

void cutPatches(ConvShape& g, int lanes) {
  g.patchVecs = divideUp(g.r * g.s * g.c, lanes);
  const bool skip = g.c == 1 && g.k >= kSkipFrom;  // of pixels that meet zeros alone
  if (g.poolH * g.poolW > 1 || (!skip && g.patchVecs > kPatchesBelow * g.r * g.rowVecs)) g.patchVecs = 0;
  if (g.patchVecs > 0)
    g.patchRows = clamped(4 * kCacheFloats / (std::int64_t{g.outW} * g.patchVecs * lanes), 1, g.outH);
}

/// What the forward pass works on at a time.
void cutForward(ConvShape& g, const Kernels& kernels) {
  const std::int64_t panelRow = g.panelVecs * rowFloats(g, kernels.lanes),
                     width = std::int64_t{g.panelVecs} * kernels.lanes;
  g.groupRows = clamped(kCacheFloats / panelRow, 1, g.r);
  g.widePixels =
      !g.planes && g.sx == 1 && g.c < kernels.lanes / 2 && g.groupRows == g.r ? kernels.widePixels(g.panelVecs) : 0;
  // listColumns() counts in 32 bits.
  g.columns = g.widePixels == 0 && columnsSuit(g) && std::int64_t{g.rows} * g.s * g.c * width <= INT32_MAX;
  g.columnRows = clamped(kListFloats / panelRow, 1, g.r);
  g.groupTaps = panelRow > kListFloats ? 1 : g.s;
  const std::int64_t bandRow = width * g.poolH * g.outW * g.poolW;
  g.bandRows = g.groupRows == g.r ? 1 : clamped(4 * kCacheFloats / bandRow, 1, g.outH);
}

/// What the backward pass lists at a time.
void cutBackward(ConvShape& g) {
  const int fit = int((kListFloats / (g.cols * g.c) - g.r) / g.sy + 1) / g.poolH,
            least = divideUp(kLeastOutputs, g.outW), most = std::clamp(std::max(fit, least), 1, g.outH);
  const bool whole = g.planes && g.poolH * g.poolW > 1;  // planeChannelLists() takes all rows
  g.backRows = whole ? g.outH : divideUp(g.outH, divideUp(g.outH, most));
}

}  // namespace

void planConv(ConvShape& g, bool inputGradient, const Kernels& kernels) {
  g.planes = planesSuit(g, inputGradient, kernels.lanes);
  cutChannels(g, kernels.lanes);
  cutPatches(g, kernels.lanes);
  cutForward(g, kernels);
  cutBackward(g);
}

int tileSamples(std::int64_t sampleSize) { return clamped(3 * kCacheFloats / sampleSize, 1, 4); }

bool planesPack(const ConvShape& g) {
  return g.k * g.poolH * g.poolW * g.r * g.s > kPackBelow * g.planeRows() * g.planeCols();
}

bool windowsSuit(const ConvShape& g, const Kernels& kernels) {
  return kernels.windowsBelow > 0 && g.planes && g.poolH * g.poolW > 1 && g.sx == 1 && g.sy == 1 && g.s < kernels.lanes;
}

bool inputListsSuit(const ConvShape& g, bool inputGradient) {
  return !inputGradient && g.c == 1 && g.sx == 1 && g.sy == 1 && g.poolH * g.poolW == 1;
}

}  // namespace strata

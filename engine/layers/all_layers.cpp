// SPDX-License-Identifier: Apache-2.0
// The table of layers: an explicit list in the palette's order, no registration at start-up. A new layer is one row.
#include <algorithm>

#include "engine/net/layer.h"

// clang-format off
#define STRATA_LAYERS(row)    \
  row(conv2dLayer)            \
  row(depthwiseConv2dLayer)   \
  row(separableConv2dLayer)   \
  row(conv2dTransposeLayer)   \
  row(maxPool2dLayer)         \
  row(avgPool2dLayer)         \
  row(globalAveragePoolLayer) \
  row(globalMaxPoolLayer)     \
  row(denseLayer)             \
  row(activationLayer)        \
  row(batchNormLayer)         \
  row(layerNormLayer)         \
  row(flattenLayer)           \
  row(reshapeLayer)           \
  row(upsample2dLayer)        \
  row(zeroPad2dLayer)         \
  row(dropoutLayer)           \
  row(spatialDropout2dLayer)  \
  row(gaussianNoiseLayer)     \
  row(residualLayer)          \
  row(branchesLayer)          \
  row(simpleRnnLayer) \
  row(lstmLayer) \
  row(gruLayer) \
  row(bidirectionalLayer) \
  row(multiHeadAttentionLayer) \
  row(positionalEmbeddingLayer) \
  row(addLayer)               \
  row(concatLayer)            \
  row(multiplyLayer)          \
  row(averageLayer)           \
  row(maxLayer)               \
  row(geluLayer)              \
  row(swishLayer)             \
  row(softplusLayer)          \
  row(softmaxLayer)
// clang-format on

namespace strata {

#define STRATA_DECLARE(make) LayerDef make();
#define STRATA_CALL(make) make(),
STRATA_LAYERS(STRATA_DECLARE)

const std::vector<LayerDef>& allLayers() {
  static const std::vector<LayerDef> layers{STRATA_LAYERS(STRATA_CALL)};
  return layers;
}

const LayerDef* findLayer(const std::string& type) {
  const auto& layers = allLayers();
  const auto found = std::find_if(layers.begin(), layers.end(), [&](const LayerDef& def) { return def.type == type; });
  return found == layers.end() ? nullptr : &*found;
}

std::int64_t ParamInfo::size() const {
  std::int64_t product = 1;
  for (const int side : shape) product = saturatingMul(product, side);
  return product;
}

}  // namespace strata

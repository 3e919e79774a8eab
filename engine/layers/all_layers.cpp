// SPDX-License-Identifier: Apache-2.0
// The table of layers: an explicit list in the palette's order, no registration at start-up.
#include <algorithm>

#include "engine/layers/layers.h"

namespace strata {

const std::vector<LayerDef>& allLayers() {
  static const std::vector<LayerDef> layers{
      conv2dLayer(),
      depthwiseConv2dLayer(),
      maxPool2dLayer(),
      avgPool2dLayer(),
      globalAveragePoolLayer(),
      denseLayer(),
      activationLayer(),
      batchNormLayer(),
      flattenLayer(),
      dropoutLayer(),
      residualLayer(),
      branchesLayer(),
      addLayer(),
      concatLayer(),
      multiplyLayer(),
      averageLayer(),
      maxLayer(),
  };
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

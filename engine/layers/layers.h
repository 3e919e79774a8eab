// SPDX-License-Identifier: Apache-2.0
// The makers of all LayerDefs, one line a layer, for all_layers.cpp. Add yours in the palette's order.
#pragma once
#include "engine/net/layer.h"

namespace strata {

LayerDef conv2dLayer();
LayerDef maxPool2dLayer();
LayerDef avgPool2dLayer();
LayerDef denseLayer();
LayerDef activationLayer();
LayerDef flattenLayer();
LayerDef dropoutLayer();
LayerDef batchNormLayer();
LayerDef globalAveragePoolLayer();
LayerDef depthwiseConv2dLayer();
LayerDef residualLayer();
LayerDef branchesLayer();
LayerDef addLayer();
LayerDef concatLayer();
LayerDef multiplyLayer();
LayerDef averageLayer();
LayerDef maxLayer();

}  // namespace strata

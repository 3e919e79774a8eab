// SPDX-License-Identifier: Apache-2.0
// The net as everything that computes reads it: plain nodes in an order in which each comes after what it reads.
// Containers are gone: they have become the nodes of what they hold and the nodes that join it. lower() in analysis.h
// makes it, and is the only place that does.
#pragma once
#include <string>
#include <vector>

#include "engine/net/layer.h"

namespace strata {

/// What one layer computes, with everything bound to its place.
struct Node {
  const LayerDef* def = nullptr;
  Fields fields;
  std::string path;         ///< of names: "res1/conv1"
  std::string owner;        ///< path of the layer that its variables are named by: its own, where it is not a part
  std::vector<int> inputs;  ///< values it reads; more than one only where the def joins
  std::vector<ParamInfo> params;
  std::int64_t weightsOffset = 0;  ///< of its slice in the arena, in floats
  std::int64_t parameters = 0;     ///< floats in the slice, those of running variables included
  std::int64_t macs = 0;           ///< per sample, forward
  std::uint64_t stream = 0;        ///< separates its random numbers from other nodes'; below 2^24
  bool trainable = true;           ///< false: its variables stay as they are
  int layer = 0;                   ///< of Analysis::layers: the layer it comes from

  /// Whether training changes anything of it.
  bool learns() const { return trainable && parameters > 0; }
  /// As in files: "res1/conv1.kernel".
  std::string nameOf(const ParamInfo& param) const { return owner + "." + param.name; }
};

/// What flows between nodes.
struct GraphValue {
  Shape shape;
  std::vector<int> readers;  ///< nodes, ascending; a node that reads it twice stands there twice
};

/// Value 0 is the net's input; node i makes value i + 1. The last value is the net's output.
struct Graph {
  std::vector<GraphValue> values;
  std::vector<Node> nodes;

  const Shape& inputOf(const Node& node) const { return values[static_cast<std::size_t>(node.inputs.front())].shape; }
  const Shape& outputOf(std::size_t node) const { return values[node + 1].shape; }
  const Shape& output() const { return values.back().shape; }
  /// Of each value: whether its gradient is needed, for something before it learns; none without `training`.
  std::vector<bool> gradientsNeeded(bool training) const;
  /// Where node `index` runs, for its op. `inputGradient`: dx is asked for.
  Site siteOf(std::size_t index, int maxBatch, bool inputGradient) const;
};

}  // namespace strata

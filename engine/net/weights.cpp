// SPDX-License-Identifier: Apache-2.0
// The canonical layout of a stack's weights, and how they are drawn.
#include "engine/net/weights.h"

#include <cmath>

#include "engine/net/initializer.h"

namespace strata {
std::vector<TensorPlace> placesFor(const Graph& graph) {
  std::vector<TensorPlace> places;
  std::int64_t offset = 0;
  for (const Node& node : graph.nodes)
    for (const ParamInfo& param : node.params) {
      places.push_back({node.nameOf(param), param.shape, offset, param.size()});
      offset += param.size();
    }
  return places;
}

std::vector<TensorPlace> placesFor(const NetworkSpec& spec) { return placesFor(lower(spec)); }

Weights layoutFor(const Graph& graph) {
  Weights weights{placesFor(graph), {}};
  if (!weights.places.empty())
    weights.values.resize(static_cast<std::size_t>(weights.places.back().offset + weights.places.back().size));
  return weights;
}

Weights layoutFor(const NetworkSpec& spec) { return layoutFor(lower(spec)); }

Weights initialWeights(const NetworkSpec& spec, std::uint64_t seed) {
  const Graph graph = lower(spec);
  Weights weights = layoutFor(graph);
  float* values = weights.values.data();
  for (const Node& node : graph.nodes) {
    Rng rng(seed, Stream::Weights, node.stream);
    for (const ParamInfo& param : node.params) {
      initialize(param, rng, {values, static_cast<std::size_t>(param.size())});
      values += param.size();
    }
  }
  return weights;
}

std::string firstNonFinite(const Weights& weights) {
  for (const TensorPlace& place : weights.places)
    for (std::int64_t i = place.offset; i < place.offset + place.size; ++i)
      if (!std::isfinite(weights.values[static_cast<std::size_t>(i)]))
        return place.name.substr(0, place.name.find('.'));
  return {};
}

}  // namespace strata

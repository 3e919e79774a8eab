// SPDX-License-Identifier: Apache-2.0
// The canonical layout of a stack's weights, and how they are drawn.
#include "engine/net/weights.h"

#include <cmath>

#include "engine/base/error.h"
#include "engine/net/initializer.h"

namespace strata {
namespace {

Analysis soundAnalysis(const NetworkSpec& spec) {
  Analysis analysis = analyse(spec, nullptr);
  for (const Issue& issue : analysis.issues)
    if (issue.level == Issue::Level::Error)
      throw Error(Error::Kind::Input,
                  issue.layer < 0 ? "network" : spec.layers[static_cast<std::size_t>(issue.layer)].name,
                  issue.text.substr(0, issue.text.size() - 1));
  return analysis;
}

}  // namespace

std::vector<TensorPlace> placesFor(const NetworkSpec& spec) {
  const Analysis analysis = soundAnalysis(spec);
  std::vector<TensorPlace> places;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < spec.layers.size(); ++i)
    for (const ParamInfo& param : analysis.layers[i].params) {
      places.push_back({spec.layers[i].name + "." + param.name, param.shape, offset, param.size()});
      offset += param.size();
    }
  return places;
}

Weights layoutFor(const NetworkSpec& spec) {
  Weights weights{placesFor(spec), {}};
  if (!weights.places.empty())
    weights.values.resize(static_cast<std::size_t>(weights.places.back().offset + weights.places.back().size));
  return weights;
}

Weights initialWeights(const NetworkSpec& spec, std::uint64_t seed) {
  Weights weights = layoutFor(spec);
  const Analysis analysis = analyse(spec, nullptr);
  float* values = weights.values.data();
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    Rng rng(seed, Stream::Weights, i);
    for (const ParamInfo& param : analysis.layers[i].params) {
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

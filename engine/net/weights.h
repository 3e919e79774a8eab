// SPDX-License-Identifier: Apache-2.0
// Weights by name in one arena, in the canonical layout (Keras order and shapes), and how they are drawn, read and
// written.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/base/file.h"
#include "engine/net/analysis.h"

namespace strata {

/// A named tensor's place in an arena of floats.
struct TensorPlace {
  std::string name;  ///< "conv1.kernel", "res1/conv1.kernel"
  std::vector<int> shape;
  std::int64_t offset = 0, size = 0;
  bool operator==(const TensorPlace&) const = default;
};

struct Weights {
  std::vector<TensorPlace> places;
  std::vector<float> values;
  bool operator==(const Weights&) const = default;
};

/// Where each variable lies in an arena that holds nothing else. Of a spec: one that analyse() accepts.
std::vector<TensorPlace> placesFor(const Graph& graph);
std::vector<TensorPlace> placesFor(const NetworkSpec& spec);
/// All zeros, laid out likewise.
Weights layoutFor(const Graph& graph);
Weights layoutFor(const NetworkSpec& spec);
/// Drawn by each layer's initializer from `seed`.
Weights initialWeights(const NetworkSpec& spec, std::uint64_t seed);
/// Path of the first layer with a NaN or infinite weight; empty when all are finite.
std::string firstNonFinite(const Weights& weights);

/// Weights as they were after some step. Shared between threads, never changed.
struct WeightSnapshot {
  NetworkSpec network;
  Weights weights;
  std::uint64_t step = 0;  ///< batches trained
  int epoch = 0;           ///< whole epochs trained
};

}  // namespace strata

// SPDX-License-Identifier: GPL-3.0-or-later
// A stack run in double precision by the layers' reference ops, with the gradient of every weight: the truth for fast
// backends. Also stacks and batches made up from a seed, with coarse numbers that float arithmetic sums exactly, so
// that ties are ties on every backend and the sign of a sum is never in doubt.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/isa.h"
#include "engine/base/json.h"
#include "engine/base/rng.h"

namespace strata::test {

/// The instruction sets that run here, widest first.
inline std::vector<Isa> isasHere() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::Avx512, Isa::Avx2, Isa::Plain})
    if (isaRunsHere(isa)) isas.push_back(isa);
  return isas;
}

inline LayerSpec layer(const std::string& type, const std::string& name, const Json& fields = Json::object()) {
  return {type, name, fieldsFromJson(findLayer(type)->fields, fields, name, {})};
}

struct ChainResult {
  double lossSum = 0;
  std::vector<double> gradients;  ///< canonical layout
  std::vector<double> outputs, inputGradient;
};

/// The plainest way there is: every tensor an array of its own, gradients added up.
inline ChainResult runChain(const NetworkSpec& spec, const Weights& weights, const Batch& batch,
                            const LossSpec& loss = {}) {
  const Graph graph = lower(spec);
  const std::vector<double> values(weights.values.begin(), weights.values.end());
  ChainResult result;
  result.gradients.resize(values.size());
  std::vector<std::vector<double>> x, dx;
  for (const GraphValue& value : graph.values) {
    x.emplace_back(std::size_t(batch.size * value.shape.size()));
    dx.push_back(x.back());
  }
  x[0].assign(batch.floats, batch.floats + batch.size * spec.input.size());
  std::vector<std::unique_ptr<BasicOp<double>>> ops;
  std::vector<std::vector<const double*>> xs(graph.nodes.size());
  std::vector<BasicOpIo<double>> io(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    ops.push_back(node.def->makeOp64(graph.siteOf(i, batch.size, true)));
    for (const int in : node.inputs) xs[i].push_back(x[std::size_t(in)].data());
    io[i].batch = batch.size;
    io[i].x = xs[i].front();
    io[i].xs = xs[i];
    io[i].y = x[i + 1].data();
    io[i].weights = std::span(values).subspan(std::size_t(node.weightsOffset), std::size_t(node.parameters));
    io[i].gradients =
        std::span(result.gradients).subspan(std::size_t(node.weightsOffset), std::size_t(node.parameters));
    io[i].training = true;
    ops[i]->forward(io[i]);
  }
  BasicLossIo<double> lossIo;
  lossIo.count = batch.size;
  lossIo.size = graph.output().size();
  lossIo.outputs = x.back().data();
  lossIo.labels = batch.labels;
  lossIo.targets = x[0].data();
  lossIo.gradients = dx.back().data();
  result.lossSum = loss.def().compute64(loss.fields, lossIo);
  for (std::size_t i = graph.nodes.size(); i-- > 0;) {
    std::vector<std::vector<double>> found;
    std::vector<double*> dxs;
    for (const int in : graph.nodes[i].inputs) found.emplace_back(x[std::size_t(in)].size());
    for (auto& one : found) dxs.push_back(one.data());
    io[i].dy = dx[i + 1].data();
    io[i].dx = dxs.front();
    io[i].dxs = dxs;
    ops[i]->backward(io[i]);
    for (std::size_t in = 0; in < found.size(); ++in) {
      std::vector<double>& sum = dx[std::size_t(graph.nodes[i].inputs[in])];
      for (std::size_t at = 0; at < sum.size(); ++at) sum[at] += found[in][at];
    }
  }
  result.outputs = x.back();
  result.inputGradient = dx.front();
  return result;
}

/// A drawn stack: conv, maybe pool, maybe a second conv or another layer between, dense, maybe another dense.
inline NetworkSpec madeStack(Rng& rng) {
  const auto pick = [&](std::initializer_list<int> from) {
    return *(from.begin() + rng.below(std::uint32_t(from.size())));
  };
  const auto activation = [&] {
    return std::vector<std::string>{"relu", "relu", "relu", "linear", "tanh", "sigmoid"}[rng.below(6)];
  };
  NetworkSpec spec;
  spec.classes = 2 + int(rng.below(9));
  spec.input = Shape::image(5 + int(rng.below(12)), 5 + int(rng.below(12)), pick({1, 1, 2, 3, 8, 11}));
  const auto conv = [&](const std::string& name, int largest) {
    spec.layers.push_back(layer(
        "conv2d", name,
        {{"filters", pick({1, 3, 6, 8, 16, 20, 24, 40, 72})},
         {"kernel_size", Json::array({1 + rng.below(std::uint32_t(largest)), 1 + rng.below(std::uint32_t(largest))})},
         {"strides", Json::array({1 + rng.below(5) / 3, 1 + rng.below(5) / 3})},
         {"padding", rng.below(2) ? "same" : "valid"},
         {"activation", activation()},
         {"use_bias", rng.below(5) > 0}}));
  };
  if (rng.below(6) > 0) {
    conv("conv1", 5);
    if (rng.below(2)) {
      // Of 2 or 4 values at most: a third is not exact, and a ReLU after it may then fall either way.
      const bool average = rng.below(4) == 0;
      spec.layers.push_back(
          layer(average ? "avg_pool2d" : "max_pool2d", "pool1",
                {{"pool_size", Json::array({1 + rng.below(2), 1 + rng.below(average ? 2 : 3)})}, {"padding", "same"}}));
    }
    if (rng.below(5) == 0)
      spec.layers.push_back(layer("max_pool2d", "pool2", {{"pool_size", 2}, {"strides", 1}, {"padding", "same"}}));
    if (rng.below(3) == 0) spec.layers.push_back(layer("activation", "act1", {{"activation", "relu"}}));
    if (rng.below(2)) {
      const Shape now = analyse(spec).layers.back().out;
      conv("conv2", std::min({3, now.h, now.w}));
      const Shape then = analyse(spec).layers.back().out;
      if (rng.below(2) && then.h > 1 && then.w > 1) spec.layers.push_back(layer("max_pool2d", "pool3"));
    }
  }
  spec.layers.push_back(layer("flatten", "flatten"));
  if (rng.below(2))
    spec.layers.push_back(
        layer("dense", "dense1", {{"units", pick({1, 5, 16, 70, 130})}, {"activation", activation()}}));
  spec.layers.push_back(layer("dense", "dense2", {{"units", spec.classes}}));
  return spec;
}

/// How the inputs of a made-up batch are drawn.
enum class Inputs { Dense, Sparse, Zero, Ties };

struct MadeBatch {
  std::vector<float> values;
  std::vector<std::uint8_t> bytes;
  std::vector<std::int32_t> labels;
  Batch batch;

  MadeBatch(const NetworkSpec& spec, int size, Inputs inputs, Rng& rng)
      : values(std::size_t(size * spec.input.size())), labels(std::size_t(size)) {
    for (float& value : values) {
      if (inputs == Inputs::Dense) value = float(1 + rng.below(8)) / 8 * (rng.below(2) ? 1 : -1);
      if (inputs == Inputs::Sparse) value = rng.below(5) == 0 ? float(1 + rng.below(8)) / 8 : 0;
      if (inputs == Inputs::Ties) value = float(rng.below(2));
    }
    for (std::int32_t& label : labels) label = std::int32_t(rng.below(std::uint32_t(spec.classes)));
    batch.size = size;
    batch.floats = values.data();
    batch.labels = labels.data();
  }

  /// The same values as bytes, which have bounds.
  void storeAsBytes() {
    bytes.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) bytes[i] = std::uint8_t(values[i] * 8 + 8);
    batch.bytes = bytes.data();
    batch.scale = 0.125f;
    batch.offset = -1;
  }
};

/// Whether a max pooling meets sums of what tanh or sigmoid made: rounded, those that ought to be equal are not.
inline bool poolsRoundedSums(const NetworkSpec& spec) {
  bool bent = false, summed = false;
  for (const LayerSpec& layer : spec.layers) {
    if (layer.type == "max_pool2d" && summed) return true;
    if (layer.type != "conv2d") continue;
    summed = bent;
    bent = bent || layer.fields.text("activation") == "tanh" || layer.fields.text("activation") == "sigmoid";
  }
  return false;
}

/// Weights of a sixteenth's multiples, small enough for sums to stay exact; some filters' biases are so low that they
/// are dead. Where sums are rounded before a pooling they are drawn a little off, so that different sums are different
/// on every backend.
inline Weights coarseWeights(const NetworkSpec& spec, Rng& rng) {
  Weights weights = layoutFor(spec);
  const bool off = poolsRoundedSums(spec);
  for (const TensorPlace& place : weights.places) {
    const bool bias = place.shape.size() == 1;
    for (std::int64_t i = 0; i < place.size; ++i) {
      float& weight = weights.values[std::size_t(place.offset + i)];
      weight = bias && rng.below(6) == 0 ? -64 : float(int(rng.below(9)) - 4) / 16;
      if (off) weight += float(rng.below(1000)) / 100'000;
    }
  }
  return weights;
}

}  // namespace strata::test

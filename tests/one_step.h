// SPDX-License-Identifier: GPL-3.0-or-later
// Small nets around one layer, and one training step of the same net on two backends, compared tensor by tensor.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/backend/compare_tensors.h"
#include "engine/base/json.h"
#include "layer_cases.h"

namespace strata::test {

/// A layer whose output the example's layer sees; of one that joins, what a container makes of it.
inline LayerSpec testedLayer(const LayerDef& def, const Example& example, const std::string& name) {
  if (!def.joins()) return layerOf(def, example, name);
  Json stacks = Json::array();
  std::vector<Shape> ins = example.others;
  ins.insert(ins.begin(), example.in);
  for (const Shape& in : ins) {
    const std::string inner = name + std::to_string(stacks.size());
    stacks.push_back(
        Json::array({in.isImage() ? Json{{"type", "conv2d"}, {"name", inner}, {"filters", in.c}, {"kernel_size", 1}}
                                  : Json{{"type", "dense"}, {"name", inner}, {"units", in.c}}}));
  }
  const Example inside{Json{{"stacks", stacks}, {"merge", def.type}}.dump(), example.in};
  return layerOf(*findLayer("branches"), inside, name);
}

/// Nets whose output depends on every output of the example's layer: the layer first, behind a trained layer, behind a
/// trained layer with an activation between, and twice in a container that another container holds; so that a backend
/// meets it fused and by itself, with the gradient of its input and without, and its input read by several. Throws
/// where the example makes no legal net.
inline std::vector<NetworkSpec> netsAround(const LayerDef& def, const Example& example) {
  const auto plain = [](const char* type, const char* name, const Json& fields) {
    return LayerSpec{type, name, fieldsFromJson(findLayer(type)->fields, fields, name, {})};
  };
  const LayerSpec before = example.in.isImage()
                               ? plain("conv2d", "before", {{"filters", example.in.c}, {"kernel_size", 1}})
                               : plain("dense", "before", {{"units", example.in.c}});
  const LayerSpec bend = plain("activation", "bend", {{"activation", "tanh"}});
  const LayerSpec layer = testedLayer(def, example, "layer");
  LayerSpec inner = plain("branches", "inner", Json::object()), outer = inner;
  inner.stacks = {{layer}, {testedLayer(def, example, "again")}};
  outer.name = "outer";
  outer.stacks = {{inner}, {layer}};
  std::vector<NetworkSpec> nets;
  for (const std::vector<LayerSpec>& stack :
       std::vector<std::vector<LayerSpec>>{{layer}, {before, layer}, {before, bend, layer}, {before, bend, outer}}) {
    NetworkSpec spec;
    spec.input = example.in;
    spec.classes = 3;
    spec.layers = stack;
    if (const Shape out =
            analyse(spec)
                .layers.at(static_cast<std::size_t>(numberAt(spec, {-1, 0, static_cast<int>(stack.size()) - 1})))
                .out;
        !out.isVector())
      spec.layers.push_back(plain("flatten", "flatten", Json::object()));
    spec.layers.push_back(plain("dense", "after", {{"units", spec.classes}}));
    const Analysis analysis = analyse(spec);
    if (!analysis.ok()) throw Error(Error::Kind::Input, def.type, analysis.issues.front().text);
    nets.push_back(std::move(spec));
  }
  return nets;
}

/// One step from given weights on a given batch. It starts without momentum, so that the optimizer's state holds the
/// gradients after it.
class OneStep {
 public:
  CompileRequest request;

  OneStep(const NetworkSpec& spec, int maxBatch)
      : m_weights(layoutFor(spec)), m_x(randomValues<float>(maxBatch * spec.input.size(), 1)) {
    request.network = spec;
    request.optimizer = {"sgd", Fields(allOptimizers().front().fields)};
    request.optimizer.fields.set("momentum", 0.9);
    request.maxBatch = maxBatch;
    request.precision = Precision::Float32;
    m_weights.values = randomValues<float>(std::ssize(m_weights.values), 2);
    for (float& weight : m_weights.values) weight *= 0.3f;  // keeps the softmax where a small error shows
    for (int i = 0; i < maxBatch; ++i) m_labels.push_back(i % spec.classes);
    auto weight = m_weights.values.begin();
    for (const Node& node : lower(spec).nodes)
      for (const ParamInfo& param : node.params)
        for (std::int64_t i = 0; i < param.size(); ++i, ++weight)
          if (param.role == ParamInfo::Role::Running) *weight = std::abs(*weight);  // it may be a variance
  }

  /// The first tensor that differs: the output, the loss, a gradient, or what a step makes of a variable; nothing when
  /// all agree. `absolute` as in Tolerance.
  std::optional<std::string> difference(CompiledNetwork& got, CompiledNetwork& expected, int batch,
                                        double absolute = 1e-6) const {
    const Result mine = run(got, batch), right = run(expected, batch);
    const auto compare = [&](const std::string& what, std::span<const float> a,
                             std::span<const float> b) -> std::optional<std::string> {
      const auto text = compareTensors<float>(a, b, {static_cast<int>(b.size())}, {2e-5, absolute});
      return text ? std::optional(what + " " + *text) : std::nullopt;
    };
    if (auto found = compare("output", mine.logits, right.logits)) return found;
    if (auto found = compare("loss", {&mine.loss, 1}, {&right.loss, 1})) return found;
    for (const TensorPlace& place : m_weights.places) {
      const auto part = [&](const std::vector<float>& values) {
        return std::span(values).subspan(static_cast<std::size_t>(place.offset), static_cast<std::size_t>(place.size));
      };
      if (auto found = compare("gradient of " + place.name, part(mine.gradients), part(right.gradients))) return found;
      if (auto found = compare("next " + place.name, part(mine.weights), part(right.weights))) return found;
    }
    return std::nullopt;
  }

 private:
  struct Result {
    std::vector<float> logits, gradients, weights;  ///< weights after the step
    float loss = 0;
  };

  Result run(CompiledNetwork& net, int batch) const {
    Batch part;
    part.size = batch;
    part.floats = m_x.data();
    part.labels = m_labels.data();
    net.setWeights(m_weights);
    net.setOptimizerState(std::vector<float>(m_weights.values.size()));
    Result result;
    result.logits.resize(static_cast<std::size_t>(batch * request.network.classes));
    net.forward(part, result.logits.data());
    result.loss = static_cast<float>(net.trainBatch(part, 1, 5).lossSum);
    result.gradients = net.optimizerState();
    result.weights = net.weights().values;
    return result;
  }

  Weights m_weights;
  std::vector<float> m_x;
  std::vector<std::int32_t> m_labels;
};

}  // namespace strata::test

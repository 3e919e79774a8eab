// SPDX-License-Identifier: Apache-2.0
// The stack run op by op.
#include "engine/backend/reference/network.h"

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "engine/base/memory.h"

namespace strata {
namespace {

bool allFinite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

}  // namespace

Analysis analyseWithinMemory(const CompileRequest& request) {
  Analysis analysis = analyse(request.network, nullptr);
  requireMemory(request.training ? analysis.trainingBytes(request.maxBatch, request.optimizer.slotsPerWeight())
                                 : analysis.inferenceBytes(request.maxBatch),
                "network", "computing " + std::to_string(request.maxBatch) + " samples at once",
                "Use smaller layers, or fewer samples at once");
  return analysis;
}

Network::Network(Backend& backend, const CompileRequest& request)
    : m_request(request), m_analysis(analyseWithinMemory(request)), m_scorer(request.loss, request.metrics),
      m_weights(layoutFor(request.network)) {
  if (request.training) {
    m_gradients.resize(m_weights.values.size());
    m_state.resize(m_weights.values.size() * static_cast<std::size_t>(request.optimizer.slotsPerWeight()));
  }
  const std::size_t layers = m_analysis.layers.size(), batch = static_cast<std::size_t>(request.maxBatch);
  m_activations.resize(layers + 1);
  m_activationGrads.resize(layers + 1);
  m_activations[0].resize(batch * static_cast<std::size_t>(request.network.input.size()));
  bool needsGradient = false;  // of the layer's input: only when something before it is trained
  for (std::size_t i = 0; i < layers; ++i) {
    const LayerSpec& spec = request.network.layers[i];
    const LayerAnalysis& layer = m_analysis.layers[i];
    const Site site{spec.name,
                    spec.fields,
                    layer.in,
                    layer.out,
                    request.maxBatch,
                    static_cast<int>(i),
                    needsGradient && request.training};
    auto op = backend.makeOp(*layer.def, site);
    m_opNotes.push_back((op ? backend.id() : std::string("reference")) + " op");
    m_ops.push_back(op ? std::move(op) : layer.def->makeOp(site));
    m_activations[i + 1].resize(batch * static_cast<std::size_t>(layer.out.size()));
    needsGradient |= layer.parameters > 0;
    if (needsGradient && request.training) m_activationGrads[i + 1].resize(m_activations[i + 1].size());
  }
}

void Network::setWeights(const Weights& weights) {
  if (weights.places != m_weights.places) throw Error(Error::Kind::Input, "weights", "they belong to another net");
  m_weights.values = weights.values;
}

Weights Network::weights() const { return m_weights; }
std::vector<float> Network::optimizerState() const { return m_state; }

void Network::setOptimizerState(const std::vector<float>& state) {
  if (state.size() != m_state.size())
    throw Error(Error::Kind::Input, "optimizer state",
                "got " + std::to_string(state.size()) + " values, needed " + std::to_string(m_state.size()));
  m_state = state;
}

LossResult Network::trainBatch(const Batch& batch, double learningRate, std::uint64_t step) {
  runForward(batch, true, step);
  LossResult loss = runBackward(batch, step);
  if (!std::isfinite(loss.lossSum)) return loss;
  if (!allFinite(m_gradients)) {  // the update would spoil the weights: say so now, while they are good
    loss.lossSum = std::nan("");
    return loss;
  }
  updateWeights(m_request.optimizer, learningRate, step, m_weights.values, m_gradients, m_state);
  return loss;
}

void Network::forward(const Batch& batch, float* outputs) {
  runForward(batch, false, 0);
  std::copy_n(m_activations.back().data(), batch.size * m_analysis.layers.back().out.size(), outputs);
}

void Network::activations(const Batch& batch, std::vector<std::vector<float>>& out) {
  runForward(batch, false, 0);
  out.resize(m_ops.size());
  for (std::size_t i = 0; i < m_ops.size(); ++i)
    out[i].assign(m_activations[i + 1].begin(),
                  m_activations[i + 1].begin() + batch.size * m_analysis.layers[i].out.size());
}

NonFinite Network::findNonFinite(const Batch& batch, std::uint64_t step) {
  const auto& layers = m_request.network.layers;
  runForward(batch, true, step);
  if (!allFinite({m_activations[0].data(), static_cast<std::size_t>(batch.size * m_request.network.input.size())}))
    return {"input", "output"};
  for (std::size_t i = 0; i < m_ops.size(); ++i) {
    const OpIo io = ioFor(i, batch.size, true, step);
    if (!allFinite(io.weights)) return {layers[i].name, "weights"};
    if (!allFinite({io.y, static_cast<std::size_t>(batch.size * m_analysis.layers[i].out.size())}))
      return {layers[i].name, "output"};
  }
  const bool trained = m_scorer.hasTargets(batch);
  if (trained) runBackward(batch, step);
  for (std::size_t i = m_ops.size(); trained && i-- > 0;)  // gradients flow from the last layer to the first
    if (!allFinite(ioFor(i, batch.size, true, step).gradients)) return {layers[i].name, "gradient"};
  return {};
}

std::string Network::explain() const {
  std::string text;
  for (std::size_t i = 0; i < m_ops.size(); ++i) {
    const LayerSpec& layer = m_request.network.layers[i];
    text += layer.name + "  " + m_analysis.layers[i].def->summary(layer.fields) + "  " +
            m_analysis.layers[i].out.text() + "  " + m_opNotes[i] + "\n";
  }
  return text;
}

void Network::runForward(const Batch& batch, bool training, std::uint64_t step) {
  if (batch.size < 1 || batch.size > m_request.maxBatch)
    throw Error(Error::Kind::Input, "batch",
                "got " + std::to_string(batch.size) + " samples, needed 1 to " + std::to_string(m_request.maxBatch));
  const std::int64_t values = batch.size * m_request.network.input.size();
  float* input = m_activations[0].data();
  if (batch.floats) std::copy_n(batch.floats, values, input);
  else
    std::transform(batch.bytes, batch.bytes + values, input,
                   [&](std::uint8_t byte) { return static_cast<float>(byte) * batch.scale + batch.offset; });
  for (std::size_t i = 0; i < m_ops.size(); ++i) m_ops[i]->forward(ioFor(i, batch.size, training, step));
}

// After runForward(). Gradients are left as they were when the loss is not finite.
LossResult Network::runBackward(const Batch& batch, std::uint64_t step) {
  const LossResult loss = m_scorer(batch, 0, batch.size, m_analysis.layers.back().out.size(),
                                   m_activations.back().data(), m_activationGrads.back().data());
  if (!std::isfinite(loss.lossSum)) return loss;
  for (std::size_t i = m_ops.size(); i-- > 0;) m_ops[i]->backward(ioFor(i, batch.size, true, step));
  return loss;
}

OpIo Network::ioFor(std::size_t layer, int batch, bool training, std::uint64_t step) {
  const LayerAnalysis& found = m_analysis.layers[layer];
  const auto offset = static_cast<std::size_t>(found.weightsOffset), count = static_cast<std::size_t>(found.parameters);
  OpIo io;
  io.batch = batch;
  io.x = m_activations[layer].data();
  io.y = m_activations[layer + 1].data();
  io.dy = m_activationGrads[layer + 1].data();
  io.dx = m_activationGrads[layer].empty() ? nullptr : m_activationGrads[layer].data();
  io.weights = std::span<const float>(m_weights.values).subspan(offset, count);
  if (m_request.training) io.gradients = std::span<float>(m_gradients).subspan(offset, count);
  io.training = training;
  io.seed = m_request.seed;
  io.step = step;
  return io;
}

}  // namespace strata

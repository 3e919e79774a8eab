// SPDX-License-Identifier: Apache-2.0
// The graph run op by op.
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
  Analysis analysis = soundAnalysis(request.network);
  requireMemory(request.training ? analysis.trainingBytes(request.maxBatch, request.optimizer.slotsPerWeight())
                                 : analysis.inferenceBytes(request.maxBatch),
                "network", "computing " + std::to_string(request.maxBatch) + " samples at once",
                "Use smaller layers, or fewer samples at once");
  return analysis;
}

Network::Network(Backend& backend, const CompileRequest& request)
    : m_request(request), m_graph(analyseWithinMemory(request).graph), m_scorer(request.loss, request.metrics),
      m_weights(layoutFor(m_graph)) {
  if (request.training) {
    m_gradients.resize(m_weights.values.size());
    m_state.resize(m_weights.values.size() * static_cast<std::size_t>(request.optimizer.slotsPerWeight()));
  }
  const auto batch = static_cast<std::size_t>(request.maxBatch);
  std::vector<bool> needed = m_graph.gradientsNeeded(request.training);
  needed.back() = request.training;  // the loss writes it
  m_valueGradients.resize(m_graph.values.size());
  m_gradientBegun.resize(m_graph.values.size());
  for (std::size_t i = 0; i < m_graph.values.size(); ++i) {
    m_values.emplace_back(batch * static_cast<std::size_t>(m_graph.values[i].shape.size()));
    if (needed[i]) m_valueGradients[i].resize(m_values[i].size());
  }
  for (std::size_t i = 0; i < m_graph.nodes.size(); ++i) {
    const Node& node = m_graph.nodes[i];
    const bool inputGradient = std::any_of(node.inputs.begin(), node.inputs.end(),
                                           [&](int in) { return needed[static_cast<std::size_t>(in)]; });
    const Site site = m_graph.siteOf(i, request.maxBatch, inputGradient);
    auto op = backend.makeOp(*node.def, site);
    m_opNotes.push_back((op ? backend.id() : std::string("reference")) + " op");
    m_ops.push_back(op ? std::move(op) : node.def->makeOp(site));
    m_parts.resize(std::max(m_parts.size(), node.inputs.size()));
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
  updateVariables(m_graph, m_request.optimizer, learningRate, step, m_weights.values, m_gradients, m_state);
  return loss;
}

void Network::forward(const Batch& batch, float* outputs) {
  runForward(batch, false, 0);
  std::copy_n(m_values.back().data(), batch.size * m_graph.output().size(), outputs);
}

void Network::activations(const Batch& batch, std::vector<std::vector<float>>& out) {
  runForward(batch, false, 0);
  out.resize(m_ops.size());
  for (std::size_t i = 0; i < m_ops.size(); ++i)
    out[i].assign(m_values[i + 1].begin(), m_values[i + 1].begin() + batch.size * m_graph.outputOf(i).size());
}

NonFinite Network::findNonFinite(const Batch& batch, std::uint64_t step) {
  runForward(batch, true, step);
  if (!allFinite({m_values[0].data(), static_cast<std::size_t>(batch.size * m_request.network.input.size())}))
    return {"input", "output"};
  for (std::size_t i = 0; i < m_ops.size(); ++i) {
    const OpIo io = ioFor(i, batch.size, true, step);
    if (!allFinite(io.weights)) return {m_graph.nodes[i].path, "weights"};
    if (!allFinite({io.y, static_cast<std::size_t>(batch.size * m_graph.outputOf(i).size())}))
      return {m_graph.nodes[i].path, "output"};
  }
  const bool trained = m_scorer.hasTargets(batch);
  if (trained) runBackward(batch, step);
  for (std::size_t i = m_ops.size(); trained && i-- > 0;)  // gradients flow from the last node to the first
    if (!allFinite(ioFor(i, batch.size, true, step).gradients)) return {m_graph.nodes[i].path, "gradient"};
  return {};
}

std::string Network::explain() const {
  std::string text;
  for (std::size_t i = 0; i < m_ops.size(); ++i) {
    const Node& node = m_graph.nodes[i];
    text += node.path + "  " + node.def->summary(node.fields) + "  " + m_graph.outputOf(i).text() + "  " +
            m_opNotes[i] + "\n";
  }
  return text;
}

void Network::runForward(const Batch& batch, bool training, std::uint64_t step) {
  if (batch.size < 1 || batch.size > m_request.maxBatch)
    throw Error(Error::Kind::Input, "batch",
                "got " + std::to_string(batch.size) + " samples, needed 1 to " + std::to_string(m_request.maxBatch));
  const std::int64_t values = batch.size * m_request.network.input.size();
  float* input = m_values[0].data();
  if (batch.floats) std::copy_n(batch.floats, values, input);
  else
    std::transform(batch.bytes, batch.bytes + values, input,
                   [&](std::uint8_t byte) { return static_cast<float>(byte) * batch.scale + batch.offset; });
  for (std::size_t i = 0; i < m_ops.size(); ++i) m_ops[i]->forward(ioFor(i, batch.size, training, step));
}

// After runForward(). Gradients are left as they were when the loss is not finite.
LossResult Network::runBackward(const Batch& batch, std::uint64_t step) {
  const LossResult loss =
      m_scorer(batch, 0, batch.size, m_graph.output().size(), m_values.back().data(), m_valueGradients.back().data());
  if (!std::isfinite(loss.lossSum)) return loss;
  std::fill(m_gradientBegun.begin(), m_gradientBegun.end(), 0);
  for (std::size_t i = m_ops.size(); i-- > 0;) runNodeBackward(i, batch.size, step);
  return loss;
}

/// A value's first reader writes its gradient; what the others find is added.
void Network::runNodeBackward(std::size_t index, int batch, std::uint64_t step) {
  const Node& node = m_graph.nodes[index];
  if (m_valueGradients[index + 1].empty()) return;  // nothing up to here learns
  OpIo io = ioFor(index, batch, true, step);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const auto value = static_cast<std::size_t>(node.inputs[i]);
    if (!m_dxs[i]) continue;
    if (!m_gradientBegun[value]) {
      m_gradientBegun[value] = 1;
      continue;
    }
    m_parts[i].resize(m_values[value].size());
    m_dxs[i] = m_parts[i].data();
  }
  io.dx = m_dxs.front();
  m_ops[index]->backward(io);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!m_dxs[i] || m_dxs[i] != m_parts[i].data()) continue;
    float* sum = m_valueGradients[static_cast<std::size_t>(node.inputs[i])].data();
    const std::int64_t count = batch * m_graph.values[static_cast<std::size_t>(node.inputs[i])].shape.size();
    for (std::int64_t at = 0; at < count; ++at) sum[at] += m_parts[i][static_cast<std::size_t>(at)];
  }
}

OpIo Network::ioFor(std::size_t index, int batch, bool training, std::uint64_t step) {
  const Node& node = m_graph.nodes[index];
  const auto offset = static_cast<std::size_t>(node.weightsOffset), count = static_cast<std::size_t>(node.parameters);
  m_xs.clear();
  m_dxs.clear();
  for (const int in : node.inputs) {
    std::vector<float>& gradient = m_valueGradients[static_cast<std::size_t>(in)];
    m_xs.push_back(m_values[static_cast<std::size_t>(in)].data());
    m_dxs.push_back(gradient.empty() ? nullptr : gradient.data());
  }
  OpIo io;
  io.batch = batch;
  io.x = m_xs.front();
  io.xs = m_xs;
  io.y = m_values[index + 1].data();
  io.dy = m_valueGradients[index + 1].data();
  io.dx = m_dxs.front();
  io.dxs = m_dxs;
  io.weights = std::span<const float>(m_weights.values).subspan(offset, count);
  if (m_request.training) io.gradients = std::span<float>(m_gradients).subspan(offset, count);
  io.training = training;
  io.seed = m_request.seed;
  io.step = step;
  return io;
}

}  // namespace strata

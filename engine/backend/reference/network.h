// SPDX-License-Identifier: Apache-2.0
// The graph bound to a backend op by op: one arena each for weights, gradients and optimizer state, an array for each
// value and its gradient.
#pragma once
#include <memory>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/net/analysis.h"

namespace strata {

/// analyse(), or Error::Input when what was asked for takes more memory than there is.
Analysis analyseWithinMemory(const CompileRequest& request);

class Network : public CompiledNetwork {
 public:
  /// `backend` must outlive this. A layer it makes no op for runs by its reference op.
  Network(Backend& backend, const CompileRequest& request);

  void setWeights(const Weights& weights) override;
  Weights weights() const override;
  std::vector<float> optimizerState() const override;
  void setOptimizerState(const std::vector<float>& state) override;
  LossResult trainBatch(const Batch& batch, double learningRate, std::uint64_t step) override;
  void forward(const Batch& batch, float* outputs) override;
  void activations(const Batch& batch, std::vector<std::vector<float>>& out) override;
  NonFinite findNonFinite(const Batch& batch, std::uint64_t step) override;
  std::string explain() const override;

  /// Gradients of the last trainBatch(), canonical layout. For tests and for looking inside.
  const std::vector<float>& gradients() const { return m_gradients; }

 private:
  void runForward(const Batch& batch, bool training, std::uint64_t step);
  LossResult runBackward(const Batch& batch, std::uint64_t step);
  /// The tensors of one node; `m_xs` and `m_dxs` hold its inputs' until the next call.
  OpIo ioFor(std::size_t node, int batch, bool training, std::uint64_t step);
  void runNodeBackward(std::size_t node, int batch, std::uint64_t step);

  CompileRequest m_request;
  Graph m_graph;
  Scorer m_scorer;
  Weights m_weights;
  std::vector<float> m_gradients, m_state;
  std::vector<std::unique_ptr<Op>> m_ops;
  std::vector<std::string> m_opNotes;                ///< explain(): "cpu op" or "reference op" per node
  std::vector<std::vector<float>> m_values;          ///< of Graph::values; [0] the input as floats
  std::vector<std::vector<float>> m_valueGradients;  ///< empty where none is needed
  std::vector<char> m_gradientBegun;                 ///< of each value: a reader has written its gradient in this batch
  std::vector<std::vector<float>> m_parts;           ///< a further reader's gradient, to be added; one per input
  std::vector<const float*> m_xs;
  std::vector<float*> m_dxs;
};

}  // namespace strata

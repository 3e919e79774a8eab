// SPDX-License-Identifier: Apache-2.0
// The stack bound to a backend op by op: one arena each for weights, gradients, optimizer state and activations.
#pragma once
#include <memory>
#include <vector>

#include "engine/backend/backend.h"

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
  OpIo ioFor(std::size_t layer, int batch, bool training, std::uint64_t step);

  CompileRequest m_request;
  Analysis m_analysis;
  Scorer m_scorer;
  Weights m_weights;
  std::vector<float> m_gradients, m_state;
  std::vector<std::unique_ptr<Op>> m_ops;
  std::vector<std::string> m_opNotes;             ///< explain(): "cpu op" or "reference op" per layer
  std::vector<std::vector<float>> m_activations;  ///< [0] the input as floats, [i+1] layer i's output
  std::vector<std::vector<float>> m_activationGrads;
};

}  // namespace strata

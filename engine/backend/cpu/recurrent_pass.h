// SPDX-License-Identifier: Apache-2.0
// Simple RNN, GRU and LSTM. A step's products with the input and with the last output go through the same registers,
// and its gates follow while the sums are in the first cache; likewise back through time. Samples are worked on in
// groups that depend on the batch alone; the weights' gradients are summed step by step, sample by sample.
#pragma once
#include <atomic>

#include "engine/backend/cpu/pass_kind.h"
#include "engine/backend/cpu/weighted_pass.h"

namespace strata {

class RecurrentPass : public WeightedPass {
 public:
  /// `node` must outlive this.
  RecurrentPass(const Node& node, RecurrentCell cell, int stateSlots, bool training, Buffer& x, Buffer& y,
                const Kernels& kernels);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  bool finite() const override { return WeightedPass::finite() && m_allFinite; }
  /// One for each block of units.
  int gradientTasks(const Step&) const override { return m_blocks; }
  void gradientTask(const Step& step, int block) override;
  float updateTask(const Step& step, int task, int thread, const UpdateRule& rule) override;
  void setWeights(const float* canonical) override;
  PassWork work() const override;

 private:
  void pack(const Step& step);
  void packBlock(int block);
  /// What step number `s` of the reading order works on.
  RecurrentStep stepAt(const Step& step, int s) const;
  int place(int s) const { return m_backwards ? m_steps - 1 - s : s; }
  int slot(int s) const { return m_training ? s : s % 2; }
  float* outputs(const Step& step, int s) const {
    return m_outputs.data() + std::int64_t{slot(s)} * step.batch * m_width;
  }
  float* cells(const Step& step, int s) const { return m_cells.data() + std::int64_t{slot(s)} * step.batch * m_width; }
  std::int64_t keptBlock(const Step& step) const {
    return std::int64_t{m_training ? m_steps : 1} * step.batch * m_keptRow;
  }
  void groupForward(const Step& step, int begin, int end);
  void groupBackward(const Step& step, int begin, int end);
  /// rows [begin, end): of the gradients that step `s` has kept, times the transposed weights. `added`: to what is
  /// there.
  void throughWeights(const Step& step, int s, int begin, int end, const Array<float>& transposed, std::int64_t row,
                      int first, int cols, float* out, std::int64_t outRow, bool added) const;
  /// Adds what one step, or all from that one on, gives to a block's gradient of a kernel.
  void addGradient(const Step& step, const float* inputs, std::int64_t inputsRow, int features, const float* kept,
                   std::int64_t rows, int first, float* gradient) const;
  void unpackGradient(int block, const float* kernel, const float* recurrent, const float* bias);
  /// Where a gate's block lies in a row of the canonical weights, `inner` of those that the last output is multiplied
  /// by.
  std::int64_t column(int gate, int block, bool inner) const;
  int unitsOf(int block) const { return std::min(m_lanes, m_shape.units - block * m_lanes); }

  Buffer &m_x, &m_y;
  RecurrentShape m_shape;
  const int m_steps, m_lanes;
  const bool m_sequences, m_backwards, m_training;
  const int m_blocks, m_width, m_gatesRow, m_keptRow;  ///< floats of a row of outputs; of a block: of its gates, kept
  bool m_stale = true;                                 ///< the weights have changed since they were packed
  Array<float> m_kernel, m_recurrent, m_bias;          ///< [blocks][inputs, units or 1][gates or kept * lanes]
  Array<float> m_kernelT, m_recurrentT;                ///< [blocks][gates * lanes][row], for the gradients
  const std::int64_t m_kernelRow, m_recurrentRow;      ///< of the transposed
  Array<float> m_outputs, m_cells;                     ///< [steps][batch][width]; two steps where nothing is trained
  Array<float> m_kept;                                 ///< [blocks][steps][batch][kept * lanes]
  Array<float> m_dOut, m_dCells;                       ///< [batch][width]
  Array<float> m_blockGradients;                       ///< [blocks][inputs + units][gates * lanes], then [kept * lanes]
  std::atomic<bool> m_allFinite{true};
};

PassKind simpleRnnPassKind();
PassKind gruPassKind();
PassKind lstmPassKind();

}  // namespace strata

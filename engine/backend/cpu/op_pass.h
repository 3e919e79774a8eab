// SPDX-License-Identifier: Apache-2.0
// Any layer that has no pass of its own, by its op: correct for every layer there is or will be. Layers that treat
// every sample by itself run in parts, the rest in one piece.
#pragma once
#include "engine/backend/cpu/pass.h"

namespace strata {

class OpPass : public Pass {
 public:
  OpPass(const LayerDef& def, const Site& site, std::int64_t weightsOffset, int stateSlots, bool training, Buffer& x,
         Buffer& y);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  bool finite() const override { return m_finite; }
  int gradientTasks(const Step&) const override { return m_weights.empty() ? 0 : 1; }
  void gradientTask(const Step& step, int task) override;
  int updateTasks(const Step&) const override { return m_weights.empty() ? 0 : 1; }
  float updateTask(const Step& step, int task, int thread, const UpdateRule& rule) override;
  void setWeights(const float* canonical) override;
  void getWeights(float* canonical) const override;
  void setState(int slot, const float* canonical) override;
  void getState(int slot, float* canonical) const override;
  std::int64_t weightsOffset() const override { return m_weightsOffset; }
  PassWork work() const override;

 private:
  OpIo ioFor(const Step& step, int begin, int end);
  int pieces(const Step& step) const { return m_ops.size() > 1 ? step.parts() : 1; }
  template <class Body>
  void eachPiece(const Step& step, Body body);

  const std::string m_name;
  const std::int64_t m_weightsOffset, m_in, m_out;
  const bool m_inputGradient;
  Buffer &m_x, &m_y;
  bool m_finite = true;
  std::vector<std::unique_ptr<Op>> m_ops;  ///< one a part, or one for all
  std::vector<float> m_weights, m_gradients, m_state[kMostSlots];
  std::vector<float> m_xPlain, m_yPlain, m_dxPlain, m_dyPlain;  ///< [N, shape], without frames and panels
};

}  // namespace strata

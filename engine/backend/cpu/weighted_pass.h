// SPDX-License-Identifier: Apache-2.0
// A pass whose weights lie as the canonical layout has them: all it needs is to leave its gradients. Convolutions and
// dense layers keep theirs in forms of their own and see to all of this themselves.
#pragma once
#include "engine/backend/cpu/pass.h"

namespace strata {

class WeightedPass : public Pass {
 public:
  bool finite() const override { return m_finite; }
  int gradientTasks(const Step&) const override { return m_node.parameters > 0 ? 1 : 0; }
  void gradientTask(const Step& step, int task) override;
  int updateTasks(const Step&) const override { return m_node.parameters > 0 ? 1 : 0; }
  /// Trained variables by the rule; running ones take what lies where their gradients would.
  float updateTask(const Step& step, int task, int thread, const UpdateRule& rule) override;
  double gradientSquares(const Step& step, int task, int thread) override;
  void getGradients(float* canonical) const override;
  void setWeights(const float* canonical) override;
  void getWeights(float* canonical) const override;
  void setState(int slot, const float* canonical) override;
  void getState(int slot, float* canonical) const override;
  std::int64_t weightsOffset() const override { return m_node.weightsOffset; }

 protected:
  /// `node` must outlive this.
  WeightedPass(const Node& node, int stateSlots);

  const Node& m_node;
  bool m_finite = true;  ///< what finite() says; forward() begins with true
  Array<float> m_weights, m_gradients;

 private:
  Array<float> m_state[kMostSlots];
};

}  // namespace strata

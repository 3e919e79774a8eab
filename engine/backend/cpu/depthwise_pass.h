// SPDX-License-Identifier: Apache-2.0
// A depthwise convolution with one kernel a channel, bias and activation. Its input lies in a frame as wide as the
// padding, so that no window has an edge.
#pragma once
#include "engine/backend/cpu/geometry.h"
#include "engine/backend/cpu/pass.h"

namespace strata {

class DepthwisePass : public Pass {
 public:
  /// Whether there are kernels for the site: one a channel, and not too large.
  static bool takes(const Site& site);
  /// `node` must outlive this.
  DepthwisePass(const Node& node, const Site& site, int stateSlots, Buffer& x, Buffer& y);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  bool finite() const override { return m_finite; }
  int gradientTasks(const Step&) const override { return 1; }
  void gradientTask(const Step& step, int task) override;
  int updateTasks(const Step&) const override { return 1; }
  float updateTask(const Step& step, int task, int thread, const UpdateRule& rule) override;
  void setWeights(const float* canonical) override;
  void getWeights(float* canonical) const override;
  void setState(int slot, const float* canonical) override;
  void getState(int slot, float* canonical) const override;
  std::int64_t weightsOffset() const override { return m_node.weightsOffset; }
  PassWork work() const override;

 private:
  const Node& m_node;
  Buffer &m_x, &m_y;
  DepthwiseShape m_shape;
  const bool m_bias;
  bool m_finite = true;
  Array<float> m_weights, m_gradients, m_state[kMostSlots];  ///< canonical: kernel [taps][c], bias [c]
  Array<float> m_partGradients;                              ///< [parts][taps + 1][c]
};

}  // namespace strata

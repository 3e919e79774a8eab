// SPDX-License-Identifier: Apache-2.0
// A depthwise convolution with one kernel a channel, bias and activation. Its input lies in a frame as wide as the
// padding, so that no window has an edge.
#pragma once
#include "engine/backend/cpu/geometry.h"
#include "engine/backend/cpu/pass_kind.h"
#include "engine/backend/cpu/weighted_pass.h"

namespace strata {

class DepthwisePass : public WeightedPass {
 public:
  /// `node` must outlive this.
  DepthwisePass(const Node& node, const Site& site, int stateSlots, Buffer& x, Buffer& y);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  PassWork work() const override;

 private:
  Buffer &m_x, &m_y;
  DepthwiseShape m_shape;
  const bool m_bias;
  Array<float> m_partGradients;  ///< [parts][taps + 1][c]
};

PassKind depthwisePassKind();

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// A depthwise convolution, bias and activation; also a convolution whose groups are of one channel, which is the same.
// Its input lies in a frame as wide as the padding, so that no window has an edge. Where a channel has several kernels,
// the input is first repeated as often.
#pragma once
#include "engine/backend/cpu/geometry.h"
#include "engine/backend/cpu/pass_kind.h"
#include "engine/backend/cpu/weighted_pass.h"

namespace strata {

class DepthwisePass : public WeightedPass {
 public:
  /// `node` must outlive this.
  DepthwisePass(const Node& node, const Site& site, int stateSlots, Buffer& x, Buffer& y, int threads);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  PassWork work() const override;

 private:
  /// Sample n of the input with each channel as often as it has kernels; `thread` may keep it until its next call.
  const float* repeated(const Step& step, int n, int thread) const;
  void writeInputGradient(const Step& step, Frame dz, int n, int thread) const;

  Buffer &m_x, &m_y;
  const int m_each;  ///< kernels a channel
  DepthwiseShape m_shape;
  const bool m_bias;
  Array<float> m_partGradients;  ///< [parts][taps + 1][c]
  Array<float> m_repeated;       ///< [threads][rows][cols][c] where channels have several kernels
};

PassKind depthwisePassKind();
PassKind singleChannelGroupsPassKind();

}  // namespace strata

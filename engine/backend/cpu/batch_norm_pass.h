// SPDX-License-Identifier: Apache-2.0
// Batch norm with its activation: one reading of the input for the statistics, one for the output; likewise backwards.
// The sums are taken around the moving mean, which keeps the variance exact where the mean is large beside it.
#pragma once
#include "engine/backend/cpu/pass_kind.h"
#include "engine/backend/cpu/weighted_pass.h"

namespace strata {

class BatchNormPass : public WeightedPass {
 public:
  /// `node` must outlive this.
  BatchNormPass(const Node& node, int stateSlots, Buffer& x, Buffer& y);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  PassWork work() const override;

 private:
  /// Sums of two kinds [2][c] over the batch, in the order of parts. sum(n, sums) adds those of one sample.
  template <class Sum>
  void sumBatch(const Step& step, Sum sum);
  void measure(const Step& step);
  float* running(Array<float>& slice, int which) const {
    return slice.data() + (m_scale + m_center + which) * m_channels;
  }

  Buffer &m_x, &m_y;
  const int m_channels;
  const bool m_scale, m_center;
  const double m_momentum, m_epsilon;
  const Activation m_activation;
  bool m_byBatch = false;
  Array<float> m_center0, m_mean, m_gain, m_shift;          ///< [c], of this batch
  std::vector<double> m_variance, m_sums;                   ///< [c]; [2][c]
  std::vector<double> m_partSums;                           ///< [parts][2][c]
  Array<float> m_ofGradient, m_ofInput, m_fixed, m_sample;  ///< slopes [c]; [parts][2][c]
};

PassKind batchNormPassKind();

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Multi-head attention of a sequence on itself. Every sample is a task: its three projections are one product, and each
// head's shares lie turned over, [T from][T to], so that their softmax goes down columns. The weights' gradients are
// summed part by part.
#pragma once
#include "engine/backend/cpu/pass_kind.h"
#include "engine/backend/cpu/weighted_pass.h"

namespace strata {

class AttentionPass : public WeightedPass {
 public:
  /// `node` must outlive this.
  AttentionPass(const Node& node, int stateSlots, bool training, Buffer& x, Buffer& y, const Kernels& kernels,
                int threads);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  float updateTask(const Step& step, int task, int thread, const UpdateRule& rule) override;
  void setWeights(const float* canonical) override;
  PassWork work() const override;

 private:
  /// What is kept of a sample for backward().
  struct Kept {
    float *projected, *shares, *mixed;  ///< [T][3 * all], [heads][T][sharesRow], [T][all]
  };
  struct Scratch {
    Array<float> turned, dShares, dProjected, dMixed;  ///< [size][sharesRow], then as above
  };
  void pack();
  Kept kept(int n, int thread) const;
  float sampleForward(const Kernels& kernels, const Kept& kept, const float* x, Scratch& scratch, float* y) const;
  /// `gradient` is null where the layer does not learn, dx where nothing before it does.
  void sampleBackward(const Kernels& kernels, const Kept& kept, const float* x, const float* dy, Scratch& scratch,
                      float* gradient, float* dx) const;
  void headBackward(const Kernels& kernels, const Kept& kept, int head, Scratch& scratch) const;
  void unpackGradients();

  Buffer &m_x, &m_y;
  const int m_steps, m_width, m_heads, m_size, m_all;  ///< all: heads * key_dim
  const std::int64_t m_sharesRow;
  const float m_scale;
  const bool m_training;
  bool m_stale = true;                 ///< the weights have changed since they were packed
  Array<float> m_in, m_inBias;         ///< [width][3 * all]; [3 * all]: query, key, value side by side
  Array<float> m_inTurned;             ///< [3 * all][width]
  Array<float> m_outTurned;            ///< [width][all]
  Array<float> m_projected, m_shares;  ///< [batch], or [threads] where nothing is trained
  Array<float> m_mixed;                ///< likewise
  std::vector<Scratch> m_scratch;      ///< one a thread
  Array<float> m_partGradients;        ///< [parts][gradientSize()]: in, its bias, out, its bias
  /// With room for a vector, so that no sample's kernels read what another thread writes.
  std::int64_t projectedSize() const { return std::int64_t{m_steps} * 3 * m_all + 16; }
  std::int64_t gradientSize() const {
    return std::int64_t{m_width + 1} * 3 * m_all + std::int64_t{m_all + 1} * m_width;
  }
};

PassKind attentionPassKind();

}  // namespace strata

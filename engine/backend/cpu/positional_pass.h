// SPDX-License-Identifier: Apache-2.0
// A learned vector added to every step.
#pragma once
#include "engine/backend/cpu/pass_kind.h"
#include "engine/backend/cpu/weighted_pass.h"

namespace strata {

class PositionalPass : public WeightedPass {
 public:
  /// `node` must outlive this.
  PositionalPass(const Node& node, int stateSlots, Buffer& x, Buffer& y);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  PassWork work() const override;

 private:
  Buffer &m_x, &m_y;
  const std::int64_t m_size;  ///< of a sample
  Array<float> m_partGradients;
};

PassKind positionalPassKind();

}  // namespace strata

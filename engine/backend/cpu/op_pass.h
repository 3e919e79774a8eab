// SPDX-License-Identifier: Apache-2.0
// Any layer that has no pass of its own, by its op: correct for every layer there is or will be. Layers that treat
// every sample by itself run in parts, the rest in one piece.
#pragma once
#include "engine/backend/cpu/pass_kind.h"
#include "engine/backend/cpu/weighted_pass.h"

namespace strata {

class OpPass : public WeightedPass {
 public:
  /// `node` must outlive this; one buffer in `xs` for each of its inputs.
  OpPass(const Node& node, const Site& site, int stateSlots, bool training, std::vector<Buffer*> xs, Buffer& y);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  PassWork work() const override;

 private:
  /// [N, shape], without frames and panels.
  struct Input {
    Buffer* buffer;
    std::int64_t size;  ///< of a sample
    std::vector<float> values, gradients;
  };
  struct Call;
  Call callFor(const Step& step, int begin, int end);
  int pieces(const Step& step) const { return m_ops.size() > 1 ? step.parts() : 1; }
  template <class Body>
  void eachPiece(const Step& step, Body body);

  const std::int64_t m_out;
  std::vector<Input> m_inputs;
  Buffer& m_y;
  std::vector<std::unique_ptr<Op>> m_ops;  ///< one a part, or one for all
  std::vector<float> m_yPlain, m_dyPlain;  ///< [N, shape], without frames and panels
};

}  // namespace strata

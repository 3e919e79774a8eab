// SPDX-License-Identifier: Apache-2.0
// The sum of several values, with the activation behind it: the end of a residual block.
#pragma once
#include "engine/backend/cpu/pass_kind.h"

namespace strata {

class AddPass : public Pass {
 public:
  AddPass(std::string name, Activation activation, std::vector<Buffer*> xs, Buffer& y);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  PassWork work() const override { return {m_name, "vectors", "vectors", 0, false, false, 1, 1, 1}; }

 private:
  const std::string m_name;
  const Activation m_activation;
  const std::vector<Buffer*> m_xs;
  Buffer& m_y;
};

PassKind addPassKind();

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Average pooling. Max pooling rides on the convolution before it (conv_pass.h) or runs by its op (op_pass.h).
#pragma once
#include "engine/cpu/geometry.h"
#include "engine/cpu/pass.h"

namespace strata {

class AveragePoolPass : public Pass {
 public:
  AveragePoolPass(const std::string& name, const WindowGeometry& geometry, Buffer& x, Buffer& y);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  PassWork work() const override;

 private:
  const std::string m_name;
  PoolShape m_shape;
  Buffer &m_x, &m_y;
};

}  // namespace strata

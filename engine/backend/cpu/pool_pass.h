// SPDX-License-Identifier: Apache-2.0
// Average pooling, as a pass of its own or sample by sample behind a convolution (conv_pass.h), while its output is
// still in the cache. Max pooling rides on the convolution before it or runs by its op (op_pass.h).
#pragma once
#include "engine/backend/cpu/geometry.h"
#include "engine/backend/cpu/pass.h"
#include "engine/backend/cpu/pass_kind.h"

namespace strata {

class AveragePoolPass : public Pass {
 public:
  AveragePoolPass(const std::string& name, const WindowGeometry& geometry, Buffer& x, Buffer& y);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  PassWork work() const override;
  const PoolShape& shape() const { return m_shape; }
  Frame gradientOf(int n) const { return m_y.inside(n, m_y.gradients); }
  void forwardSample(const Kernels& kernels, int n) {
    kernels.averagePool(m_shape, m_x.inside(n, m_x.values), m_y.inside(n, m_y.values));
  }
  void backwardSample(const Kernels& kernels, int n) {
    kernels.averagePoolGradient(m_shape, m_y.inside(n, m_y.gradients), m_x.inside(n, m_x.gradients));
  }

 private:
  const std::string m_name;
  PoolShape m_shape;
  Buffer &m_x, &m_y;
};

/// The mean of every channel over the whole image, a vector.
class GlobalAveragePass : public Pass {
 public:
  GlobalAveragePass(std::string name, Buffer& x, Buffer& y);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  PassWork work() const override;

 private:
  const std::string m_name;
  const PoolShape m_shape;  ///< one window
  Buffer &m_x, &m_y;
  Array<float> m_means;  ///< [N][c] and room: of the output, or its gradient
};

PassKind averagePoolPassKind();
PassKind globalAveragePassKind();

}  // namespace strata

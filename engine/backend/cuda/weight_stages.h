// SPDX-License-Identifier: Apache-2.0
// Convolutions and dense layers: library calls with own kernels around them. Bias gradients go by parts.
#pragma once
#include <optional>

#include "engine/backend/cuda/stages.h"

namespace strata::cuda {

struct ConvShape {
  Window window;
  std::optional<Window> pool;  ///< a max pool behind the ReLU
  int channels = 1, filters = 1;
  bool bias = true, relu = false;
  std::size_t node = 0;  ///< of its variables
  bool learns = true;    ///< its variables have gradients
};

/// ReLU's mask and the bias gradient over [rows, columns] by parts; what dense layers and convolutions share.
class BiasSum;

/// The first convolution of a one-channel net, ReLU, with the max pool behind it.
std::unique_ptr<Stage> makeInputConvPoolStage(Shared& shared, const ConvShape& shape);

/// Any convolution, linear or ReLU; with ReLU it may take a max pool along.
class ConvStage : public Stage {
 public:
  ConvStage(Shared& shared, const ConvShape& shape, Input input);
  ~ConvStage() override;
  bool own() const { return m_own; }
  bool reduced() const { return m_own || m_rounded; }  ///< Reduce writes the kernel's gradient

  void prepare(int batch, bool training) override;
  void forward(const Pass& pass) override;
  void backward(const Pass& pass) override;

 private:
  ParamId kernel() const { return {m_shape.node, 0}; }
  ParamId bias() const { return {m_shape.node, 1}; }
  const Input& input() const { return in.front(); }
  Index kernelSize() const;
  In<Real> dz(int batch) const;
  ConvGraph graph(ConvGraph::Kind kind, int batch) const;
  bool planned(int batch) const;
  void run(Lane lane, ConvGraph::Kind kind, int batch, std::initializer_list<Bound> tensors);
  void biasGradient(int batch);
  void weightGradient(int batch);
  void dataGradient(int batch);

  Shared& m_shared;
  const ConvShape m_shape;
  const Index m_outSize;   ///< of the convolution, in values a sample
  const bool m_own;        ///< own kernels instead of cuDNN
  RealBuffer m_convolved;  ///< with a pool: the convolution's output, then its gradient
  Buffer<std::int32_t> m_winners;
  Buffer<float> m_poolPartials, m_partials;
  RealBuffer m_rounded;  ///< in bfloat16: the kernel's gradient as cuDNN gives it
  std::unique_ptr<BiasSum> m_biasSum;
};

/// A narrow dense layer from whose dz [rows, units] and kernel [columns, units] the layer below takes its dy, instead
/// of finding it there.
struct Narrow {
  In<Real> dz, kernel;
  int units = 0;
};

class DenseStage : public Stage {
 public:
  DenseStage(Shared& shared, Input input, int units, bool bias, bool relu, std::size_t node, bool learns);
  ~DenseStage() override;
  /// Most units of a layer whose data gradient the ReLU layer below takes along: one product less.
  static constexpr int kNarrow = 16;
  /// Of a ReLU layer; `above`, which is narrow, is all that reads its output.
  void takeAlong(DenseStage& above);

  void prepare(int batch, bool training) override;
  void forward(const Pass& pass) override;
  void backward(const Pass& pass) override;

 private:
  ParamId kernel() const { return {m_node, 0}; }
  ParamId biases() const { return {m_node, 1}; }
  const Input& input() const { return in.front(); }
  int inputs() const { return static_cast<int>(input().size()); }
  In<Real> bias() const;
  Matmul forwardProduct(int batch) const;
  Matmul weightProduct(int batch) const;
  Matmul dataProduct(int batch) const;
  void run(Lane lane, const Matmul& matmul, In<Real> a, In<Real> b, In<Real> bias, Out<Real> c);
  bool givesDataGradient() const { return input().wantsGradient() && !m_takenAlong; }
  Narrow narrow(int batch) const { return {out.gradients.in(batch * out.size), m_shared.operand(kernel()), m_units}; }
  void biasGradient(int batch, Out<float> to);

  Shared& m_shared;
  const int m_units;
  const bool m_bias, m_relu;
  const std::size_t m_node;
  const bool m_learns;
  std::unique_ptr<BiasSum> m_biasSum;
  const DenseStage* m_above = nullptr;  ///< whose data gradient this layer takes along
  bool m_takenAlong = false;            ///< the layer below does so with this one's
};

}  // namespace strata::cuda

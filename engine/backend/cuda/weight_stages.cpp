// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/weight_stages.h"

#include <algorithm>

namespace strata::cuda {
namespace {

// Sums over a batch go by at most kParts parts, and by fewer where a part has many columns.
constexpr Index kParts = 128, kPartialFloats = Index{1} << 22;
Index maxParts(Index columns) { return std::clamp(kPartialFloats / std::max<Index>(columns, 1), Index{1}, kParts); }
Index perPart(Index count, Index parts) { return (count + parts - 1) / parts; }
Index partsOf(Index count, Index each) { return (count + each - 1) / each; }

class InputConvPoolStage : public Stage {
 public:
  InputConvPoolStage(Shared& shared, const ConvShape& shape)
      : Stage({}), m_shared(shared), m_shape(shape),
        m_columns(Index{shape.window.r * shape.window.s + 1} * shape.filters),
        m_winners(shared.device, shared.maxBatch * Index{shape.pool->outH} * shape.pool->outW * shape.filters),
        m_partials(shared.device, std::min<Index>(shared.maxBatch, maxParts(m_columns)) * m_columns) {
    note = "own kernel InputConvPool: bytes, convolution, bias, ReLU and pool in one pass; backward in one more";
  }
  void forward(const Pass& pass) override {
    const Out<Real> y = out.values.out(pass.batch * out.size);
    launch(m_shared.device, Lane::Main,
           InputConvPool{pass.images, m_shape.window, *m_shape.pool, m_shape.filters, m_shared.weight(kernel()),
                         m_shape.bias ? m_shared.weight(bias()) : In<float>{}, y, m_winners.out(y.count)},
           y.count);
  }
  void backward(const Pass& pass) override {
    const Index count = pass.batch * out.size, each = perPart(pass.batch, maxParts(m_columns)),
                parts = partsOf(pass.batch, each);
    const Out<float> partials = m_partials.out(parts * m_columns);
    launch(m_shared.device, Lane::Main,
           InputConvPoolGradient{pass.images, m_shape.window, *m_shape.pool, m_shape.filters, pass.batch,
                                 static_cast<int>(each), out.values.in(count), out.gradients.in(count),
                                 m_winners.in(count), partials},
           partials.count);
    const In<float> from = m_partials.in(partials.count);
    m_shared.reductions.add({from, m_shared.gradient(kernel()), parts, m_columns, 0});
    if (m_shape.bias)
      m_shared.reductions.add({from, m_shared.gradient(bias()), parts, m_columns, m_columns - m_shape.filters});
  }

 private:
  ParamId kernel() const { return {m_shape.node, 0}; }
  ParamId bias() const { return {m_shape.node, 1}; }
  Shared& m_shared;
  const ConvShape m_shape;
  Index m_columns;  ///< of the partials: kernel values, then biases
  Buffer<std::int32_t> m_winners;
  Buffer<float> m_partials;
};

}  // namespace

class BiasSum {
 public:
  /// `bias`: sums are asked for.
  BiasSum(Shared& shared, Index maxRows, Index columns, bool bias)
      : m_shared(shared), m_columns(columns),
        m_partials(shared.device, bias ? std::min(maxRows, kParts) * columns : 0) {}

  /// Masks dy in place where `y` is set, and adds the sum of dz to the reductions where `to` is set.
  void run(Lane lane, In<Real> y, Update<Real> gradient, Out<float> to, const Narrow& above = {}) {
    const Index rows = gradient.count / m_columns, each = perPart(rows, kParts), parts = partsOf(rows, each);
    const Out<float> partials = to ? m_partials.out(parts * m_columns) : Out<float>{};
    const int intRows = static_cast<int>(rows), columns = static_cast<int>(m_columns),
              partRows = static_cast<int>(each);
    const Index items = parts * m_columns;
    if (above.dz) {
      const Out<Real> dz{gradient.data, gradient.count, gradient.storage};
      launch(m_shared.device, lane,
             NarrowReluBiasGradient{intRows, columns, partRows, above.units, y, above.dz, above.kernel, dz, partials},
             items);
    } else if (y) {
      launch(m_shared.device, lane, ReluBiasGradient{intRows, columns, partRows, y, gradient, partials}, items);
    } else {
      launch(m_shared.device, lane,
             BiasGradient{intRows, columns, partRows, {gradient.data, gradient.count, gradient.storage}, partials},
             items);
    }
    if (to) m_shared.reductions.add({m_partials.in(items), to, parts, m_columns, 0});
  }

 private:
  Shared& m_shared;
  Index m_columns;
  Buffer<float> m_partials;
};

std::unique_ptr<Stage> makeInputConvPoolStage(Shared& shared, const ConvShape& shape) {
  return std::make_unique<InputConvPoolStage>(shared, shape);
}

ConvStage::ConvStage(Shared& shared, const ConvShape& shape, Input input)
    : Stage({input}), m_shared(shared), m_shape(shape),
      m_outSize(Index{shape.window.outH} * shape.window.outW * shape.filters), m_own(!planned(shared.maxBatch)) {
  const Index maxBatch = shared.maxBatch;
  const bool biasLearns = shape.bias && shape.learns;
  if (shape.pool) {
    m_convolved = RealBuffer(shared.device, maxBatch * m_outSize, shared.storage());
    m_winners = Buffer<std::int32_t>(shared.device, maxBatch * shape.pool->outH * shape.pool->outW * shape.filters);
    if (biasLearns) m_poolPartials = Buffer<float>(shared.device, maxBatch * shape.filters);
  } else if (biasLearns || shape.relu) {
    m_biasSum =
        std::make_unique<BiasSum>(shared, maxBatch * shape.window.outH * shape.window.outW, shape.filters, biasLearns);
  }
  if (m_own && shape.learns)
    m_partials = Buffer<float>(shared.device, std::min(maxBatch, maxParts(kernelSize())) * kernelSize());
  else if (shape.learns && shared.storage() != Storage::Float32)
    m_rounded = RealBuffer(shared.device, kernelSize(), shared.storage());
  note = m_own ? "own kernels" : "cuDNN";
  if (!m_own) note += " (" + shared.plans.conv(graph(ConvGraph::Kind::Forward, shared.maxBatch))->engine() + ")";
  if (shape.pool) note += ", own kernels MaxPool and PoolReluGradient";
}

ConvStage::~ConvStage() = default;

void ConvStage::prepare(int batch, bool training) {
  if (!m_own && !(training ? planned(batch) : m_shared.plans.conv(graph(ConvGraph::Kind::Forward, batch)) != nullptr))
    throw Error(Error::Kind::Device, layers, "cuDNN has no engine for a batch of " + std::to_string(batch),
                "Choose another batch size.");
}

void ConvStage::forward(const Pass& pass) {
  const Index count = pass.batch * m_outSize;
  const Out<Real> y = m_shape.pool ? m_convolved.out(count) : out.values.out(count);
  const In<Real> x = input().values(pass.batch);
  if (m_own) {
    launch(m_shared.device, Lane::Main,
           ConvForward{m_shape.window, m_shape.channels, m_shape.filters, m_shape.relu ? Act::Relu : Act::Linear, x,
                       m_shared.weight(kernel()), m_shape.bias ? m_shared.weight(bias()) : In<float>{}, y},
           count);
  } else {
    run(Lane::Main, ConvGraph::Kind::Forward, pass.batch,
        {{ConvGraph::X, x.data},
         {ConvGraph::W, m_shared.operand(kernel()).data},
         {ConvGraph::Y, y.data},
         {ConvGraph::Bias, m_shape.bias ? m_shared.operand(bias()).data : nullptr}});
  }
  if (!m_shape.pool) return;
  const Out<Real> pooled = out.values.out(pass.batch * out.size);
  launch(m_shared.device, Lane::Main,
         MaxPool{*m_shape.pool, m_shape.filters, m_convolved.in(count), pooled, m_winners.out(pooled.count)},
         pooled.count);
}

void ConvStage::backward(const Pass& pass) {
  biasGradient(pass.batch);
  if (m_shape.learns) {
    m_shared.device.wait(Lane::Side, Lane::Main);
    weightGradient(pass.batch);
  }
  if (input().wantsGradient()) dataGradient(pass.batch);
}

Index ConvStage::kernelSize() const {
  return Index{m_shape.window.r} * m_shape.window.s * m_shape.channels * m_shape.filters;
}

In<Real> ConvStage::dz(int batch) const {
  return m_shape.pool ? m_convolved.in(batch * m_outSize) : out.gradients.in(batch * m_outSize);
}

ConvGraph ConvStage::graph(ConvGraph::Kind kind, int batch) const {
  const Window& window = m_shape.window;
  ConvGraph graph;
  graph.kind = kind;
  graph.precision = m_shared.precision;
  graph.n = batch, graph.h = window.inH, graph.w = window.inW, graph.c = m_shape.channels;
  graph.p = window.outH, graph.q = window.outW, graph.k = m_shape.filters;
  graph.r = window.r, graph.s = window.s, graph.strideH = window.strideH, graph.strideW = window.strideW;
  graph.top = window.top, graph.left = window.left;
  graph.bottom = std::max(0, (graph.p - 1) * graph.strideH + graph.r - graph.h - graph.top);
  graph.right = std::max(0, (graph.q - 1) * graph.strideW + graph.s - graph.w - graph.left);
  if (kind == ConvGraph::Kind::Forward) graph.bias = m_shape.bias, graph.relu = m_shape.relu;
  return graph;
}

// One channel is done better by own kernels than by cuDNN, which wants channels in fours or more.
bool ConvStage::planned(int batch) const {
  Plans& plans = m_shared.plans;
  return m_shape.channels > 1 && plans.conv(graph(ConvGraph::Kind::Forward, batch)) &&
         (!m_shape.learns || plans.conv(graph(ConvGraph::Kind::WeightGradient, batch))) &&
         (!input().wantsGradient() || plans.conv(graph(ConvGraph::Kind::DataGradient, batch)));
}

void ConvStage::run(Lane lane, ConvGraph::Kind kind, int batch, std::initializer_list<Bound> tensors) {
  std::vector<Bound> bound;
  std::ranges::copy_if(tensors, std::back_inserter(bound), [](const Bound& tensor) { return tensor.data != nullptr; });
  m_shared.plans.conv(graph(kind, batch))->run(lane, bound, m_shared.plans.workspace(lane));
}

/// And what stands between dy and dz.
void ConvStage::biasGradient(int batch) {
  const Index count = batch * out.size;
  const Out<float> to = m_shape.bias && m_shape.learns ? m_shared.gradient(bias()) : Out<float>{};
  if (m_shape.pool) {
    const Out<float> partials = to ? m_poolPartials.out(Index{batch} * m_shape.filters) : Out<float>{};
    launch(m_shared.device, Lane::Main,
           PoolReluGradient{*m_shape.pool, m_shape.filters, out.values.in(count), out.gradients.in(count),
                            m_winners.in(count), m_convolved.out(batch * m_outSize), partials},
           Index{batch} * m_shape.filters);
    if (to) m_shared.reductions.add({m_poolPartials.in(partials.count), to, batch, m_shape.filters, 0});
  } else if (m_biasSum) {
    m_biasSum->run(Lane::Main, m_shape.relu ? out.values.in(count) : In<Real>{}, out.gradients.update(count), to);
  }
}

void ConvStage::weightGradient(int batch) {
  const In<Real> x = input().values(batch);
  const Out<float> to = m_shared.gradient(kernel());
  if (!m_own) {
    void* dw = m_rounded ? m_rounded.out(kernelSize()).data : to.data;
    run(Lane::Side, ConvGraph::Kind::WeightGradient, batch,
        {{ConvGraph::X, x.data}, {ConvGraph::Dy, dz(batch).data}, {ConvGraph::Dw, dw}});
    if (m_rounded) m_shared.reductions.add({m_rounded.in(kernelSize()), to, 1, kernelSize(), 0});
    return;
  }
  const Index each = perPart(batch, maxParts(kernelSize())), parts = partsOf(batch, each);
  const Out<float> partials = m_partials.out(parts * kernelSize());
  launch(m_shared.device, Lane::Side,
         ConvWeightGradient{m_shape.window, m_shape.channels, m_shape.filters, batch, static_cast<int>(each), x,
                            dz(batch), partials},
         partials.count);
  m_shared.reductions.add({m_partials.in(partials.count), to, parts, kernelSize(), 0});
}

void ConvStage::dataGradient(int batch) {
  const Out<Real> dx = input().gradient(batch);
  if (m_own)
    launch(
        m_shared.device, Lane::Main,
        ConvDataGradient{m_shape.window, m_shape.channels, m_shape.filters, dz(batch), m_shared.weight(kernel()), dx},
        dx.count);
  else
    run(Lane::Main, ConvGraph::Kind::DataGradient, batch,
        {{ConvGraph::Dy, dz(batch).data}, {ConvGraph::W, m_shared.operand(kernel()).data}, {ConvGraph::Dx, dx.data}});
}

DenseStage::DenseStage(Shared& shared, Input input, int units, bool bias, bool relu, std::size_t node, bool learns)
    : Stage({input}), m_shared(shared), m_units(units), m_bias(bias), m_relu(relu), m_node(node), m_learns(learns) {
  const bool biasLearns = bias && learns;
  if (biasLearns || relu) m_biasSum = std::make_unique<BiasSum>(shared, shared.maxBatch, units, biasLearns);
  note = std::string("cuBLASLt, bias") + (relu ? " and ReLU" : "") + " in its epilogue";
}

DenseStage::~DenseStage() = default;

void DenseStage::takeAlong(DenseStage& above) {
  m_above = &above;
  above.m_takenAlong = true;
  note += "; takes the data gradient of the layer above along, in own kernel NarrowReluBiasGradient";
}

void DenseStage::prepare(int batch, bool training) {
  if (!m_shared.plans.matmul(forwardProduct(batch))) note = "own kernel Product: cuBLASLt has none for this size";
  if (!training) return;
  if (m_learns) m_shared.plans.matmul(weightProduct(batch));
  if (givesDataGradient()) m_shared.plans.matmul(dataProduct(batch));
}

void DenseStage::forward(const Pass& pass) {
  run(Lane::Main, forwardProduct(pass.batch), input().values(pass.batch), m_shared.operand(kernel()), bias(),
      out.values.out(pass.batch * out.size));
}

void DenseStage::backward(const Pass& pass) {
  const Index count = pass.batch * out.size;
  const Out<float> toBias = m_bias && m_learns ? m_shared.gradient(biases()) : Out<float>{};
  if (m_relu)
    m_biasSum->run(Lane::Main, out.values.in(count), out.gradients.update(count), toBias,
                   m_above ? m_above->narrow(pass.batch) : Narrow{});
  const In<Real> dz = out.gradients.in(count);
  if (m_learns) {
    m_shared.device.wait(Lane::Side, Lane::Main);
    run(Lane::Side, weightProduct(pass.batch), input().values(pass.batch), dz, {}, m_shared.gradient(kernel()));
  }
  if (toBias && !m_relu) biasGradient(pass.batch, toBias);
  if (givesDataGradient())
    run(Lane::Main, dataProduct(pass.batch), dz, m_shared.operand(kernel()), {}, input().gradient(pass.batch));
}

/// In the storage of what it is added to.
In<Real> DenseStage::bias() const {
  if (!m_bias) return {};
  return out.values.storage() == Storage::Float32 ? m_shared.weight(biases()) : m_shared.operand(biases());
}

Matmul DenseStage::forwardProduct(int batch) const {
  return {batch, m_units, inputs(), false, false, m_bias, m_relu, m_shared.precision, out.values.storage()};
}
Matmul DenseStage::weightProduct(int batch) const {
  return {inputs(), m_units, batch, true, false, false, false, m_shared.precision};
}
Matmul DenseStage::dataProduct(int batch) const {
  return {batch, inputs(), m_units, false, true, false, false, m_shared.precision, m_shared.storage()};
}

void DenseStage::run(Lane lane, const Matmul& matmul, In<Real> a, In<Real> b, In<Real> bias, Out<Real> c) {
  if (MatmulPlan* plan = m_shared.plans.matmul(matmul))
    plan->run(lane, a.data, b.data, bias.data, c.data, m_shared.plans.workspace(lane));
  else
    launch(m_shared.device, lane,
           Product{matmul.m, matmul.n, matmul.k, matmul.transA, matmul.transB, matmul.relu, a, b, bias, c}, c.count);
}

void DenseStage::biasGradient(int batch, Out<float> to) {
  constexpr int kDirectRows = 256;  // up to so many rows the last Reduce adds up itself: one launch less
  const Index count = batch * out.size;
  if (batch <= kDirectRows) m_shared.reductions.add({out.gradients.in(count), to, batch, m_units, 0});
  else m_biasSum->run(Lane::Side, {}, out.gradients.update(count), to);
}

}  // namespace strata::cuda

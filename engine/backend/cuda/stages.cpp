// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/stages.h"

#include <algorithm>

#include "engine/base/rng.h"
#include "engine/layers/common.h"

namespace strata::cuda {
namespace {

Act actOf(Activation activation) {
  switch (activation) {
    case Activation::Relu:
      return Act::Relu;
    case Activation::Tanh:
      return Act::Tanh;
    case Activation::Sigmoid:
      return Act::Sigmoid;
    default:
      return Act::Linear;
  }
}

Window windowOf(Shape in, Pair kernel, Pair strides, bool same) {
  const Slide y = slide(in.h, kernel.h, strides.h, same), x = slide(in.w, kernel.w, strides.w, same);
  return {in.h, in.w, y.out, x.out, kernel.h, kernel.w, strides.h, strides.w, y.before, x.before};
}
Window convWindow(const Fields& fields, Shape in) {
  return windowOf(in, fields.pair("kernel_size"), fields.pair("strides"), fields.text("padding") == "same");
}
Window poolWindow(const Fields& fields, Shape in) {
  const Pair window = fields.pair("pool_size");
  Pair strides = fields.pair("strides");
  if (strides.h == 0) strides.h = window.h;
  if (strides.w == 0) strides.w = window.w;
  return windowOf(in, window, strides, fields.text("padding") == "same");
}

// Sums over a batch go by at most kParts parts, and by fewer where a part has many columns.
constexpr Index kParts = 128, kPartialFloats = Index{1} << 22;
Index maxParts(Index columns) { return std::clamp(kPartialFloats / std::max<Index>(columns, 1), Index{1}, kParts); }
Index perPart(Index count, Index parts) { return (count + parts - 1) / parts; }
Index partsOf(Index count, Index each) { return (count + each - 1) / each; }

/// A narrow dense layer from whose dz [rows, units] and kernel [columns, units] the layer below takes its dy, instead
/// of finding it there.
struct Narrow {
  In<Real> dz, kernel;
  int units = 0;
};

/// ReLU's mask and the bias gradient over [rows, columns] by parts; what dense layers and convolutions share.
class BiasSum {
 public:
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

/// Bytes or floats to the numbers that the first layer reads.
class LoadStage : public Stage {
 public:
  explicit LoadStage(Shared& shared) : m_shared(shared) { note = "own kernel LoadInput"; }
  void forward(const Pass& pass) override {
    const Out<Real> y = out.values.out(pass.batch * out.size);
    launch(m_shared.device, Lane::Main, LoadInput{pass.images, y}, y.count);
  }
  void backward(const Pass&) override {}

 private:
  Shared& m_shared;
};

/// The first convolution of a one-channel net, ReLU, with the max pool behind it.
class InputConvPoolStage : public Stage {
 public:
  InputConvPoolStage(Shared& shared, Window conv, Window pool, int filters, bool bias, std::size_t param)
      : m_shared(shared), m_conv(conv), m_pool(pool), m_filters(filters), m_bias(bias), m_param(param),
        m_columns(Index{conv.r * conv.s + 1} * filters),
        m_winners(shared.device, shared.maxBatch * Index{pool.outH} * pool.outW * filters),
        m_partials(shared.device, std::min<Index>(shared.maxBatch, maxParts(m_columns)) * m_columns) {
    note = "own kernel InputConvPool: bytes, convolution, bias, ReLU and pool in one pass; backward in one more";
  }
  void forward(const Pass& pass) override {
    const Out<Real> y = out.values.out(pass.batch * out.size);
    launch(m_shared.device, Lane::Main,
           InputConvPool{pass.images, m_conv, m_pool, m_filters, m_shared.weight(m_param),
                         m_bias ? m_shared.weight(m_param + 1) : In<float>{}, y, m_winners.out(y.count)},
           y.count);
  }
  void backward(const Pass& pass) override {
    const Index count = pass.batch * out.size, each = perPart(pass.batch, maxParts(m_columns)),
                parts = partsOf(pass.batch, each);
    const Out<float> partials = m_partials.out(parts * m_columns);
    launch(m_shared.device, Lane::Main,
           InputConvPoolGradient{pass.images, m_conv, m_pool, m_filters, pass.batch, static_cast<int>(each),
                                 out.values.in(count), out.gradients.in(count), m_winners.in(count), partials},
           partials.count);
    const In<float> from = m_partials.in(partials.count);
    m_shared.reductions.add({from, m_shared.gradient(m_param), parts, m_columns, 0});
    if (m_bias)
      m_shared.reductions.add({from, m_shared.gradient(m_param + 1), parts, m_columns, m_columns - m_filters});
  }

 private:
  Shared& m_shared;
  Window m_conv, m_pool;
  int m_filters;
  bool m_bias;
  std::size_t m_param;
  Index m_columns;  ///< of the partials: kernel values, then biases
  Buffer<std::int32_t> m_winners;
  Buffer<float> m_partials;
};

/// Any convolution, linear or ReLU; with ReLU it may take a max pool along.
class ConvStage : public Stage {
 public:
  ConvStage(Shared& shared, Tensor& in, Window window, int channels, int filters, bool bias, bool relu,
            const Window* pool, std::size_t param)
      : m_shared(shared), m_in(in), m_window(window), m_channels(channels), m_filters(filters), m_bias(bias),
        m_relu(relu), m_param(param), m_outSize(Index{window.outH} * window.outW * filters),
        m_own(!planned(shared.maxBatch)) {
    if (pool) m_pool = *pool;
    m_pooled = pool != nullptr;
    if (m_pooled) {
      m_convolved = RealBuffer(shared.device, shared.maxBatch * m_outSize, shared.storage());
      m_winners = Buffer<std::int32_t>(shared.device, shared.maxBatch * Index{m_pool.outH} * m_pool.outW * filters);
      if (bias) m_poolPartials = Buffer<float>(shared.device, Index{shared.maxBatch} * filters);
    } else if (bias || relu) {
      m_biasSum = std::make_unique<BiasSum>(shared, shared.maxBatch * Index{window.outH} * window.outW, filters, bias);
    }
    if (m_own)
      m_partials =
          Buffer<float>(shared.device, std::min<Index>(shared.maxBatch, maxParts(kernelSize())) * kernelSize());
    else if (shared.storage() != Storage::Float32)
      m_rounded = RealBuffer(shared.device, kernelSize(), shared.storage());
    note = m_own ? "own kernels" : "cuDNN";
    if (!m_own) note += " (" + shared.plans.conv(graph(ConvGraph::Kind::Forward, shared.maxBatch))->engine() + ")";
    if (m_pooled) note += ", own kernels MaxPool and PoolReluGradient";
  }
  bool own() const { return m_own; }
  bool reduced() const { return m_own || m_rounded; }  ///< Reduce writes the kernel's gradient

  void prepare(int batch, bool training) override {
    if (!m_own && !(training ? planned(batch) : m_shared.plans.conv(graph(ConvGraph::Kind::Forward, batch)) != nullptr))
      throw Error(Error::Kind::Device, layers, "cuDNN has no engine for a batch of " + std::to_string(batch),
                  "Choose another batch size.");
  }

  void forward(const Pass& pass) override {
    const Index count = pass.batch * m_outSize;
    const Out<Real> y = m_pooled ? m_convolved.out(count) : out.values.out(count);
    const In<Real> x = m_in.values.in(pass.batch * m_in.size);
    if (m_own) {
      launch(m_shared.device, Lane::Main,
             ConvForward{m_window, m_channels, m_filters, m_relu ? Act::Relu : Act::Linear, x, m_shared.weight(m_param),
                         m_bias ? m_shared.weight(m_param + 1) : In<float>{}, y},
             count);
    } else {
      run(Lane::Main, ConvGraph::Kind::Forward, pass.batch,
          {{ConvGraph::X, x.data},
           {ConvGraph::W, m_shared.operand(m_param).data},
           {ConvGraph::Y, y.data},
           {ConvGraph::Bias, m_bias ? m_shared.operand(m_param + 1).data : nullptr}});
    }
    if (!m_pooled) return;
    const Out<Real> pooled = out.values.out(pass.batch * out.size);
    launch(m_shared.device, Lane::Main,
           MaxPool{m_pool, m_filters, m_convolved.in(count), pooled, m_winners.out(pooled.count)}, pooled.count);
  }

  void backward(const Pass& pass) override {
    const Index count = pass.batch * out.size;
    const Out<float> biasGradient = m_bias ? m_shared.gradient(m_param + 1) : Out<float>{};
    if (m_pooled) {
      const Out<float> partials = m_bias ? m_poolPartials.out(Index{pass.batch} * m_filters) : Out<float>{};
      launch(m_shared.device, Lane::Main,
             PoolReluGradient{m_pool, m_filters, out.values.in(count), out.gradients.in(count), m_winners.in(count),
                              m_convolved.out(pass.batch * m_outSize), partials},
             Index{pass.batch} * m_filters);
      if (m_bias) m_shared.reductions.add({m_poolPartials.in(partials.count), biasGradient, pass.batch, m_filters, 0});
    } else if (m_biasSum) {
      m_biasSum->run(Lane::Main, m_relu ? out.values.in(count) : In<Real>{}, out.gradients.update(count), biasGradient);
    }
    m_shared.device.wait(Lane::Side, Lane::Main);
    weightGradient(pass.batch);
    if (m_in.gradients) dataGradient(pass.batch);
  }

 private:
  Index kernelSize() const { return Index{m_window.r} * m_window.s * m_channels * m_filters; }
  In<Real> dz(int batch) const {
    return m_pooled ? m_convolved.in(batch * m_outSize) : out.gradients.in(batch * m_outSize);
  }

  ConvGraph graph(ConvGraph::Kind kind, int batch) const {
    ConvGraph graph;
    graph.kind = kind;
    graph.precision = m_shared.precision;
    graph.n = batch, graph.h = m_window.inH, graph.w = m_window.inW, graph.c = m_channels;
    graph.p = m_window.outH, graph.q = m_window.outW, graph.k = m_filters;
    graph.r = m_window.r, graph.s = m_window.s, graph.strideH = m_window.strideH, graph.strideW = m_window.strideW;
    graph.top = m_window.top, graph.left = m_window.left;
    graph.bottom = std::max(0, (graph.p - 1) * graph.strideH + graph.r - graph.h - graph.top);
    graph.right = std::max(0, (graph.q - 1) * graph.strideW + graph.s - graph.w - graph.left);
    if (kind == ConvGraph::Kind::Forward) graph.bias = m_bias, graph.relu = m_relu;
    return graph;
  }
  // One channel is done better by own kernels than by cuDNN, which wants channels in fours or more.
  bool planned(int batch) const {
    Plans& plans = m_shared.plans;
    return m_channels > 1 && plans.conv(graph(ConvGraph::Kind::Forward, batch)) &&
           plans.conv(graph(ConvGraph::Kind::WeightGradient, batch)) &&
           (!m_in.gradients || plans.conv(graph(ConvGraph::Kind::DataGradient, batch)));
  }
  void run(Lane lane, ConvGraph::Kind kind, int batch, std::initializer_list<Bound> tensors) {
    std::vector<Bound> bound;
    std::ranges::copy_if(tensors, std::back_inserter(bound),
                         [](const Bound& tensor) { return tensor.data != nullptr; });
    m_shared.plans.conv(graph(kind, batch))->run(lane, bound, m_shared.plans.workspace(lane));
  }

  void weightGradient(int batch) {
    const In<Real> x = m_in.values.in(batch * m_in.size);
    const Out<float> to = m_shared.gradient(m_param);
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
           ConvWeightGradient{m_window, m_channels, m_filters, batch, static_cast<int>(each), x, dz(batch), partials},
           partials.count);
    m_shared.reductions.add({m_partials.in(partials.count), to, parts, kernelSize(), 0});
  }
  void dataGradient(int batch) {
    const Out<Real> dx = m_in.gradients.out(batch * m_in.size);
    if (m_own)
      launch(m_shared.device, Lane::Main,
             ConvDataGradient{m_window, m_channels, m_filters, dz(batch), m_shared.weight(m_param), dx}, dx.count);
    else
      run(Lane::Main, ConvGraph::Kind::DataGradient, batch,
          {{ConvGraph::Dy, dz(batch).data}, {ConvGraph::W, m_shared.operand(m_param).data}, {ConvGraph::Dx, dx.data}});
  }

  Shared& m_shared;
  Tensor& m_in;
  Window m_window, m_pool;
  int m_channels, m_filters;
  bool m_bias, m_relu, m_pooled = false;
  std::size_t m_param;
  Index m_outSize;         ///< of the convolution, in values a sample
  bool m_own;              ///< own kernels instead of cuDNN
  RealBuffer m_convolved;  ///< with a pool: the convolution's output, then its gradient
  Buffer<std::int32_t> m_winners;
  Buffer<float> m_poolPartials, m_partials;
  RealBuffer m_rounded;  ///< in bfloat16: the kernel's gradient as cuDNN gives it
  std::unique_ptr<BiasSum> m_biasSum;
};

class DenseStage : public Stage {
 public:
  DenseStage(Shared& shared, Tensor& in, int units, bool bias, bool relu, std::size_t param)
      : m_shared(shared), m_in(in), m_units(units), m_bias(bias), m_relu(relu), m_param(param) {
    if (bias || relu) m_biasSum = std::make_unique<BiasSum>(shared, shared.maxBatch, units, bias);
    note = std::string("cuBLASLt, bias") + (relu ? " and ReLU" : "") + " in its epilogue";
  }
  /// Most units of a layer whose data gradient the ReLU layer below takes along: one product less.
  static constexpr int kNarrow = 16;

  /// Of a ReLU layer; `above`, which is narrow, is what reads its output.
  void takeAlong(DenseStage& above) {
    m_above = &above;
    above.m_takenAlong = true;
    note += "; takes the data gradient of the layer above along, in own kernel NarrowReluBiasGradient";
  }

  void prepare(int batch, bool training) override {
    if (!m_shared.plans.matmul(forwardProduct(batch))) note = "own kernel Product: cuBLASLt has none for this size";
    if (!training) return;
    m_shared.plans.matmul(weightProduct(batch));
    if (givesDataGradient()) m_shared.plans.matmul(dataProduct(batch));
  }
  void forward(const Pass& pass) override {
    run(Lane::Main, forwardProduct(pass.batch), m_in.values.in(pass.batch * m_in.size), m_shared.operand(m_param),
        bias(), out.values.out(pass.batch * out.size));
  }
  void backward(const Pass& pass) override {
    const Index count = pass.batch * out.size;
    const Out<float> toBias = m_bias ? m_shared.gradient(m_param + 1) : Out<float>{};
    if (m_relu)
      m_biasSum->run(Lane::Main, out.values.in(count), out.gradients.update(count), toBias,
                     m_above ? m_above->narrow(pass.batch) : Narrow{});
    m_shared.device.wait(Lane::Side, Lane::Main);
    const In<Real> dz = out.gradients.in(count);
    run(Lane::Side, weightProduct(pass.batch), m_in.values.in(pass.batch * m_in.size), dz, {},
        m_shared.gradient(m_param));
    if (m_bias && !m_relu) biasGradient(pass.batch, toBias);
    if (givesDataGradient())
      run(Lane::Main, dataProduct(pass.batch), dz, m_shared.operand(m_param), {},
          m_in.gradients.out(pass.batch * m_in.size));
  }

 private:
  static constexpr int kDirectRows = 256;  ///< up to so many rows the last Reduce adds up itself: one launch less

  /// In the storage of what it is added to.
  In<Real> bias() const {
    if (!m_bias) return {};
    return out.values.storage() == Storage::Float32 ? m_shared.weight(m_param + 1) : m_shared.operand(m_param + 1);
  }
  Matmul forwardProduct(int batch) const {
    return {batch, m_units, inputs(), false, false, m_bias, m_relu, m_shared.precision, out.values.storage()};
  }
  Matmul weightProduct(int batch) const {
    return {inputs(), m_units, batch, true, false, false, false, m_shared.precision};
  }
  Matmul dataProduct(int batch) const {
    return {batch, inputs(), m_units, false, true, false, false, m_shared.precision, m_shared.storage()};
  }
  int inputs() const { return static_cast<int>(m_in.size); }
  void run(Lane lane, const Matmul& matmul, In<Real> a, In<Real> b, In<Real> bias, Out<Real> c) {
    if (MatmulPlan* plan = m_shared.plans.matmul(matmul))
      plan->run(lane, a.data, b.data, bias.data, c.data, m_shared.plans.workspace(lane));
    else
      launch(m_shared.device, lane,
             Product{matmul.m, matmul.n, matmul.k, matmul.transA, matmul.transB, matmul.relu, a, b, bias, c}, c.count);
  }
  bool givesDataGradient() const { return m_in.gradients && !m_takenAlong; }
  Narrow narrow(int batch) const { return {out.gradients.in(batch * out.size), m_shared.operand(m_param), m_units}; }
  void biasGradient(int batch, Out<float> to) {
    const Index count = batch * out.size;
    if (batch <= kDirectRows) m_shared.reductions.add({out.gradients.in(count), to, batch, m_units, 0});
    else m_biasSum->run(Lane::Side, {}, out.gradients.update(count), to);
  }

  Shared& m_shared;
  Tensor& m_in;
  int m_units;
  bool m_bias, m_relu;
  std::size_t m_param;
  std::unique_ptr<BiasSum> m_biasSum;
  const DenseStage* m_above = nullptr;  ///< whose data gradient this layer takes along
  bool m_takenAlong = false;            ///< the layer below does so with this one's
};

class PoolStage : public Stage {
 public:
  PoolStage(Shared& shared, Tensor& in, Window window, int channels, bool max)
      : m_shared(shared), m_in(in), m_window(window), m_channels(channels), m_max(max) {
    if (max)
      m_winners = Buffer<std::int32_t>(shared.device, shared.maxBatch * Index{window.outH} * window.outW * channels);
    note = max ? "own kernels MaxPool and MaxPoolGradient" : "own kernels AvgPool and AvgPoolGradient";
  }
  void forward(const Pass& pass) override {
    const In<Real> x = m_in.values.in(pass.batch * m_in.size);
    const Out<Real> y = out.values.out(pass.batch * out.size);
    if (m_max)
      launch(m_shared.device, Lane::Main, MaxPool{m_window, m_channels, x, y, m_winners.out(y.count)}, y.count);
    else launch(m_shared.device, Lane::Main, AvgPool{m_window, m_channels, x, y}, y.count);
  }
  void backward(const Pass& pass) override {
    if (!m_in.gradients) return;
    const In<Real> dy = out.gradients.in(pass.batch * out.size);
    const Out<Real> dx = m_in.gradients.out(pass.batch * m_in.size);
    if (m_max)
      launch(m_shared.device, Lane::Main, MaxPoolGradient{m_window, m_channels, dy, m_winners.in(dy.count), dx},
             dx.count);
    else launch(m_shared.device, Lane::Main, AvgPoolGradient{m_window, m_channels, dy, dx}, dx.count);
  }

 private:
  Shared& m_shared;
  Tensor& m_in;
  Window m_window;
  int m_channels;
  bool m_max;
  Buffer<std::int32_t> m_winners;
};

class ActivationStage : public Stage {
 public:
  ActivationStage(Shared& shared, Tensor& in, Act act) : m_shared(shared), m_in(in), m_act(act) {
    note = "own kernels Activate and ActivateGradient";
  }
  void forward(const Pass& pass) override {
    const Index count = pass.batch * out.size;
    launch(m_shared.device, Lane::Main, Activate{m_act, m_in.values.in(count), out.values.out(count)}, count);
  }
  void backward(const Pass& pass) override {
    if (!m_in.gradients) return;
    const Index count = pass.batch * out.size;
    launch(m_shared.device, Lane::Main,
           ActivateGradient{m_act, out.values.in(count), out.gradients.in(count), m_in.gradients.out(count)}, count);
  }

 private:
  Shared& m_shared;
  Tensor& m_in;
  Act m_act;
};

class DropoutStage : public Stage {
 public:
  DropoutStage(Shared& shared, Tensor& in, double rate, int layerIndex)
      : m_shared(shared), m_in(in), m_stream(static_cast<std::uint64_t>(strata::Stream::Dropout) << 56 |
                                             static_cast<std::uint64_t>(layerIndex) << 40),
        m_threshold(static_cast<std::uint32_t>(rate * 0x1p32)), m_scale(static_cast<float>(1 / (1 - rate))) {
    note = "own kernel Dropout, forward and backward";
  }
  void forward(const Pass& pass) override {
    const Index count = pass.batch * out.size;
    apply(m_in.values.in(count), out.values.out(count), pass.training);
  }
  void backward(const Pass& pass) override {
    if (!m_in.gradients) return;
    const Index count = pass.batch * out.size;
    apply(out.gradients.in(count), m_in.gradients.out(count), true);
  }

 private:
  void apply(In<Real> x, Out<Real> y, bool training) {
    launch(m_shared.device, Lane::Main,
           Dropout{m_shared.cursor, m_shared.params, m_shared.seed, m_stream, training ? m_threshold : 0,
                   training ? m_scale : 1, x, y},
           y.count);
  }
  Shared& m_shared;
  Tensor& m_in;
  std::uint64_t m_stream;
  std::uint32_t m_threshold;
  float m_scale;
};

/// Turns layers into stages one by one.
class Lowering {
 public:
  Lowering(const NetworkSpec& network, const Analysis& analysis, Shared& shared)
      : m_network(network), m_analysis(analysis), m_shared(shared) {}

  std::vector<std::unique_ptr<Stage>> run() {
    std::size_t next = startsFused() ? addInputConvPool() : 0;
    if (next == 0) append(std::make_unique<LoadStage>(m_shared), "input", m_network.input);
    for (; next < m_network.layers.size(); ++next) next = addLayer(next);
    if (top().values.storage() != Storage::Float32)  // a flatten ended the net
      append(std::make_unique<ActivationStage>(m_shared, top(), Act::Linear), "logits",
             Shape::vector(m_network.classes));
    m_shared.arena.finish();
    return std::move(m_stages);
  }

 private:
  const Fields& fields(std::size_t i) const { return m_network.layers[i].fields; }
  const std::string& type(std::size_t i) const { return m_network.layers[i].type; }
  const std::string& name(std::size_t i) const { return m_network.layers[i].name; }
  bool isReluBeforeMaxPool(std::size_t i) const {
    return i + 1 < m_network.layers.size() && type(i + 1) == "max_pool2d" &&
           activationOf(fields(i)) == Activation::Relu;
  }
  bool startsFused() const {
    return !m_network.layers.empty() && type(0) == "conv2d" && m_network.input.c == 1 && isReluBeforeMaxPool(0);
  }

  Tensor& append(std::unique_ptr<Stage> stage, const std::string& layers, Shape out) {
    m_reluDense = nullptr;
    stage->layers = layers;
    stage->out.size = out.size();
    stage->out.values =
        RealBuffer(m_shared.device, m_shared.maxBatch * out.size(), m_lastOpen ? Storage::Float32 : m_shared.storage());
    if (m_trained || m_lastOpen) stage->out.gradients = gradientsOf(out);
    m_stages.push_back(std::move(stage));
    return m_stages.back()->out;
  }
  RealBuffer gradientsOf(Shape out) { return {m_shared.device, m_shared.maxBatch * out.size(), m_shared.storage()}; }
  Tensor& top() { return m_stages.back()->out; }

  /// The layer's kernel and bias; returns the number of its first parameter.
  std::size_t addParams(std::size_t i, bool reordered, bool late) {
    const LayerAnalysis& layer = m_analysis.layers[i];
    const std::size_t first = m_params;
    std::int64_t canonical = layer.weightsOffset;
    for (const ParamInfo& param : layer.params) {
      const bool kernel = param.name == "kernel";
      ParamPlace place{canonical, 0, param.size(), 0, 0};
      if (kernel && reordered) place.k = param.shape.back(), place.rsc = static_cast<int>(param.size() / place.k);
      m_shared.arena.add(place, !kernel || late);
      canonical += param.size();
      ++m_params;
    }
    m_trained = true;
    return first;
  }

  std::size_t addInputConvPool() {
    const Shape out = m_analysis.layers[1].out;
    const Window conv = convWindow(fields(0), m_network.input), pool = poolWindow(fields(1), m_analysis.layers[0].out);
    const std::size_t param = addParams(0, false, true);
    append(std::make_unique<InputConvPoolStage>(m_shared, conv, pool, out.c, fields(0).flag("use_bias"), param),
           name(0) + " + " + name(1), out);
    return 2;
  }

  /// Returns the last layer it used.
  std::size_t addLayer(std::size_t i) {
    const Shape in = m_analysis.layers[i].in, out = m_analysis.layers[i].out;
    if (type(i) == "conv2d") return addConv(i);
    m_lastOpen = i + 1 == m_network.layers.size();
    if (type(i) == "dense") {
      const Activation activation = activationOf(fields(i));
      Tensor& input = top();
      const std::size_t param = addParams(i, false, false);
      auto stage = std::make_unique<DenseStage>(m_shared, input, out.c, fields(i).flag("use_bias"),
                                                activation == Activation::Relu, param);
      DenseStage* const dense = stage.get();
      if (m_reluDense && out.c <= DenseStage::kNarrow) m_reluDense->takeAlong(*dense);
      append(std::move(stage), name(i), out);
      if (activation == Activation::Relu) m_reluDense = dense;
      addActivation(activation, name(i), out);
    } else if (type(i) == "max_pool2d" || type(i) == "avg_pool2d") {
      append(std::make_unique<PoolStage>(m_shared, top(), poolWindow(fields(i), in), in.c, type(i) == "max_pool2d"),
             name(i), out);
    } else if (type(i) == "activation") {
      append(std::make_unique<ActivationStage>(m_shared, top(), actOf(activationOf(fields(i)))), name(i), out);
    } else if (type(i) == "dropout") {
      append(std::make_unique<DropoutStage>(m_shared, top(), fields(i).real("rate"), static_cast<int>(i)), name(i),
             out);
    } else if (type(i) == "flatten") {
      if (m_lastOpen && !top().gradients) top().gradients = gradientsOf(out);
    } else {
      throw Error(Error::Kind::Device, name(i), "the CUDA backend does not know layers of type " + type(i),
                  "Train this net on the CPU.");
    }
    return i;
  }

  std::size_t addConv(std::size_t i) {
    const Shape in = m_analysis.layers[i].in;
    const Activation activation = activationOf(fields(i));
    const bool pooled = isReluBeforeMaxPool(i);
    const std::size_t last = pooled ? i + 1 : i;
    m_lastOpen = last + 1 == m_network.layers.size();
    const Shape out = m_analysis.layers[last].out;
    Window pool;
    if (pooled) pool = poolWindow(fields(i + 1), m_analysis.layers[i].out);
    auto stage =
        std::make_unique<ConvStage>(m_shared, top(), convWindow(fields(i), in), in.c, out.c, fields(i).flag("use_bias"),
                                    activation == Activation::Relu, pooled ? &pool : nullptr, m_params);
    addParams(i, !stage->own(), stage->reduced());
    append(std::move(stage), pooled ? name(i) + " + " + name(i + 1) : name(i), out);
    addActivation(activation, name(i), out);
    return last;
  }

  void addActivation(Activation activation, const std::string& layer, Shape out) {
    if (activation == Activation::Tanh || activation == Activation::Sigmoid)
      append(std::make_unique<ActivationStage>(m_shared, top(), actOf(activation)), layer, out);
  }

  const NetworkSpec& m_network;
  const Analysis& m_analysis;
  Shared& m_shared;
  std::vector<std::unique_ptr<Stage>> m_stages;
  std::size_t m_params = 0;
  bool m_trained = false;             ///< something so far has weights: gradients must flow here
  bool m_lastOpen = false;            ///< the layer being added is the last: the loss writes its gradient
  DenseStage* m_reluDense = nullptr;  ///< the last stage, where it is such a layer
};

}  // namespace

In<float> Shared::weight(std::size_t param) const {
  return weights.in().slice(arena.at(param).offset, arena.at(param).size);
}
In<Real> Shared::operand(std::size_t param) const {
  if (!rounded) return weight(param);
  return rounded.in(arena.size()).slice(arena.at(param).offset, arena.at(param).size);
}
Out<float> Shared::gradient(std::size_t param) const {
  return gradients.out().slice(arena.at(param).offset, arena.at(param).size);
}

ConvPlan* Plans::conv(const ConvGraph& graph) {
  const auto found = m_convs.find(graph);
  return found != m_convs.end() ? found->second.get() : add(m_convs, graph, m_device.planConv(graph));
}

MatmulPlan* Plans::matmul(const Matmul& matmul) {
  const auto found = m_matmuls.find(matmul);
  return found != m_matmuls.end() ? found->second.get() : add(m_matmuls, matmul, m_device.planMatmul(matmul));
}

template <class Shape, class Plan>
Plan* Plans::add(std::map<Shape, std::unique_ptr<Plan>>& plans, const Shape& shape, std::unique_ptr<Plan> plan) {
  if (plan) reserve(plan->workspaceBytes());
  return (plans[shape] = std::move(plan)).get();
}

void Plans::reserve(std::size_t bytes) {
  if (bytes <= m_workspaces[0].bytes()) return;
  for (Buffer<std::byte>& workspace : m_workspaces) workspace = Buffer<std::byte>();
  for (Buffer<std::byte>& workspace : m_workspaces) workspace = Buffer<std::byte>(m_device, static_cast<Index>(bytes));
  ++m_generation;
}

void Stage::prepare(int, bool) {}

std::vector<std::unique_ptr<Stage>> makeStages(const NetworkSpec& network, const Analysis& analysis, Shared& shared) {
  return Lowering(network, analysis, shared).run();
}

}  // namespace strata::cuda

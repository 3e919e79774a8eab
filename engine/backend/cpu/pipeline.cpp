// SPDX-License-Identifier: Apache-2.0
// Plans the passes of a stack, binds them by buffers, and runs them batch by batch.
#include "engine/backend/cpu/pipeline.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "engine/backend/cpu/conv_pass.h"
#include "engine/backend/cpu/dense_pass.h"
#include "engine/backend/cpu/op_pass.h"
#include "engine/backend/cpu/pool_pass.h"
#include "engine/backend/reference/network.h"
#include "engine/backend/reference/reference_backend.h"
#include "engine/base/error.h"

namespace strata {
namespace {

/// Consecutive layers that one pass computes: [first, last].
struct Group {
  enum class Kind { Conv, Dense, AveragePool, Op } kind;
  std::size_t first, last;
};

class Pipeline : public CompiledNetwork, public Profiled {
 public:
  Pipeline(const CompileRequest& request, int threads);

  void setWeights(const Weights& weights) override;
  Weights weights() const override;
  std::vector<float> optimizerState() const override;
  void setOptimizerState(const std::vector<float>& state) override;
  LossResult trainBatch(const Batch& batch, double learningRate, std::uint64_t step) override;
  void forward(const Batch& batch, float* outputs) override;
  void activations(const Batch& batch, std::vector<std::vector<float>>& out) override {
    exact().activations(batch, out);
  }
  NonFinite findNonFinite(const Batch& batch, std::uint64_t step) override {
    return exact().findNonFinite(batch, step);
  }
  std::string explain() const override;
  void startProfile() override;
  NetProfile profile() const override;

 private:
  Site siteOf(std::size_t layer, bool inputGradient) const;
  std::vector<Group> groups() const;
  void makeBuffers(const std::vector<Group>& groups);
  Buffer bufferFor(const Shape& shape) const;
  void makePasses(const std::vector<Group>& groups);
  void readInput(const Step& step, const Batch& batch);
  bool runForward(const Step& step, const Batch& batch);
  LossResult loss(const Step& step, const Batch& batch);
  bool passesFinite() const;
  bool update(const Step& step, double learningRate);
  Step stepFor(const Batch& batch, bool training, std::uint64_t index);
  std::vector<double>* timesOf(std::vector<double>& times) { return m_profiling ? &times : nullptr; }
  /// The same net by reference ops, with this one's weights. It multiplies zeros too, so that 0 * infinity shows.
  Network& exact();

  const CompileRequest m_request;
  const Analysis m_analysis;
  const Scorer m_scorer;
  const std::int64_t m_outputSize;
  const Kernels& m_kernels;
  ThreadPool m_pool;
  std::vector<std::unique_ptr<Buffer>> m_buffers;  ///< [0] the input, [i + 1] the output of pass i
  std::vector<std::unique_ptr<Buffer>> m_between;  ///< what lies inside a pass of several layers
  std::vector<std::unique_ptr<Pass>> m_passes;
  Weights m_layout;
  bool m_weightsFinite = true;
  std::vector<float> m_outputs, m_outputGradients;  ///< [maxBatch, m_outputSize]
  std::unique_ptr<Backend> m_reference;
  std::unique_ptr<Network> m_exact;
  bool m_profiling = false;
  NetProfile m_profile;
};

/// Appends the seconds it has lived to a list, when profiling.
class Stopwatch {
 public:
  explicit Stopwatch(std::vector<double>* times)
      : m_times(times), m_start(times ? Clock::now() : Clock::time_point()) {}
  ~Stopwatch() {
    if (m_times) m_times->push_back(std::chrono::duration<double>(Clock::now() - m_start).count());
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::vector<double>* m_times;
  Clock::time_point m_start;
};

Pipeline::Pipeline(const CompileRequest& request, int threads)
    : m_request(request), m_analysis(analyseWithinMemory(request)), m_scorer(request.loss, request.metrics),
      m_outputSize(m_analysis.layers.back().out.size()), m_kernels(kernelsFor(chosenIsa())), m_pool(threads),
      m_layout(layoutFor(request.network)), m_outputs(std::size_t(request.maxBatch * m_outputSize)),
      m_outputGradients(m_outputs.size()) {
  const std::vector<Group> parts = groups();
  makeBuffers(parts);
  makePasses(parts);
}

Site Pipeline::siteOf(std::size_t i, bool inputGradient) const {
  const LayerSpec& spec = m_request.network.layers[i];
  return {spec.name, spec.fields,  m_analysis.layers[i].in, m_analysis.layers[i].out, m_request.maxBatch,
          int(i),    inputGradient};
}

/// Max pooling can ride on a convolution when its windows lie side by side inside the image, so that each output has
/// one place.
bool poolFuses(const WindowGeometry& pool, Activation before) {
  const bool sideBySide = pool.kernel() == pool.stride() && pool.y.before == 0 && pool.x.before == 0 &&
                          pool.after(pool.y) <= 0 && pool.after(pool.x) <= 0;
  return sideBySide && pool.y.kernel * pool.x.kernel <= 255 &&
         (before == Activation::Relu || before == Activation::Linear);
}

std::vector<Group> Pipeline::groups() const {
  std::vector<Group> result;
  const auto& layers = m_request.network.layers;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].type == "flatten") continue;
    if (layers[i].type == "dense") {
      result.push_back({Group::Kind::Dense, i, i});
    } else if (layers[i].type == "conv2d") {
      const std::size_t first = i;
      if (i + 1 < layers.size() && layers[i + 1].type == "max_pool2d" &&
          poolFuses(poolGeometry(siteOf(i + 1, true)), activationOf(layers[i].fields)))
        ++i;
      else if (i + 1 < layers.size() && layers[i + 1].type == "avg_pool2d") ++i;
      result.push_back({Group::Kind::Conv, first, i});
    } else {
      result.push_back({layers[i].type == "avg_pool2d" ? Group::Kind::AveragePool : Group::Kind::Op, i, i});
    }
  }
  return result;
}

// A buffer's form is what its reader wants: a convolution a frame as wide as its padding, a dense layer panels or bare
// images.
void Pipeline::makeBuffers(const std::vector<Group>& parts) {
  bool trained = false;  // is anything before this buffer trained
  for (std::size_t i = 0; i <= parts.size(); ++i) {
    auto buffer = std::make_unique<Buffer>();
    buffer->shape = i == 0 ? m_request.network.input : m_analysis.layers[parts[i - 1].last].out;
    const Shape& shape = buffer->shape;
    if (shape.isImage()) {
      buffer->rows = shape.h;
      buffer->cols = shape.w;
      if (i < parts.size() && parts[i].kind == Group::Kind::Conv) {
        const WindowGeometry g = convGeometry(siteOf(parts[i].first, true));
        buffer->top = g.y.before;
        buffer->left = g.x.before;
        buffer->rows += g.y.before + std::max(0, g.after(g.y));
        buffer->cols += g.x.before + std::max(0, g.after(g.x));
      }
    } else {
      buffer->panel = DensePass::panelFor(shape.c, m_kernels);
    }
    buffer->hasZeros = i == 0 || buffer->framed();
    if (i > 0) {
      const Group& from = parts[i - 1];
      buffer->hasZeros |=
          from.kind == Group::Kind::Op || (from.kind == Group::Kind::AveragePool && m_buffers[i - 1]->hasZeros);
      const bool relu = (from.kind == Group::Kind::Conv || from.kind == Group::Kind::Dense) &&
                        activationOf(m_request.network.layers[from.first].fields) == Activation::Relu;
      buffer->hasZeros |= relu;
      buffer->rectified = relu && m_request.network.layers[from.last].type != "avg_pool2d";
      for (std::size_t layer = from.first; layer <= from.last; ++layer)
        trained |= m_analysis.layers[layer].parameters > 0;
    }
    buffer->allocate(m_request.maxBatch, trained && m_request.training);
    m_buffers.push_back(std::move(buffer));
  }
}

/// A bare image of the batch and its gradient.
Buffer Pipeline::bufferFor(const Shape& shape) const {
  Buffer buffer;
  buffer.shape = shape;
  buffer.rows = shape.h, buffer.cols = shape.w;
  buffer.allocate(m_request.maxBatch, m_request.training);
  return buffer;
}

void Pipeline::makePasses(const std::vector<Group>& parts) {
  const int slots = m_request.training ? m_request.optimizer.slotsPerWeight() : 0, threads = m_pool.threads();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Group& group = parts[i];
    Buffer &x = *m_buffers[i], &y = *m_buffers[i + 1];
    const bool inputGradient = x.gradients.size() > 0;
    const Site site = siteOf(group.first, inputGradient);
    const LayerAnalysis& layer = m_analysis.layers[group.first];
    if (group.kind == Group::Kind::Conv) {
      const WindowGeometry g = convGeometry(site);
      const std::string name =
          group.last > group.first ? site.name + " + " + m_request.network.layers[group.last].name : site.name;
      ConvPass::Plan plan{
          name, {}, site.fields.flag("use_bias"), inputGradient, m_request.training, slots, layer.weightsOffset};
      plan.shape.c = site.in.c, plan.shape.k = site.out.c;
      plan.shape.r = g.y.kernel, plan.shape.s = g.x.kernel, plan.shape.sy = g.y.stride, plan.shape.sx = g.x.stride;
      plan.shape.rows = x.rows, plan.shape.cols = x.cols;
      plan.shape.activation = activationOf(site.fields);
      const bool pooled = group.last > group.first,
                 average = pooled && m_request.network.layers[group.last].type == "avg_pool2d";
      if (pooled && !average) {
        const Pair window = poolGeometry(siteOf(group.last, true)).kernel();
        plan.shape.poolH = window.h, plan.shape.poolW = window.w;
      }
      std::unique_ptr<AveragePoolPass> tail;
      Buffer* out = &y;
      if (average) {
        out = m_between.emplace_back(std::make_unique<Buffer>(bufferFor(layer.out))).get();
        tail = std::make_unique<AveragePoolPass>(name, poolGeometry(siteOf(group.last, true)), *out, y);
      }
      plan.shape.outH = out->shape.h, plan.shape.outW = out->shape.w;
      ConvPass::plan(plan.shape, inputGradient, m_kernels);
      m_passes.push_back(std::make_unique<ConvPass>(plan, x, *out, std::move(tail), m_kernels, threads));
    } else if (group.kind == Group::Kind::Dense) {
      const bool gradientHasZeros = activationOf(site.fields) == Activation::Relu ||
                                    (i + 1 < parts.size() && parts[i + 1].kind == Group::Kind::Op);
      const DensePass::Plan plan{site.name,          activationOf(site.fields), site.fields.flag("use_bias"),
                                 inputGradient,      gradientHasZeros,          slots,
                                 layer.weightsOffset};
      m_passes.push_back(std::make_unique<DensePass>(plan, x, y, m_kernels, threads));
    } else if (group.kind == Group::Kind::AveragePool) {
      m_passes.push_back(std::make_unique<AveragePoolPass>(site.name, poolGeometry(site), x, y));
    } else {
      m_passes.push_back(
          std::make_unique<OpPass>(*layer.def, site, layer.weightsOffset, slots, m_request.training, x, y));
    }
  }
}

void Pipeline::setWeights(const Weights& weights) {
  if (weights.places != m_layout.places) throw Error(Error::Kind::Input, "weights", "they belong to another net");
  for (auto& pass : m_passes) pass->setWeights(weights.values.data() + pass->weightsOffset());
  m_weightsFinite = firstNonFinite(weights).empty();
}

Weights Pipeline::weights() const {
  Weights result = m_layout;
  for (const auto& pass : m_passes) pass->getWeights(result.values.data() + pass->weightsOffset());
  return result;
}

std::vector<float> Pipeline::optimizerState() const {
  const std::size_t weights = m_layout.values.size();
  std::vector<float> state(weights * std::size_t(m_request.optimizer.slotsPerWeight()));
  for (int slot = 0; slot < m_request.optimizer.slotsPerWeight(); ++slot)
    for (const auto& pass : m_passes) pass->getState(slot, state.data() + slot * weights + pass->weightsOffset());
  return state;
}

void Pipeline::setOptimizerState(const std::vector<float>& state) {
  const std::size_t weights = m_layout.values.size(),
                    needed = weights * std::size_t(m_request.optimizer.slotsPerWeight());
  if (state.size() != needed)
    throw Error(Error::Kind::Input, "optimizer state",
                "got " + std::to_string(state.size()) + " values, needed " + std::to_string(needed));
  for (int slot = 0; slot < m_request.optimizer.slotsPerWeight(); ++slot)
    for (auto& pass : m_passes) pass->setState(slot, state.data() + slot * weights + pass->weightsOffset());
}

Step Pipeline::stepFor(const Batch& batch, bool training, std::uint64_t index) {
  if (batch.size < 1 || batch.size > m_request.maxBatch)
    throw Error(Error::Kind::Input, "batch",
                "got " + std::to_string(batch.size) + " samples, needed 1 to " + std::to_string(m_request.maxBatch));
  return {m_kernels, m_pool, batch.size, training, m_request.seed, index};
}

void Pipeline::readInput(const Step& step, const Batch& batch) {
  Buffer& input = *m_buffers.front();
  const Shape& shape = input.shape;
  input.least = batch.bytes ? std::min(batch.offset, 255 * batch.scale + batch.offset) : -Buffer::kUnbounded;
  input.most = batch.bytes ? std::max(batch.offset, 255 * batch.scale + batch.offset) : Buffer::kUnbounded;
  const int rows = input.panel ? 1 : shape.h, rowSize = input.panel ? input.panel : shape.w * shape.c;
  step.pool.run(step.batch, [&](int n, int) {
    for (int at = 0, panel = 0; at < (input.panel ? shape.c : 1); at += rowSize, ++panel) {
      const Frame to = input.panel
                           ? Frame{input.values.data() + (std::int64_t{panel} * input.batch + n) * rowSize, rowSize}
                           : input.inside(n, input.values);
      const int size = input.panel ? std::min(rowSize, shape.c - at) : rowSize;
      const std::int64_t from = n * shape.size() + at;
      if (batch.bytes) m_kernels.bytesToFloats(batch.bytes + from, batch.scale, batch.offset, rows, size, to);
      else
        for (int row = 0; row < rows; ++row)
          std::copy_n(batch.floats + from + std::int64_t{row} * size, size, to.data + std::int64_t{row} * to.rowStride);
    }
  });
}

/// False when skipping zeros may have hidden a value that is not finite.
bool Pipeline::runForward(const Step& step, const Batch& batch) {
  {
    const Stopwatch watch(timesOf(m_profile.input));
    readInput(step, batch);
  }
  for (std::size_t i = 0; i < m_passes.size(); ++i) {
    const Stopwatch watch(m_profiling ? &m_profile.passes[i].forward : nullptr);
    m_passes[i]->forward(step);
  }
  copySamples<false>(*m_buffers.back(), m_buffers.back()->values, m_outputs.data(), 0, step.batch);
  return m_weightsFinite && passesFinite();
}

bool Pipeline::passesFinite() const {
  return std::all_of(m_passes.begin(), m_passes.end(), [](const auto& pass) { return pass->finite(); });
}

LossResult Pipeline::loss(const Step& step, const Batch& batch) {
  const Stopwatch watch(timesOf(m_profile.loss));
  m_scorer.checkTargets(batch, m_outputSize);  // tasks of the pool must not throw
  std::array<LossResult, kMostParts> parts;
  Buffer& last = *m_buffers.back();
  step.pool.run(step.parts(), [&](int part, int) {
    const int begin = step.begin(part), count = step.end(part) - begin;
    const std::int64_t first = begin * m_outputSize, values = count * m_outputSize;
    float* gradients = m_outputGradients.data() + first;
    parts[std::size_t(part)] = m_scorer(batch, begin, count, m_outputSize, m_outputs.data() + first, gradients);
    const float share = float(count) / float(step.batch);  // gradients are of the part's mean; the batch's is wanted
    for (std::int64_t i = 0; i < values; ++i) gradients[i] *= share;
    if (last.gradients.size() > 0)
      copySamples<true>(last, last.gradients, m_outputGradients.data(), begin, begin + count);
  });
  LossResult result;
  for (int part = 0; part < step.parts(); ++part) result += parts[std::size_t(part)];
  return result;
}

LossResult Pipeline::trainBatch(const Batch& batch, double learningRate, std::uint64_t index) {
  const FlushToZero flush;
  const Stopwatch watch(timesOf(m_profile.step));
  const Step step = stepFor(batch, true, index);
  if (!runForward(step, batch)) {
    Network& net = exact();
    LossResult result = net.trainBatch(batch, learningRate, index);
    if (std::isfinite(result.lossSum)) {
      setWeights(net.weights());
      setOptimizerState(net.optimizerState());
    }
    return result;
  }
  LossResult result = loss(step, batch);
  if (!std::isfinite(result.lossSum)) return result;
  for (std::size_t i = m_passes.size(); i-- > 0;) {
    const Stopwatch watch(m_profiling ? &m_profile.passes[i].backward : nullptr);
    m_passes[i]->backward(step);
  }
  if (!update(step, learningRate)) result.lossSum = std::nan("");
  return result;
}

/// All gradients are finished first: when one is not finite nothing is changed and the result is false.
bool Pipeline::update(const Step& step, double learningRate) {
  const Stopwatch watch(timesOf(m_profile.update));
  struct Task {
    Pass* pass;
    int index;
  };
  std::vector<Task> gradients, updates;
  for (auto& pass : m_passes) {
    for (int i = 0; i < pass->gradientTasks(step); ++i) gradients.push_back({pass.get(), i});
    for (int i = 0; i < pass->updateTasks(step); ++i) updates.push_back({pass.get(), i});
  }
  m_pool.run(int(gradients.size()), [&](int task, int) {
    gradients[std::size_t(task)].pass->gradientTask(step, gradients[std::size_t(task)].index);
  });
  if (!passesFinite()) return false;
  const UpdateRule rule = makeUpdateRule(m_request.optimizer, learningRate, step.index);
  std::atomic<bool> weightsFinite{true};
  m_pool.run(int(updates.size()), [&](int task, int thread) {
    if (!(updates[std::size_t(task)].pass->updateTask(step, updates[std::size_t(task)].index, thread, rule) == 0))
      weightsFinite = false;
  });
  m_weightsFinite = weightsFinite;
  return true;
}

void Pipeline::forward(const Batch& batch, float* outputs) {
  const FlushToZero flush;
  if (!runForward(stepFor(batch, false, 0), batch)) return exact().forward(batch, outputs);
  std::copy_n(m_outputs.data(), batch.size * m_outputSize, outputs);
}

Network& Pipeline::exact() {
  if (!m_exact) {
    m_reference = referenceBackendDef().create(1);
    m_exact = std::make_unique<Network>(*m_reference, m_request);
  }
  m_exact->setWeights(weights());
  if (m_request.training) m_exact->setOptimizerState(optimizerState());
  return *m_exact;
}

std::string Pipeline::explain() const {
  std::string text = std::string("kernels ") + isaName(m_kernels.isa) + ", threads " +
                     std::to_string(m_pool.threads()) + ", zeros are skipped\n";
  const auto percent = [](double share) { return std::to_string(int(std::lround(100 * share))) + " %"; };
  for (const auto& pass : m_passes) {
    const PassWork work = pass->work();
    text += work.name + "  forward: " + work.forward;
    if (work.macs > 0) text += " (" + percent(work.inputLive) + " live)";
    text += "; backward: " + work.backward;
    if (work.macs > 0)
      text += " (" + percent(work.inputGradient ? work.gradientLive : work.weightGradientLive) + " live)";
    text += "\n";
  }
  return text;
}

void Pipeline::startProfile() {
  m_profiling = true;
  m_profile = {};
  m_profile.passes.resize(m_passes.size());
}

NetProfile Pipeline::profile() const {
  NetProfile result = m_profile;
  for (std::size_t i = 0; i < m_passes.size(); ++i) result.passes[i].work = m_passes[i]->work();
  return result;
}

}  // namespace

std::unique_ptr<CompiledNetwork> makePipeline(const CompileRequest& request, int threads) {
  const Analysis analysis = analyse(request.network, nullptr);
  for (const LayerAnalysis& layer : analysis.layers) {
    // With the widest frame.
    const std::int64_t row =
        layer.in.isImage() ? saturatingMul(std::int64_t{layer.in.w} + 2048, layer.in.c) : layer.in.c;
    if (saturatingMul(row, 128) > INT32_MAX || saturatingMul(layer.in.size(), 16) > INT32_MAX ||
        layer.parameters > INT32_MAX / 16)
      return nullptr;
  }
  return std::make_unique<Pipeline>(request, threads);
}

}  // namespace strata

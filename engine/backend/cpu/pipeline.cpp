// SPDX-License-Identifier: Apache-2.0
// Plans the passes of a stack, binds them by buffers, and runs them batch by batch.
#include "engine/backend/cpu/pipeline.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>

#include "engine/backend/cpu/add_pass.h"
#include "engine/backend/cpu/batch_norm_pass.h"
#include "engine/backend/cpu/conv_pass.h"
#include "engine/backend/cpu/dense_pass.h"
#include "engine/backend/cpu/depthwise_pass.h"
#include "engine/backend/cpu/op_pass.h"
#include "engine/backend/cpu/pool_pass.h"
#include "engine/backend/reference/network.h"
#include "engine/backend/reference/reference_backend.h"
#include "engine/base/error.h"

namespace strata {
namespace {

/// What one pass computes: node `first`, and up to `last` what is fused with it: the pooling behind a convolution, the
/// activation behind a sum.
struct Group {
  enum class Kind { Conv, Dense, Depthwise, AveragePool, GlobalAverage, BatchNorm, Add, Op } kind;
  std::size_t first, last;
  std::vector<int> inputs;            ///< values, none of them of a node that only reshapes
  std::vector<Buffer*> buffers = {};  ///< where it reads them, each in the form that the pass wants

  int output() const { return static_cast<int>(last) + 1; }
};

/// A value that several passes read, or one of them in two ways: each but the first reads a copy of its own, and adds
/// what it finds to the gradient.
class ForkPass : public Pass {
 public:
  ForkPass(std::string name, Buffer& from) : m_name(std::move(name)), m_from(from) {}
  void add(Buffer& to) { m_copies.push_back(&to); }

  void forward(const Step& step) override {
    step.pool.run(step.batch, [&](int n, int) {
      for (Buffer* copy : m_copies)
        eachRow(n, {&m_from, copy}, {&m_from.values, &copy->values}, [](int, int count, int pixels, float*(&rows)[2]) {
          std::copy_n(rows[0], std::int64_t{pixels} * count, rows[1]);
        });
    });
  }
  void backward(const Step& step) override {
    step.pool.run(step.batch, [&](int n, int) {
      for (Buffer* copy : m_copies)
        eachRow(n, {copy, &m_from}, {&copy->gradients, &m_from.gradients},
                [&](int, int count, int pixels, float*(&rows)[2]) {
                  step.kernels.addInPlace(rows[1], rows[0], std::int64_t{pixels} * count);
                });
    });
  }
  PassWork work() const override { return {m_name, "copies", "sums", 0, false, false, 1, 1, 1}; }

 private:
  const std::string m_name;
  Buffer& m_from;
  std::vector<Buffer*> m_copies;
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
  Site siteOf(std::size_t node, bool inputGradient) const {
    return m_graph.siteOf(node, m_request.maxBatch, inputGradient);
  }
  int source(int value) const;
  bool readOnce(std::size_t node) const;
  Activation activationOf(const Group& group) const;
  std::vector<Group> groups() const;
  void makeBuffers(std::vector<Group>& groups);
  void makeBuffersOf(int value, std::vector<Group>& groups);
  Buffer bufferFor(const Shape& shape) const;
  Buffer& bufferIn(const Group* reader, int value, const Buffer* like);
  void makePasses(const std::vector<Group>& groups);
  std::unique_ptr<Pass> convPass(const Group& group, Buffer& y);
  std::unique_ptr<Pass> densePass(const Group& group, const std::vector<Group>& groups, Buffer& y);
  void readInput(const Step& step, const Batch& batch);
  bool runForward(const Step& step, const Batch& batch);
  LossResult loss(const Step& step, const Batch& batch);
  bool passesFinite() const;
  bool update(const Step& step, double learningRate);
  void updateMatrices(const Step& step, double learningRate);
  /// Whether an update must know all gradients before it changes a weight.
  bool keepsGradients() const {
    return m_request.training &&
           (m_request.optimizer.updatesMatrices() || makeUpdateRule(m_request.optimizer, 0, 0).clipNorm > 0);
  }
  Step stepFor(const Batch& batch, bool training, std::uint64_t index);
  std::vector<double>* timesOf(std::vector<double>& times) { return m_profiling ? &times : nullptr; }
  /// The same net by reference ops, with this one's weights. It multiplies zeros too, so that 0 * infinity shows.
  Network& exact();

  const CompileRequest m_request;
  const Graph m_graph;
  const Scorer m_scorer;
  const std::int64_t m_outputSize;
  const std::vector<bool> m_gradientsNeeded;  ///< of each value
  const Kernels& m_kernels;
  ThreadPool m_pool;
  std::vector<std::unique_ptr<Buffer>> m_buffers;  ///< all of them
  std::vector<Buffer*> m_written;                  ///< by value: where it is written; null where no pass writes it
  std::vector<std::unique_ptr<ForkPass>> m_forks;  ///< by value: what comes behind it; moved into m_passes
  std::vector<std::unique_ptr<Pass>> m_passes;
  std::vector<bool> m_learns;    ///< of each pass
  std::vector<bool> m_backward;  ///< of each pass: something up to it learns, so its output has a gradient
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
    : m_request(request), m_graph(analyseWithinMemory(request).graph), m_scorer(request.loss, request.metrics),
      m_outputSize(m_graph.output().size()), m_gradientsNeeded(m_graph.gradientsNeeded(request.training)),
      m_kernels(kernelsFor(chosenIsa())), m_pool(threads), m_layout(layoutFor(m_graph)),
      m_outputs(std::size_t(request.maxBatch * m_outputSize)), m_outputGradients(m_outputs.size()) {
  std::vector<Group> parts = groups();
  makeBuffers(parts);
  makePasses(parts);
}

/// Max pooling can ride on a convolution when its windows lie side by side inside the image, so that each output has
/// one place.
bool poolFuses(const WindowGeometry& pool, Activation before) {
  const bool sideBySide = pool.kernel() == pool.stride() && pool.y.before == 0 && pool.x.before == 0 &&
                          pool.after(pool.y) <= 0 && pool.after(pool.x) <= 0;
  return sideBySide && pool.y.kernel * pool.x.kernel <= 255 &&
         (before == Activation::Relu || before == Activation::Linear);
}

/// The value whose memory it is: of a node that only reshapes, its input's.
int Pipeline::source(int value) const {
  while (value > 0 && m_graph.nodes[std::size_t(value) - 1].def->reshapes)
    value = m_graph.nodes[std::size_t(value) - 1].inputs.front();
  return value;
}

/// Whether only the next node reads what this one makes.
bool Pipeline::readOnce(std::size_t node) const {
  const std::vector<int>& readers = m_graph.values[node + 1].readers;
  return readers.size() == 1 && std::size_t(readers.front()) == node + 1;
}

/// The activation at the end of a group; Linear where a pass knows none.
Activation Pipeline::activationOf(const Group& group) const {
  using Kind = Group::Kind;
  if (group.kind == Kind::Add)
    return group.last > group.first ? strata::activationOf(m_graph.nodes[group.last].fields) : Activation::Linear;
  const bool has = group.kind == Kind::Conv || group.kind == Kind::Dense || group.kind == Kind::Depthwise ||
                   group.kind == Kind::BatchNorm;
  return has ? strata::activationOf(m_graph.nodes[group.first].fields) : Activation::Linear;
}

std::vector<Group> Pipeline::groups() const {
  using Kind = Group::Kind;
  static const std::map<std::string, Kind> kinds{{"dense", Kind::Dense},
                                                 {"conv2d", Kind::Conv},
                                                 {"depthwise_conv2d", Kind::Depthwise},
                                                 {"avg_pool2d", Kind::AveragePool},
                                                 {"global_avg_pool", Kind::GlobalAverage},
                                                 {"batch_norm", Kind::BatchNorm},
                                                 {"add", Kind::Add}};
  std::vector<Group> result;
  const auto& nodes = m_graph.nodes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].def->reshapes) continue;
    const auto kind = kinds.find(nodes[i].def->type);
    Group group{kind == kinds.end() ? Kind::Op : kind->second, i, i, nodes[i].inputs};
    for (int& input : group.inputs) input = source(input);
    if (group.kind == Kind::Depthwise && !DepthwisePass::takes(siteOf(i, true))) group.kind = Kind::Op;
    if (group.kind == Kind::Add && readOnce(i) && nodes[i + 1].def->type == "activation") group.last = ++i;
    if (group.kind == Kind::Conv && readOnce(i)) {
      const std::string& next = nodes[i + 1].def->type;
      if (next == "avg_pool2d" ||
          (next == "max_pool2d" && poolFuses(poolGeometry(siteOf(i + 1, true)), strata::activationOf(nodes[i].fields))))
        group.last = ++i;
    }
    result.push_back(std::move(group));
  }
  return result;
}

void Pipeline::makeBuffers(std::vector<Group>& parts) {
  m_written.resize(m_graph.values.size());
  m_forks.resize(m_graph.values.size());
  makeBuffersOf(0, parts);
  for (std::size_t i = 0; i < parts.size(); ++i) makeBuffersOf(parts[i].output(), parts);
  for (std::size_t value = 0; value < m_written.size(); ++value)
    if (!m_written[value]) m_written[value] = m_written[std::size_t(source(int(value)))];
}

/// The buffer that a value is written to, which its first reader reads, and one for every further reader.
void Pipeline::makeBuffersOf(int value, std::vector<Group>& parts) {
  const auto writer = std::find_if(parts.begin(), parts.end(), [&](const Group& g) { return g.output() == value; });
  std::vector<std::pair<Group*, std::size_t>> readers;
  for (Group& part : parts) {
    part.buffers.resize(part.inputs.size());
    for (std::size_t i = 0; i < part.inputs.size(); ++i)
      if (part.inputs[i] == value) readers.emplace_back(&part, i);
  }
  Buffer& first = bufferIn(readers.empty() ? nullptr : readers.front().first, value, nullptr);
  m_written[std::size_t(value)] = &first;
  if (!readers.empty()) readers.front().first->buffers[readers.front().second] = &first;
  first.hasZeros |= value == 0;
  if (writer != parts.end()) {
    const Buffer* in = writer->buffers.front();
    const bool weighted = writer->kind == Group::Kind::Conv || writer->kind == Group::Kind::Dense;
    const bool relu = activationOf(*writer) == Activation::Relu;
    first.hasZeros |=
        relu || writer->kind == Group::Kind::Op || (writer->kind == Group::Kind::AveragePool && in->hasZeros);
    first.rectified = weighted && relu && readers.size() < 2 && m_graph.nodes[writer->last].def->type != "avg_pool2d";
  }
  if (readers.size() < 2) return;
  const std::string name = value == 0 ? "input" : m_graph.nodes[std::size_t(value) - 1].path;
  auto& fork = m_forks[std::size_t(value)] = std::make_unique<ForkPass>(name + ", for several readers", first);
  for (auto reader = readers.begin() + 1; reader != readers.end(); ++reader) {
    Buffer& copy = bufferIn(reader->first, value, &first);
    reader->first->buffers[reader->second] = &copy;
    fork->add(copy);
  }
}

/// A buffer's form is what its reader wants: a convolution a frame as wide as its padding, a dense layer panels or bare
/// images.
Buffer& Pipeline::bufferIn(const Group* reader, int value, const Buffer* like) {
  auto buffer = std::make_unique<Buffer>();
  const Shape& shape = buffer->shape = m_graph.values[std::size_t(value)].shape;
  if (shape.isImage()) {
    buffer->rows = shape.h;
    buffer->cols = shape.w;
    if (reader && (reader->kind == Group::Kind::Conv || reader->kind == Group::Kind::Depthwise)) {
      const WindowGeometry g = convGeometry(siteOf(reader->first, true));
      buffer->top = g.y.before;
      buffer->left = g.x.before;
      buffer->rows += g.y.before + std::max(0, g.after(g.y));
      buffer->cols += g.x.before + std::max(0, g.after(g.x));
    }
  } else {
    buffer->panel = DensePass::panelFor(shape.c, m_kernels);
  }
  buffer->hasZeros = buffer->framed() || (like && like->hasZeros);
  const bool last = source(int(m_graph.values.size()) - 1) == value;
  buffer->allocate(m_request.maxBatch, m_gradientsNeeded[std::size_t(value)] || (last && m_request.training));
  return *m_buffers.emplace_back(std::move(buffer));
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
  const int slots = m_request.training ? m_request.optimizer.slotsPerWeight() : 0;
  const auto fork = [&](int value) {
    if (!m_forks[std::size_t(value)]) return;
    m_passes.push_back(std::move(m_forks[std::size_t(value)]));
    m_learns.push_back(false);
    m_backward.push_back(m_written[std::size_t(value)]->gradients.size() > 0);
  };
  fork(0);
  for (const Group& group : parts) {
    Buffer& y = *m_written[std::size_t(group.output())];
    const Node& node = m_graph.nodes[group.first];
    const bool inputGradient = std::any_of(group.buffers.begin(), group.buffers.end(),
                                           [](const Buffer* x) { return x->gradients.size() > 0; });
    Buffer& x = *group.buffers.front();
    const Site site = siteOf(group.first, inputGradient);
    using Kind = Group::Kind;
    switch (group.kind) {
      case Kind::Conv:
        m_passes.push_back(convPass(group, y));
        break;
      case Kind::Dense:
        m_passes.push_back(densePass(group, parts, y));
        break;
      case Kind::Depthwise:
        m_passes.push_back(std::make_unique<DepthwisePass>(node, site, slots, x, y));
        break;
      case Kind::AveragePool:
        m_passes.push_back(std::make_unique<AveragePoolPass>(node.path, poolGeometry(site), x, y));
        break;
      case Kind::GlobalAverage:
        m_passes.push_back(std::make_unique<GlobalAveragePass>(node.path, x, y));
        break;
      case Kind::BatchNorm:
        m_passes.push_back(std::make_unique<BatchNormPass>(node, slots, x, y));
        break;
      case Kind::Add:
        m_passes.push_back(std::make_unique<AddPass>(node.path, activationOf(group), group.buffers, y));
        break;
      case Kind::Op:
        m_passes.push_back(std::make_unique<OpPass>(node, site, slots, m_request.training, group.buffers, y));
    }
    m_learns.push_back(node.learns());
    m_backward.push_back(y.gradients.size() > 0);
    fork(group.output());
  }
}

std::unique_ptr<Pass> Pipeline::convPass(const Group& group, Buffer& y) {
  Buffer& x = *group.buffers.front();
  const bool inputGradient = x.gradients.size() > 0;
  const Site site = siteOf(group.first, inputGradient);
  const Node& node = m_graph.nodes[group.first];
  const WindowGeometry g = convGeometry(site);
  const bool pooled = group.last > group.first, average = pooled && m_graph.nodes[group.last].def->type == "avg_pool2d";
  const std::string name = pooled ? site.name + " + " + m_graph.nodes[group.last].path : site.name;
  ConvPass::Plan plan{name,
                      {},
                      site.fields.flag("use_bias"),
                      inputGradient,
                      m_request.training,
                      m_request.training ? m_request.optimizer.slotsPerWeight() : 0,
                      node.weightsOffset};
  plan.shape.c = site.in.c, plan.shape.k = site.out.c;
  plan.shape.r = g.y.kernel, plan.shape.s = g.x.kernel, plan.shape.sy = g.y.stride, plan.shape.sx = g.x.stride;
  plan.shape.rows = x.rows, plan.shape.cols = x.cols;
  plan.shape.activation = strata::activationOf(site.fields);
  if (pooled && !average) {
    const Pair window = poolGeometry(siteOf(group.last, true)).kernel();
    plan.shape.poolH = window.h, plan.shape.poolW = window.w;
  }
  std::unique_ptr<AveragePoolPass> tail;
  Buffer* out = &y;
  if (average) {
    out = m_buffers.emplace_back(std::make_unique<Buffer>(bufferFor(site.out))).get();
    tail = std::make_unique<AveragePoolPass>(name, poolGeometry(siteOf(group.last, true)), *out, y);
  }
  plan.shape.outH = out->shape.h, plan.shape.outW = out->shape.w;
  planConv(plan.shape, inputGradient, m_kernels);
  return std::make_unique<ConvPass>(plan, x, *out, std::move(tail), m_kernels, m_pool.threads());
}

std::unique_ptr<Pass> Pipeline::densePass(const Group& group, const std::vector<Group>& parts, Buffer& y) {
  Buffer& x = *group.buffers.front();
  const bool inputGradient = x.gradients.size() > 0;
  const Site site = siteOf(group.first, inputGradient);
  const bool readByOp = std::any_of(parts.begin(), parts.end(), [&](const Group& part) {
    return part.kind == Group::Kind::Op &&
           std::find(part.inputs.begin(), part.inputs.end(), group.output()) != part.inputs.end();
  });
  const DensePass::Plan plan{site.name,
                             strata::activationOf(site.fields),
                             site.fields.flag("use_bias"),
                             inputGradient,
                             strata::activationOf(site.fields) == Activation::Relu || readByOp,
                             m_request.training ? m_request.optimizer.slotsPerWeight() : 0,
                             m_graph.nodes[group.first].weightsOffset,
                             keepsGradients()};
  return std::make_unique<DensePass>(plan, x, y, m_kernels, m_pool.threads());
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
  Buffer& input = *m_written.front();
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
  const Buffer& last = *m_written.back();
  copySamples<Copy::Out>(last, last.values, m_outputs.data(), 0, step.batch);
  return m_weightsFinite && passesFinite();
}

bool Pipeline::passesFinite() const {
  return std::all_of(m_passes.begin(), m_passes.end(), [](const auto& pass) { return pass->finite(); });
}

LossResult Pipeline::loss(const Step& step, const Batch& batch) {
  const Stopwatch watch(timesOf(m_profile.loss));
  m_scorer.checkTargets(batch, m_outputSize);  // tasks of the pool must not throw
  std::array<LossResult, kMostParts> parts;
  Buffer& last = *m_written.back();
  step.pool.run(step.parts(), [&](int part, int) {
    const int begin = step.begin(part), count = step.end(part) - begin;
    const std::int64_t first = begin * m_outputSize, values = count * m_outputSize;
    float* gradients = m_outputGradients.data() + first;
    parts[std::size_t(part)] = m_scorer(batch, begin, count, m_outputSize, m_outputs.data() + first, gradients);
    const float share = float(count) / float(step.batch);  // gradients are of the part's mean; the batch's is wanted
    for (std::int64_t i = 0; i < values; ++i) gradients[i] *= share;
    copySamples<Copy::In>(last, last.gradients, m_outputGradients.data(), begin, begin + count);
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
    if (!m_backward[i]) continue;
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
  for (std::size_t at = 0; at < m_passes.size(); ++at) {
    Pass* const pass = m_passes[at].get();
    if (!m_learns[at]) continue;
    for (int i = 0; i < pass->gradientTasks(step); ++i) gradients.push_back({pass, i});
    for (int i = 0; i < pass->updateTasks(step); ++i) updates.push_back({pass, i});
  }
  m_pool.run(int(gradients.size()), [&](int task, int) {
    gradients[std::size_t(task)].pass->gradientTask(step, gradients[std::size_t(task)].index);
  });
  if (!passesFinite()) return false;
  UpdateRule rule = makeUpdateRule(m_request.optimizer, learningRate, step.index);
  if (keepsGradients()) {
    std::vector<double> squares(updates.size());  // added up in this order, whichever thread finds them
    m_pool.run(int(updates.size()), [&](int task, int thread) {
      const Task& update = updates[std::size_t(task)];
      squares[std::size_t(task)] = update.pass->gradientSquares(step, update.index, thread);
    });
    setNorm(rule, std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0)));
  }
  if (m_request.optimizer.updatesMatrices()) {
    updateMatrices(step, learningRate);
    return true;
  }
  std::atomic<bool> weightsFinite{true};
  m_pool.run(int(updates.size()), [&](int task, int thread) {
    if (!(updates[std::size_t(task)].pass->updateTask(step, updates[std::size_t(task)].index, thread, rule) == 0))
      weightsFinite = false;
  });
  m_weightsFinite = weightsFinite;
  return true;
}

/// What is no element by element is done in the canonical layout, as on every backend.
void Pipeline::updateMatrices(const Step& step, double learningRate) {
  Weights changed = weights();
  std::vector<float> gradients(changed.values.size()), state = optimizerState();
  for (std::size_t at = 0; at < m_passes.size(); ++at)
    if (m_learns[at]) m_passes[at]->getGradients(gradients.data() + m_passes[at]->weightsOffset());
  updateVariables(m_graph, m_request.optimizer, learningRate, step.index, changed.values, gradients, state);
  setWeights(changed);
  setOptimizerState(state);
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
  if (m_request.optimizer.updatesMatrices())
    text += "update: " + m_request.optimizer.type + " takes each layer's weights as a matrix, on one thread\n";
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
  const Graph graph = lower(request.network);
  for (const Node& node : graph.nodes) {
    const Shape& in = graph.inputOf(node);
    const std::int64_t row = in.isImage() ? saturatingMul(std::int64_t{in.w} + 2048, in.c) : in.c;  // the widest frame
    if (saturatingMul(row, 128) > INT32_MAX || saturatingMul(in.size(), 16) > INT32_MAX ||
        node.parameters > INT32_MAX / 16)
      return nullptr;
  }
  return std::make_unique<Pipeline>(request, threads);
}

}  // namespace strata

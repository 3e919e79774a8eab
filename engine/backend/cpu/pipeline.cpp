// SPDX-License-Identifier: Apache-2.0
// Runs the passes of a net batch by batch (pass_plan.h makes them).
#include "engine/backend/cpu/pipeline.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <numeric>

#include "engine/backend/cpu/pass_plan.h"
#include "engine/backend/reference/network.h"
#include "engine/backend/reference/reference_backend.h"
#include "engine/base/error.h"

namespace strata {
namespace {

class Pipeline : public CompiledNetwork, public Profiled {
 public:
  Pipeline(const CompileRequest& request, Graph graph, int threads);

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
  void readInput(const Step& step, const Batch& batch);
  bool runForward(const Step& step, const Batch& batch);
  LossResult loss(const Step& step, const Batch& batch);
  bool passesFinite() const;
  bool update(const Step& step, double learningRate);
  void updateMatrices(const Step& step, double learningRate);
  Step stepFor(const Batch& batch, bool training, std::uint64_t index);
  std::vector<double>* timesOf(std::vector<double>& times) { return m_profiling ? &times : nullptr; }
  /// The same net by reference ops, with this one's weights. It multiplies zeros too, so that 0 * infinity shows.
  Network& exact();

  const CompileRequest m_request;
  const Graph m_graph;
  const Scorer m_scorer;
  const std::int64_t m_outputSize;
  const Kernels& m_kernels;
  ThreadPool m_pool;
  PassPlan m_plan;
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

Pipeline::Pipeline(const CompileRequest& request, Graph graph, int threads)
    : m_request(request), m_graph(std::move(graph)), m_scorer(request.loss, request.metrics),
      m_outputSize(m_graph.output().size()), m_kernels(kernelsFor(chosenIsa())), m_pool(threads),
      m_plan(planPasses(m_request, m_graph, m_kernels, m_pool.threads())), m_layout(layoutFor(m_graph)),
      m_outputs(std::size_t(request.maxBatch * m_outputSize)), m_outputGradients(m_outputs.size()) {}

void Pipeline::setWeights(const Weights& weights) {
  if (weights.places != m_layout.places) throw Error(Error::Kind::Input, "weights", "they belong to another net");
  for (PlannedPass& planned : m_plan.passes)
    planned.pass->setWeights(weights.values.data() + planned.pass->weightsOffset());
  m_weightsFinite = firstNonFinite(weights).empty();
}

Weights Pipeline::weights() const {
  Weights result = m_layout;
  for (const PlannedPass& planned : m_plan.passes)
    planned.pass->getWeights(result.values.data() + planned.pass->weightsOffset());
  return result;
}

std::vector<float> Pipeline::optimizerState() const {
  const std::size_t weights = m_layout.values.size();
  std::vector<float> state(weights * std::size_t(m_request.optimizer.slotsPerWeight()));
  for (int slot = 0; slot < m_request.optimizer.slotsPerWeight(); ++slot)
    for (const PlannedPass& planned : m_plan.passes)
      planned.pass->getState(slot, state.data() + slot * weights + planned.pass->weightsOffset());
  return state;
}

void Pipeline::setOptimizerState(const std::vector<float>& state) {
  const std::size_t weights = m_layout.values.size(),
                    needed = weights * std::size_t(m_request.optimizer.slotsPerWeight());
  if (state.size() != needed)
    throw Error(Error::Kind::Input, "optimizer state",
                "got " + std::to_string(state.size()) + " values, needed " + std::to_string(needed));
  for (int slot = 0; slot < m_request.optimizer.slotsPerWeight(); ++slot)
    for (PlannedPass& planned : m_plan.passes)
      planned.pass->setState(slot, state.data() + slot * weights + planned.pass->weightsOffset());
}

Step Pipeline::stepFor(const Batch& batch, bool training, std::uint64_t index) {
  if (batch.size < 1 || batch.size > m_request.maxBatch)
    throw Error(Error::Kind::Input, "batch",
                "got " + std::to_string(batch.size) + " samples, needed 1 to " + std::to_string(m_request.maxBatch));
  return {m_kernels, m_pool, batch.size, training, m_request.seed, index};
}

void Pipeline::readInput(const Step& step, const Batch& batch) {
  Buffer& input = *m_plan.input;
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
  for (std::size_t i = 0; i < m_plan.passes.size(); ++i) {
    const Stopwatch watch(m_profiling ? &m_profile.passes[i].forward : nullptr);
    m_plan.passes[i].pass->forward(step);
  }
  const Buffer& last = *m_plan.output;
  copySamples<Copy::Out>(last, last.values, m_outputs.data(), 0, step.batch);
  return m_weightsFinite && passesFinite();
}

bool Pipeline::passesFinite() const {
  return std::all_of(m_plan.passes.begin(), m_plan.passes.end(),
                     [](const PlannedPass& planned) { return planned.pass->finite(); });
}

LossResult Pipeline::loss(const Step& step, const Batch& batch) {
  const Stopwatch watch(timesOf(m_profile.loss));
  m_scorer.checkTargets(batch, m_outputSize);  // tasks of the pool must not throw
  std::array<LossResult, kMostParts> parts;
  Buffer& last = *m_plan.output;
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
  for (std::size_t i = m_plan.passes.size(); i-- > 0;) {
    if (!m_plan.passes[i].backward) continue;
    const Stopwatch watch(m_profiling ? &m_profile.passes[i].backward : nullptr);
    m_plan.passes[i].pass->backward(step);
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
  for (const PlannedPass& planned : m_plan.passes) {
    Pass* const pass = planned.pass.get();
    if (!planned.learns) continue;
    for (int i = 0; i < pass->gradientTasks(step); ++i) gradients.push_back({pass, i});
    for (int i = 0; i < pass->updateTasks(step); ++i) updates.push_back({pass, i});
  }
  m_pool.run(int(gradients.size()), [&](int task, int) {
    gradients[std::size_t(task)].pass->gradientTask(step, gradients[std::size_t(task)].index);
  });
  if (!passesFinite()) return false;
  UpdateRule rule = makeUpdateRule(m_request.optimizer, learningRate, step.index);
  if (keepsGradients(m_request)) {
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
  for (const PlannedPass& planned : m_plan.passes)
    if (planned.learns) planned.pass->getGradients(gradients.data() + planned.pass->weightsOffset());
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
  for (const PlannedPass& planned : m_plan.passes) {
    const PassWork work = planned.pass->work();
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
  m_profile.passes.resize(m_plan.passes.size());
}

NetProfile Pipeline::profile() const {
  NetProfile result = m_profile;
  for (std::size_t i = 0; i < m_plan.passes.size(); ++i) result.passes[i].work = m_plan.passes[i].pass->work();
  return result;
}

}  // namespace

std::unique_ptr<CompiledNetwork> makePipeline(const CompileRequest& request, int threads) {
  Graph graph = analyseWithinMemory(request).graph;
  for (const Node& node : graph.nodes) {
    const Shape& in = graph.inputOf(node);
    const std::int64_t row = in.isImage() ? saturatingMul(std::int64_t{in.w} + 2048, in.c) : in.c;  // the widest frame
    if (saturatingMul(row, 128) > INT32_MAX || saturatingMul(in.size(), 16) > INT32_MAX ||
        node.parameters > INT32_MAX / 16)
      return nullptr;
  }
  return std::make_unique<Pipeline>(request, std::move(graph), threads);
}

}  // namespace strata

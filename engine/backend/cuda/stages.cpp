// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/stages.h"

#include <algorithm>

#include "engine/backend/cuda/channel_stages.h"
#include "engine/backend/cuda/host_stage.h"
#include "engine/backend/cuda/plain_stages.h"
#include "engine/backend/cuda/weight_stages.h"
#include "engine/layers/common.h"

namespace strata::cuda {
namespace {

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

/// Turns nodes into stages one by one.
class Lowering {
 public:
  Lowering(const Graph& graph, const std::set<std::string>& types, Shared& shared)
      : m_graph(graph), m_types(types), m_shared(shared), m_needed(graph.gradientsNeeded(true)),
        m_output(static_cast<int>(graph.values.size()) - 1), m_tensors(graph.values.size()),
        m_reluDense(graph.values.size()), m_readings(graph.values.size()), m_read(graph.values.size()) {
    for (const Node& node : graph.nodes)
      if (!node.def->reshapes)
        for (const int input : node.inputs) ++m_readings[at(source(input))];
    ++m_readings[at(source(m_output))];  // the loss, which writes its gradient
  }

  /// Makes the stage of a node, together with the next where they are fused. Returns how many nodes that were; 0 when
  /// there is no kernel for the node.
  using Maker = std::size_t (Lowering::*)(std::size_t node);
  static const std::map<std::string, Maker>& makers() {
    static const std::map<std::string, Maker> table{
        {"conv2d", &Lowering::addConv},
        {"depthwise_conv2d", &Lowering::addDepthwise},
        {"dense", &Lowering::addDense},
        {"max_pool2d", &Lowering::addPool},
        {"avg_pool2d", &Lowering::addPool},
        {"global_avg_pool", &Lowering::addGlobalAverage},
        {"batch_norm", &Lowering::addBatchNorm},
        {"activation", &Lowering::addActivation},
        {"dropout", &Lowering::addDropout},
        {"add", &Lowering::addJoin},
        {"average", &Lowering::addJoin},
        {"multiply", &Lowering::addJoin},
        {"max", &Lowering::addJoin},
        {"concat", &Lowering::addConcat},
    };
    return table;
  }

  std::vector<std::unique_ptr<Stage>> run() {
    std::size_t next = m_types.contains("conv2d") && m_types.contains("max_pool2d") ? addInputConvPool() : 0;
    if (next == 0) append(makeLoadStage(m_shared), "input", 0);
    while (next < m_graph.nodes.size()) next += addNode(next);
    if (m_tensors[at(m_output)]->values.storage() != Storage::Float32)  // a node that reshapes ended the net
      append(makeActivationStage(m_shared, read(m_output), Act::Linear), "logits", m_output);
    m_shared.arena.finish();
    for (const Index size : m_partSizes) m_shared.parts.emplace_back(m_shared.device, size, m_shared.storage());
    return std::move(m_stages);
  }

 private:
  static std::size_t at(int value) { return static_cast<std::size_t>(value); }
  static int outputOf(std::size_t node) { return static_cast<int>(node) + 1; }
  const Node& node(std::size_t i) const { return m_graph.nodes[i]; }
  const Fields& fields(std::size_t i) const { return node(i).fields; }
  Shape inOf(std::size_t i) const { return m_graph.inputOf(node(i)); }

  /// The value whose memory it is: of a node that only reshapes, its input's.
  int source(int value) const {
    while (value > 0 && node(at(value) - 1).def->reshapes) value = node(at(value) - 1).inputs.front();
    return value;
  }
  /// Whether `next` is the next node, runs here, and is all that reads what this one makes.
  bool onlyNext(std::size_t i, const std::string& next) const {
    const std::vector<int>& readers = m_graph.values[at(outputOf(i))].readers;
    return readers.size() == 1 && at(readers.front()) == i + 1 && node(i + 1).def->type == next &&
           m_types.contains(next);
  }
  bool poolRides(std::size_t i) const {
    return activationOf(fields(i)) == Activation::Relu && onlyNext(i, "max_pool2d");
  }

  /// The value for the stage that is being made.
  Input read(int value) {
    const int from = source(value);
    Tensor& tensor = *m_tensors[at(from)];
    // The last to read is the first to come back.
    if (++m_read[at(from)] == m_readings[at(from)] || !tensor.gradients) return {m_shared, tensor};
    const std::size_t part = m_partsInUse++;
    m_partSizes.resize(std::max(m_partSizes.size(), m_partsInUse));
    m_partSizes[part] = std::max(m_partSizes[part], m_shared.maxBatch * tensor.size);
    return {m_shared, tensor, static_cast<int>(part)};
  }
  std::vector<Input> readAll(std::size_t i) {
    std::vector<Input> inputs;
    for (const int input : node(i).inputs) inputs.push_back(read(input));
    return inputs;
  }

  /// A stage whose output is the value, or becomes it in the next.
  Tensor& append(std::unique_ptr<Stage> stage, const std::string& layers, int value) {
    const Index size = m_graph.values[at(value)].shape.size(), most = m_shared.maxBatch * size;
    stage->layers = layers;
    stage->inBackward = m_needed[at(value)];
    stage->out.size = size;
    stage->out.values = {m_shared.device, most, value == m_output ? Storage::Float32 : m_shared.storage()};
    if (m_needed[at(value)] || value == source(m_output) || value == m_output)
      stage->out.gradients = {m_shared.device, most, m_shared.storage()};
    m_tensors[at(value)] = &stage->out;
    m_stages.push_back(std::move(stage));
    return m_stages.back()->out;
  }
  /// For what of a layer's activation its stage does not compute.
  void appendActivation(Act act, std::size_t i) {
    if (act == Act::Linear || act == Act::Relu) return;
    append(makeActivationStage(m_shared, {m_shared, *m_tensors[at(outputOf(i))]}, act), node(i).path, outputOf(i));
  }

  /// Which gradients the last Reduce writes, and whether the kernel lies as [K, R*S*C].
  struct Variables {
    bool kernelLate = false, othersLate = false, reordered = false;
  };
  void addVariables(std::size_t i, const Variables& as) {
    std::int64_t canonical = node(i).weightsOffset;
    for (std::size_t which = 0; which < node(i).params.size(); ++which) {
      const ParamInfo& param = node(i).params[which];
      ParamPlace place{canonical, 0, param.size(), 0, 0};
      if (which == 0 && as.reordered)
        place.k = param.shape.back(), place.rsc = static_cast<int>(param.size() / place.k);
      const bool late = which == 0 ? as.kernelLate : as.othersLate;
      m_shared.arena.add({i, which}, place,
                         !node(i).trainable                       ? ParamKind::Frozen
                         : param.role == ParamInfo::Role::Running ? ParamKind::Running
                         : late                                   ? ParamKind::Late
                                                                  : ParamKind::Early);
      canonical += param.size();
    }
  }

  std::size_t addNode(std::size_t i) {
    m_partsInUse = 0;
    if (node(i).def->reshapes) {
      m_tensors[at(outputOf(i))] = m_tensors[at(node(i).inputs.front())];
      return 1;
    }
    const auto maker = makers().find(node(i).def->type);
    if (maker != makers().end() && m_types.contains(maker->first))
      if (const std::size_t nodes = (this->*maker->second)(i)) return nodes;
    addVariables(i, {});
    append(makeHostStage(m_shared, m_graph, i, readAll(i)), node(i).path, outputOf(i));
    return 1;
  }

  /// Whether a convolution's window has no gaps and sees all channels: others have no kernel yet.
  bool plain(std::size_t i) const {
    return fields(i).pair("dilation_rate") == Pair{1, 1} &&
           (!fields(i).has("groups") || fields(i).integer("groups") == 1);
  }

  ConvShape convShape(std::size_t i) const {
    ConvShape shape;
    shape.window = convWindow(fields(i), inOf(i));
    if (poolRides(i)) shape.pool = poolWindow(fields(i + 1), inOf(i + 1));
    shape.channels = inOf(i).c;
    shape.filters = m_graph.outputOf(i).c;
    shape.bias = fields(i).flag("use_bias");
    shape.relu = activationOf(fields(i)) == Activation::Relu;
    shape.node = i;
    shape.learns = node(i).trainable;
    return shape;
  }

  std::size_t addInputConvPool() {
    if (m_readings.front() != 1 || node(0).def->type != "conv2d" || inOf(0).c != 1 || !plain(0) || !poolRides(0))
      return 0;
    addVariables(0, {true, true, false});
    append(makeInputConvPoolStage(m_shared, convShape(0)), node(0).path + " + " + node(1).path, 2);
    return 2;
  }

  std::size_t addConv(std::size_t i) {
    if (!plain(i)) return 0;
    const Act act = activationOf(fields(i));
    const ConvShape shape = convShape(i);
    auto stage = std::make_unique<ConvStage>(m_shared, shape, read(node(i).inputs.front()));
    addVariables(i, {stage->reduced(), true, !stage->own()});
    append(std::move(stage), shape.pool ? node(i).path + " + " + node(i + 1).path : node(i).path,
           outputOf(shape.pool ? i + 1 : i));
    if (shape.pool) return 2;
    appendActivation(act, i);
    return 1;
  }

  /// The activation of a layer whose stage knows all of them; or, of a linear one, of the activation behind it, which
  /// is then taken along.
  struct Bend {
    Act act;
    bool nextToo;
  };
  Bend bendOf(std::size_t i, Act own) const {
    const bool nextToo = own == Act::Linear && onlyNext(i, "activation");
    return {nextToo ? activationOf(fields(i + 1)) : own, nextToo};
  }
  std::size_t appendBent(std::unique_ptr<Stage> stage, std::size_t i, const Bend& bend) {
    append(std::move(stage), bend.nextToo ? node(i).path + " + " + node(i + 1).path : node(i).path,
           outputOf(bend.nextToo ? i + 1 : i));
    return bend.nextToo ? 2 : 1;
  }

  std::size_t addDepthwise(std::size_t i) {
    if (!plain(i)) return 0;
    const Bend bend = bendOf(i, activationOf(fields(i)));
    DepthwiseShape shape;
    shape.window = convWindow(fields(i), inOf(i));
    shape.channels = inOf(i).c;
    shape.each = m_graph.outputOf(i).c / inOf(i).c;
    shape.bias = fields(i).flag("use_bias");
    shape.act = bend.act;
    shape.node = i;
    shape.learns = node(i).trainable;
    addVariables(i, {true, true, false});
    return appendBent(makeDepthwiseStage(m_shared, shape, read(node(i).inputs.front())), i, bend);
  }

  std::size_t addBatchNorm(std::size_t i) {
    const Bend bend = bendOf(i, activationOf(fields(i)));
    BatchNormShape shape;
    shape.channels = inOf(i).c;
    shape.pixels = inOf(i).size() / inOf(i).c;
    shape.scale = fields(i).flag("scale");
    shape.center = fields(i).flag("center");
    shape.momentum = fields(i).real("momentum");
    shape.epsilon = fields(i).real("epsilon");
    shape.act = bend.act;
    shape.node = i;
    shape.learns = node(i).trainable;
    addVariables(i, {});
    return appendBent(makeBatchNormStage(m_shared, shape, read(node(i).inputs.front())), i, bend);
  }

  std::size_t addDense(std::size_t i) {
    const Act act = activationOf(fields(i));
    if (!inOf(i).isVector()) return 0;
    const int units = m_graph.outputOf(i).c, from = source(node(i).inputs.front());
    addVariables(i, {false, true, false});
    auto stage = std::make_unique<DenseStage>(m_shared, read(from), units, fields(i).flag("use_bias"), act == Act::Relu,
                                              i, node(i).trainable);
    if (m_reluDense[at(from)] && m_readings[at(from)] == 1 && units <= DenseStage::kNarrow)
      m_reluDense[at(from)]->takeAlong(*stage);
    if (act == Act::Relu) m_reluDense[at(outputOf(i))] = stage.get();
    append(std::move(stage), node(i).path, outputOf(i));
    appendActivation(act, i);
    return 1;
  }

  std::size_t addPool(std::size_t i) {
    append(makePoolStage(m_shared, read(node(i).inputs.front()), poolWindow(fields(i), inOf(i)), inOf(i).c,
                         node(i).def->type == "max_pool2d"),
           node(i).path, outputOf(i));
    return 1;
  }

  std::size_t addGlobalAverage(std::size_t i) {
    append(makeGlobalAverageStage(m_shared, read(node(i).inputs.front()), inOf(i).c), node(i).path, outputOf(i));
    return 1;
  }

  std::size_t addActivation(std::size_t i) {
    const Act act = activationOf(fields(i));
    append(makeActivationStage(m_shared, read(node(i).inputs.front()), act), node(i).path, outputOf(i));
    return 1;
  }

  std::size_t addDropout(std::size_t i) {
    append(makeDropoutStage(m_shared, read(node(i).inputs.front()), fields(i).real("rate"), node(i).stream),
           node(i).path, outputOf(i));
    return 1;
  }

  /// With an activation behind it, as in a residual block.
  std::size_t addJoin(std::size_t i) {
    static const std::map<std::string, Merge> merges{
        {"add", Merge::Add}, {"average", Merge::Average}, {"multiply", Merge::Multiply}, {"max", Merge::Max}};
    if (node(i).inputs.size() > kMostJoined) return 0;
    const Bend bend = bendOf(i, Act::Linear);
    return appendBent(makeJoinStage(m_shared, readAll(i), merges.at(node(i).def->type), bend.act), i, bend);
  }

  std::size_t addConcat(std::size_t i) {
    if (node(i).inputs.size() > kMostJoined) return 0;
    std::vector<int> channels;
    for (const int input : node(i).inputs) channels.push_back(m_graph.values[at(input)].shape.c);
    append(makeConcatStage(m_shared, readAll(i), channels), node(i).path, outputOf(i));
    return 1;
  }

  const Graph& m_graph;
  const std::set<std::string>& m_types;
  Shared& m_shared;
  const std::vector<bool> m_needed;  ///< of each value: training needs its gradient
  const int m_output;                ///< the last value
  std::vector<std::unique_ptr<Stage>> m_stages;
  std::vector<Tensor*> m_tensors;        ///< by value; null where it is never stored
  std::vector<DenseStage*> m_reluDense;  ///< by value: what makes it, where that is such a layer
  std::vector<int> m_readings, m_read;   ///< by value: how often its memory is read, in all and so far
  std::size_t m_partsInUse = 0;          ///< by the stage that is being made
  std::vector<Index> m_partSizes;
};

}  // namespace

In<float> Shared::weight(ParamId param) const {
  return weights.in().slice(arena.at(param).offset, arena.at(param).size);
}
In<Real> Shared::operand(ParamId param) const {
  if (!rounded) return weight(param);
  return rounded.in(arena.size()).slice(arena.at(param).offset, arena.at(param).size);
}
Out<float> Shared::gradient(ParamId param) const {
  return gradients.out().slice(arena.at(param).offset, arena.at(param).size);
}

Out<Real> Input::gradient(int batch) const {
  const RealBuffer& to = m_part == kWrites ? m_tensor->gradients : m_shared->parts[static_cast<std::size_t>(m_part)];
  return to.out(batch * size());
}

void Input::addPart(int batch) const {
  if (m_part == kWrites) return;
  const Index count = batch * size();
  launch(m_shared->device, Lane::Main,
         AddPart{m_shared->parts[static_cast<std::size_t>(m_part)].in(count), m_tensor->gradients.update(count)},
         count);
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

const std::set<std::string>& stageTypes() {
  static const std::set<std::string> types = [] {
    std::set<std::string> all;
    for (const auto& [type, maker] : Lowering::makers()) all.insert(type);
    return all;
  }();
  return types;
}

std::vector<std::unique_ptr<Stage>> makeStages(const Graph& graph, const std::set<std::string>& types, Shared& shared) {
  return Lowering(graph, types, shared).run();
}

}  // namespace strata::cuda

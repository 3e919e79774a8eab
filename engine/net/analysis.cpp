// SPDX-License-Identifier: Apache-2.0
// One walk down the net finds issues, shapes and costs and flattens it.
#include "engine/net/analysis.h"

#include <algorithm>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace strata {
namespace {

constexpr int kUnknown = -1;  ///< in the place of a value: its shape is not known
/// Streams of random numbers of layers in containers start here, so that those of the net's own stack are as they were
/// before there were containers.
constexpr std::uint64_t kNestedStreams = 1 << 12;

/// Walks down the net once; each step finds one layer's issues, shape and costs and adds its nodes.
class Analyst {
 public:
  Analyst(const NetworkSpec& spec, OutputRule rule) : m_spec(spec), m_rule(rule), m_used(namesIn(spec)) {}

  Analysis run() {
    checkWhole();
    const bool sound = m_analysis.ok();
    m_analysis.graph.values.push_back({sound ? m_spec.input : Shape{}, {}});
    m_analysis.activations = m_analysis.graph.values.front().shape.size();
    std::set<std::string> names;
    const int output = walkStack(m_spec.layers, names, {}, sound ? 0 : kUnknown);
    checkTotals();
    if (m_analysis.ok() && m_rule) m_rule(m_spec, shapeOf(output), m_analysis.issues);
    return std::move(m_analysis);
  }

 private:
  class Join;

  /// What holds the layer that is walked.
  struct Surroundings {
    std::string prefix;  ///< of paths: "res1/"
    int depth = 0;
    bool trainable = true;
    const std::vector<TwinDef>* twins = nullptr;  ///< the nodes that the one layer in there becomes
    std::vector<int>* twinOutputs = nullptr;
  };

  LayerAnalysis& found(int layer) { return m_analysis.layers[static_cast<std::size_t>(layer)]; }
  Shape shapeOf(int value) const {
    return value == kUnknown ? Shape{} : m_analysis.graph.values[static_cast<std::size_t>(value)].shape;
  }

  void add(int layer, const std::string& field, const std::string& text, std::vector<Fix> fixes = {},
           Issue::Level level = Issue::Level::Error) {
    m_analysis.issues.push_back({layer, field, level, text, std::move(fixes)});
  }

  void checkWhole() {
    const Shape in = m_spec.input;
    const bool sane = in.known() && in.rank <= 3 && in.h >= 1 && in.h <= kMaxSide && in.w >= 1 && in.w <= kMaxSide &&
                      (in.isImage() || in.w == 1) && (!in.isVector() || in.h == 1);
    if (!sane || in.c < 1 || in.c > kMaxChannels || in.size() > kMaxElements)
      add(-1, "input", "An input of " + in.text() + " is not possible.");
    if (m_spec.classes < 2 || m_spec.classes > kMaxClasses)
      add(-1, "classes",
          "A classifier needs 2 to " + grouped(kMaxClasses) + " classes; got " + std::to_string(m_spec.classes) + ".");
    if (m_spec.layers.empty()) add(-1, "", "The stack has no layers. Add one from the palette.");
    if (const int count = layerCount(m_spec); count > kMaxLayers)
      add(-1, "", "The stack has " + grouped(count) + " layers; at most " + grouped(kMaxLayers) + " are allowed.");
  }

  void checkName(int layer, const std::string& name, const std::string& stem, std::set<std::string>& taken) {
    const bool again = !taken.insert(name).second;
    if (usableName(name) && !again) return;
    const std::string better = unusedName(m_used, stem);
    const std::string text = name.empty() ? "The layer has no name."
                             : again      ? "Another layer is named " + inQuotes(name) + " too."
                                          : "A name has at most 64 letters, digits, _ and -; no spaces and no dots.";
    add(layer, "name", text, {{"Name it " + better, "name", better, {}}});
  }

  /// Returns the value that the stack makes of `input`. `names` are those in use around it.
  int walkStack(const std::vector<LayerSpec>& stack, std::set<std::string>& names, const Surroundings& around,
                int input) {
    int top = 0;
    for (const LayerSpec& layer : stack) {
      const std::uint64_t stream = around.depth == 0 ? static_cast<std::uint64_t>(top++) : kNestedStreams + m_nested++;
      input = walkLayer(layer, names, around, stream, input);
    }
    return input;
  }

  /// Returns the layer's output; unknown when the input is, or when the layer has an error.
  int walkLayer(const LayerSpec& layer, std::set<std::string>& names, const Surroundings& around, std::uint64_t stream,
                int input) {
    const int number = static_cast<int>(m_analysis.layers.size());
    m_analysis.layers.emplace_back();
    LayerAnalysis& here = found(number);
    here.def = findLayer(layer.type);
    here.path = around.prefix + layer.name;
    here.depth = around.depth;
    here.in = shapeOf(input);
    checkName(number, layer.name, here.def ? here.def->stem : "layer", names);
    if (!here.def || here.def->hidden) {
      add(number, "", "There is no layer of type " + inQuotes(layer.type) + ".");
      return kUnknown;
    }
    if (!checkFields(number, layer, *here.def)) input = kUnknown;
    const bool trainable = around.trainable && layer.trainable;
    int output = kUnknown;
    if (here.def->isContainer())
      output = walkContainer(number, layer, {here.path + "/", around.depth + 1, trainable}, input);
    else if (around.twins) output = addTwins(number, layer, around, input);
    else output = addLayer(number, layer, trainable, stream, input);
    found(number).out = shapeOf(output);
    found(number).value = output;
    return output;
  }

  bool checkFields(int number, const LayerSpec& layer, const LayerDef& def) {
    bool sound = true;
    for (const Field& field : def.fields) {
      const auto problem = problemWith(field, layer.fields.at(field.id));
      if (problem) add(number, field.id, *problem + ".");
      sound &= !problem;
    }
    return sound;
  }

  int addLayer(int number, const LayerSpec& layer, bool trainable, std::uint64_t stream, int input) {
    if (input == kUnknown) return kUnknown;
    const std::size_t before = m_analysis.graph.nodes.size();
    Node node;
    node.def = found(number).def;
    node.fields = layer.fields;
    node.path = node.owner = found(number).path;
    node.inputs = {input};
    node.stream = stream;
    node.trainable = trainable;
    node.layer = number;
    const int output =
        node.def->expand ? expandLayer(number, layer, trainable, stream, input) : addActivated(std::move(node));
    if (output != kUnknown)
      for (std::size_t i = before; i < m_analysis.graph.nodes.size(); ++i)
        for (const ParamInfo& param : m_analysis.graph.nodes[i].params) found(number).params.push_back(param);
    return output;
  }

  /// The layer once for each twin; what the first puts out stands for all. Each has random numbers of its own.
  int addTwins(int number, const LayerSpec& layer, const Surroundings& around, int input) {
    for (const TwinDef& twin : *around.twins) {
      LayerSpec one = layer;
      for (const auto& [field, value] : twin.with) one.fields.set(field, value);
      const int output = addLayer(number, one, around.trainable && layer.trainable, kNestedStreams + m_nested++, input);
      if (output == kUnknown) return kUnknown;
      Node& made = m_analysis.graph.nodes.back();
      made.path = made.owner = around.prefix + twin.name;
      around.twinOutputs->push_back(output);
    }
    return around.twinOutputs->front();
  }

  std::vector<int> walkTwins(int number, const LayerSpec& layer, Surroundings inside, int input);
  int expandLayer(int number, const LayerSpec& layer, bool trainable, std::uint64_t stream, int input);
  int walkContainer(int number, const LayerSpec& layer, const Surroundings& inside, int input);

  /// Adds a node, and its activation as one of its own where that is a type of layer: one whose gradient needs its
  /// input, so that no layer can do it in place.
  int addActivated(Node node, const std::vector<std::string>& variables = {}) {
    const LayerDef* curve = node.fields.has("activation") ? findLayer(node.fields.text("activation")) : nullptr;
    if (!curve) return addNode(std::move(node), variables);
    Node behind;
    behind.def = curve;
    behind.fields = Fields(curve->fields);
    behind.trainable = node.trainable;
    behind.layer = node.layer;
    if (node.def->onlyActivates) {
      behind.path = node.path;
      behind.inputs = node.inputs;
    } else {
      behind.path = node.owner + "/activation";
      node.fields.set("activation", std::string("linear"));
      const int before = addNode(std::move(node), variables);
      if (before == kUnknown) return kUnknown;
      behind.inputs = {before};
    }
    behind.owner = behind.path;
    return addNode(std::move(behind));
  }

  /// Adds a node whose inputs are known. Its issues become those of the layer that it comes from.
  int addNode(Node node, const std::vector<std::string>& variables = {}) {
    std::vector<Shape> ins;
    for (const int in : node.inputs) ins.push_back(shapeOf(in));
    const ShapeResult result =
        node.def->joins() ? node.def->inferJoin(node.fields, ins) : node.def->inferShape(node.fields, ins.front());
    if (result.issue) {
      m_analysis.issues.push_back(*result.issue);
      m_analysis.issues.back().layer = node.layer;
    }
    if (!result.out.known()) return kUnknown;
    if (result.out.size() > kMaxElements) {
      add(node.layer, "",
          "The output of " + result.out.text() + " is too large; at most " + grouped(kMaxElements) +
              " values are allowed.");
      return kUnknown;
    }
    if (!count(node, ins.front())) return kUnknown;
    for (std::size_t i = 0; i < std::min(variables.size(), node.params.size()); ++i) node.params[i].name = variables[i];
    return append(std::move(node), result.out);
  }

  /// Parameters and costs. False when there are too many.
  bool count(Node& node, Shape in) {
    node.params = node.def->params(node.fields, in);
    for (const ParamInfo& param : node.params) node.parameters = saturatingAdd(node.parameters, param.size());
    if (node.parameters > kMaxElements) {
      add(node.layer, "",
          "The layer would have " + grouped(node.parameters) + " weights; at most " + grouped(kMaxElements) +
              " are allowed.");
      return false;
    }
    node.weightsOffset = m_analysis.parameters;
    node.macs = node.def->macs(node.fields, in);
    LayerAnalysis& here = found(node.layer);
    here.parameters = saturatingAdd(here.parameters, node.parameters);
    here.macs = saturatingAdd(here.macs, node.macs);
    m_analysis.parameters = saturatingAdd(m_analysis.parameters, node.parameters);
    m_analysis.macs = saturatingAdd(m_analysis.macs, node.macs);
    return true;
  }

  int append(Node node, Shape out) {
    Graph& graph = m_analysis.graph;
    for (const int input : node.inputs)
      graph.values[static_cast<std::size_t>(input)].readers.push_back(static_cast<int>(graph.nodes.size()));
    m_analysis.activations = saturatingAdd(m_analysis.activations, out.size());
    graph.nodes.push_back(std::move(node));
    graph.values.push_back({out, {}});
    return static_cast<int>(graph.values.size()) - 1;
  }

  void checkTotals() {
    if (m_analysis.parameters > kMaxElements)
      add(-1, "",
          "The net has " + grouped(m_analysis.parameters) + " weights; at most " + grouped(kMaxElements) +
              " are allowed.");
    if (m_analysis.activations > kMaxElements)
      add(-1, "",
          "All layer outputs of one sample hold " + grouped(m_analysis.activations) + " values; at most " +
              grouped(kMaxElements) + " are allowed.");
  }

  const NetworkSpec& m_spec;
  const OutputRule m_rule;
  Analysis m_analysis;
  const std::set<std::string> m_used;  ///< names of all layers
  std::uint64_t m_nested = 0;          ///< layers in containers walked so far
};

/// What a container's join() sees of the walk.
class Analyst::Join : public Joining {
 public:
  /// stream: of the first node's random numbers, each further one having one of its own; nothing where they draw none.
  Join(Analyst& analyst, int number, const LayerSpec& layer, bool trainable, std::vector<int> outputs,
       std::optional<std::uint64_t> stream = {})
      : m_analyst(analyst), m_number(number), m_layer(layer), m_trainable(trainable), m_outputs(std::move(outputs)),
        m_stream(stream) {}

  const Fields& fields() const override { return m_layer.fields; }
  const std::vector<int>& outputs() const override { return m_outputs; }
  Shape shapeOf(int value) const override { return m_analyst.shapeOf(value); }
  int node(const std::string& type, const std::string& name, const std::string& fields, const std::vector<int>& inputs,
           const std::vector<std::string>& variables) override {
    Node node;
    node.def = findLayer(type);
    const std::string& layer = m_analyst.found(m_number).path;
    node.path = layer + "/" + name;
    node.owner = variables.empty() ? node.path : layer;
    node.fields = fieldsFromJson(node.def->fields, Json::parse(fields), node.path, {});
    node.inputs = inputs;
    node.trainable = m_trainable;
    node.layer = m_number;
    if (m_stream) {
      node.stream = *m_stream;
      m_stream = kNestedStreams + m_analyst.m_nested++;
    }
    return m_analyst.addActivated(std::move(node), variables);
  }
  void add(Issue issue) override {
    issue.layer = m_number;
    std::erase_if(issue.fixes, [this](const Fix& fix) { return !mends(fix); });
    m_analyst.m_analysis.issues.push_back(std::move(issue));
  }

 private:
  /// Whether the container, standing alone, is sound with it. What changes nothing mends nothing, which ends the trials
  /// within trials.
  bool mends(const Fix& fix) const {
    NetworkSpec before;
    before.input = m_analyst.found(m_number).in;
    before.layers = {m_layer};
    NetworkSpec trial = before;
    Issue alone;
    alone.layer = 0;
    applyFix(trial, alone, fix);
    return trial != before && Analyst(trial, nullptr).run().ok();
  }

  Analyst& m_analyst;
  const int m_number;
  const LayerSpec& m_layer;
  const bool m_trainable;
  const std::vector<int> m_outputs;
  std::optional<std::uint64_t> m_stream;
};

/// What the twins of the one layer put out; unknown, with an issue, where the stack holds anything else.
std::vector<int> Analyst::walkTwins(int number, const LayerSpec& layer, Surroundings inside, int input) {
  const LayerDef& def = *found(number).def;
  const std::vector<LayerSpec>& stack = layer.stacks.front();
  std::set<std::string> names;
  std::vector<int> outputs;
  const LayerDef* inner = stack.size() == 1 ? findLayer(stack.front().type) : nullptr;
  if (inner && inner->recurrent) {
    inside.twins = &def.twins;
    inside.twinOutputs = &outputs;
    if (walkStack(stack, names, inside, input) == kUnknown) return {kUnknown};
    return outputs;
  }
  walkStack(stack, names, inside, input);
  const std::string holds = stack.empty() ? "it holds none"
                            : !inner      ? "it holds " + counted(std::ssize(stack), "layer")
                                          : "it holds " + inQuotes(stack.front().name) + " (" + inner->title + ")";
  std::vector<Fix> fixes;
  if (stack.empty()) fixes = {{"Put an LSTM into it", "", {}, "lstm", 0}};
  add(number, "", def.title + " needs exactly one recurrent layer inside; " + holds + ".", fixes);
  return {kUnknown};
}

int Analyst::expandLayer(int number, const LayerSpec& layer, bool trainable, std::uint64_t stream, int input) {
  const LayerDef& def = *found(number).def;
  Join join(*this, number, layer, trainable, {input}, stream);
  const ShapeResult result = def.inferShape(layer.fields, shapeOf(input));
  if (result.issue) join.add(*result.issue);
  return result.out.known() ? def.expand(join) : kUnknown;
}

int Analyst::walkContainer(int number, const LayerSpec& layer, const Surroundings& inside, int input) {
  const LayerDef& def = *found(number).def;
  if (inside.depth > kMaxDepth) {
    add(number, "", "Containers can be nested " + std::to_string(kMaxDepth) + " deep at most.");
    input = kUnknown;
  }
  const std::size_t before = m_analysis.graph.nodes.size();
  std::vector<int> outputs;
  std::set<std::string> names;
  const bool twins = !def.twins.empty() && layer.stacks.size() == 1;
  if (twins) outputs = walkTwins(number, layer, inside, input);
  else
    for (const auto& stack : layer.stacks) outputs.push_back(walkStack(stack, names, inside, input));
  const std::size_t wanted = def.stacks.size();
  if (def.anyStacks ? outputs.empty() || outputs.size() > kMaxStacks : layer.stacks.size() != wanted) {
    add(number, "",
        def.anyStacks ? "It holds 1 to " + std::to_string(kMaxStacks) + " stacks; got " +
                            counted(std::ssize(outputs), "stack") + "."
                      : "It holds " + counted(std::ssize(def.stacks), "stack") + "; got " +
                            std::to_string(layer.stacks.size()) + ".");
    return kUnknown;
  }
  if (input == kUnknown || std::find(outputs.begin(), outputs.end(), kUnknown) != outputs.end()) return kUnknown;
  Join join(*this, number, layer, inside.trainable, std::move(outputs));
  const int output = def.join(join);
  LayerAnalysis& here = found(number);
  here.parameters = here.macs = 0;
  for (std::size_t i = before; i < m_analysis.graph.nodes.size(); ++i) {
    here.parameters += m_analysis.graph.nodes[i].parameters;
    here.macs = saturatingAdd(here.macs, m_analysis.graph.nodes[i].macs);
  }
  return output;
}

}  // namespace

bool Analysis::ok() const {
  return std::none_of(issues.begin(), issues.end(),
                      [](const Issue& issue) { return issue.level == Issue::Level::Error; });
}

std::int64_t Analysis::trainingBytes(int batch, int optimizerSlots) const {
  const std::int64_t perBatch = saturatingMul(2 * activations, batch);
  const std::int64_t perWeight = saturatingMul(parameters, 2 + optimizerSlots);
  return saturatingMul(saturatingAdd(perBatch, perWeight), sizeof(float));
}

std::int64_t Analysis::inferenceBytes(int batch) const {
  return saturatingMul(saturatingAdd(saturatingMul(activations, batch), parameters), 2 * sizeof(float));
}

void classifierOutput(const NetworkSpec& spec, const Shape& out, std::vector<Issue>& issues) {
  const int last = numberAt(spec, {-1, 0, static_cast<int>(spec.layers.size()) - 1});
  const auto add = [&](const std::string& field, Issue::Level level, const std::string& text,
                       std::vector<Fix> fixes = {}) {
    issues.push_back({last, field, level, text, std::move(fixes)});
  };
  const LayerSpec& layer = spec.layers.back();
  const LayerDef* def = findLayer(layer.type);
  const std::string classes = std::to_string(spec.classes), width = def ? def->width : "";
  if (!out.isVector() && width == "units")
    add("", Issue::Level::Error,
        "The last layer answers at each place of its input; an answer is one vector of " + classes +
            " classes. Put a Flatten layer before it.",
        {{"Add Flatten", {}, {}, "flatten"}});
  else if (out != Shape::vector(spec.classes) && width == "units")
    add(width, Issue::Level::Error,
        "The last layer has " + counted(out.c, "unit") + ", but the data have " + classes + " classes.",
        {{"Use " + classes + " units", width, std::int64_t{spec.classes}, {}}});
  else if (out != Shape::vector(spec.classes))
    add("", Issue::Level::Error,
        "The last layer puts out " + out.text() + ", but the data have " + classes +
            " classes. End with a Dense layer of " + classes + " units.");
  else if (layer.fields.has("activation") && layer.fields.text("activation") != "linear")
    add("activation", Issue::Level::Warning,
        "The last layer bends its output, but the loss takes it as it is and adds the softmax itself.",
        {{"Set activation to Linear", "activation", std::string("linear"), {}}});
  else if (def && def->onlyInTraining)
    add("", Issue::Level::Warning,
        def->title + " after the last Dense layer drops answers. Move it before that layer.");
}

Analysis analyse(const NetworkSpec& spec, OutputRule rule) { return Analyst(spec, rule).run(); }

Analysis soundAnalysis(const NetworkSpec& spec) {
  Analysis analysis = analyse(spec, nullptr);
  for (const Issue& issue : analysis.issues)
    if (issue.level == Issue::Level::Error)
      throw Error(Error::Kind::Input, issue.layer < 0 ? "network" : pathOf(spec, issue.layer),
                  issue.text.substr(0, issue.text.size() - 1));
  return analysis;
}

Graph lower(const NetworkSpec& spec) { return soundAnalysis(spec).graph; }

}  // namespace strata

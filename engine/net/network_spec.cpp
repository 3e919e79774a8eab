// SPDX-License-Identifier: Apache-2.0
// analyse() and the stack's JSON.
#include "engine/net/network_spec.h"

#include <algorithm>
#include <set>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace strata {
namespace {

bool usableName(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), allowed);
}

std::set<std::string> namesIn(const NetworkSpec& spec) {
  std::set<std::string> names;
  for (const LayerSpec& layer : spec.layers) names.insert(layer.name);
  return names;
}

/// "conv3": the stem and the lowest number that is not used.
std::string unusedName(const std::set<std::string>& used, const std::string& stem) {
  for (int number = 1;; ++number)
    if (const std::string name = stem + std::to_string(number); !used.contains(name)) return name;
}

/// Walks down the stack once; each step finds one layer's issues, shape and costs.
class Analyst {
 public:
  Analyst(const NetworkSpec& spec, OutputRule rule) : m_spec(spec), m_rule(rule), m_used(namesIn(spec)) {}

  Analysis run() {
    m_analysis.layers.resize(m_spec.layers.size());
    checkWhole();
    Shape shape = m_analysis.ok() ? m_spec.input : Shape{};
    m_analysis.activations = shape.size();
    for (std::size_t i = 0; i < m_analysis.layers.size(); ++i) shape = checkLayer(static_cast<int>(i), shape);
    checkTotals();
    if (m_analysis.ok() && m_rule) m_rule(m_spec, shape, m_analysis.issues);
    return std::move(m_analysis);
  }

 private:
  void add(int layer, const std::string& field, const std::string& text, std::vector<Fix> fixes = {},
           Issue::Level level = Issue::Level::Error) {
    m_analysis.issues.push_back({layer, field, level, text, std::move(fixes)});
  }

  void checkWhole() {
    const Shape in = m_spec.input;
    const bool sane = in.rank == 3 ? in.h >= 1 && in.h <= kMaxSide && in.w >= 1 && in.w <= kMaxSide
                                   : in.rank == 1 && in.h == 1 && in.w == 1;
    if (!sane || in.c < 1 || in.c > kMaxChannels || in.size() > kMaxElements)
      add(-1, "input", "An input of " + in.text() + " is not possible.");
    if (m_spec.classes < 2 || m_spec.classes > kMaxClasses)
      add(-1, "classes",
          "A classifier needs 2 to " + grouped(kMaxClasses) + " classes; got " + std::to_string(m_spec.classes) + ".");
    if (m_spec.layers.empty()) add(-1, "", "The stack has no layers. Add one from the palette.");
    if (m_spec.layers.size() > static_cast<std::size_t>(kMaxLayers))
      add(-1, "",
          "The stack has " + grouped(std::ssize(m_spec.layers)) + " layers; at most " + grouped(kMaxLayers) +
              " are allowed.");
  }

  void checkName(int index, const std::string& name, const std::string& stem) {
    const bool taken = !m_names.insert(name).second;
    if (usableName(name) && !taken) return;
    const std::string better = unusedName(m_used, stem);
    const std::string text = name.empty() ? "The layer has no name."
                             : taken      ? "Another layer is named " + inQuotes(name) + " too."
                                          : "A name has at most 64 letters, digits, _ and -; no spaces and no dots.";
    add(index, "name", text, {{"Name it " + better, "name", better, {}}});
  }

  /// Returns the output's shape; unknown when the input's is, or when the layer has an error.
  Shape checkLayer(int index, Shape in) {
    const LayerSpec& layer = m_spec.layers[static_cast<std::size_t>(index)];
    LayerAnalysis& found = m_analysis.layers[static_cast<std::size_t>(index)];
    found.def = findLayer(layer.type);
    found.in = in;
    checkName(index, layer.name, found.def ? found.def->stem : "layer");
    if (!found.def) {
      add(index, "", "There is no layer of type " + inQuotes(layer.type) + ".");
      return {};
    }
    if (!checkFields(index, layer, *found.def) || !in.known()) return {};
    const ShapeResult result = found.def->inferShape(layer.fields, in);
    if (result.issue) {
      m_analysis.issues.push_back(*result.issue);
      m_analysis.issues.back().layer = index;
    }
    if (!result.out.known()) return {};
    if (result.out.size() > kMaxElements) {
      add(index, "",
          "The output of " + result.out.text() + " is too large; at most " + grouped(kMaxElements) +
              " values are allowed.");
      return {};
    }
    return count(index, layer, result.out) ? found.out : Shape{};
  }

  bool checkFields(int index, const LayerSpec& layer, const LayerDef& def) {
    bool sound = true;
    for (const Field& field : def.fields) {
      const auto problem = problemWith(field, layer.fields.at(field.id));
      if (problem) add(index, field.id, *problem + ".");
      sound &= !problem;
    }
    return sound;
  }

  /// Parameters and costs of a layer whose shapes are known. False when there are too many.
  bool count(int index, const LayerSpec& layer, Shape out) {
    LayerAnalysis& found = m_analysis.layers[static_cast<std::size_t>(index)];
    found.params = found.def->params(layer.fields, found.in);
    for (const ParamInfo& param : found.params) found.parameters = saturatingAdd(found.parameters, param.size());
    if (found.parameters > kMaxElements) {
      add(index, "",
          "The layer would have " + grouped(found.parameters) + " weights; at most " + grouped(kMaxElements) +
              " are allowed.");
      return false;
    }
    found.out = out;
    found.weightsOffset = m_analysis.parameters;
    found.macs = found.def->macs(layer.fields, found.in);
    m_analysis.parameters += found.parameters;
    m_analysis.macs = saturatingAdd(m_analysis.macs, found.macs);
    m_analysis.activations += out.size();
    return true;
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
  const std::set<std::string> m_used;  ///< names of the whole stack
  std::set<std::string> m_names;       ///< of the layers walked so far
};

int sizeFromJson(const Json& json, int high, const std::string& where) {
  const bool whole =
      json.is_number_integer() && (json.is_number_unsigned() ? json.get<std::uint64_t>() <= INT64_MAX : true);
  const std::int64_t size = whole ? json.get<std::int64_t>() : 0;
  if (size < 1 || size > high)
    throw Error(Error::Kind::Input, where, "must be a whole number of 1 to " + std::to_string(high));
  return static_cast<int>(size);
}

Shape inputFromJson(const Json& json, const std::string& where) {
  if (!json.is_array() || (json.size() != 1 && json.size() != 3))
    throw Error(Error::Kind::Input, where, "must be [height, width, channels], or [length] for vectors");
  const int channels = sizeFromJson(json.back(), kMaxChannels, where);
  if (json.size() == 1) return Shape::vector(channels);
  return Shape::image(sizeFromJson(json[0], kMaxSide, where), sizeFromJson(json[1], kMaxSide, where), channels);
}

std::string knownTypes() {
  std::string text;
  for (const LayerDef& def : allLayers()) text += (text.empty() ? "" : ", ") + def.type;
  return text;
}

LayerSpec layerFromJson(const Json& json, const std::string& where) {
  if (!json.is_object()) throw Error(Error::Kind::Input, where, "must be an object in braces");
  for (const char* key : {"type", "name"})
    if (!json.contains(key) || !json[key].is_string())
      throw Error(Error::Kind::Input, where, std::string("needs a text \"") + key + "\"");
  LayerSpec layer;
  layer.type = json["type"].get<std::string>();
  layer.name = json["name"].get<std::string>();
  const LayerDef* def = findLayer(layer.type);
  if (!def)
    throw Error(Error::Kind::Input, where, "unknown layer type " + inQuotes(layer.type) + "; known: " + knownTypes());
  layer.fields = fieldsFromJson(def->fields, json, where + " (" + inQuotes(layer.name) + ")", {"type", "name"});
  return layer;
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
  const int last = static_cast<int>(spec.layers.size()) - 1;
  const auto add = [&](const std::string& field, Issue::Level level, const std::string& text,
                       std::vector<Fix> fixes = {}) {
    issues.push_back({last, field, level, text, std::move(fixes)});
  };
  const LayerSpec& layer = spec.layers.back();
  const std::string classes = std::to_string(spec.classes);
  if (out != Shape::vector(spec.classes)) {
    if (layer.type == "dense")
      add("units", Issue::Level::Error,
          "The last layer has " + counted(out.c, "unit") + ", but the data have " + classes + " classes.",
          {{"Use " + classes + " units", "units", std::int64_t{spec.classes}, {}}});
    else
      add("", Issue::Level::Error,
          "The last layer puts out " + out.text() + ", but the data have " + classes +
              " classes. End with a Dense layer of " + classes + " units.");
  } else if ((layer.type == "activation" || layer.type == "dense") && layer.fields.text("activation") != "linear") {
    add("activation", Issue::Level::Warning,
        "The last layer bends its output, but the loss takes it as it is and adds the softmax itself.",
        {{"Set activation to Linear", "activation", std::string("linear"), {}}});
  } else if (layer.type == "dropout") {
    add("", Issue::Level::Warning, "Dropout after the last Dense layer drops answers. Move it before that layer.");
  }
}

Analysis analyse(const NetworkSpec& spec, OutputRule rule) { return Analyst(spec, rule).run(); }

void applyFix(NetworkSpec& spec, const Issue& issue, const Fix& fix) {
  const auto index = static_cast<std::size_t>(issue.layer);
  if (!fix.insert.empty()) {
    LayerSpec layer = newLayer(spec, *findLayer(fix.insert));
    spec.layers.insert(spec.layers.begin() + issue.layer, std::move(layer));
  } else if (fix.field == "name") {
    spec.layers[index].name = std::get<std::string>(fix.value);
  } else {
    spec.layers[index].fields.set(fix.field, fix.value);
  }
}

LayerSpec newLayer(const NetworkSpec& spec, const LayerDef& def) {
  return {def.type, unusedName(namesIn(spec), def.stem), Fields(def.fields)};
}

Json networkToJson(const NetworkSpec& spec) {
  Json json;
  json["input"] =
      spec.input.isImage() ? Json::array({spec.input.h, spec.input.w, spec.input.c}) : Json::array({spec.input.c});
  json["classes"] = spec.classes;
  json["layers"] = Json::array();
  for (const LayerSpec& layer : spec.layers) {
    Json object{{"type", layer.type}, {"name", layer.name}};
    if (const LayerDef* def = findLayer(layer.type)) fieldsToJson(def->fields, layer.fields, object);
    json["layers"].push_back(std::move(object));
  }
  return json;
}

NetworkSpec networkFromJson(const Json& json, const std::string& where) {
  if (!json.is_object()) throw Error(Error::Kind::Input, where, "must be an object in braces");
  NetworkSpec spec;
  for (const auto& [key, value] : json.items()) {
    if (key == "input") spec.input = inputFromJson(value, where + ".input");
    else if (key == "classes") spec.classes = sizeFromJson(value, kMaxClasses, where + ".classes");
    else if (key != "layers")
      throw Error(Error::Kind::Input, where, "unknown key " + inQuotes(key) + "; known here: input, classes, layers");
  }
  if (!json.contains("layers") || !json["layers"].is_array())
    throw Error(Error::Kind::Input, where, "needs a list \"layers\"");
  const Json& layers = json["layers"];
  if (layers.size() > static_cast<std::size_t>(kMaxLayers))
    throw Error(
        Error::Kind::Input, where,
        "has " + std::to_string(layers.size()) + " layers; at most " + std::to_string(kMaxLayers) + " are allowed");
  for (std::size_t i = 0; i < layers.size(); ++i)
    spec.layers.push_back(layerFromJson(layers[i], where + ".layers[" + std::to_string(i) + "]"));
  return spec;
}

}  // namespace strata

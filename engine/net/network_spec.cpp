// SPDX-License-Identifier: Apache-2.0
// Finding one's way in a net, the edits that a fix makes, and the net's JSON.
#include "engine/net/network_spec.h"

#include <algorithm>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace strata {
namespace {

void addNames(const std::vector<LayerSpec>& stack, std::set<std::string>& names) {
  for (const LayerSpec& layer : stack) {
    names.insert(layer.name);
    for (const auto& inner : layer.stacks) addNames(inner, names);
  }
}

int countIn(const std::vector<LayerSpec>& stack) {
  int count = static_cast<int>(stack.size());
  for (const LayerSpec& layer : stack)
    for (const auto& inner : layer.stacks) count += countIn(inner);
  return count;
}

/// A layer and what is around it.
template <class Layer>
struct Found {
  Layer* layer = nullptr;
  StackPlace place;
  std::string path;
};

/// Walks a stack whose first layer has the number `number`, up to the layer `wanted`; `number` is then behind what was
/// walked.
template <class Stack, class Layer>
bool find(Stack& stack, int& number, int wanted, StackPlace place, const std::string& prefix, Found<Layer>& found) {
  for (place.at = 0; place.at < static_cast<int>(stack.size()); ++place.at) {
    auto& layer = stack[static_cast<std::size_t>(place.at)];
    const int own = number++;
    if (own == wanted) {
      found = {&layer, place, prefix + layer.name};
      return true;
    }
    for (std::size_t i = 0; i < layer.stacks.size(); ++i)
      if (find(layer.stacks[i], number, wanted, {own, static_cast<int>(i), 0}, prefix + layer.name + "/", found))
        return true;
  }
  return false;
}

template <class Layer, class Spec>
Found<Layer> findIn(Spec& spec, int wanted) {
  Found<Layer> found;
  int number = 0;
  if (!find(spec.layers, number, wanted, {}, {}, found))
    throw Error(Error::Kind::Input, "layer " + std::to_string(wanted), "there is no such layer");
  return found;
}

int sizeFromJson(const Json& json, int high, const std::string& where) {
  const bool whole =
      json.is_number_integer() && (json.is_number_unsigned() ? json.get<std::uint64_t>() <= INT64_MAX : true);
  const std::int64_t size = whole ? json.get<std::int64_t>() : 0;
  if (size < 1 || size > high)
    throw Error(Error::Kind::Input, where, "must be a whole number of 1 to " + std::to_string(high));
  return static_cast<int>(size);
}

Shape inputFromJson(const Json& json, const std::string& where) {
  if (!json.is_array() || json.empty() || json.size() > 3)
    throw Error(Error::Kind::Input, where,
                "must be [height, width, channels] of an image, [steps, length] of a sequence or [length] of a vector");
  const int channels = sizeFromJson(json.back(), kMaxChannels, where);
  if (json.size() == 1) return Shape::vector(channels);
  if (json.size() == 2) return Shape::sequence(sizeFromJson(json[0], kMaxSide, where), channels);
  return Shape::image(sizeFromJson(json[0], kMaxSide, where), sizeFromJson(json[1], kMaxSide, where), channels);
}

std::string knownTypes() {
  std::string text;
  for (const LayerDef& def : allLayers())
    if (!def.hidden) text += (text.empty() ? "" : ", ") + def.type;
  return text;
}

std::vector<LayerSpec> stackFromJson(const Json& json, const std::string& where, int depth);

/// The stacks of a container: under a key each, or, where there may be any number, in a list under one key.
std::vector<std::vector<LayerSpec>> stacksFromJson(const LayerDef& def, const Json& json, const std::string& where,
                                                   int depth) {
  std::vector<std::vector<LayerSpec>> stacks;
  for (const StackDef& stack : def.stacks) {
    const std::string inside = where + "." + stack.key;
    if (!def.anyStacks) {
      stacks.push_back(json.contains(stack.key) ? stackFromJson(json[stack.key], inside, depth)
                                                : std::vector<LayerSpec>());
      continue;
    }
    if (!json.contains(stack.key) || !json[stack.key].is_array() || json[stack.key].size() > kMaxStacks)
      throw Error(Error::Kind::Input, inside, "must be a list of at most " + std::to_string(kMaxStacks) + " stacks");
    for (const Json& one : json[stack.key])
      stacks.push_back(stackFromJson(one, inside + "[" + std::to_string(stacks.size()) + "]", depth));
  }
  return stacks;
}

LayerSpec layerFromJson(const Json& json, const std::string& where, int depth) {
  if (!json.is_object()) throw Error(Error::Kind::Input, where, "must be an object in braces");
  for (const char* key : {"type", "name"})
    if (!json.contains(key) || !json[key].is_string())
      throw Error(Error::Kind::Input, where, std::string("needs a text \"") + key + "\"");
  LayerSpec layer;
  layer.type = json["type"].get<std::string>();
  layer.name = json["name"].get<std::string>();
  const LayerDef* def = findLayer(layer.type);
  if (!def || def->hidden)
    throw Error(Error::Kind::Input, where, "unknown layer type " + inQuotes(layer.type) + "; known: " + knownTypes());
  const std::string inside = where + " (" + inQuotes(layer.name) + ")";
  if (json.contains("trainable")) {
    if (!json["trainable"].is_boolean())
      throw Error(Error::Kind::Input, inside + ".trainable", "must be true or false");
    layer.trainable = json["trainable"].get<bool>();
  }
  std::vector<std::string> own{"type", "name", "trainable"};
  for (const StackDef& stack : def->stacks) own.push_back(stack.key);
  layer.fields = fieldsFromJson(def->fields, json, inside, own);
  layer.stacks = stacksFromJson(*def, json, inside, depth + 1);
  return layer;
}

std::vector<LayerSpec> stackFromJson(const Json& json, const std::string& where, int depth) {
  if (!json.is_array()) throw Error(Error::Kind::Input, where, "must be a list of layers");
  if (depth > kMaxDepth)
    throw Error(Error::Kind::Input, where,
                "is nested too deep; containers can hold each other " + std::to_string(kMaxDepth) + " deep at most");
  if (json.size() > static_cast<std::size_t>(kMaxLayers))
    throw Error(
        Error::Kind::Input, where,
        "has " + std::to_string(json.size()) + " layers; at most " + std::to_string(kMaxLayers) + " are allowed");
  std::vector<LayerSpec> stack;
  for (std::size_t i = 0; i < json.size(); ++i)
    stack.push_back(layerFromJson(json[i], where + "[" + std::to_string(i) + "]", depth));
  return stack;
}

Json stackToJson(const std::vector<LayerSpec>& stack);

Json layerToJson(const LayerSpec& layer) {
  Json object{{"type", layer.type}, {"name", layer.name}};
  const LayerDef* def = findLayer(layer.type);
  if (!def) return object;
  fieldsToJson(def->fields, layer.fields, object);
  if (!layer.trainable) object["trainable"] = false;
  if (def->anyStacks) {
    Json& list = object[def->stacks.front().key] = Json::array();
    for (const auto& stack : layer.stacks) list.push_back(stackToJson(stack));
  } else {
    for (std::size_t i = 0; i < std::min(def->stacks.size(), layer.stacks.size()); ++i)
      object[def->stacks[i].key] = stackToJson(layer.stacks[i]);
  }
  return object;
}

Json stackToJson(const std::vector<LayerSpec>& stack) {
  Json list = Json::array();
  for (const LayerSpec& layer : stack) list.push_back(layerToJson(layer));
  return list;
}

}  // namespace

bool usableName(const std::string& name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), allowed);
}

std::set<std::string> namesIn(const NetworkSpec& spec) {
  std::set<std::string> names;
  addNames(spec.layers, names);
  return names;
}

std::string unusedName(const std::set<std::string>& used, const std::string& stem) {
  for (int number = 1;; ++number)
    if (const std::string name = stem + std::to_string(number); !used.contains(name)) return name;
}

int layerCount(const NetworkSpec& spec) { return countIn(spec.layers); }

LayerSpec& layerAt(NetworkSpec& spec, int number) { return *findIn<LayerSpec>(spec, number).layer; }
const LayerSpec& layerAt(const NetworkSpec& spec, int number) { return *findIn<const LayerSpec>(spec, number).layer; }
StackPlace placeOf(const NetworkSpec& spec, int number) { return findIn<const LayerSpec>(spec, number).place; }
std::string pathOf(const NetworkSpec& spec, int number) { return findIn<const LayerSpec>(spec, number).path; }

std::vector<LayerSpec>& stackAt(NetworkSpec& spec, const StackPlace& place) {
  return place.container < 0 ? spec.layers
                             : layerAt(spec, place.container).stacks.at(static_cast<std::size_t>(place.stack));
}

int numberAt(const NetworkSpec& spec, const StackPlace& place) {
  int number = place.container + 1;
  const std::vector<LayerSpec>* stack = &spec.layers;
  if (place.container >= 0) {
    const LayerSpec& container = layerAt(spec, place.container);
    for (int i = 0; i < place.stack; ++i) number += countIn(container.stacks.at(static_cast<std::size_t>(i)));
    stack = &container.stacks.at(static_cast<std::size_t>(place.stack));
  }
  for (int i = 0; i < place.at; ++i) {
    ++number;
    for (const auto& inner : stack->at(static_cast<std::size_t>(i)).stacks) number += countIn(inner);
  }
  return number;
}

void applyFix(NetworkSpec& spec, const Issue& issue, const Fix& fix) {
  if (fix.insert.empty() && fix.stack >= 0) {
    for (LayerSpec& layer : stackAt(spec, {issue.layer, fix.stack, 0})) {
      const LayerDef* def = findLayer(layer.type);
      const auto named = [&](const Field& field) { return field.id == fix.field; };
      if (def && std::any_of(def->fields.begin(), def->fields.end(), named)) layer.fields.set(fix.field, fix.value);
    }
    return;
  }
  if (fix.insert.empty()) {
    LayerSpec& layer = layerAt(spec, issue.layer);
    if (fix.field == "name") layer.name = std::get<std::string>(fix.value);
    else layer.fields.set(fix.field, fix.value);
    return;
  }
  LayerSpec layer = newLayer(spec, *findLayer(fix.insert));
  for (const auto& [field, value] : fix.with) layer.fields.set(field, value);
  StackPlace place = placeOf(spec, issue.layer);
  if (fix.stack >= 0) {
    place = {issue.layer, fix.stack, 0};
    place.at = static_cast<int>(stackAt(spec, place).size());
  }
  std::vector<LayerSpec>& stack = stackAt(spec, place);
  stack.insert(stack.begin() + place.at, std::move(layer));
}

LayerSpec newLayer(const NetworkSpec& spec, const LayerDef& def) {
  LayerSpec layer{def.type, unusedName(namesIn(spec), def.stem), Fields(def.fields)};
  layer.stacks.resize(def.anyStacks ? 2 : def.stacks.size());
  return layer;
}

Json networkToJson(const NetworkSpec& spec) {
  Json json;
  const Shape& in = spec.input;
  json["input"] = in.isImage()      ? Json::array({in.h, in.w, in.c})
                  : in.isSequence() ? Json::array({in.h, in.c})
                                    : Json::array({in.c});
  json["classes"] = spec.classes;
  json["layers"] = stackToJson(spec.layers);
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
  spec.layers = stackFromJson(json["layers"], where + ".layers", 0);
  if (const int count = layerCount(spec); count > kMaxLayers)
    throw Error(Error::Kind::Input, where + ".layers",
                "has " + std::to_string(count) + " layers; at most " + std::to_string(kMaxLayers) + " are allowed");
  return spec;
}

}  // namespace strata

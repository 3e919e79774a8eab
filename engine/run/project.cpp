// SPDX-License-Identifier: Apache-2.0
// The project file. Reading is strict: a key that is not known is refused, since a misspelt setting that is silently
// dropped costs hours.
#include "engine/run/project.h"

#include <algorithm>
#include <limits>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/run/settings.h"

namespace strata {
namespace {

constexpr std::size_t kMaxName = 120;  ///< characters of a project's name

/// A whole number from 0. JSON read from a text holds it unsigned, JSON made from an int signed.
bool isCount(const Json& json) {
  return json.is_number_unsigned() || (json.is_number_integer() && json.get<std::int64_t>() >= 0);
}

/// "a whole number from 1 to 1000000".
std::string neededText(const Field& field) {
  const auto from = [](const std::string& low, const std::string& high) { return " from " + low + " to " + high; };
  switch (field.kind) {
    case Field::Kind::Bool:
      return "true or false";
    case Field::Kind::Int:
      return "a whole number" + from(std::to_string(static_cast<std::int64_t>(field.low)),
                                     std::to_string(static_cast<std::int64_t>(field.high)));
    case Field::Kind::Seed:
      return "a whole number" + from("0", std::to_string(std::numeric_limits<std::uint64_t>::max()));
    case Field::Kind::Choice: {
      std::string ids;
      for (const Choice& choice : field.choices) ids += (ids.empty() ? "" : " or ") + inQuotes(choice.id);
      return ids;
    }
    default:
      return "a number" + from(Json(field.low).dump(), Json(field.high).dump());
  }
}

/// Takes the known keys out of an object one by one; finish() refuses what is left.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string where, std::string path)
      : m_object(object), m_where(std::move(where)), m_path(std::move(path)) {
    if (!object.is_object())
      throw Error(
          Error::Kind::Input, m_where,
          (m_path.empty() ? "the project" : m_path) + " must be an object in braces, got " + shownValue(object));
  }

  const Json* take(const std::string& key) {
    m_known.push_back(key);
    const auto found = m_object.find(key);
    return found == m_object.end() ? nullptr : &*found;
  }
  void read(const std::string& key, std::string& value) {
    if (const Json* json = take(key)) {
      if (!json->is_string()) throw wrong(key, "text in quotes", *json);
      value = json->get<std::string>();
    }
  }
  /// Puts the value that the key has, when it is there, where `setting` says.
  template <class Spec>
  void read(const Setting<Spec>& setting, Spec& spec) {
    Field field = setting.field;
    if (const auto dot = field.id.find('.'); dot != std::string::npos) {
      const std::string group = field.id.substr(0, dot);
      const Json* object = take(group);
      if (!object) return;
      Setting<Spec> inner = setting;
      inner.field.id = field.id.substr(dot + 1);
      ObjectReader reader(*object, m_where, name(group));
      reader.read(inner, spec);
      return reader.finish();
    }
    if (const Json* json = take(field.id)) {
      try {
        setting.put(spec, fieldsFromJson({field}, {{field.id, *json}}, m_where, {}).at(field.id));
      } catch (const Error&) {
        throw wrong(field.id, neededText(field), *json);
      }
    }
  }
  void finish() const {
    for (const auto& [key, value] : m_object.items()) {
      if (std::find(m_known.begin(), m_known.end(), key) != m_known.end()) continue;
      std::string known;
      for (const std::string& name : m_known) known += (known.empty() ? "" : ", ") + name;
      throw Error(Error::Kind::Input, m_where, inQuotes(name(key)) + " is not known", "Known here are: " + known);
    }
  }
  std::string name(const std::string& key) const { return m_path.empty() ? key : m_path + "." + key; }
  Error wrong(const std::string& key, const std::string& needed, const Json& got) const {
    return {Error::Kind::Input, m_where, name(key) + " must be " + needed + ", got " + shownValue(got)};
  }

 private:
  const Json& m_object;
  std::string m_where, m_path;
  std::vector<std::string> m_known;
};

/// {"type": ..., its fields}.
Json choiceToJson(const ChoiceSetting& setting, const TrainingSpec& training) {
  Json json = {{"type", setting.typeOf(training)}};
  if (const ChoiceDef* def = findChoice(setting.rows, setting.typeOf(training)))
    fieldsToJson(def->fields, setting.fieldsOf(training), json);
  return json;
}

void readChoice(const ChoiceSetting& setting, ObjectReader& from, const std::string& where, TrainingSpec& training) {
  const Json* json = from.take(setting.id);
  if (!json) return;
  const auto type = json->is_object() ? json->find("type") : json->end();
  const ChoiceDef* def =
      type != json->end() && type->is_string() ? findChoice(setting.rows, type->get<std::string>()) : nullptr;
  if (!def) {
    std::string known;
    for (const ChoiceDef* each : setting.rows) known += (known.empty() ? "" : ", ") + each->type;
    throw from.wrong(setting.id, "an object with a type, one of " + known, *json);
  }
  setting.type(training) = def->type;
  setting.fields(training) = fieldsFromJson(def->fields, *json, where + ": " + from.name(setting.id), {"type"});
}

/// All settings of a table; those that need not be written only where they are not as they would be without.
template <class Spec>
void settingsToJson(const std::vector<Setting<Spec>>& settings, const Spec& spec, Json& json) {
  for (const Setting<Spec>& setting : settings) {
    Field field = setting.field;
    const auto dot = field.id.find('.');
    if (dot != std::string::npos) field.id = field.id.substr(dot + 1);
    Fields value;
    value.set(field.id, setting.get(spec));
    Json& object = dot == std::string::npos ? json : json[setting.field.id.substr(0, dot)];
    (setting.alwaysWritten ? allFieldsToJson : fieldsToJson)({field}, value, object);
  }
}

const std::string& targetName(const TrainingSpec& training) {
  return targetKinds()[static_cast<std::size_t>(training.loss.def().target)].id;
}

Json dataToJson(const Project& project) {
  const DataSpec& data = project.data;
  const DataSpec initial;
  Json json = {{"source", data.source}};
  settingsToJson(dataSettings(), data, json);
  if (data.validation == ValidationSource::Split) json["validation_fraction"] = data.validationFraction;
  json["target"] = targetName(project.training);
  for (const DataGroup& group : dataGroups()) {
    const Json values = group.toJson(data);
    if (values != group.toJson(initial)) json[group.id] = values;
  }
  if (data.reading != initial.reading) json["reading"] = readingToJson(data.reading);
  return json;
}

/// What the loss compares with follows from the loss; the file says it for who reads it.
void checkTarget(ObjectReader& reader) {
  std::string target = targetKinds().front().id, known;
  reader.read("target", target);
  for (const Choice& kind : targetKinds()) {
    if (kind.id == target) return;
    known += (known.empty() ? "" : " or ") + inQuotes(kind.id);
  }
  throw reader.wrong("target", known, target);
}

DataSpec dataFromJson(const Json& json, const std::string& where) {
  DataSpec data;
  ObjectReader reader(json, where, "data");
  reader.read("source", data.source);
  for (const auto& setting : dataSettings()) reader.read(setting, data);
  checkTarget(reader);
  for (const DataGroup& group : dataGroups())
    if (const Json* values = reader.take(group.id)) group.fromJson(data, *values, where + ": data." + group.id);
  if (const Json* reading = reader.take("reading")) data.reading = readingFromJson(*reading, where + ": data.reading");
  reader.finish();
  return data;
}

Json trainingToJson(const TrainingSpec& training) {
  Json json = Json::object();
  for (const ChoiceSetting& choice : trainingChoices()) json[choice.id] = choiceToJson(choice, training);
  json["metrics"] = training.metrics;
  json["monitor"] = training.monitor;
  settingsToJson(trainingSettings(), training, json);
  return json;
}

std::string knownMetrics() {
  std::string known;
  for (const MetricDef& metric : allMetrics()) known += (known.empty() ? "" : ", ") + metric.id;
  return known;
}

void readMetrics(ObjectReader& reader, MetricIds& metrics) {
  const Json* json = reader.take("metrics");
  if (!json) return;
  const auto named = [](const Json& id) { return id.is_string() && findMetric(id.get<std::string>()); };
  if (!json->is_array() || json->size() > kMostMetrics || !std::all_of(json->begin(), json->end(), named))
    throw reader.wrong("metrics", "a list of some of " + knownMetrics(), *json);
  metrics = json->get<MetricIds>();
}

void readMonitor(ObjectReader& reader, std::string& monitor) {
  reader.read("monitor", monitor);
  const std::string id = withoutVal(monitor);
  if (id != "loss" && !findMetric(id))
    throw reader.wrong("monitor", "one of loss, " + knownMetrics() + ", or one of these behind val_", monitor);
}

TrainingSpec trainingFromJson(const Json& json, const std::string& where) {
  TrainingSpec training;
  ObjectReader reader(json, where, "training");
  for (const ChoiceSetting& choice : trainingChoices()) readChoice(choice, reader, where, training);
  readMetrics(reader, training.metrics);
  readMonitor(reader, training.monitor);
  for (const auto& setting : trainingSettings()) reader.read(setting, training);
  reader.finish();
  return training;
}

/// Version 1 knew one loss by its name, with its one field beside it.
void migrateFrom1(Json& json) {
  const auto training = json.find("training");
  if (training == json.end() || !training->is_object()) return;
  const auto loss = training->find("loss"), smoothing = training->find("label_smoothing");
  if (loss == training->end() && smoothing == training->end()) return;
  if (loss != training->end() && !loss->is_string()) return;
  Json object = {{"type", loss == training->end() ? LossSpec().type : loss->get<std::string>()}};
  if (smoothing != training->end()) object["label_smoothing"] = *smoothing;
  (*training)["loss"] = object;
  training->erase("label_smoothing");
}

void checkVersion(ObjectReader& reader, const Json& json, const std::string& where) {
  const Json* version = reader.take("version");
  if (!version)
    throw Error(Error::Kind::Input, where, "has no \"version\", so it is not a Strata project",
                "Open a file that Strata has saved");
  if (!isCount(*version) || *version == 0) throw reader.wrong("version", "a whole number from 1", *version);
  if (json["version"].get<std::uint64_t>() > kProjectVersion)
    throw Error(Error::Kind::Input, where,
                "was written by a newer Strata (project version " + version->dump() + ", this one reads up to " +
                    std::to_string(kProjectVersion) + ")",
                "Update Strata to open it");
}

// ---- settings on the command line
// -----------------------------------------------------------------------------------------

template <class Spec>
void addAll(const std::vector<Setting<Spec>>& settings, const Spec& spec, Json& json) {
  for (Setting<Spec> setting : settings) {
    setting.alwaysWritten = true;
    settingsToJson<Spec>({setting}, spec, json);
  }
}

/// The project as JSON with every plain key present, so that a setting can be told to exist. What only follows from
/// others cannot be set.
Json fullJson(const Project& project) {
  Json json = projectToJson(project);
  addAll(dataSettings(), project.data, json["data"]);
  addAll(trainingSettings(), project.training, json["training"]);
  json["data"].erase("target");
  for (const DataGroup& group : dataGroups())
    allFieldsToJson(group.fields(), group.get(project.data), json["data"][group.id]);
  json["data"]["reading"] = wholeReadingToJson(project.data.reading);
  return json;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts{""};
  for (const char c : text) c == at ? (void)parts.emplace_back() : parts.back().push_back(c);
  return parts;
}

const Field* findField(const std::vector<Field>& fields, const std::string& id) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.id == id; });
  return found == fields.end() ? nullptr : &*found;
}

/// Where a setting goes, and what may stand there.
struct Target {
  enum class Takes {
    Nothing,    ///< there is no such setting
    Words,      ///< text of one's own: a name, a folder
    Name,       ///< one of several known names
    Type,       ///< likewise, of a row of a table, whose other fields change with it
    Json,       ///< numbers, lists
    NameOrJson  ///< an initializer, by its name or as an object
  };
  Takes takes = Takes::Nothing;
  Json* object = nullptr;
  ChoiceRows choices;  ///< of a Type
};

Target::Takes takenBy(const Field* field) {
  if (!field) return Target::Takes::Nothing;
  if (field->kind == Field::Kind::Initializer) return Target::Takes::NameOrJson;
  return field->kind == Field::Kind::Choice ? Target::Takes::Name : Target::Takes::Json;
}

/// A key that no Field describes takes what stands there, since each of them has one kind of value.
Target::Takes takenByPlainKey(const Json& object, const std::string& key, const std::vector<std::string>& path) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_object() || key == "version" || key == "layers") return Target::Takes::Nothing;
  if (!found->is_string()) return Target::Takes::Json;
  return path.size() == 1 || key == "source" ? Target::Takes::Words : Target::Takes::Name;
}

/// The layer of that path, "res1/conv1", in a list of layers; null where there is none.
Json* findLayerJson(Json& layers, const std::string& path) {
  const std::size_t slash = path.find('/');
  const std::string name = path.substr(0, slash);
  const auto layer =
      std::find_if(layers.begin(), layers.end(), [&](const Json& each) { return each.value("name", "") == name; });
  if (layer == layers.end() || slash == std::string::npos) return layer == layers.end() ? nullptr : &*layer;
  const LayerDef* def = findLayer(layer->value("type", ""));
  if (!def) return nullptr;
  const std::string rest = path.substr(slash + 1);
  for (const StackDef& stack : def->stacks) {
    const auto held = layer->find(stack.key);
    if (held == layer->end()) continue;
    if (!def->anyStacks) {
      if (Json* found = findLayerJson(*held, rest)) return found;
      continue;
    }
    for (Json& one : *held)
      if (Json* found = findLayerJson(one, rest)) return found;
  }
  return nullptr;
}

Target findTarget(Json& json, const std::vector<std::string>& path) {
  const std::string& key = path.back();
  Json* object = &json;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    if (i == 1 && path[0] == "network") {
      Json* layer = findLayerJson((*object)["layers"], path[1]);
      if (!layer || path.size() != 3) return {};
      const LayerDef* def = findLayer(layer->value("type", ""));
      if (def && key == "trainable") return {Target::Takes::Json, layer, {}};
      return {takenBy(def ? findField(def->fields, key) : nullptr), layer, {}};
    }
    const auto found = object->find(path[i]);
    if (found == object->end() || !found->is_object()) return {};
    object = &*found;
  }
  if (path.size() == 3 && path[0] == "training") {
    if (const auto* plain = findSetting(trainingSettings(), path[1] + "." + key))
      return {takenBy(&plain->field), object, {}};
    const ChoiceSetting* setting = findTrainingChoice(path[1]);
    const ChoiceDef* def = setting ? findChoice(setting->rows, object->value("type", "")) : nullptr;
    if (!def) return {};
    return {key == "type" ? Target::Takes::Type : takenBy(findField(def->fields, key)), object, setting->rows};
  }
  return {takenByPlainKey(*object, key, path), object, {}};
}

/// Another row keeps of the old one what it knows too: the learning rate, mostly.
void changeType(Json& object, const std::string& type, const ChoiceRows& choices) {
  const ChoiceDef* def = findChoice(choices, type);
  Json changed = {{"type", type}};
  for (const auto& [key, value] : object.items())
    if (def && findField(def->fields, key)) changed[key] = value;
  object = changed;
}

/// Text is taken as JSON where it is JSON ("0.05", "true", "[32, 32, 3]"), else as it stands.
Json settingValue(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json(text) : value;
}

/// Where words are wanted "12" and "true" are words too; quotes around them may be typed or left out.
std::string settingWords(const std::string& text) {
  const Json value = Json::parse(text, nullptr, false);
  return value.is_string() ? value.get<std::string>() : text;
}

void put(const Target& target, const std::string& key, const std::string& text) {
  switch (target.takes) {
    case Target::Takes::Words:
    case Target::Takes::Name:
      (*target.object)[key] = settingWords(text);
      break;
    case Target::Takes::Type:
      changeType(*target.object, settingWords(text), target.choices);
      break;
    case Target::Takes::Json:
    case Target::Takes::NameOrJson:
    case Target::Takes::Nothing:
      (*target.object)[key] = settingValue(text);
      break;
  }
}

}  // namespace

MetricIds metricsOf(const TrainingSpec& training) { return fittingMetrics(training.metrics, training.loss); }

std::string monitorOf(const TrainingSpec& training) {
  const std::string id = withoutVal(training.monitor);
  return id == "loss" || !fittingMetrics({id}, training.loss).empty() ? training.monitor : "val_loss";
}

Analysis analyse(const Project& project) { return analyse(project.network, project.training.loss.def().outputRule); }

Json projectToJson(const Project& project) {
  return {{"version", kProjectVersion},
          {"name", project.name},
          {"data", dataToJson(project)},
          {"network", networkToJson(project.network)},
          {"training", trainingToJson(project.training)}};
}

Json migrate(Json json) {
  const auto version = json.is_object() ? json.find("version") : json.end();
  if (version == json.end() || *version != 1) return json;
  migrateFrom1(json);
  return json;
}

Project projectFromJson(const Json& written, const std::string& where) {
  const Json json = migrate(written);
  Project project;
  ObjectReader reader(json, where, "");
  checkVersion(reader, json, where);
  reader.read("name", project.name);
  project.name = printable(project.name, kMaxName);  // it is for people alone, on one line of a window
  if (const Json* data = reader.take("data")) project.data = dataFromJson(*data, where);
  if (const Json* network = reader.take("network")) project.network = networkFromJson(*network, where + ": network");
  if (const Json* training = reader.take("training")) project.training = trainingFromJson(*training, where);
  reader.finish();
  return project;
}

Project readProject(const Path& path) {
  return projectFromJson(parseJson(readFile(path, kMaxProjectBytes), path.string()), path.string());
}

void writeProject(const Path& path, const Project& project) {
  durableReplace(path, prettyJson(projectToJson(project)));
}

void applySetting(Project& project, const std::string& keyEqualsValue) {
  const auto equals = keyEqualsValue.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error(Error::Kind::Usage, "--set " + keyEqualsValue, "needed KEY=VALUE",
                "For example --set training.epochs=5");
  const std::string text = keyEqualsValue.substr(equals + 1);
  std::string key = keyEqualsValue.substr(0, equals);
  if (key == "training.label_smoothing") key = "training.loss.label_smoothing";  // as version 1 had it
  Json json = fullJson(project);
  const std::vector<std::string> path = split(key, '.');
  const Target target = findTarget(json, path);
  if (target.takes == Target::Takes::Nothing)
    throw Error(
        Error::Kind::Usage, "--set " + key, "there is no such setting in the project",
        "Settings are named by their path, as training.optimizer.learning_rate, data.source or network.conv1.filters");
  put(target, path.back(), text);
  try {
    project = projectFromJson(json, "--set " + keyEqualsValue);
  } catch (const Error& error) {
    const bool isName = target.takes == Target::Takes::Name || target.takes == Target::Takes::Type ||
                        (target.takes == Target::Takes::NameOrJson && target.object->at(path.back()).is_string());
    throw isName ? Error(Error::Kind::Usage, "", error.what())
                 : error;  // an unknown name is a slip of the command line
  }
}

}  // namespace strata

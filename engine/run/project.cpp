// SPDX-License-Identifier: Apache-2.0
// The project file. Reading is strict: a key that is not known is refused, since a misspelt setting that is silently
// dropped costs hours.
#include "engine/run/project.h"

#include <algorithm>
#include <limits>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace strata {
namespace {

constexpr std::size_t kMaxName = 120;  ///< characters of a project's name

/// A whole number from 0. JSON read from a text holds it unsigned, JSON made from an int signed.
bool isCount(const Json& json) {
  return json.is_number_unsigned() || (json.is_number_integer() && json.get<std::int64_t>() >= 0);
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
  void read(const std::string& key, bool& value) {
    if (const Json* json = take(key)) {
      if (!json->is_boolean()) throw wrong(key, "true or false", *json);
      value = json->get<bool>();
    }
  }
  void read(const std::string& key, std::string& value) {
    if (const Json* json = take(key)) {
      if (!json->is_string()) throw wrong(key, "text in quotes", *json);
      value = json->get<std::string>();
    }
  }
  void read(const std::string& key, double& value, double low, double high) {
    if (const Json* json = take(key)) {
      if (!json->is_number() || !(json->get<double>() >= low && json->get<double>() <= high))
        throw wrong(key, "a number from " + Json(low).dump() + " to " + Json(high).dump(), *json);
      value = json->get<double>();
    }
  }
  template <class Integer>
  void read(const std::string& key, Integer& value, std::uint64_t low, std::uint64_t high) {
    if (const Json* json = take(key)) {
      if (!isCount(*json) || json->get<std::uint64_t>() < low || json->get<std::uint64_t>() > high)
        throw wrong(key, "a whole number from " + std::to_string(low) + " to " + std::to_string(high), *json);
      value = narrow<Integer>(json->get<std::uint64_t>(), m_where);
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

/// An optimizer or a schedule: {"type": ..., its fields}.
template <class Spec>
Json choiceToJson(const ChoiceRows& all, const Spec& spec) {
  Json json = {{"type", spec.type}};
  if (const ChoiceDef* def = findChoice(all, spec.type)) fieldsToJson(def->fields, spec.fields, json);
  return json;
}

template <class Spec>
void readChoice(const ChoiceRows& all, ObjectReader& from, const std::string& key, const std::string& where,
                Spec& spec) {
  const Json* json = from.take(key);
  if (!json) return;
  const auto type = json->is_object() ? json->find("type") : json->end();
  const ChoiceDef* def =
      type != json->end() && type->is_string() ? findChoice(all, type->template get<std::string>()) : nullptr;
  if (!def) {
    std::string known;
    for (const ChoiceDef* each : all) known += (known.empty() ? "" : ", ") + each->type;
    throw from.wrong(key, "an object with a type, one of " + known, *json);
  }
  spec.type = def->type;
  spec.fields = fieldsFromJson(def->fields, *json, where + ": " + from.name(key), {"type"});
}

Json dataToJson(const DataSpec& data) {
  const DataSpec initial;
  Json json = {{"source", data.source},
               {"validation", data.validation == ValidationSource::TestSet ? "test" : "split"}};
  if (data.validation == ValidationSource::Split || data.validationFraction != initial.validationFraction)
    json["validation_fraction"] = data.validationFraction;
  if (data.preprocessing != initial.preprocessing) json["preprocessing"] = preprocessingToJson(data.preprocessing);
  if (data.augmentation != initial.augmentation) json["augmentation"] = augmentationToJson(data.augmentation);
  return json;
}

DataSpec dataFromJson(const Json& json, const std::string& where) {
  DataSpec data;
  ObjectReader reader(json, where, "data");
  reader.read("source", data.source);
  std::string validation = "split";
  reader.read("validation", validation);
  if (validation != "split" && validation != "test")
    throw reader.wrong("validation", "\"split\" or \"test\"", validation);
  data.validation = validation == "test" ? ValidationSource::TestSet : ValidationSource::Split;
  reader.read("validation_fraction", data.validationFraction, 0.0, kMaxValidationFraction);
  if (const Json* preprocessing = reader.take("preprocessing"))
    data.preprocessing = preprocessingFromJson(*preprocessing, where + ": data.preprocessing");
  if (const Json* augmentation = reader.take("augmentation"))
    data.augmentation = augmentationFromJson(*augmentation, where + ": data.augmentation");
  reader.finish();
  return data;
}

Json trainingToJson(const TrainingSpec& training) {
  const TrainingSpec initial;
  Json json = {{"loss", training.loss}};
  if (training.labelSmoothing != initial.labelSmoothing) json["label_smoothing"] = training.labelSmoothing;
  json["optimizer"] = choiceToJson(rowsOf(allOptimizers()), training.optimizer);
  json["schedule"] = choiceToJson(rowsOf(allSchedules()), training.schedule);
  json["batch_size"] = training.batchSize;
  json["epochs"] = training.epochs;
  json["seed"] = training.seed;
  json["shuffle"] = training.shuffle;
  if (training.keepEpochs != initial.keepEpochs) json["keep_epochs"] = training.keepEpochs;
  return json;
}

TrainingSpec trainingFromJson(const Json& json, const std::string& where) {
  TrainingSpec training;
  ObjectReader reader(json, where, "training");
  reader.read("loss", training.loss);
  if (training.loss != "softmax_cross_entropy") throw reader.wrong("loss", "\"softmax_cross_entropy\"", training.loss);
  reader.read("label_smoothing", training.labelSmoothing, 0.0, kMaxLabelSmoothing);
  readChoice(rowsOf(allOptimizers()), reader, "optimizer", where, training.optimizer);
  readChoice(rowsOf(allSchedules()), reader, "schedule", where, training.schedule);
  reader.read("batch_size", training.batchSize, 1, kMaxBatchSize);
  reader.read("epochs", training.epochs, 1, kMaxEpochs);
  reader.read("seed", training.seed, 0, std::numeric_limits<std::uint64_t>::max());
  reader.read("shuffle", training.shuffle);
  reader.read("keep_epochs", training.keepEpochs, 0, kMaxEpochs);
  reader.finish();
  return training;
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

/// The project as JSON with every plain key present, so that a setting can be told to exist.
Json fullJson(const Project& project) {
  Json json = projectToJson(project);
  json["data"]["validation_fraction"] = project.data.validationFraction;
  json["data"]["preprocessing"] = preprocessingToJson(project.data.preprocessing);
  json["data"]["augmentation"] = augmentationToJson(project.data.augmentation);
  json["training"]["label_smoothing"] = project.training.labelSmoothing;
  json["training"]["keep_epochs"] = project.training.keepEpochs;
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
    Type,       ///< likewise, of an optimizer or a schedule, whose other fields change with it
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

Target findTarget(Json& json, const std::vector<std::string>& path) {
  const std::string& key = path.back();
  Json* object = &json;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    if (i == 1 && path[0] == "network") {
      Json& layers = (*object)["layers"];
      const auto layer = std::find_if(layers.begin(), layers.end(),
                                      [&](const Json& each) { return each.value("name", "") == path[1]; });
      if (layer == layers.end() || path.size() != 3) return {};
      const LayerDef* def = findLayer(layer->value("type", ""));
      return {takenBy(def ? findField(def->fields, key) : nullptr), &*layer, {}};
    }
    const auto found = object->find(path[i]);
    if (found == object->end() || !found->is_object()) return {};
    object = &*found;
  }
  if (path.size() == 3 && path[0] == "training") {
    const ChoiceRows choices = path[1] == "optimizer" ? rowsOf(allOptimizers()) : rowsOf(allSchedules());
    const ChoiceDef* def = findChoice(choices, object->value("type", ""));
    const Field* field = def ? findField(def->fields, key) : nullptr;
    return {key == "type" ? Target::Takes::Type : takenBy(field), object, choices};
  }
  return {takenByPlainKey(*object, key, path), object, {}};
}

/// Another optimizer or schedule keeps of the old one what it knows too: the learning rate, mostly.
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

Json projectToJson(const Project& project) {
  return {{"version", kProjectVersion},
          {"name", project.name},
          {"data", dataToJson(project.data)},
          {"network", networkToJson(project.network)},
          {"training", trainingToJson(project.training)}};
}

Project projectFromJson(const Json& json, const std::string& where) {
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
  const std::string key = keyEqualsValue.substr(0, equals), text = keyEqualsValue.substr(equals + 1);
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

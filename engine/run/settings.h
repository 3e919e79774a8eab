// SPDX-License-Identifier: Apache-2.0
// Every setting of data and training, described once: JSON, `--set`, validation and the studio's forms walk these
// tables. A new setting is a member of its spec and a row here.
#pragma once
#include "engine/run/project.h"

namespace strata {

/// A plain setting: a member of DataSpec or TrainingSpec as the value of a Field. An id with a dot,
/// "early_stopping.patience", stands in files in an object of that name, of which it is all.
template <class Spec>
struct Setting {
  Field field;
  Value (*get)(const Spec& spec) = nullptr;
  void (*put)(Spec& spec, const Value& value) = nullptr;  ///< a value that problemWith() accepts
  bool alwaysWritten = true;                              ///< in files, also at its initial value
  /// What to choose first for it to count, as a sentence without its full stop; empty when it does. Null: it always
  /// does.
  std::string (*idle)(const Spec& spec) = nullptr;
};
const std::vector<Setting<DataSpec>>& dataSettings();
const std::vector<Setting<TrainingSpec>>& trainingSettings();

/// Data settings that belong together: an object in files, a section on forms. Those of one group are set as one.
struct DataGroup {
  std::string id, title;  ///< "augmentation", "Augmentation"
  const std::vector<Field>& (*fields)() = nullptr;
  Fields (*get)(const DataSpec& data) = nullptr;
  void (*put)(DataSpec& data, const Fields& values) = nullptr;  ///< values that problemWith() accepts
  Json (*toJson)(const DataSpec& data) = nullptr;
  void (*fromJson)(DataSpec& data, const Json& json, const std::string& where) = nullptr;  ///< Error::Input
};
const std::vector<DataGroup>& dataGroups();

template <class Spec>
const Setting<Spec>* findSetting(const std::vector<Setting<Spec>>& all, const std::string& id) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.field.id == id; });
  return found == all.end() ? nullptr : &*found;
}

/// A row of a table with its fields: {"type": ..., and the fields}.
struct ChoiceSetting {
  std::string id, title, help;  ///< "optimizer"
  ChoiceRows rows;
  std::string& (*type)(TrainingSpec& training) = nullptr;
  Fields& (*fields)(TrainingSpec& training) = nullptr;

  const std::string& typeOf(const TrainingSpec& training) const { return type(const_cast<TrainingSpec&>(training)); }
  const Fields& fieldsOf(const TrainingSpec& training) const { return fields(const_cast<TrainingSpec&>(training)); }
  const ChoiceDef& defOf(const TrainingSpec& training) const;  ///< the first row for a type that is not there
  /// Takes another row. What it knows too stays as it was: the learning rate, mostly.
  void choose(TrainingSpec& training, const std::string& newType) const;
};
const std::vector<ChoiceSetting>& trainingChoices();  ///< loss, optimizer, schedule, average
const ChoiceSetting* findTrainingChoice(const std::string& id);

/// What can be monitored under this loss: "val_accuracy", "val_loss" and so on, as a choice for a form.
Field monitorField(const LossSpec& loss);

}  // namespace strata

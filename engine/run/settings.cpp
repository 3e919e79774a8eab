// SPDX-License-Identifier: Apache-2.0
// The tables of settings.
#include "engine/run/settings.h"

#include "engine/base/json.h"
#include "engine/data/preprocessing.h"

namespace strata {
namespace {

template <auto kMember, class Spec>
Value wholeOf(const Spec& spec) {
  return static_cast<std::int64_t>(spec.*kMember);
}
template <auto kMember, class Spec>
void putWhole(Spec& spec, const Value& value) {
  spec.*kMember = static_cast<int>(std::get<std::int64_t>(value));
}

/// A setting that is an int.
template <auto kMember, class Spec>
Setting<Spec> whole(Field field) {
  return {std::move(field), wholeOf<kMember, Spec>, putWhole<kMember, Spec>};
}

template <auto kMember, class Spec>
Value sameOf(const Spec& spec) {
  return spec.*kMember;
}
template <auto kMember, class Type, class Spec>
void putSame(Spec& spec, const Value& value) {
  spec.*kMember = std::get<Type>(value);
}

/// A setting whose member is of a type that a Value holds.
template <auto kMember, class Type, class Spec>
Setting<Spec> same(Field field) {
  return {std::move(field), sameOf<kMember, Spec>, putSame<kMember, Type, Spec>};
}

Setting<DataSpec> validationSetting() {
  return {
      choiceField("validation", "Validate on",
                  {{"split", "Split", "A held-out part of the training samples."}, {"test", "Test set", {}}}, "split",
                  "Split holds out a part of the training samples; its size is set on the Data page. The test set "
                  "makes figures comparable with the references, but the best epoch is then chosen on it."),
      [](const DataSpec& data) -> Value {
        return std::string(data.validation == ValidationSource::TestSet ? "test" : "split");
      },
      [](DataSpec& data, const Value& value) {
        data.validation = std::get<std::string>(value) == "test" ? ValidationSource::TestSet : ValidationSource::Split;
      }};
}

Setting<DataSpec> fractionSetting() {
  auto setting = same<&DataSpec::validationFraction, double, DataSpec>(
      realField("validation_fraction", "Held out", 0.1, 0, kMaxValidationFraction,
                "The share of the training samples that is held out to validate on."));
  setting.field.unit = "%";
  setting.alwaysWritten = false;
  setting.idle = [](const DataSpec& data) -> std::string {
    return data.validation == ValidationSource::Split ? "" : "Validate on the split to set this";
  };
  return setting;
}

Setting<TrainingSpec> patienceSetting() {
  Field field = intField("early_stopping.patience", "Stop early", 0, 0, kMaxEpochs,
                         "The run ends when so many epochs in a row were no better than its best, whose weights are "
                         "its result. Saves the time in which a net only learns its samples by heart.");
  field.unit = "epochs";
  field.zeroText = "off";
  return whole<&TrainingSpec::patience, TrainingSpec>(std::move(field));
}

Setting<TrainingSpec> keepEpochsSetting() {
  auto setting = whole<&TrainingSpec::keepEpochs, TrainingSpec>(
      intField("keep_epochs", "Keep epochs", 30, 0, kMaxEpochs,
               "The weights of so many epochs are kept on disk, the newest first. The best and the last are always "
               "kept."));
  setting.alwaysWritten = false;
  return setting;
}

}  // namespace

const std::vector<Setting<DataSpec>>& dataSettings() {
  static const std::vector<Setting<DataSpec>> settings{validationSetting(), fractionSetting()};
  return settings;
}

const std::vector<DataGroup>& dataGroups() {
  static const std::vector<DataGroup> groups{
      {"preprocessing", "Preprocessing", preprocessingFields,
       [](const DataSpec& data) { return fieldsOf(data.preprocessing); },
       [](DataSpec& data, const Fields& values) { takeFields(data.preprocessing, values); },
       [](const DataSpec& data) { return preprocessingToJson(data.preprocessing); },
       [](DataSpec& data, const Json& json, const std::string& where) {
         data.preprocessing = preprocessingFromJson(json, where);
       }},
      {"augmentation", "Augmentation", augmentationFields,
       [](const DataSpec& data) { return data.augmentation.fields; },
       [](DataSpec& data, const Fields& values) { data.augmentation.fields = values; },
       [](const DataSpec& data) { return augmentationToJson(data.augmentation); },
       [](DataSpec& data, const Json& json, const std::string& where) {
         data.augmentation = augmentationFromJson(json, where);
       }}};
  return groups;
}

const std::vector<Setting<TrainingSpec>>& trainingSettings() {
  static const std::vector<Setting<TrainingSpec>> settings{
      whole<&TrainingSpec::batchSize, TrainingSpec>(
          intField("batch_size", "Batch size", 128, 1, kMaxBatchSize, "Samples per step.")),
      whole<&TrainingSpec::epochs, TrainingSpec>(
          intField("epochs", "Epochs", 30, 1, kMaxEpochs,
                   "How often the net sees every training sample. A run goes on at least to the end of the epoch it is "
                   "in; Stop ends it at once.")),
      same<&TrainingSpec::seed, std::uint64_t, TrainingSpec>(
          seedField("seed", "Seed", 1, "The same seed, device and thread count give the same run, to the bit.")),
      same<&TrainingSpec::shuffle, bool, TrainingSpec>(
          boolField("shuffle", "Shuffle", true, "A new order of the samples every epoch; else as in the file.")),
      patienceSetting(),
      keepEpochsSetting()};
  return settings;
}

const std::vector<ChoiceSetting>& trainingChoices() {
  static const std::vector<ChoiceSetting> choices{
      {"loss", "Loss", "What the training makes small.", rowsOf(allLosses()),
       [](TrainingSpec& t) -> std::string& { return t.loss.type; },
       [](TrainingSpec& t) -> Fields& { return t.loss.fields; }},
      {"optimizer", "Optimizer", "The rule by which gradients move the weights.", rowsOf(allOptimizers()),
       [](TrainingSpec& t) -> std::string& { return t.optimizer.type; },
       [](TrainingSpec& t) -> Fields& { return t.optimizer.fields; }},
      {"schedule", "Rate falls", "How the learning rate changes over the run.", rowsOf(allSchedules()),
       [](TrainingSpec& t) -> std::string& { return t.schedule.type; },
       [](TrainingSpec& t) -> Fields& { return t.schedule.fields; }},
      {"average", "Average", "Whether a mean of the weights over many steps is validated and kept instead of the last.",
       rowsOf(allAverages()), [](TrainingSpec& t) -> std::string& { return t.optimizer.average.type; },
       [](TrainingSpec& t) -> Fields& { return t.optimizer.average.fields; }}};
  return choices;
}

const ChoiceSetting* findTrainingChoice(const std::string& id) {
  const auto& all = trainingChoices();
  const auto found = std::find_if(all.begin(), all.end(), [&](const ChoiceSetting& each) { return each.id == id; });
  return found == all.end() ? nullptr : &*found;
}

const ChoiceDef& ChoiceSetting::defOf(const TrainingSpec& training) const {
  const ChoiceDef* def = findChoice(rows, typeOf(training));
  return def ? *def : *rows.front();
}

void ChoiceSetting::choose(TrainingSpec& training, const std::string& newType) const {
  const ChoiceDef* def = findChoice(rows, newType);
  if (!def || newType == typeOf(training)) return;
  const ChoiceDef& before = defOf(training);
  Fields changed(def->fields);
  for (const Field& field : def->fields)
    for (const Field& old : before.fields)
      if (old.id == field.id && !problemWith(field, fieldsOf(training).at(old.id)))
        changed.set(field.id, fieldsOf(training).at(old.id));
  type(training) = newType;
  fields(training) = std::move(changed);
}

Field monitorField(const LossSpec& loss) {
  std::vector<Choice> choices;
  MetricIds all;
  for (const MetricDef& metric : allMetrics()) all.push_back(metric.id);
  for (const std::string& id : fittingMetrics(all, loss))
    choices.push_back({withVal(id), findMetric(id)->title, findMetric(id)->help});
  choices.push_back({"val_loss", "Loss", "The epoch with the smallest loss of the validation is the best."});
  return choiceField("monitor", "Best by", choices, choices.front().id, "What makes an epoch the best of its run.");
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Reading runs back. What a crash tore (a half line at the end of metrics.jsonl) is passed over; what is unsound is
// refused.
#include "engine/train/run_record.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>
#include <random>

#include "engine/error.h"
#include "engine/train/run_folder.h"

namespace strata {
namespace {

Error unsound(const Path& path, const std::string& what) {
  return {Error::Kind::Input, path.string(), what, "The run's record is damaged"};
}

double number(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::string text(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t integer(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_unsigned() ? found->get<std::int64_t>() : 0;
}

EpochRecord epochFromJson(const Json& json) {
  EpochRecord record;
  record.epoch = static_cast<int>(integer(json, "epoch"));
  record.loss = number(json, "loss");
  record.accuracy = number(json, "accuracy");
  record.valLoss = number(json, "val_loss");
  record.valAccuracy = number(json, "val_accuracy");
  record.epochSeconds = number(json, "epoch_seconds");
  record.valSeconds = number(json, "val_seconds");
  record.samplesPerSecond = number(json, "samples_per_second");
  record.learningRate = number(json, "learning_rate");
  return record;
}

/// An object, or an empty one when the file is absent: a crash may have come before it was written.
Json readOptional(const Path& path) {
  if (!std::filesystem::exists(path)) return Json::object();
  Json json = parseJson(readFile(path, kMaxRecordBytes), path.string());
  if (!json.is_object()) throw unsound(path, "must be an object in braces");
  return json;
}

std::vector<EpochRecord> readEpochs(const Path& path) {
  std::vector<EpochRecord> epochs;
  if (!std::filesystem::exists(path)) return epochs;
  const std::string content = readFile(path, kMaxRecordBytes);
  int line = 0;
  for (std::size_t begin = 0, end; (end = content.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const Json json = parseJson(std::string_view(content).substr(begin, end - begin),
                                path.string() + ", line " + std::to_string(++line));
    if (!json.is_object()) throw unsound(path, "line " + std::to_string(line) + " is not an object");
    if (text(json, "event") != "epoch") continue;
    epochs.push_back(epochFromJson(json));
    if (epochs.back().epoch != static_cast<int>(epochs.size()))
      throw unsound(path, "line " + std::to_string(line) + " is epoch " + std::to_string(epochs.back().epoch) +
                              ", needed " + std::to_string(epochs.size()));
  }
  return epochs;
}

RunRecord referenceFromJson(const Json& json, const Path& file) {
  RunRecord run;
  run.reference = true;
  run.state = "finished";
  run.name = text(json, "name");
  run.backend = text(json, "device");
  run.datasetTitle = text(json, "dataset");
  run.parameters = integer(json, "parameters");
  if (run.name.empty() || !json.contains("epochs") || !json["epochs"].is_array())
    throw unsound(file, "a run needs a name and epochs");
  run.project.name = text(json, "net");
  double elapsed = 0;
  for (const Json& epoch : json["epochs"]) {
    EpochRecord record = epochFromJson(epoch);
    record.epochSeconds = number(epoch, "elapsed_seconds") - elapsed;
    elapsed = number(epoch, "elapsed_seconds");
    run.epochs.push_back(record);
  }
  run.bestEpoch = bestEpochOf(run.epochs);
  return run;
}

}  // namespace

int bestEpochOf(const std::vector<EpochRecord>& epochs) {
  int best = 0;
  double highest = -1;
  for (const EpochRecord& record : epochs) {
    const double accuracy = std::isnan(record.valAccuracy) ? record.accuracy : record.valAccuracy;
    if (accuracy > highest) {
      highest = accuracy;
      best = record.epoch;
    }
  }
  return best;
}

Json epochToJson(const EpochRecord& record) {
  return {{"event", "epoch"},
          {"epoch", record.epoch},
          {"loss", numberOrNull(record.loss)},
          {"accuracy", numberOrNull(record.accuracy)},
          {"val_loss", numberOrNull(record.valLoss)},
          {"val_accuracy", numberOrNull(record.valAccuracy)},
          {"epoch_seconds", numberOrNull(record.epochSeconds)},
          {"val_seconds", numberOrNull(record.valSeconds)},
          {"samples_per_second", numberOrNull(record.samplesPerSecond)},
          {"learning_rate", numberOrNull(record.learningRate)}};
}

Path runsDir() { return userDataDir() / "runs"; }

Path newRunFolder(const Path& parent) {
  std::random_device random;
  for (;;) {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm utc{};
    gmtime_r(&now, &utc);
    char name[32];
    const std::size_t length = std::strftime(name, sizeof name, "%Y%m%d-%H%M%S-", &utc);
    std::snprintf(name + length, sizeof name - length, "%04x", random() & 0xffffu);
    if (!std::filesystem::exists(parent / name)) return parent / name;
  }
}

RunRecord readRun(const Path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw Error(Error::Kind::File, folder.string(), "there is no such folder", "Name the folder of a run");
  if (!std::filesystem::exists(folder / "project.json"))
    throw Error(Error::Kind::Input, folder.string(), "holds no project.json, so it is not a run's folder",
                "Name the folder of a run");
  RunRecord run;
  run.folder = folder;
  run.project = readProject(folder / "project.json");
  const Json environment = readOptional(folder / "environment.json"), summary = readOptional(folder / "summary.json");
  run.backend = text(environment, "backend");
  run.precision = text(environment, "precision");
  run.datasetTitle = text(environment, "dataset");
  run.synthetic = environment.contains("synthetic") && environment["synthetic"] == true;
  run.threads = static_cast<int>(integer(environment, "threads"));
  run.parameters = integer(environment, "parameters");
  run.started = text(environment, "started");
  run.name = text(summary, "name");
  if (run.name.empty()) run.name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  run.state = text(summary, "state");
  run.reason = text(summary, "reason");
  if (run.state.empty() || run.state == "training") run.state = lockHolder(folder).empty() ? "interrupted" : "training";
  run.epochs = readEpochs(folder / "metrics.jsonl");
  run.bestEpoch = bestEpochOf(run.epochs);
  return run;
}

std::vector<RunRecord> listRuns(const Path& parent, std::vector<std::string>* problems) {
  std::vector<RunRecord> runs;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(parent, code)) {
    if (!std::filesystem::exists(entry.path() / "project.json", code)) continue;
    try {
      runs.push_back(readRun(entry.path()));
    } catch (const Error& error) {
      if (problems) problems->push_back(error.what());
    }
  }
  std::sort(runs.begin(), runs.end(), [](const RunRecord& a, const RunRecord& b) {
    return std::pair(a.started, a.folder) > std::pair(b.started, b.folder);
  });
  return runs;
}

std::vector<RunRecord> readReferenceRuns(const Path& file) {
  const Json json = parseJson(readFile(file, kMaxRecordBytes), file.string());
  if (!json.is_object() || !json.contains("runs") || !json["runs"].is_array())
    throw unsound(file, "needs a list \"runs\"");
  std::vector<RunRecord> runs;
  for (const Json& run : json["runs"]) {
    if (!run.is_object()) throw unsound(file, "a run must be an object in braces");
    runs.push_back(referenceFromJson(run, file));
  }
  return runs;
}

void renameRun(const Path& folder, const std::string& name) {
  const FolderLock lock(folder);
  Json summary = readOptional(folder / "summary.json");
  summary["name"] = name;
  durableReplace(folder / "summary.json", prettyJson(summary));
}

}  // namespace strata

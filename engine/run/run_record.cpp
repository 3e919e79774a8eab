// SPDX-License-Identifier: Apache-2.0
// Reading runs back. What a crash tore (a half line at the end of metrics.jsonl) is passed over; what is unsound is
// refused.
#include "engine/run/run_record.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>
#include <random>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/growing_file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/run/run_folder.h"

namespace strata {
namespace {

// Beyond these a number is no figure of a run, and no plot could show it.
constexpr double kMostLoss = 1e39;      ///< of logits that are floats
constexpr double kMostSeconds = 1e9;    ///< thirty years
constexpr double kMostRate = 1e12;      ///< samples a second, steps of a weight
constexpr std::size_t kMostText = 300;  ///< characters; a reason is a sentence

Error unsound(const Path& path, const std::string& what) {
  return {Error::Kind::Input, path.string(), what, "The run's record is damaged"};
}

/// Of `low` to `high`; not a number where it is absent or null.
double number(const Json& json, const char* key, double low, double high, const std::string& where) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return std::numeric_limits<double>::quiet_NaN();
  return realNumber(*found, where + ": " + key, low, high);
}

std::string text(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? printable(found->get<std::string>(), kMostText) : std::string();
}

/// From 0; 0 where it is absent.
template <class Integer>
Integer count(const Json& json, const char* key, const std::string& where) {
  const auto found = json.find(key);
  return found == json.end() ? Integer{0} : wholeNumber<Integer>(*found, where + ": " + key, 0);
}

/// What a file of the folder says that only describes the run. Absent after a crash that came before it was written;
/// damaged, it is a problem of the record and no reason to refuse it.
template <class Take>
void readDescription(RunRecord& run, const Path& path, Take take) {
  try {
    Json json = Json::object();
    if (somethingAt(path)) json = parseJson(readFile(path, kMaxRecordBytes), path.string());
    if (!json.is_object()) throw unsound(path, "must be an object in braces");
    take(json);
  } catch (const Error& error) {
    run.problems.push_back(error.what());
  }
}

constexpr std::size_t kMaxGap = 1000;  ///< so many lines in a row may be missing: a damaged number is no such gap

/// Adds what one line of metrics.jsonl says, when it is an epoch's.
void addEpoch(std::vector<EpochRecord>& epochs, std::string_view line, const std::string& where) {
  const Json json = parseJson(line, where);
  if (!json.is_object()) throw Error(Error::Kind::Input, where, "is not an object", "The run's record is damaged");
  if (text(json, "event") != "epoch") return;
  const std::size_t needed = epochs.size() + 1;
  const EpochRecord record = epochFromJson(json, where);
  const auto number = static_cast<std::size_t>(record.epoch);
  if (number < needed || number > needed + kMaxGap)
    throw Error(Error::Kind::Input, where, "is epoch " + std::to_string(number) + ", needed " + std::to_string(needed),
                "The run's record is damaged");
  while (epochs.size() + 1 < number) epochs.push_back(missingEpoch(static_cast<int>(epochs.size()) + 1));
  epochs.push_back(record);
}

std::vector<EpochRecord> readEpochs(const Path& path, std::vector<std::string>* problems) {
  std::vector<EpochRecord> epochs;
  if (!somethingAt(path)) return epochs;
  LineReader lines(path);
  for (std::string_view line; lines.next(line);) {
    try {
      addEpoch(epochs, line, path.string() + ", line " + std::to_string(lines.number()));
    } catch (const Error& error) {
      if (!problems) throw;
      problems->push_back(error.what());
    }
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
  run.parameters = count<std::int64_t>(json, "parameters", file.string());
  if (run.name.empty() || !json.contains("epochs") || !json["epochs"].is_array())
    throw unsound(file, "a run needs a name and epochs");
  run.project.name = text(json, "net");
  double elapsed = 0;
  for (const Json& epoch : json["epochs"]) {
    if (!epoch.is_object()) throw unsound(file, "an epoch must be an object in braces");
    EpochRecord record = epochFromJson(epoch, file.string());
    const double now = number(epoch, "elapsed_seconds", 0, kMostSeconds, file.string());
    record.epochSeconds = now - std::exchange(elapsed, now);
    run.epochs.push_back(record);
  }
  run.bestEpoch = bestEpochOf(run.epochs);
  return run;
}

}  // namespace

EpochRecord epochFromJson(const Json& json, const std::string& where) {
  EpochRecord record;
  record.epoch = count<int>(json, "epoch", where);
  record.loss = number(json, "loss", -kMostLoss, kMostLoss, where);
  record.valLoss = number(json, "val_loss", -kMostLoss, kMostLoss, where);
  for (const MetricDef& metric : allMetrics())
    for (const std::string& key : {metric.id, withVal(metric.id)}) {
      const bool share = metric.format == MetricDef::Format::Percent;
      if (json.contains(key))
        record.metrics[key] = number(json, key.c_str(), share ? 0 : -kMostLoss, share ? 1 : kMostLoss, where);
    }
  record.epochSeconds = number(json, "epoch_seconds", 0, kMostSeconds, where);
  record.valSeconds = number(json, "val_seconds", 0, kMostSeconds, where);
  record.samplesPerSecond = number(json, "samples_per_second", 0, kMostRate, where);
  record.learningRate = number(json, "learning_rate", 0, kMostRate, where);
  return record;
}

EpochRecord missingEpoch(int epoch) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  return {epoch, kNone, kNone, {}, 0, 0, kNone, kNone};
}

bool isMissing(const EpochRecord& record) { return std::isnan(record.loss); }

double monitoredValue(const EpochRecord& record, const std::string& monitor) {
  const double value = record.value(monitor);
  return std::isnan(value) ? record.value(withoutVal(monitor)) : value;
}

int bestEpochOf(const std::vector<EpochRecord>& epochs, const std::string& monitor) {
  const double sign = higherIsBetter(monitor) ? 1 : -1;
  int best = 0;
  double highest = -std::numeric_limits<double>::infinity();
  for (const EpochRecord& record : epochs) {
    const double value = sign * monitoredValue(record, monitor);
    if (value > highest) {
      highest = value;
      best = record.epoch;
    }
  }
  return best;
}

Json epochToJson(const EpochRecord& record) {
  Json json{{"event", "epoch"}, {"epoch", record.epoch}};
  const auto addMetrics = [&](bool validated) {
    for (const auto& [key, value] : record.metrics)
      if ((key != withoutVal(key)) == validated) json[key] = numberOrNull(value);
  };
  json["loss"] = numberOrNull(record.loss);
  addMetrics(false);
  json["val_loss"] = numberOrNull(record.valLoss);
  addMetrics(true);
  json["epoch_seconds"] = numberOrNull(record.epochSeconds);
  json["val_seconds"] = numberOrNull(record.valSeconds);
  json["samples_per_second"] = numberOrNull(record.samplesPerSecond);
  json["learning_rate"] = numberOrNull(record.learningRate);
  return json;
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
    if (!somethingAt(parent / name)) return parent / name;
  }
}

RunRecord readRun(const Path& folder, std::vector<std::string>* problems) {
  RunRecord run = describeRun(folder);
  run.epochs = readEpochs(folder / "metrics.jsonl", problems);
  run.bestEpoch = bestEpochOf(run.epochs, monitorOf(run.project.training));
  return run;
}

RunRecord describeRun(const Path& folder) {
  if (!folderAt(folder))
    throw Error(Error::Kind::File, folder.string(), "there is no such folder", "Name the folder of a run");
  if (!somethingAt(folder / "project.json"))
    throw Error(Error::Kind::Input, folder.string(), "holds no project.json, so it is not a run's folder",
                "Name the folder of a run");
  RunRecord run;
  run.folder = folder;
  run.project = readProject(folder / "project.json");
  const Path environment = folder / "environment.json";
  readDescription(run, environment, [&](const Json& json) {
    run.backend = text(json, "backend");
    run.precision = text(json, "precision");
    run.datasetTitle = text(json, "dataset");
    run.synthetic = json.contains("synthetic") && json["synthetic"] == true;
    run.started = text(json, "started");
    run.threads = count<int>(json, "threads", environment.string());
    run.parameters = count<std::int64_t>(json, "parameters", environment.string());
  });
  readDescription(run, folder / "summary.json", [&](const Json& json) {
    run.name = text(json, "name");
    run.state = text(json, "state");
    run.reason = text(json, "reason");
  });
  if (run.name.empty())
    run.name = printable((folder.has_filename() ? folder : folder.parent_path()).filename().string());
  run.holder = lockHolder(folder);
  if (!run.holder.empty()) run.state = "training";
  else if (run.state.empty() || run.state == "training") run.state = "interrupted";
  return run;
}

std::vector<RunRecord> listRuns(const Path& parent, std::vector<std::string>* problems) {
  std::vector<RunRecord> runs;
  const auto note = [&](const std::string& problem) {
    if (problems) problems->push_back(problem);
  };
  std::error_code code;
  std::filesystem::directory_iterator entry(parent, code), end;
  for (; !code && entry != end; entry.increment(code)) {
    std::error_code hidden;
    if (!std::filesystem::exists(entry->path() / "project.json", hidden) && !hidden) continue;
    try {
      runs.push_back(readRun(entry->path()));
    } catch (const Error& error) {
      note(error.what());
    } catch (const std::exception& error) {
      note(Error(Error::Kind::Input, entry->path().string(), error.what()).what());
    }
  }
  if (code && code != std::errc::no_such_file_or_directory)
    note(Error(Error::Kind::File, parent.string(), "cannot be listed (" + code.message() + ")").what());
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

Path moveRun(const Path& folder, const Path& parent) {
  const FolderLock lock(folder);
  makeFolders(parent);
  const std::string name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  std::error_code code;
  Path to = parent / name;
  for (int number = 2; std::filesystem::exists(to, code); ++number) to = parent / (name + "-" + std::to_string(number));
  std::filesystem::rename(folder, to, code);
  if (code)
    throw Error(Error::Kind::File, folder.string(), "cannot be moved to " + to.string() + " (" + code.message() + ")",
                "The run is where it was");
  return to;
}

void renameRun(const Path& folder, const std::string& name) {
  const FolderLock lock(folder);
  const Path path = folder / "summary.json";
  Json summary = Json::object();
  RunRecord run;
  readDescription(run, path, [&](const Json& json) { summary = json; });  // a damaged one is written anew
  summary["name"] = name;
  durableReplace(path, prettyJson(summary));
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// A run folder: project.json environment.json metrics.jsonl history.csv summary.json checkpoints/. Written by one
// process, which holds its lock; read by anyone.
#pragma once
#include <string>
#include <vector>

#include "engine/run/events.h"
#include "engine/run/project.h"

namespace strata {

inline constexpr std::uint64_t kMaxRecordBytes = 64 << 20;  ///< of metrics.jsonl and its like

/// A run as read back from its folder, or as it stands.
struct RunRecord {
  Path folder;
  std::string name;  ///< "20261123-141500-3f2a", or as renamed
  Project project;
  std::string backend;
  std::string precision;     ///< "float32"; empty in runs of earlier versions
  std::string datasetTitle;  ///< "MNIST", or the synthetic one's
  bool synthetic = false;
  int threads = 0;
  std::string state;    ///< "training" "finished" "stopped" "diverged" "failed" "interrupted"
  std::string reason;   ///< one sentence when diverged or failed
  std::string holder;   ///< who holds the folder's lock and so trains it now: "process 1234"; empty: nobody
  std::string started;  ///< ISO 8601, UTC
  std::vector<EpochRecord> epochs;
  int bestEpoch = 0;
  bool reference = false;  ///< one of resources/reference_runs.json: not a folder, locked
  std::int64_t parameters = 0;
  std::vector<std::string> problems;  ///< of files that the record can do without, a sentence each
};

/// What the epoch is judged by: its value of `monitor`, a history key, or where nothing is validated that of the same
/// in training; not a number where there is neither.
double monitoredValue(const EpochRecord& record, const std::string& monitor);
/// The epoch with the best value of `monitor`; the earliest of equals; 0 for none.
int bestEpochOf(const std::vector<EpochRecord>& epochs, const std::string& monitor = "val_accuracy");
/// As in metrics.jsonl and with `strata train --json`; null for what is not a number.
Json epochToJson(const EpochRecord& record);
/// As epochToJson() has written it; what is missing becomes NaN, or 0 for `epoch`. `where` names it in messages.
EpochRecord epochFromJson(const Json& json, const std::string& where);
/// The epoch's line was never written: figures not a number, times 0.
EpochRecord missingEpoch(int epoch);
bool isMissing(const EpochRecord& record);

Path runsDir();                         ///< userDataDir()/runs
Path newRunFolder(const Path& parent);  ///< a name that sorts by time, unused; not created yet
/// Error::File, Error::Input. Of a folder that a crash has left behind it reads what is there; its state is
/// "interrupted". That of a folder whose lock is held is "training", whatever was written down last. Texts out of its
/// files come without control characters and cut to a line. Epochs between others whose lines are missing stand as
/// missingEpoch(). A line that makes no sense is refused, or passed over with a sentence in `problems` where that is
/// given.
RunRecord readRun(const Path& folder, std::vector<std::string>* problems = nullptr);
RunRecord describeRun(const Path& folder);  ///< readRun() without the epochs, of which there may be many
/// Newest first; unreadable ones as sentences.
std::vector<RunRecord> listRuns(const Path& parent, std::vector<std::string>* problems = nullptr);
std::vector<RunRecord> readReferenceRuns(const Path& file);  ///< resources/reference_runs.json
/// Moves the folder of a run into `parent`, under a name that is free there, and returns where it is now. Error::File,
/// naming who uses it when somebody does.
Path moveRun(const Path& folder, const Path& parent);
/// The folder keeps its own. Error::File, Error::Input when it is in use.
void renameRun(const Path& folder, const std::string& name);

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/run/resume.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "engine/base/error.h"
#include "engine/run/run_folder.h"

namespace strata {
namespace {

namespace fs = std::filesystem;

bool isCheckpointName(const std::string& name) { return name.ends_with(".safetensors") || name.ends_with(".damaged"); }

/// The files epoch-NNNN.safetensors in a checkpoints folder, by epoch.
std::map<int, Path> keptEpochFiles(const Path& checkpoints) {
  std::map<int, Path> files;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(checkpoints, code)) {
    const std::string name = entry.path().filename().string();
    int epoch = 0;
    if (name.starts_with("epoch-")) std::from_chars(name.data() + 6, name.data() + name.size(), epoch);
    if (epoch > 0 && name == epochFileName(epoch)) files[epoch] = entry.path();
  }
  return files;
}

/// Ended before its first checkpoint: all that a start writes is there, but nothing of training.
bool wasNeverBegun(const Path& folder) {
  std::error_code code;
  if (!fs::is_regular_file(folder / "environment.json", code) || !fs::is_directory(folder / "checkpoints", code))
    return false;
  for (const auto& entry : fs::directory_iterator(folder / "checkpoints", code))
    if (isCheckpointName(entry.path().filename().string())) return false;
  const std::uintmax_t metrics = fs::file_size(folder / "metrics.jsonl", code);
  return code || metrics == 0;
}

std::optional<Checkpoint> soundCheckpoint(const Path& path) {
  std::error_code code;
  if (!fs::exists(path, code)) return std::nullopt;
  try {
    return readCheckpoint(path);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// Out of the way, but kept: what is damaged may still be worth something to somebody.
void quarantineDamaged(const Path& path) {
  std::error_code code;
  if (fs::exists(path, code) && !soundCheckpoint(path))
    fs::rename(path, Path(path).replace_extension(".damaged"), code);
}

/// A second name for the same file where the file system has such; checkpoints are replaced, never changed.
void bringFile(const Path& from, const Path& to, std::vector<std::string>& problems) {
  std::error_code code;
  if (!fs::exists(from, code)) return;
  fs::remove(to, code);
  fs::create_hard_link(from, to, code);
  if (!code) return;
  try {
    durableReplace(to, readFile(from, fs::file_size(from, code)));
  } catch (const Error& error) {
    problems.push_back(std::string("Weights of the run before could not be brought along. ") + error.what());
  }
}

std::string epochsText(const std::vector<int>& epochs) {
  if (epochs.size() == 1) return "epoch " + std::to_string(epochs.front());
  return std::to_string(epochs.size()) + " epochs between " + std::to_string(epochs.front()) + " and " +
         std::to_string(epochs.back());
}

/// Whether the checkpoint was saved at the end of that epoch, before anything of the next was trained.
bool endsEpoch(const Checkpoint& checkpoint, int epoch) {
  return checkpoint.epoch == epoch && checkpoint.epochSamples == 0;
}

void settleBest(const Path& from, const Path& to, const Checkpoint& start, int bestEpoch,
                std::vector<std::string>& problems) {
  const Path best = to / "best.safetensors";
  const std::optional<Checkpoint> there = soundCheckpoint(best);
  if (bestEpoch == 0 || (there && endsEpoch(*there, bestEpoch))) return;
  std::optional<Checkpoint> found;
  if (endsEpoch(start, bestEpoch)) found = start;
  for (const std::string& name : {epochFileName(bestEpoch), std::string("previous.safetensors")})
    if (!found)
      if (auto other = soundCheckpoint(from / name); other && endsEpoch(*other, bestEpoch)) found = std::move(other);
  if (!found) {
    problems.push_back("The weights of epoch " + std::to_string(bestEpoch) +
                       ", the best of the record, are lost; best.safetensors " +
                       (there ? "holds those of epoch " + std::to_string(there->epoch) : "is not there") +
                       " until a better epoch is trained.");
    return;
  }
  durableReplace(best, checkpointBytes(resultOf(*found)));
}

}  // namespace

std::string problemWithBest(const RunRecord& run) {
  const Path path = run.folder / "checkpoints" / "best.safetensors";
  std::error_code code;
  if (run.bestEpoch == 0 || run.state == "training") return {};
  const std::string needed = "the best epoch of the record is " + std::to_string(run.bestEpoch) + ".";
  if (!fs::exists(path, code)) return path.string() + ": is not there, " + needed;
  const std::optional<Checkpoint> best = soundCheckpoint(path);
  if (!best || endsEpoch(*best, run.bestEpoch)) return {};
  return path.string() + ": holds the weights of epoch " + std::to_string(best->epoch) + ", " + needed;
}

bool holdsRun(const Path& folder) {
  std::error_code code;
  return fs::exists(folder / "project.json", code) && !wasNeverBegun(folder);
}

ResumePoint findResumePoint(const Path& folder) {
  const Path checkpoints = folder / "checkpoints";
  ResumePoint point;
  if (wasNeverBegun(folder)) {
    point.begun = false;
    return point;
  }
  const auto reads = [&](const Path& path) {
    try {
      point.checkpoint = readCheckpoint(path);
      return true;
    } catch (const Error& error) {
      point.problems.push_back(error.what());
      return false;
    }
  };
  for (const char* name : {"last.safetensors", "previous.safetensors"})
    if (reads(checkpoints / name)) return point;
  // An epoch's file holds no optimizer state. The newest that is sound, the best weights included.
  point.weightsAlone = true;
  const std::optional<Checkpoint> best = soundCheckpoint(checkpoints / "best.safetensors");
  const std::map<int, Path> kept = keptEpochFiles(checkpoints);
  for (auto file = kept.rbegin(); file != kept.rend() && (!best || file->first > best->epoch); ++file)
    if (reads(file->second)) return point;
  if (best) {
    point.checkpoint = *best;
    return point;
  }
  throw Error(somethingAt(folder) ? Error::Kind::Input : Error::Kind::File, folder.string(),
              "there is no sound checkpoint to resume from: " + point.problems.front(), "Start a new run");
}

std::vector<EpochRecord> epochsUpTo(const Checkpoint& checkpoint, const RunRecord& run,
                                    std::vector<std::string>& problems) {
  const auto count = static_cast<std::size_t>(checkpoint.epoch);
  std::vector<EpochRecord> epochs(run.epochs.begin(),
                                  run.epochs.begin() + static_cast<std::ptrdiff_t>(std::min(count, run.epochs.size())));
  while (epochs.size() < count) epochs.push_back(missingEpoch(static_cast<int>(epochs.size()) + 1));
  std::vector<int> found, lost;
  for (EpochRecord& epoch : epochs) {
    if (!isMissing(epoch)) continue;
    std::optional<EpochRecord> remembered;
    if (checkpoint.epoch == epoch.epoch) remembered = checkpoint.lastEpoch;
    for (const std::string& name : {epochFileName(epoch.epoch), std::string("best.safetensors")})
      if (!remembered)
        if (const auto other = soundCheckpoint(run.folder / "checkpoints" / name); other && other->epoch == epoch.epoch)
          remembered = other->lastEpoch;
    if (remembered) epoch = *remembered;
    (remembered ? found : lost).push_back(epoch.epoch);
  }
  if (!found.empty())
    problems.push_back("The record lacked " + epochsText(found) + "; the checkpoints remember the figures.");
  if (!lost.empty()) problems.push_back("The record lacks " + epochsText(lost) + ", whose figures are lost.");
  return epochs;
}

void takeOverWeights(const Path& from, const Path& to, const Checkpoint& start, int bestEpoch,
                     std::vector<std::string>& problems) {
  const std::map<int, Path> kept = keptEpochFiles(from);
  if (from == to) {
    for (const char* name : {"last.safetensors", "previous.safetensors", "best.safetensors"})
      quarantineDamaged(to / name);
    std::error_code code;
    for (const auto& [epoch, path] : kept)  // they are trained again, and may come out differently
      if (epoch > start.epoch) fs::remove(path, code);
  } else {
    for (const auto& [epoch, path] : kept)
      if (epoch <= start.epoch) bringFile(path, to / path.filename(), problems);
    if (bestEpoch > 0) bringFile(from / "best.safetensors", to / "best.safetensors", problems);
  }
  settleBest(from, to, start, bestEpoch, problems);
}

}  // namespace strata

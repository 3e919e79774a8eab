// SPDX-License-Identifier: Apache-2.0
#include "engine/run/run_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/thread_name.h"

namespace strata {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxOwedBytes = 64 << 20;  ///< of kept epochs; past it training waits for the disk
constexpr int kFailedPace = 10;                    ///< times as far apart are rounds while nothing comes of them
constexpr int kLastTries = 3;                      ///< rounds before the end is told as a failure

/// A lock on the whole file that belongs to the open file: asking for it takes nothing, and it dies with its process.
struct flock wholeFile() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

std::string holderIn(const Path& lockFile) {
  std::string pid;
  try {
    pid = RegularFile(lockFile).read(20);
  } catch (const Error&) {
  }
  const bool number = std::all_of(pid.begin(), pid.end(), [](char c) { return c >= '0' && c <= '9'; });
  return pid.empty() || !number ? "another process" : "process " + pid;
}

/// The columns of history.csv behind the epoch: losses, the run's metrics, times.
std::vector<std::string> historyKeys(const TrainingSpec& training) {
  std::vector<std::string> keys{"loss"};
  for (const std::string& id : metricsOf(training))
    if (!findMetric(id)->validationAlone()) keys.push_back(id);
  keys.push_back("val_loss");
  for (const std::string& id : metricsOf(training)) keys.push_back(withVal(id));
  return keys;
}

std::string historyHeader(const std::vector<std::string>& keys) {
  std::string line = "epoch";
  for (const std::string& key : keys) line.append(",").append(key);
  return line + ",epoch_seconds,samples_per_second\n";
}

std::string historyLine(const EpochRecord& record, const std::vector<std::string>& keys) {
  std::string line = std::to_string(record.epoch);
  const auto add = [&](double value) { line.append(",").append(compactJson(numberOrNull(value))); };
  for (const std::string& key : keys) add(record.value(key));
  add(record.epochSeconds);
  add(record.samplesPerSecond);
  return line + "\n";
}

std::string epochLine(const EpochRecord& record, std::uint64_t step) {
  Json json = epochToJson(record);
  json["step"] = step;
  return compactJson(json) + "\n";
}

std::string weightsBytes(const Checkpoint& checkpoint) { return checkpointBytes(resultOf(checkpoint)); }

std::uint64_t byteSize(const Checkpoint& checkpoint) {
  return (checkpoint.weights.values.size() + checkpoint.optimizerState.size()) * sizeof(float);
}

/// What a line of a record says, where it is to be kept in a run that goes on from `step`.
struct RecordLine {
  bool kept = false;
  int epoch = 0;  ///< 0 for a note
};

RecordLine readRecordLine(std::string_view line, std::uint64_t step, std::size_t epochs) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return {};
  const auto at = json.find("step");
  if (at == json.end() || !at->is_number_unsigned() || at->get<std::uint64_t>() > step) return {};
  const auto event = json.find("event");
  if (event == json.end() || *event != "epoch") return {true, 0};
  const auto epoch = json.find("epoch");
  if (epoch == json.end() || !epoch->is_number_unsigned() || epoch->get<std::uint64_t>() > epochs) return {};
  return {*epoch != 0, epoch->get<int>()};
}

/// The length of the first lines, all of which are kept and hold every epoch; nothing when such a part alone will not
/// do.
std::optional<std::uint64_t> soundPart(const Path& metrics, std::uint64_t step, std::size_t epochs) {
  LineReader lines(metrics);
  std::uint64_t size = 0;
  std::size_t found = 0;
  bool ended = false;
  for (std::string_view text; lines.next(text);) {
    const RecordLine line = readRecordLine(text, step, epochs);
    if (line.kept && ended) return std::nullopt;
    ended = ended || !line.kept;
    if (!line.kept) continue;
    if (line.epoch > 0 && static_cast<std::size_t>(line.epoch) != ++found) return std::nullopt;
    size = lines.offset();
  }
  if (found != epochs) return std::nullopt;
  return size;
}

/// The lines that are kept, and those of the epochs that have none at their places.
std::string mendedMetrics(const Path& metrics, std::uint64_t step, const std::vector<EpochRecord>& epochs) {
  std::string mended;
  std::size_t written = 0;
  LineReader lines(metrics);
  for (std::string_view text; lines.next(text);) {
    const RecordLine line = readRecordLine(text, step, epochs.size());
    if (!line.kept || (line.epoch > 0 && static_cast<std::size_t>(line.epoch) <= written)) continue;
    while (line.epoch > 0 && static_cast<int>(written) + 1 < line.epoch) mended += epochLine(epochs[written++], step);
    if (line.epoch > 0) ++written;
    mended.append(text).append("\n");
  }
  while (written < epochs.size()) mended += epochLine(epochs[written++], step);
  return mended;
}

void removeTemporaries(const Path& folder) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code))
    if (entry.path().filename().string().ends_with(kTemporarySuffix)) fs::remove(entry.path(), code);
}

}  // namespace

std::string epochFileName(int epoch) {
  const std::string number = std::to_string(epoch);
  return "epoch-" + std::string(number.size() < 4 ? 4 - number.size() : 0, '0') + number + ".safetensors";
}

std::string lockHolder(const Path& folder) {
  const int fd = ::open((folder / "lock").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return {};
  struct flock lock = wholeFile();
  const bool held = ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  ::close(fd);
  return held ? holderIn(folder / "lock") : std::string();
}

FolderLock::FolderLock(const Path& folder) {
  const Path path = folder / "lock";
  m_fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (m_fd < 0)
    throw Error(Error::Kind::File, path.string(),
                std::string("cannot lock the run's folder (") + std::strerror(errno) + ")",
                "Check that the folder may be written");
  struct flock lock = wholeFile();
  const std::string pid = std::to_string(::getpid());
  if (::fcntl(m_fd, F_OFD_SETLK, &lock) < 0) {
    ::close(m_fd);
    throw Error(Error::Kind::File, folder.string(), "the run is in use by " + holderIn(path),
                "Wait until it ends, or train into another folder");
  }
  // The number is a courtesy to whoever is refused; the lock holds without it.
  if (::ftruncate(m_fd, 0) < 0 || ::pwrite(m_fd, pid.data(), pid.size(), 0) < 0) return;
}

FolderLock::~FolderLock() { ::close(m_fd); }

RunFolder::RunFolder(const Entry& entry)
    : m_folder(entry.record.folder), m_checkpoints(m_folder / "checkpoints"), m_metrics(m_folder / "metrics.jsonl"),
      m_history(m_folder / "history.csv"), m_historyKeys(historyKeys(entry.record.project.training)),
      m_keepEpochs(entry.record.project.training.keepEpochs), m_pace(entry.pace),
      m_environment(prettyJson(entry.environment)), m_project(prettyJson(projectToJson(entry.record.project))),
      m_epochs(entry.record.epochs), m_newest(entry.start) {
  enter(entry);
  summary(entry.record);
  m_thread = std::jthread([this](std::stop_token stop) { work(stop); });
}

void RunFolder::enter(const Entry& entry) {
  const bool resumed = entry.resumeFrom == m_folder;
  const auto refuseAnotherRun = [&] {
    if (!resumed && holdsRun(m_folder))
      throw Error(Error::Kind::File, m_folder.string(), "holds a run already",
                  "Resume that run, or choose another folder");
  };
  refuseAnotherRun();  // before anything of it is changed
  makeFolders(m_checkpoints);
  m_lock = std::make_unique<FolderLock>(m_folder);
  refuseAnotherRun();  // another process may have begun one meanwhile
  removeTemporaries(m_folder);
  removeTemporaries(m_checkpoints);
  if (!entry.resumeFrom.empty())
    takeOverWeights(entry.resumeFrom / "checkpoints", m_checkpoints, *entry.start, entry.record.bestEpoch, m_problems);
  std::error_code code;
  if (!resumed || !fs::exists(m_checkpoints / "last.safetensors", code)) saveLast(*entry.start);
  beginRecord(entry);
  durableReplace(m_folder / "environment.json", m_environment);
  writeProject(m_folder / "project.json", entry.record.project);
}

RunFolder::~RunFolder() {
  if (!m_thread.joinable()) return;
  flush();
  m_thread.request_stop();
}

/// What was recorded after the checkpoint that the run goes on from will be recorded again. A record that only has to
/// be cut is cut; one that lacks lines, or is another folder's, is written anew.
void RunFolder::beginRecord(const Entry& entry) {
  const std::vector<EpochRecord>& epochs = entry.record.epochs;
  const std::uint64_t step = entry.start->step;
  std::string history = historyHeader(m_historyKeys);
  for (const EpochRecord& record : epochs) history += historyLine(record, m_historyKeys);
  m_history.begin(history);

  const Path old = entry.resumeFrom / "metrics.jsonl";
  std::error_code code;
  if (entry.resumeFrom.empty() || !fs::exists(old, code)) {
    std::string metrics;
    for (const EpochRecord& record : epochs) metrics += epochLine(record, step);
    return m_metrics.begin(metrics);
  }
  if (entry.resumeFrom == m_folder)
    if (const std::optional<std::uint64_t> size = soundPart(old, step, epochs.size())) return m_metrics.begin(*size);
  m_metrics.begin(mendedMetrics(old, step, epochs));
}

bool RunFolder::Owed::any() const {
  return !metrics.empty() || !history.empty() || !epochs.empty() || best || last || project || summary;
}

std::uint64_t RunFolder::Owed::epochBytes() const {
  std::uint64_t bytes = 0;
  for (const Shared& epoch : epochs) bytes += byteSize(*epoch);
  return bytes;
}

void RunFolder::Owed::takeBack(Owed failed) {
  metrics.insert(0, failed.metrics);
  history.insert(0, failed.history);
  epochs.insert(epochs.begin(), failed.epochs.begin(), failed.epochs.end());
  if (!best) best = std::move(failed.best);
  if (!last) last = std::move(failed.last);
  if (!project) project = std::move(failed.project);
  if (!summary) summary = std::move(failed.summary);
}

template <class Change>
void RunFolder::owe(Change change) {
  const std::lock_guard lock(m_mutex);
  change(m_owed);
  m_wake.notify_all();
}

void RunFolder::epoch(const EpochRecord& record, bool best, Shared checkpoint) {
  owe([&](Owed& owed) {
    owed.metrics += epochLine(record, checkpoint->step);
    owed.history += historyLine(record, m_historyKeys);
    m_epochs.push_back(record);
    if (best) owed.best = m_best = checkpoint;
    if (m_keepEpochs > 0) owed.epochs.push_back(checkpoint);
    owed.last = m_newest = checkpoint;
  });
  std::unique_lock lock(m_mutex);
  limitEpochs(lock);
  if (m_pace.count() == 0) awaitRound(lock);
}

/// Afterwards no round is at work until the lock is let go, so what is owed is known.
void RunFolder::awaitRound(Lock& lock) {
  m_hurry = true;
  m_wake.notify_all();
  m_wake.wait(lock, [&] { return !m_hurry && !m_busy; });
}

/// Epochs that come faster than a disk takes them wait for it; while it takes none, the oldest are given up.
void RunFolder::limitEpochs(Lock& lock) {
  while (m_owed.epochs.size() > static_cast<std::size_t>(m_keepEpochs)) m_owed.epochs.pop_front();
  if (m_owed.epochBytes() <= kMaxOwedBytes) return;
  if (m_why.empty()) awaitRound(lock);
  while (m_owed.epochs.size() > 1 && m_owed.epochBytes() > kMaxOwedBytes) {
    m_givenUp += (m_givenUp.empty() ? "" : ", ") + epochFileName(m_owed.epochs.front()->epoch);
    m_givenUpWhy = m_why;
    m_owed.epochs.pop_front();
  }
}

void RunFolder::dropOldEpochs() {
  std::vector<std::pair<std::size_t, Path>> files;  // by length first: epoch-10000 is newer than epoch-9999
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(m_checkpoints, code)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("epoch-") && name.ends_with(".safetensors")) files.emplace_back(name.size(), entry.path());
  }
  std::sort(files.begin(), files.end());
  for (std::size_t i = 0; i + static_cast<std::size_t>(m_keepEpochs) < files.size(); ++i)
    fs::remove(files[i].second, code);
}

void RunFolder::checkpoint(Shared checkpoint) {
  owe([&](Owed& owed) {
    if (checkpoint != m_newest) owed.last = m_newest = std::move(checkpoint);
  });
}

void RunFolder::saveLast(const Checkpoint& checkpoint) {
  const Path last = m_checkpoints / "last.safetensors", previous = m_checkpoints / "previous.safetensors";
  const std::string bytes = checkpointBytes(checkpoint);
  std::error_code code;
  if (fs::exists(last, code)) {
    const Path link = m_checkpoints / (std::string(".previous") + kTemporarySuffix);
    fs::remove(link, code);
    fs::create_hard_link(last, link, code);
    if (!code) fs::rename(link, previous, code);
    // Where a file system knows no hard links, `last` is away for a moment and `previous` stands in for it. After any
    // other failure `previous` stays as it is.
    else if (code == std::errc::operation_not_permitted || code == std::errc::operation_not_supported ||
             code == std::errc::function_not_supported)
      fs::rename(last, previous, code);
    fs::remove(link, code);  // still there where `last` and `previous` already were one file: a save had failed
  }
  durableReplace(last, bytes);
}

void RunFolder::note(std::uint64_t step, const std::string& key, const Json& value) {
  owe([&](Owed& owed) { owed.metrics += compactJson({{"event", "note"}, {"step", step}, {key, value}}) + "\n"; });
}

void RunFolder::project(const Project& project) {
  owe([&](Owed& owed) { owed.project = m_project = prettyJson(projectToJson(project)); });
}

void RunFolder::summary(const RunRecord& record) {
  Json json = {{"name", record.name}, {"state", record.state}};
  if (!record.reason.empty()) json["reason"] = record.reason;
  json["epochs"] = record.epochs.size();
  json["best_epoch"] = record.bestEpoch;
  if (record.bestEpoch > 0) {
    json["best"] = epochToJson(record.epochs[static_cast<std::size_t>(record.bestEpoch) - 1]);
    json["last"] = epochToJson(record.epochs.back());
  }
  owe([&](Owed& owed) { owed.summary = prettyJson(json); });
}

/// Somebody has removed the folder under the run. All that is still known of it is owed again.
void RunFolder::makeAnew(Owed& owed) {
  Owed known;
  std::string history = historyHeader(m_historyKeys), metrics;
  {
    const std::lock_guard lock(m_mutex);
    for (const EpochRecord& record : m_epochs) {
      history += historyLine(record, m_historyKeys);
      metrics += epochLine(record, m_newest->step);
    }
    m_owed.history.clear();
    m_owed.metrics.clear();
    known.project = m_project;
    known.best = m_best;
    known.last = m_newest;
  }
  makeFolders(m_checkpoints);
  durableReplace(m_folder / "environment.json", m_environment);
  m_history.begin(history);
  m_metrics.begin(metrics);
  m_lock = std::make_unique<FolderLock>(m_folder);  // last: its file says that the folder is whole
  owed.history.clear();
  owed.metrics.clear();
  owed.takeBack(std::move(known));
  const std::lock_guard lock(m_mutex);
  m_remade = true;
}

/// The record first, the checkpoint that counts on it and on the weights after them. Each part fails for itself.
RunFolder::Failure RunFolder::saveRound(Owed owed) {
  Failure failure;
  const auto saves = [&](const std::string& file, const auto& save) {
    try {
      save();
      return true;
    } catch (const std::exception& error) {
      failure.what += (failure.what.empty() ? "" : ", ") + file;
      failure.why = error.what();
      return false;
    }
  };
  const auto replaces = [&](const Path& path, const std::string& bytes) {
    return saves(path.filename().string(), [&] { durableReplace(path, bytes); });
  };
  std::error_code code;
  if (!fs::exists(m_folder / "lock", code)) saves("the run's folder", [&] { makeAnew(owed); });
  if (!owed.metrics.empty() && !saves("metrics.jsonl", [&] { m_metrics.add(owed.metrics); }))
    failure.owed.metrics = std::move(owed.metrics);
  if (!owed.history.empty() && !saves("history.csv", [&] { m_history.add(owed.history); }))
    failure.owed.history = std::move(owed.history);
  for (const Shared& epoch : owed.epochs)
    if (!replaces(m_checkpoints / epochFileName(epoch->epoch), weightsBytes(*epoch)))
      failure.owed.epochs.push_back(epoch);
  if (!owed.epochs.empty()) dropOldEpochs();
  if (owed.best && !replaces(m_checkpoints / "best.safetensors", weightsBytes(*owed.best)))
    failure.owed.best = owed.best;
  if (owed.project && !replaces(m_folder / "project.json", *owed.project)) failure.owed.project = owed.project;
  if (owed.last && !saves("last.safetensors", [&] { saveLast(*owed.last); })) failure.owed.last = owed.last;
  if (owed.summary && !replaces(m_folder / "summary.json", *owed.summary)) failure.owed.summary = owed.summary;
  return failure;
}

void RunFolder::work(std::stop_token stop) {
  nameThisThread("saver");
  using Clock = std::chrono::steady_clock;
  Clock::time_point due = Clock::now();
  std::unique_lock lock(m_mutex);
  while (m_wake.wait(lock, stop, [&] { return m_hurry || m_owed.any(); })) {
    m_wake.wait_until(lock, stop, due, [&] { return m_hurry; });
    if (stop.stop_requested()) return;
    m_hurry = false;
    m_busy = true;
    Owed owed = std::exchange(m_owed, {});
    lock.unlock();
    Failure failure = saveRound(std::move(owed));
    lock.lock();
    m_owed.takeBack(std::move(failure.owed));
    m_what = std::move(failure.what);
    m_why = std::move(failure.why);
    m_busy = false;
    due = Clock::now() + m_pace * (m_why.empty() ? 1 : kFailedPace);
    m_wake.notify_all();
  }
}

std::string RunFolder::flush() {
  std::unique_lock lock(m_mutex);
  m_wake.wait(lock, [&] { return !m_busy; });
  for (int tries = 0; tries < kLastTries && m_owed.any(); ++tries) awaitRound(lock);
  std::string files = m_givenUp;
  if (m_owed.any()) files += (files.empty() ? "" : ", ") + m_what;
  return files.empty() ? "" : "Not saved: " + files + ". " + (m_owed.any() ? m_why : m_givenUpWhy);
}

std::optional<NoteEvent> RunFolder::takeNews() {
  const std::lock_guard lock(m_mutex);
  if (std::exchange(m_remade, false))
    return NoteEvent{NoteEvent::Level::Warning,
                     m_folder.string() +
                         " was removed while the run trains. It is made anew with the record and the "
                         "newest weights" +
                         (m_best ? " and the best; only weights kept of earlier epochs are lost."
                                 : "; the best ones and those kept of earlier epochs are lost.")};
  if (m_why == m_told) return std::nullopt;
  m_told = m_why;
  if (m_why.empty()) return NoteEvent{NoteEvent::Level::Info, "What could not be saved before is saved now."};
  return NoteEvent{NoteEvent::Level::Warning, "Not saved, training goes on. " + m_why};
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/train/run_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/error.h"
#include "engine/thread_name.h"

namespace strata {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxWaiting = 8;  ///< tasks; with a slow disk training waits rather than fill the memory
constexpr const char* kHistoryHeader = "epoch,loss,accuracy,val_loss,val_accuracy,epoch_seconds,samples_per_second\n";

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

void appendDurably(const Path& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const bool written =
      fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fdatasync(fd) == 0;
  const int code = errno;
  if (fd >= 0) ::close(fd);
  if (!written)
    throw Error(Error::Kind::File, path.string(), std::string("cannot add to the file (") + std::strerror(code) + ")",
                "Make room on the disk");
}

std::string historyLine(const EpochRecord& record) {
  std::string line = std::to_string(record.epoch);
  for (const double value :
       {record.loss, record.accuracy, record.valLoss, record.valAccuracy, record.epochSeconds, record.samplesPerSecond})
    line.append(",").append(compactJson(numberOrNull(value)));
  return line + "\n";
}

std::string epochLine(const EpochRecord& record, std::uint64_t step) {
  Json json = epochToJson(record);
  json["step"] = step;
  return compactJson(json) + "\n";
}

std::string epochFileName(int epoch) {
  const std::string number = std::to_string(epoch);
  return "epoch-" + std::string(number.size() < 4 ? 4 - number.size() : 0, '0') + number + ".safetensors";
}

/// Out of the way, but kept: what is damaged may still be worth something to somebody.
void quarantineDamaged(const Path& path) {
  std::error_code code;
  if (!fs::exists(path, code)) return;
  try {
    readCheckpoint(path);
  } catch (const Error&) {
    fs::rename(path, Path(path).replace_extension(".damaged"), code);
  }
}

void removeTemporaries(const Path& folder) {
  std::error_code code;
  for (const Path& path : entriesOf(folder))
    if (path.filename().string().ends_with(kTemporarySuffix)) fs::remove(path, code);
}

}  // namespace

void GrowingFile::set(std::string content) {
  m_content = std::move(content);
  durableReplace(m_path, m_content);
}

void GrowingFile::add(const std::string& text) {
  m_content += text;
  const bool whole = m_torn;
  m_torn = true;
  whole ? durableReplace(m_path, m_content) : appendDurably(m_path, text);
  m_torn = false;
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

ResumePoint findResumePoint(const Path& folder) {
  ResumePoint point;
  for (const char* name : {"last.safetensors", "previous.safetensors"}) {
    try {
      point.checkpoint = readCheckpoint(folder / "checkpoints" / name);
      return point;
    } catch (const Error& error) {
      point.problems.push_back(error.what());
    }
  }
  throw Error(somethingAt(folder) ? Error::Kind::Input : Error::Kind::File, folder.string(),
              "there is no sound checkpoint to resume from: " + point.problems.front(), "Start a new run");
}

RunFolder::RunFolder(const RunRecord& record, const Json& environment, std::uint64_t step, bool resume)
    : m_folder(record.folder), m_checkpoints(record.folder / "checkpoints"), m_metrics(record.folder / "metrics.jsonl"),
      m_history(record.folder / "history.csv"), m_keepEpochs(record.project.training.keepEpochs) {
  makeFolders(m_checkpoints);
  m_lock = std::make_unique<FolderLock>(m_folder);
  if (!resume && somethingAt(m_folder / "project.json"))
    throw Error(Error::Kind::File, m_folder.string(), "holds a run already",
                "Resume that run, or choose another folder");
  removeTemporaries(m_folder);
  removeTemporaries(m_checkpoints);
  if (resume)
    for (const char* name : {"last.safetensors", "previous.safetensors"}) quarantineDamaged(m_checkpoints / name);
  keepMetricsUpTo(step, record.epochs);
  durableReplace(m_folder / "environment.json", prettyJson(environment));
  writeProject(m_folder / "project.json", record.project);
  m_thread = std::jthread([this](std::stop_token stop) { work(stop); });
  summary(record);
}

RunFolder::~RunFolder() {
  flush();
  m_thread.request_stop();
}

/// What was recorded after the checkpoint that the run goes on from will be recorded again.
void RunFolder::keepMetricsUpTo(std::uint64_t step, const std::vector<EpochRecord>& epochs) {
  std::string metrics, history = kHistoryHeader;
  std::size_t found = 0;
  const std::string old =
      somethingAt(m_folder / "metrics.jsonl") ? readFile(m_folder / "metrics.jsonl", kMaxRecordBytes) : std::string();
  for (std::size_t begin = 0, end; (end = old.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = old.substr(begin, end - begin);
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object()) continue;
    const auto at = json.find("step"), event = json.find("event");
    if (at != json.end() && (!at->is_number_unsigned() || at->get<std::uint64_t>() > step)) continue;
    const bool isEpoch = event != json.end() && *event == "epoch";
    if (isEpoch && ++found > epochs.size()) continue;
    metrics += line + "\n";
  }
  // Not continued in place, or the old file has lost some: the epochs stand in the record.
  for (std::size_t i = found; i < epochs.size(); ++i) metrics += epochLine(epochs[i], step);
  for (const EpochRecord& record : epochs) history += historyLine(record);
  m_metrics.set(std::move(metrics));
  m_history.set(std::move(history));
}

void RunFolder::epoch(const EpochRecord& record, bool best, std::shared_ptr<const Checkpoint> checkpoint) {
  post([this, record, best, checkpoint = std::move(checkpoint)] {
    m_metrics.add(epochLine(record, checkpoint->step));
    m_history.add(historyLine(record));
    if (!best && m_keepEpochs == 0) return;
    Checkpoint weights = *checkpoint;
    weights.optimizerState.clear();
    const std::string bytes = checkpointBytes(weights);
    if (best) durableReplace(m_checkpoints / "best.safetensors", bytes);
    if (m_keepEpochs == 0) return;
    durableReplace(m_checkpoints / epochFileName(record.epoch), bytes);
    dropOldEpochs();
  });
}

void RunFolder::dropOldEpochs() {
  std::vector<std::pair<std::size_t, Path>> files;  // by length first: epoch-10000 is newer than epoch-9999
  for (const Path& path : entriesOf(m_checkpoints)) {
    const std::string name = path.filename().string();
    if (name.starts_with("epoch-") && name.ends_with(".safetensors")) files.emplace_back(name.size(), path);
  }
  std::sort(files.begin(), files.end());
  std::error_code code;
  for (std::size_t i = 0; i + m_keepEpochs < files.size(); ++i) fs::remove(files[i].second, code);
}

void RunFolder::checkpoint(std::shared_ptr<const Checkpoint> checkpoint) {
  post([this, checkpoint = std::move(checkpoint)] {
    const Path last = m_checkpoints / "last.safetensors", previous = m_checkpoints / "previous.safetensors";
    const std::string bytes = checkpointBytes(*checkpoint);
    std::error_code code;
    if (fs::exists(last, code)) {
      const Path link = m_checkpoints / (std::string(".previous") + kTemporarySuffix);
      fs::remove(link, code);
      fs::create_hard_link(last, link, code);
      // Where a file system knows no hard links, `last` is away for a moment and `previous` stands in for it.
      fs::rename(code ? last : link, previous, code);
      fs::remove(link, code);  // still there where `last` and `previous` already were one file: a save had failed
    }
    durableReplace(last, bytes);
    const std::lock_guard lock(m_mutex);
    m_problem.clear();
  });
}

void RunFolder::note(std::uint64_t step, const std::string& key, const Json& value) {
  post([this, line = compactJson({{"event", "note"}, {"step", step}, {key, value}}) + "\n"] { m_metrics.add(line); });
}

void RunFolder::project(const Project& project) {
  post([this, project] { writeProject(m_folder / "project.json", project); });
}

void RunFolder::summary(const RunRecord& record) {
  Json json = {{"name", record.name}, {"state", record.state}};
  if (!record.reason.empty()) json["reason"] = record.reason;
  json["epochs"] = record.epochs.size();
  json["best_epoch"] = record.bestEpoch;
  if (record.bestEpoch > 0) {
    json["best"] = epochToJson(record.epochs[record.bestEpoch - 1]);
    json["last"] = epochToJson(record.epochs.back());
  }
  post([this, text = prettyJson(json)] { durableReplace(m_folder / "summary.json", text); });
}

void RunFolder::post(std::function<void()> task) {
  std::unique_lock lock(m_mutex);
  m_wake.wait(lock, [&] { return m_tasks.size() < kMaxWaiting; });
  m_tasks.push_back(std::move(task));
  m_wake.notify_all();
}

void RunFolder::work(std::stop_token stop) {
  nameThisThread("saver");
  std::unique_lock lock(m_mutex);
  while (m_wake.wait(lock, stop, [&] { return !m_tasks.empty(); })) {
    const std::function<void()> task = std::move(m_tasks.front());
    m_tasks.pop_front();
    m_busy = true;
    lock.unlock();
    std::string problem;
    try {
      task();
    } catch (const std::exception& error) {
      problem = error.what();
    }
    lock.lock();
    if (!problem.empty()) m_problem = problem;
    m_busy = false;
    m_wake.notify_all();
  }
}

void RunFolder::flush() {
  std::unique_lock lock(m_mutex);
  m_wake.wait(lock, [&] { return m_tasks.empty() && !m_busy; });
}

std::string RunFolder::takeProblem() {
  const std::lock_guard lock(m_mutex);
  return std::exchange(m_problem, {});
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// A run folder held for writing. Files are written by a thread of its own, in the order they were asked for, so that
// training never waits for a disk; metrics reach the disk before the checkpoint that counts on them.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/train/checkpoint.h"
#include "engine/train/run_record.h"

namespace strata {

/// Who holds the folder's lock: "process 1234", or "" when nobody does. The system frees the lock when its holder dies.
std::string lockHolder(const Path& folder);

/// The lock itself, held as long as this lives.
class FolderLock {
 public:
  explicit FolderLock(const Path& folder);  ///< Error::File naming the holder
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int m_fd = -1;
};

/// The newest sound checkpoint of a run that it can be resumed from.
struct ResumePoint {
  Checkpoint checkpoint;
  std::vector<std::string> problems;  ///< of newer ones that had to be passed over, a sentence each
};
/// Tries checkpoints/last.safetensors, then previous.safetensors. Error::File or Error::Input when neither will do.
ResumePoint findResumePoint(const Path& folder);

/// A text file that grows line by line. When adding fails, the next addition writes it whole again.
class GrowingFile {
 public:
  explicit GrowingFile(Path path) : m_path(std::move(path)) {}
  void set(std::string content);
  void add(const std::string& text);

 private:
  Path m_path;
  std::string m_content;
  bool m_torn = false;
};

class RunFolder {
 public:
  /// Creates or continues the folder. `record` describes the run; its epochs are those trained already, up to `step`.
  /// Error::File when the folder is in use, or holds another run and `resume` is false.
  RunFolder(const RunRecord& record, const Json& environment, std::uint64_t step, bool resume);
  ~RunFolder();  ///< writes what is still waiting

  /// Metrics, history, epoch-NNNN, best.
  void epoch(const EpochRecord& record, bool best, std::shared_ptr<const Checkpoint> checkpoint);
  void checkpoint(std::shared_ptr<const Checkpoint> checkpoint);  ///< last; the one before becomes previous
  /// A line in metrics.jsonl: a rate was changed, ...
  void note(std::uint64_t step, const std::string& key, const Json& value);
  void project(const Project& project);
  void summary(const RunRecord& record);

  void flush();               ///< waits until all of it is written
  std::string takeProblem();  ///< what could not be written and has not been made good since; "" when all is well

 private:
  void post(std::function<void()> task);
  void work(std::stop_token stop);
  void keepMetricsUpTo(std::uint64_t step, const std::vector<EpochRecord>& epochs);
  void dropOldEpochs();

  Path m_folder, m_checkpoints;
  GrowingFile m_metrics, m_history;
  int m_keepEpochs;
  std::unique_ptr<FolderLock> m_lock;
  std::mutex m_mutex;  ///< guards what follows
  std::condition_variable_any m_wake;
  std::deque<std::function<void()>> m_tasks;
  bool m_busy = false;
  std::string m_problem;
  std::jthread m_thread;  ///< last: it ends before what it uses
};

}  // namespace strata

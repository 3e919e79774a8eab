// SPDX-License-Identifier: Apache-2.0
// A run folder held for writing. The folder knows what it owes to the disk; a thread of its own saves all of it in one
// round after another, so that training never waits for a disk. What could not be saved stays owed and is tried again
// in the next round and at the end; only what is on the disk is no longer owed.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "engine/base/growing_file.h"
#include "engine/run/checkpoint.h"
#include "engine/run/resume.h"
#include "engine/run/run_record.h"

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

std::string epochFileName(int epoch);  ///< "epoch-0007.safetensors"

class RunFolder {
 public:
  /// How a run enters its folder.
  struct Entry {
    const RunRecord& record;  ///< describes the run; its epochs are those trained already
    const Json& environment;
    std::shared_ptr<const Checkpoint> start;  ///< where the run begins or goes on
    Path resumeFrom;                          ///< the folder it goes on from: this one, or another; empty for a new run
    std::chrono::milliseconds pace{1000};     ///< between rounds of saving; 0: every epoch waits for its own
  };
  /// Creates or continues the folder. It counts as a run, by its project.json, only when its first checkpoint is there.
  /// Error::File when the folder is in use, or holds another run.
  explicit RunFolder(const Entry& entry);
  ~RunFolder();  ///< saves what is still owed

  /// Metrics, history, epoch-NNNN, best, last.
  void epoch(const EpochRecord& record, bool best, std::shared_ptr<const Checkpoint> checkpoint);
  void checkpoint(std::shared_ptr<const Checkpoint> checkpoint);  ///< last, unless it is; the one before is previous
  /// A line in metrics.jsonl: a rate was changed, ...
  void note(std::uint64_t step, const std::string& key, const Json& value);
  void project(const Project& project);
  void summary(const RunRecord& record);

  /// Tries to save all that is owed. One sentence on what is not on the disk, or "" when all is.
  std::string flush();
  /// What is to be told since the last call: a save has failed, what had failed is saved now, the folder was gone.
  std::optional<NoteEvent> takeNews();
  /// What could not be taken over from the run before, a sentence each.
  const std::vector<std::string>& problems() const { return m_problems; }

 private:
  using Shared = std::shared_ptr<const Checkpoint>;
  using Lock = std::unique_lock<std::mutex>;  ///< of m_mutex

  /// What is to be on the disk and is not: of each thing the newest.
  struct Owed {
    std::string metrics, history;  ///< lines to be added
    std::deque<Shared> epochs;
    Shared best, last;
    std::optional<std::string> project, summary;
    bool any() const;
    std::uint64_t epochBytes() const;
    void takeBack(Owed failed);  ///< `failed` is older than what is here
  };
  struct Failure {
    Owed owed;
    std::string what, why;  ///< files; the last error
  };

  void enter(const Entry& entry);
  void beginRecord(const Entry& entry);
  void work(std::stop_token stop);
  Failure saveRound(Owed owed);
  void makeAnew(Owed& owed);
  void saveLast(const Checkpoint& checkpoint);
  void dropOldEpochs();
  void limitEpochs(Lock& lock);
  void awaitRound(Lock& lock);
  template <class Change>
  void owe(Change change);

  Path m_folder, m_checkpoints;
  GrowingFile m_metrics, m_history;  ///< the saver's alone, once it runs
  const std::vector<std::string> m_historyKeys;
  int m_keepEpochs;
  std::chrono::milliseconds m_pace;
  std::vector<std::string> m_problems;
  std::unique_ptr<FolderLock> m_lock;
  std::string m_environment;  ///< the text of environment.json
  std::mutex m_mutex;         ///< guards what follows
  std::condition_variable_any m_wake;
  Owed m_owed;
  std::string m_project;                ///< the text of project.json
  std::vector<EpochRecord> m_epochs;    ///< of the whole run
  Shared m_newest;                      ///< what `last` is or is going to be
  Shared m_best;                        ///< what `best` is or is going to be, where this process has trained it
  bool m_remade = false;                ///< the folder was gone, which is to be told
  bool m_hurry = false;                 ///< somebody waits for the next round
  bool m_busy = false;                  ///< in a round
  std::string m_what, m_why;            ///< the files that the last round could not save, and the last reason
  std::string m_told;                   ///< the reason that was told last
  std::string m_givenUp, m_givenUpWhy;  ///< files that will never be saved
  std::jthread m_thread;                ///< last: it ends before what it uses
};

}  // namespace strata

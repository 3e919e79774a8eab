// SPDX-License-Identifier: Apache-2.0
// A training run on a thread of its own. The job goes in by value, events come out through one queue; nothing else is
// shared.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "engine/backend/precision.h"
#include "engine/run/events.h"
#include "engine/run/project.h"

namespace strata {

class Backend;
struct Orders;

/// Everything a run needs, by value.
struct TrainJob {
  Project project;
  DataView data;
  std::string backend = "cpu";
  int threads = 0;                     ///< 0: one per core
  std::optional<Precision> precision;  ///< open: the backend's own choice
  /// For one that createBackend() does not know; instead of `backend` and `threads`.
  std::function<std::unique_ptr<Backend>()> makeBackend;
  Path runFolder;                       ///< created by the trainer, or the one resumed from; empty: nothing is written
  std::optional<Weights> startWeights;  ///< instead of drawn ones
  Path resumeFrom;  ///< a run folder: weights, optimizer state and position are taken from its last checkpoint
  std::uint64_t maxSteps = 0;                ///< stop after that many batches; 0: no limit
  bool startPaused = false;                  ///< for "step one batch" before anything ran
  std::chrono::milliseconds savePace{1000};  ///< epochs that come faster are saved together; 0: each waits for it
};

class Trainer {
 public:
  enum class State { Idle, Running, Paused, Stopping, Finished, Failed };
  enum class Action { Start, Pause, Resume, StepBatch, StepEpoch, Stop };

  Trainer();
  ~Trainer();  ///< stops, saves and joins

  /// Why the action cannot be taken now ("Nothing is running"), or "" when it can. One table in trainer.cpp.
  std::string blockedReason(Action action) const;

  // An action that is blocked just now does nothing: a run may end between the look and the click.
  /// From Idle, Finished or Failed; errors arrive as FailedEvent. Events of the run before that nobody drained are
  /// gone: the queue holds those of one run alone.
  void start(TrainJob job);
  void pause();
  void resume();
  void stepBatch();  ///< from Paused: one batch, then Paused again
  void stepEpoch();  ///< from Paused: to the end of the epoch, then Paused again
  void stop();       ///< asks; Finished follows, the checkpoint written
  void wait();       ///< until the thread has ended

  void requestSnapshot();             ///< a SnapshotEvent soon, from between two batches
  void setLearningRate(double rate);  ///< takes effect at the next batch; noted in the run's record
  void setEpochs(int epochs);

  State state() const { return m_state.load(); }
  EventQueue& events() { return m_events; }

 private:
  void run(TrainJob job);
  Orders nextOrders(bool epochEnded);
  bool mayTrain() const;
  void setState(State state);
  void end(TrainEvent last);

  std::atomic<State> m_state{State::Idle};
  EventQueue m_events;
  mutable std::mutex m_mutex;  ///< guards what follows
  std::condition_variable m_wake;
  bool m_pauseWanted = false, m_stopWanted = false, m_snapshotWanted = false;
  bool m_oneBatch = false, m_toEndOfEpoch = false;  ///< what may still be trained although a pause is wanted
  std::optional<double> m_newRate;
  std::optional<int> m_newEpochs;
  std::jthread m_thread;
};

/// "Running" and so on, for messages and tests.
const char* stateName(Trainer::State state);

}  // namespace strata

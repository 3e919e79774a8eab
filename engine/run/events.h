// SPDX-License-Identifier: Apache-2.0
// What a training run tells the world. Only values cross threads: these go through one EventQueue that the reader
// drains. Progress coalesces (a newer one takes the place of one pending at the end of the queue), of snapshots only
// the newest is kept, and of very many batches that nobody drains only the ends and extremes; everything else is kept
// in order and never dropped.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "engine/base/error.h"
#include "engine/net/weights.h"

namespace strata {

/// One finished epoch. History keys as Keras writes them. Losses are means per sample, times seconds.
struct EpochRecord {
  int epoch = 0;  ///< from 1
  double loss = 0, valLoss = 0;
  /// By history key: "accuracy" and "val_accuracy", and likewise for every metric of the run.
  std::map<std::string, double> metrics;
  double epochSeconds = 0;  ///< training alone
  double valSeconds = 0;
  double samplesPerSecond = 0;
  double learningRate = 0;  ///< of the epoch's last batch
  bool operator==(const EpochRecord&) const = default;
  /// Of a history key, "loss" and "val_loss" too; not a number where there is none.
  double value(const std::string& key) const;
};

/// Where a batch stands.
struct BatchPoint {
  std::uint64_t step = 0;  ///< batches trained, this one included
  double loss = 0;         ///< mean over the batch
  double metric = 0;       ///< the first metric of the run; not a number without any, or for one of the validation
};

struct StartedEvent {
  std::string runFolder;
  std::uint64_t step = 0, totalSteps = 0;  ///< step > 0 when resumed
  int batchesPerEpoch = 0;
  std::vector<EpochRecord> epochs;  ///< those trained before, up to `step`: what a fall-back has cut off is not there
  int bestEpoch = 0;
};
struct ProgressEvent {
  int epoch = 0, epochs = 0;   ///< the epoch being trained, from 1
  int batch = 0, batches = 0;  ///< batches done in it
  std::uint64_t step = 0;
  double samplesPerSecond = 0;  ///< over the last second or so
  double secondsPerStep = 0;
  double learningRate = 0;
  /// Every batch since the last Progress that was drained: coalescing appends them. Where EventQueue::kMostPoints went
  /// by undrained, the older ones are thinned.
  std::vector<BatchPoint> points;
};
struct EpochDoneEvent {
  EpochRecord record;
  bool best = false;
};
struct SnapshotEvent {
  std::shared_ptr<const WeightSnapshot> snapshot;
};
/// A line for the event log, written by the trainer: a changed rate, a warning.
struct NoteEvent {
  enum class Level { Info, Warning } level = Level::Info;
  std::string text;
};
/// The run has ended by itself or by a stop; weights and curves are kept.
struct FinishedEvent {
  enum class Reason { Completed, Stopped, StepsDone, EarlyStop } reason = Reason::Completed;
  int bestEpoch = 0;
  std::string monitor;   ///< what made it the best: "val_accuracy"
  double bestValue = 0;  ///< and what that was; not a number without a best epoch
};
/// The run has failed; the last good weights are kept.
struct FailedEvent {
  bool diverged = false;
  Error::Kind kind = Error::Kind::Diverged;  ///< what the command line's exit code says
  std::string layer;                         ///< the first that was not finite, when diverged
  std::string message;                       ///< one sentence
  std::uint64_t step = 0;
};
/// The state or a pause changed; read Trainer::state().
struct StateEvent {};

using TrainEvent = std::variant<StartedEvent, ProgressEvent, EpochDoneEvent, SnapshotEvent, NoteEvent, FinishedEvent,
                                FailedEvent, StateEvent>;

class EventQueue {
 public:
  /// Points that may pend, 6 MB. With more, of each four neighbours in a Progress the lowest and the highest loss stay,
  /// and always its first and its last.
  static constexpr std::size_t kMostPoints = 1 << 18;

  void push(TrainEvent event);      ///< any thread
  std::vector<TrainEvent> drain();  ///< any thread; empties the queue

 private:
  void thinPoints();

  std::mutex m_mutex;
  std::vector<TrainEvent> m_events;
  std::size_t m_points = 0;              ///< in all of m_events
  std::size_t m_thinOver = kMostPoints;  ///< of m_points
};

}  // namespace strata

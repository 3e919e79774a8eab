// SPDX-License-Identifier: Apache-2.0
// One run from start to end, in the thread that calls it: batches, epochs, validation, checkpoints. Knows nothing of
// threads and pauses; between two batches it asks for orders, and whoever gives them may take their time.
#pragma once
#include <array>
#include <chrono>
#include <functional>
#include <optional>

#include "engine/backend/backend.h"
#include "engine/run/resume.h"
#include "engine/run/run_folder.h"
#include "engine/run/trainer.h"

namespace strata {

/// What the loop is told between two batches. Neither `stop` nor `train`: carry out the rest and ask again.
struct Orders {
  bool stop = false, train = false, snapshot = false;
  bool waited = false;  ///< the clock stood still
  std::optional<double> learningRate;
  std::optional<int> epochs;
};

struct LoopControl {
  std::function<Orders(bool epochEnded)> orders;
  std::function<bool()> stopWanted;  ///< looked at during validation
  /// Of rate and length alone, and without waiting: asked for once more before the run ends.
  std::function<Orders()> changes = [] { return Orders(); };
};

class TrainingLoop {
 public:
  TrainingLoop(TrainJob job, EventQueue& events, LoopControl control);

  /// The event that ends the run, Finished or Failed, which the caller pushes. Everything is saved by then.
  TrainEvent run();

 private:
  using Reason = FinishedEvent::Reason;
  using Clock = std::chrono::steady_clock;

  void prepare();
  void checkJob() const;
  void resume(const ResumePoint& point);
  std::shared_ptr<const Checkpoint> bestSoFar() const;
  bool stopsEarly() const;
  void checkSameRun(const Checkpoint& from) const;
  void takePosition(const Checkpoint& from, const TrainingSpec& before);
  void noteStretch(const TrainingSpec& before);
  void openFolder();
  std::optional<Reason> trainEpoch();
  bool obeyOrders(bool epochEnded);
  void change(const Orders& orders);
  void trainRun();
  int batchesAtOnce() const;
  void record(const LossResult& result, int samples, double rate, double seconds);
  bool validate();  ///< false: left because of a stop
  bool validateWeights();
  Weights resultNow(const Weights& trained) const;
  void endEpoch();
  std::string monitor() const { return monitorOf(m_job.project.training); }
  void changeRate(double rate);
  void changeEpochs(int epochs);

  std::shared_ptr<const Checkpoint> makeCheckpoint();
  void sendSnapshot(const Checkpoint* checkpoint = nullptr);
  void sendProgress(double loss, double metric, double rate);
  void note(NoteEvent::Level level, const std::string& text);
  [[noreturn]] void diverge(const std::string& layer, const std::string& what);
  Error divergence(const std::string& why) const;
  double guessingLoss() const { return strata::guessingLoss(m_job.project.training.loss, m_job.project.network); }
  bool hasLearned() const;
  /// Diverges when a net that had learned, or that is dead, only guesses.
  void watchForCollapse(int batch, double loss);
  TrainEvent finished(Reason reason);
  TrainEvent failed(Error::Kind kind, std::string message);
  std::uint64_t totalSteps() const { return totalSteps(m_job.project.training); }
  std::uint64_t totalSteps(const TrainingSpec& training) const;
  double rateAt(const TrainingSpec& training, std::uint64_t step) const;
  double lap();  ///< seconds since the last lap

  TrainJob m_job;
  EventQueue& m_events;
  LoopControl m_control;
  std::unique_ptr<Backend> m_backend;
  std::unique_ptr<CompiledNetwork> m_net;
  std::optional<Batches> m_training, m_validation;
  DataFingerprint m_fingerprint;
  std::optional<Scorer> m_scorer;
  bool m_batchMetric = false;    ///< the run's first metric is known of every batch
  std::vector<float> m_outputs;  ///< [batch, outputSize()]
  std::unique_ptr<RunFolder> m_folder;
  RunRecord m_record;
  std::shared_ptr<const Checkpoint> m_good;  ///< the last weights known to be finite, with all that belongs to them
  /// With early stopping: the best epoch's, what the run gives back.
  std::shared_ptr<const Checkpoint> m_best;
  std::string m_divergedLayer;

  // The position, as in a checkpoint.
  std::uint64_t m_step = 0;
  int m_epoch = 0, m_batch = 0;  ///< whole epochs, batches of the present one
  double m_lossSum = 0, m_epochSeconds = 0;
  std::array<double, kMostMetrics> m_metricSums{};  ///< as in a LossResult
  std::int64_t m_samples = 0;
  PlateauState m_plateau;   ///< of the epochs that have ended
  EpochRecord m_validated;  ///< what validate() found

  std::uint64_t m_stepsHere = 0;  ///< since this start, a resume being one
  double m_secondsPerStep = 0;    ///< smoothed over about a second
  double m_rate = 0;              ///< of the last batch
  int m_guessedBatches = 0;       ///< in a row; see watchForCollapse()
  Clock::time_point m_mark, m_lastSave;
};

}  // namespace strata

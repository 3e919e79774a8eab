// SPDX-License-Identifier: GPL-3.0-or-later
// The only file that knows the trainer. Starts and steers runs for the pages, drains the event queue on a 33 ms timer
// and passes events on as signals in the GUI thread.
#pragma once
#include <QObject>
#include <QTimer>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "engine/data/dataset.h"
#include "engine/run/batch_history.h"
#include "engine/run/run_record.h"
#include "engine/run/trainer.h"
#include "gui/document.h"

namespace strata::gui {

class TrainingSession : public QObject {
  Q_OBJECT
 public:
  explicit TrainingSession(Document& document, QObject* parent = nullptr);
  ~TrainingSession() override;

  /// The data set runs train on. Null until one is loaded.
  void setDataset(std::shared_ptr<const Dataset> dataset);
  const std::shared_ptr<const Dataset>& dataset() const { return m_dataset; }
  void setBackend(const QString& id, int threads);
  QString backend() const { return m_backend; }
  int threads() const { return m_threads; }

  Trainer::State state() const { return m_trainer.state(); }
  bool active() const;  ///< running, paused or stopping

  enum class Action { Start, Pause, Resume, Continue, StepBatch, StepEpoch, Stop };
  /// Why the action is disabled, for tooltips; "" when it can be taken.
  QString blockedReason(Action action) const;
  /// What the primary button does now.
  Action primaryAction() const;
  QString stateWord() const;   ///< "Ready" "Cannot start" "Training" "Paused" "Stopping" "Stopped" "Finished" "Failed"
  QString stateFacts() const;  ///< "Epoch 13 of 30 · batch 287 of 469"
  QString timeFacts() const;   ///< "1:51 left · ends about 14:05"
  double progress() const;     ///< 0..1 of the whole run

  void perform(Action action);
  /// Counts the starts and the ends of runs: what an action means changes with it.
  int phase() const { return m_phase; }
  /// For a button that was drawn in `phase`: does nothing when a run has begun or ended since, so that a click never
  /// does what the button did not say.
  void perform(Action action, int phase);
  /// Why no run can branch off that epoch of `run` now; "" when it can.
  QString branchBlockedReason(const RunRecord& run, int epoch) const;
  /// Starts a new run of the document's project from the weights an epoch of `run` left on disk.
  void branchFrom(Path run, int epoch);
  /// Goes on with a run of an earlier session, or with the last one. Trains to its planned end, or kMoreEpochs past it.
  void continueRun(Path run);
  /// Whether the last run was ended by its device, and the CPU can take it over.
  bool canGoOnWithCpu() const;
  /// Chooses the CPU and goes on with that run: from its last checkpoint, or from its start when it has none.
  void goOnWithCpu();
  void requestSnapshot();
  void setLearningRate(double rate);
  void setEpochs(int epochs);
  void stopAndWait();  ///< for closing the window: stop, save, join

  static constexpr int kMoreEpochs = 10;

  /// The run in progress or the last one; the run's own project, not the document.
  const RunRecord& run() const { return m_run; }
  bool hasRun() const { return !m_run.started.empty(); }
  const BatchHistory& batches() const { return m_batches; }
  int batchesPerEpoch() const { return m_batchesPerEpoch; }
  double elapsedSeconds() const;  ///< trained and validated, pauses not counted
  /// A change made while the run was going: where, and "rate 0.50 → 0.40".
  struct Change {
    double epoch = 0;
    QString text;
  };
  const std::vector<Change>& changes() const { return m_changes; }
  const ProgressEvent& lastProgress() const { return m_progress; }
  /// The newest weights of that run; null until it has begun.
  const std::shared_ptr<const WeightSnapshot>& snapshot() const { return m_snapshot; }
  /// What that run trains on, which dataset() need not be any more; null without a run.
  const std::shared_ptr<const Dataset>& runDataset() const { return m_runDataset; }

 signals:
  void stateChanged();
  void runStarted();
  /// The run goes on from another point than was known: its last epochs or batches were taken back.
  void historyChanged();
  void progressed();  ///< at most one a drain
  void epochDone(const strata::EpochRecord& record, bool best);
  void snapshotReady();
  void note(strata::NoteEvent::Level level, const QString& text);
  void refused(const QString& reason);  ///< what a button was pressed for could not be begun: a sentence
  void finished();                      ///< completed, stopped or failed: read run().state
  void datasetChanged();
  void backendChanged();

 private:
  void drain();  ///< handles all that the trainer has said until now
  void handle(const StartedEvent& event);
  void handle(ProgressEvent& event);
  void handle(const EpochDoneEvent& event);
  void handle(const SnapshotEvent& event);
  void handle(const NoteEvent& event);
  void handle(const FinishedEvent& event);
  void handle(const FailedEvent& event);
  void handle(const StateEvent& event);

  QString startBlockedReason() const;
  QString splitBlockedReason() const;
  bool hasRunsData() const;  ///< the data set loaded is the one the last run trained on
  void attempt(const std::function<void()>& begin);
  bool documentEdited() const;  ///< since the run started; the number of epochs does not count
  TrainJob jobFor(const Project& project) const;
  /// `continued`: the run the job resumes, or null for a new one.
  void launch(TrainJob job, const RunRecord* continued);
  void endRun(const std::string& state);
  void startNew(bool paused);

  Document& m_document;
  Trainer m_trainer;
  std::deque<TrainEvent> m_events;  ///< drained and not handled yet
  QTimer m_timer;                   ///< drains; runs only while a run is active
  QTimer m_snapshotTimer;           ///< asks for weights twice a second
  std::shared_ptr<const Dataset> m_dataset;
  std::shared_ptr<const Dataset> m_runDataset;  ///< what the run in progress or the last one trains on
  std::shared_ptr<const WeightSnapshot> m_snapshot;
  QString m_backend = "cpu";
  int m_threads = 0;
  RunRecord m_run;
  Project m_startedFrom;  ///< the document when the run started
  ProgressEvent m_progress;
  std::uint64_t m_totalSteps = 0;
  int m_batchesPerEpoch = 1;
  bool m_progressed = false;
  bool m_over = true;  ///< Finished or Failed was handled
  int m_phase = 0;
  bool m_deviceFailed = false;            ///< the last run ended by an error of a device that is not the CPU
  std::optional<Weights> m_startWeights;  ///< what the last run began from, if not from drawn ones
  BatchHistory m_batches;
  std::vector<Change> m_changes;
};

}  // namespace strata::gui

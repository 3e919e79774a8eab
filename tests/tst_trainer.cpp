// SPDX-License-Identifier: GPL-3.0-or-later
// The trainer on a net that takes milliseconds: its states, what it writes, exact resuming, and runs that go wrong.
#include <sys/resource.h>

#include <QTest>
#include <cmath>
#include <csignal>

#include "engine/run/checkpoint.h"
#include "engine/run/predictor.h"
#include "engine/run/run_folder.h"
#include "engine/run/suitability.h"
#include "engine/run/training_loop.h"
#include "test_files.h"
#include "tiny_run.h"

using namespace strata;
using State = Trainer::State;
using Action = Trainer::Action;

namespace {

/// Waits for a state while the events are gathered.
#define TRY_STATE(trainer, wanted) QTRY_COMPARE(QString(stateName((trainer).state())), QString(stateName(wanted)))

TrainJob endlessJob(const Path& folder = {}) {
  TrainJob job = tinyJob(folder);
  job.project.training.epochs = 1'000'000;
  job.project.training.keepEpochs = 2;
  return job;
}

}  // namespace

class TestTrainer : public QObject {
  Q_OBJECT
 private slots:
  void queueCoalescesProgress();
  void queueThinsWhatNobodyDrains();
  void queueKeepsTheNewestSnapshot();
  void theQueueHoldsOneRun();
  void everyActionIsAllowedOrExplained();
  void trainsAndRecords();
  void bestAndKeptEpochs();
  void sameSeedSameRun();
  void pausesAndSteps();
  void stepsAnEpochFromTheStart();
  void stopsAndSaves();
  void destructionStopsARun();
  void snapshotsWhileRunning();
  void changesWhileRunningAreRecorded();
  void goesOnWhenMadeLongerAtItsEnd();
  void endsAfterMaxSteps();
  void resumesExactly_data();
  void resumesExactly();
  void theRateFallsOnAPlateau();
  void resumesIntoAnotherFolder();
  void resumesAfterAStopInValidation();
  void damagedCheckpointFallsBack();
  void refusesToResumeWhatDoesNotFit();
  void divergenceKeepsGoodWeightsAndNamesTheLayer();
  void aNetThatOnlyGuessesAfterAllIsStopped();
  void aNetThatIsDeadFromTheStartIsStopped();
  void weightsThatAreNotFiniteNeverStart();
  void aPrecisionThatIsNotOfferedNeverStarts();
  void oneRunHoldsItsFolder();
  void aCrashedRunReadsAsInterrupted();
  void aFullDiskIsReported();
  void impossibleJobs_data();
  void impossibleJobs();
  void saysWhatSuitsTheNet();
  void remarksAreNotes();
  void runsAreListedAndRenamed();
  void foldersThatCannotBeReadAreListed();
  void aFolderRemovedUnderTheRunIsMadeAnew();
  void aRunInUseIsTrainingWhateverItsSummarySays();
  void floatsAreStandardisedByWhatIsTrainedOn();
  void anAutoencoder_data();
  void anAutoencoder();
  void severalMetrics();
  void metricsOfTheValidation();
  void stopsEarly();
  void averagedWeightsAreTheResult_data();
  void averagedWeightsAreTheResult();
  void predictsAsItValidated();
};

void TestTrainer::queueCoalescesProgress() {
  EventQueue queue;
  const auto progress = [](std::uint64_t step) {
    ProgressEvent event;
    event.step = step;
    event.points = {{step, 0.5 * static_cast<double>(step), 0}};
    return event;
  };
  queue.push(progress(1));
  queue.push(progress(2));
  queue.push(EpochDoneEvent{});
  queue.push(EpochDoneEvent{});
  queue.push(progress(3));
  const auto events = queue.drain();
  QCOMPARE(events.size(), std::size_t{4});
  const auto& first = std::get<ProgressEvent>(events[0]);
  QCOMPARE(first.step, std::uint64_t{2});
  QCOMPARE(first.points.size(), std::size_t{2});  // no batch is lost
  QCOMPARE(first.points[0].loss, 0.5);
  QVERIFY(std::holds_alternative<EpochDoneEvent>(events[2]));
  QVERIFY(queue.drain().empty());
}

// Whoever does not drain for hours finds the curve's ends and extremes, in memory that does not grow.
void TestTrainer::queueThinsWhatNobodyDrains() {
  constexpr std::uint64_t kSteps = 5 * EventQueue::kMostPoints, kEpoch = 1000;
  const auto lossAt = [](std::uint64_t step) { return step == 7000 ? 0.01 : step == 80'001 ? 9.0 : 1.0; };
  for (const bool epochs : {false, true}) {
    EventQueue queue;
    for (std::uint64_t step = 1; step <= kSteps; ++step) {
      ProgressEvent event;
      event.step = step;
      event.points = {{step, lossAt(step), 0}};
      queue.push(std::move(event));
      if (epochs && step % kEpoch == 0) queue.push(EpochDoneEvent{});
    }
    std::vector<BatchPoint> points;
    for (const TrainEvent& event : queue.drain())
      if (const auto* progress = std::get_if<ProgressEvent>(&event))
        points.insert(points.end(), progress->points.begin(), progress->points.end());
    QVERIFY2(points.size() <= EventQueue::kMostPoints, qPrintable(QString::number(points.size())));
    QVERIFY(points.size() >= EventQueue::kMostPoints / 4);
    QCOMPARE(points.front().step, std::uint64_t{1});
    QCOMPARE(points.back().step, kSteps);
    const auto loss = [](const BatchPoint& a, const BatchPoint& b) { return a.loss < b.loss; };
    const auto [low, high] = std::minmax_element(points.begin(), points.end(), loss);
    QCOMPARE(low->step, std::uint64_t{7000});
    QCOMPARE(high->step, std::uint64_t{80'001});
    QVERIFY(std::is_sorted(points.begin(), points.end(),
                           [](const BatchPoint& a, const BatchPoint& b) { return a.step < b.step; }));
    ProgressEvent next;
    next.points = {{kSteps + 1, 1, 0}};
    queue.push(next);
    QCOMPARE(queue.drain().size(), std::size_t{1});  // and begins anew
  }
}

void TestTrainer::queueKeepsTheNewestSnapshot() {
  EventQueue queue;
  for (std::uint64_t step = 1; step <= 3; ++step) {
    queue.push(SnapshotEvent{std::make_shared<const WeightSnapshot>(WeightSnapshot{{}, {}, step, 0})});
    queue.push(EpochDoneEvent{});
  }
  const auto events = queue.drain();
  QCOMPARE(events.size(), std::size_t{4});
  QVERIFY(std::holds_alternative<EpochDoneEvent>(events[1]));
  QCOMPARE(std::get<SnapshotEvent>(events[2]).snapshot->step, std::uint64_t{3});
}

// Nobody drained what the run before said: the next one's events begin with its own.
void TestTrainer::theQueueHoldsOneRun() {
  Trainer trainer;
  RunEvents events;
  for (const int epochs : {3, 1}) {
    TrainJob job = tinyJob();
    job.project.training.epochs = epochs;
    trainer.start(std::move(job));
    trainer.wait();
  }
  events.take(trainer);
  QCOMPARE(events.of<StartedEvent>().size(), std::size_t(1));
  QCOMPARE(events.epochs().size(), std::size_t(1));
  QCOMPARE(events.of<FinishedEvent>().size(), std::size_t(1));
}

void TestTrainer::everyActionIsAllowedOrExplained() {
  Trainer trainer;
  QCOMPARE(trainer.blockedReason(Action::Start), std::string());
  for (const Action action : {Action::Pause, Action::Resume, Action::StepBatch, Action::StepEpoch, Action::Stop})
    QCOMPARE(trainer.blockedReason(action), std::string("Nothing is running"));
  trainer.stop();  // blocked: does nothing
  QCOMPARE(trainer.state(), State::Idle);
  trainer.start(endlessJob());
  QCOMPARE(trainer.state(), State::Running);
  QCOMPARE(trainer.blockedReason(Action::Start), std::string("Training is already running"));
  QCOMPARE(trainer.blockedReason(Action::StepBatch), std::string("Pause the run first"));
  QCOMPARE(trainer.blockedReason(Action::Pause), std::string());
  trainer.pause();
  TRY_STATE(trainer, State::Paused);
  QVERIFY(!trainer.blockedReason(Action::Start).empty() && !trainer.blockedReason(Action::Pause).empty());
  for (const Action action : {Action::Resume, Action::StepBatch, Action::StepEpoch, Action::Stop})
    QCOMPARE(trainer.blockedReason(action), std::string());
  trainer.stop();
  trainer.wait();
  QCOMPARE(trainer.state(), State::Finished);
  QCOMPARE(trainer.blockedReason(Action::Start), std::string());
  QCOMPARE(trainer.blockedReason(Action::Stop), std::string("The run has finished"));
}

void TestTrainer::trainsAndRecords() {
  const ScratchFolder scratch;
  const RunEvents events = runToEnd(tinyJob(scratch / "run"));
  const auto finished = events.of<FinishedEvent>();
  QCOMPARE(finished.size(), std::size_t{1});
  QVERIFY(std::holds_alternative<FinishedEvent>(events.all.back()));
  QCOMPARE(finished[0].reason, FinishedEvent::Reason::Completed);
  QCOMPARE(events.of<StartedEvent>()[0].totalSteps, std::uint64_t{39});
  QCOMPARE(events.losses().size(), std::size_t{39});

  const auto epochs = events.epochs();
  QCOMPARE(epochs.size(), std::size_t{3});
  QVERIFY(epochs[2].loss < epochs[0].loss);
  QVERIFY(epochs[2].value("val_accuracy") > 0.6 && epochs[2].value("val_accuracy") == finished[0].bestValue);
  QVERIFY(epochs[0].epochSeconds > 0 && epochs[0].samplesPerSecond > 0);

  const RunRecord run = readRun(scratch / "run");
  QCOMPARE(run.state, std::string("finished"));
  QVERIFY(run.epochs == epochs);
  Project expected = tinyProject();
  expected.data.preprocessing = resolved(expected.data.preprocessing, *tinyDataset());
  QVERIFY(run.project == expected);
  QCOMPARE(run.backend, std::string("cpu"));
  QCOMPARE(run.datasetTitle, std::string("Tiny bars"));
  QVERIFY(run.synthetic);
  for (const char* name :
       {"environment.json", "history.csv", "summary.json", "metrics.jsonl", "checkpoints/last.safetensors",
        "checkpoints/best.safetensors", "checkpoints/epoch-0003.safetensors"})
    QVERIFY2(std::filesystem::is_regular_file(scratch / "run" / name), name);
  QVERIFY(readText(scratch / "run" / "history.csv")
              .starts_with("epoch,loss,accuracy,val_loss,val_accuracy,epoch_seconds,samples_per_second\n1,"));

  const Checkpoint last = readCheckpoint(scratch / "run" / "checkpoints" / "last.safetensors");
  QCOMPARE(last.step, std::uint64_t{39});
  QVERIFY(last.weights == events.of<SnapshotEvent>().back().snapshot->weights);
  QVERIFY(!last.optimizerState.empty());
  QVERIFY(readCheckpoint(scratch / "run" / "checkpoints" / "epoch-0001.safetensors").optimizerState.empty());
}

void TestTrainer::bestAndKeptEpochs() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  job.project.training.epochs = 6;
  job.project.training.keepEpochs = 2;
  const RunEvents events = runToEnd(job);
  const RunRecord run = readRun(scratch / "run");
  QCOMPARE(readCheckpoint(scratch / "run" / "checkpoints" / "best.safetensors").epoch, run.bestEpoch);
  for (const EpochRecord& epoch : run.epochs)
    QVERIFY(epoch.value("val_accuracy") <= run.epochs[run.bestEpoch - 1].value("val_accuracy"));
  QVERIFY(!std::filesystem::exists(scratch / "run" / "checkpoints" / "epoch-0004.safetensors"));
  QVERIFY(std::filesystem::exists(scratch / "run" / "checkpoints" / "epoch-0005.safetensors"));
  QVERIFY(std::filesystem::exists(scratch / "run" / "checkpoints" / "epoch-0006.safetensors"));
}

void TestTrainer::sameSeedSameRun() {
  const auto first = runToEnd(tinyJob()), again = runToEnd(tinyJob());
  QVERIFY(first.losses() == again.losses());
  TrainJob job = tinyJob();
  job.project.training.seed = 2;
  QVERIFY(runToEnd(job).losses() != first.losses());
}

static void startPaused(Trainer& trainer) {
  TrainJob job = tinyJob();
  job.startPaused = true;
  trainer.start(std::move(job));
}

void TestTrainer::pausesAndSteps() {
  Trainer trainer;
  RunEvents events;
  startPaused(trainer);
  QCOMPARE(trainer.state(), State::Paused);
  trainer.stepBatch();
  TRY_STATE(trainer, State::Paused);
  events.take(trainer);
  QCOMPARE(events.losses().size(), std::size_t{1});
  trainer.stepBatch();
  TRY_STATE(trainer, State::Paused);
  events.take(trainer);
  QCOMPARE(events.losses().size(), std::size_t{2});
  trainer.stepEpoch();
  TRY_STATE(trainer, State::Paused);
  events.take(trainer);
  QCOMPARE(events.losses().size(), std::size_t{13});
  QCOMPARE(events.epochs().size(), std::size_t{1});
  trainer.resume();
  TRY_STATE(trainer, State::Finished);
  trainer.wait();
  events.take(trainer);
  QVERIFY(events.losses() == runToEnd(tinyJob()).losses());  // pausing changes nothing
}

void TestTrainer::stepsAnEpochFromTheStart() {
  Trainer trainer;
  RunEvents events;
  startPaused(trainer);
  trainer.stepEpoch();
  TRY_STATE(trainer, State::Paused);
  events.take(trainer);
  QCOMPARE(events.losses().size(), std::size_t{13});
  QCOMPARE(events.epochs().size(), std::size_t{1});
}

void TestTrainer::stopsAndSaves() {
  const ScratchFolder scratch;
  Trainer trainer;
  RunEvents events;
  trainer.start(endlessJob(scratch / "run"));
  QTRY_VERIFY((events.take(trainer), events.epochs().size() > 1));
  trainer.stop();
  trainer.wait();
  events.take(trainer);
  QCOMPARE(events.of<FinishedEvent>()[0].reason, FinishedEvent::Reason::Stopped);
  const Checkpoint last = readCheckpoint(scratch / "run" / "checkpoints" / "last.safetensors");
  QCOMPARE(last.step, events.of<ProgressEvent>().back().step);
  QCOMPARE(readRun(scratch / "run").state, std::string("stopped"));
  trainer.start(tinyJob());  // and the trainer can be used again
  trainer.wait();
  QCOMPARE(trainer.state(), State::Finished);
}

void TestTrainer::destructionStopsARun() {
  const ScratchFolder scratch;
  {
    Trainer trainer;
    trainer.start(endlessJob(scratch / "run"));
    trainer.pause();
    TRY_STATE(trainer, State::Paused);
  }
  QCOMPARE(readRun(scratch / "run").state, std::string("stopped"));
  QVERIFY(lockHolder(scratch / "run").empty());
}

void TestTrainer::snapshotsWhileRunning() {
  Trainer trainer;
  RunEvents events;
  trainer.start(endlessJob());
  for (std::size_t wanted = 1; wanted < 20; ++wanted) {
    trainer.requestSnapshot();
    QTRY_VERIFY((events.take(trainer), events.of<SnapshotEvent>().size() >= wanted));
  }
  trainer.pause();
  TRY_STATE(trainer, State::Paused);
  events.take(trainer);
  const std::size_t before = events.of<SnapshotEvent>().size();
  trainer.requestSnapshot();  // while paused, too
  QTRY_COMPARE((events.take(trainer), events.of<SnapshotEvent>().size()), before + 1);
  QCOMPARE(trainer.state(), State::Paused);
  const auto snapshots = events.of<SnapshotEvent>();
  for (const auto& event : snapshots) QVERIFY(firstNonFinite(event.snapshot->weights).empty());
  QVERIFY(!(snapshots.front().snapshot->weights == snapshots.back().snapshot->weights));
}

void TestTrainer::changesWhileRunningAreRecorded() {
  const ScratchFolder scratch;
  Trainer trainer;
  RunEvents events;
  TrainJob job = tinyJob(scratch / "run");
  job.startPaused = true;
  trainer.start(job);
  trainer.stepBatch();
  TRY_STATE(trainer, State::Paused);
  trainer.setLearningRate(0.025);
  trainer.setEpochs(2);
  trainer.setLearningRate(-1);  // refused with a warning, once it is looked at
  trainer.resume();
  trainer.wait();
  events.take(trainer);
  QCOMPARE(events.epochs().size(), std::size_t{2});
  const RunRecord run = readRun(scratch / "run");
  QCOMPARE(run.project.training.epochs, 2);
  const auto notes = events.of<NoteEvent>();
  QVERIFY(std::any_of(notes.begin(), notes.end(),
                      [](const NoteEvent& note) { return note.text == "The run now ends after epoch 2."; }));
  QVERIFY(readText(scratch / "run" / "metrics.jsonl").find("{\"event\":\"note\",\"step\":1,\"epochs\":2}") !=
          std::string::npos);
}

// Asked for while the last epoch is validated, when no batch is left to ask before.
void TestTrainer::goesOnWhenMadeLongerAtItsEnd() {
  TrainJob job = tinyJob();
  job.project.training.epochs = 1;
  EventQueue queue;
  LoopControl control;
  control.orders = [](bool) {
    Orders orders;
    orders.train = true;
    return orders;
  };
  control.stopWanted = [] { return false; };
  std::optional<int> wanted = 3;
  control.changes = [&] {
    Orders orders;
    orders.epochs = std::exchange(wanted, std::nullopt);
    return orders;
  };
  QVERIFY(std::holds_alternative<FinishedEvent>(TrainingLoop(job, queue, control).run()));
  int epochs = 0;
  for (const TrainEvent& event : queue.drain()) epochs += std::holds_alternative<EpochDoneEvent>(event);
  QCOMPARE(epochs, 3);
}

void TestTrainer::endsAfterMaxSteps() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  job.maxSteps = 20;
  const RunEvents events = runToEnd(job);
  QCOMPARE(events.of<FinishedEvent>()[0].reason, FinishedEvent::Reason::StepsDone);
  QCOMPARE(events.losses().size(), std::size_t{20});
  QCOMPARE(events.epochs().size(), std::size_t{1});
  QCOMPARE(readCheckpoint(scratch / "run" / "checkpoints" / "last.safetensors").step, std::uint64_t{20});
}

void TestTrainer::resumesExactly_data() {
  QTest::addColumn<QStringList>("settings");
  QTest::addColumn<int>("steps");
  const auto add = [](const std::string& name, const QStringList& settings, std::initializer_list<int> stops) {
    for (const int steps : stops) QTest::addRow("%s, stopped after %d", name.c_str(), steps) << settings << steps;
  };
  for (const OptimizerDef& def : allOptimizers())
    add(def.type, {"optimizer.type=" + QString::fromStdString(def.type), "schedule.type=one_cycle"},
        {1, 6, 12, 13, 14, 26, 38});
  // Of each schedule what would go wrong: a warm-up that is not over, a rate that falls every epoch.
  for (const ScheduleDef& def : allSchedules()) {
    QStringList settings{"schedule.type=" + QString::fromStdString(def.type), "schedule.warmup_steps=20"};
    if (def.type == "step") settings << "schedule.step_size=1";
    if (def.followsMonitor)
      settings << "schedule.patience=0"
               << "schedule.min_delta=1000"
               << "schedule.factor=0.5";
    add(def.type, settings, {6, 13, 14, 26, 30});
  }
  for (const AverageDef& def : allAverages())
    add("average " + def.type, {"average.type=" + QString::fromStdString(def.type)}, {6, 13, 30, 35, 38});
}

void TestTrainer::resumesExactly() {
  QFETCH(QStringList, settings);
  QFETCH(int, steps);
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "whole");
  for (const QString& setting : settings) applySetting(job.project, "training." + setting.toStdString());
  const RunEvents whole = runToEnd(job);

  job.runFolder = scratch / "broken";
  job.maxSteps = static_cast<std::uint64_t>(steps);
  const RunEvents before = runToEnd(job);
  job.resumeFrom = job.runFolder;
  job.maxSteps = 0;
  const RunEvents after = runToEnd(job);
  QCOMPARE(after.of<StartedEvent>()[0].step, static_cast<std::uint64_t>(steps));

  std::vector<double> losses = before.losses();
  for (const double loss : after.losses()) losses.push_back(loss);
  QVERIFY(losses == whole.losses());
  const Checkpoint a = readCheckpoint(scratch / "whole" / "checkpoints" / "last.safetensors"),
                   b = readCheckpoint(scratch / "broken" / "checkpoints" / "last.safetensors");
  QVERIFY(a.weights == b.weights);
  QVERIFY(a.optimizerState == b.optimizerState);
  QVERIFY(a.plateau == b.plateau);
  const RunRecord left = readRun(scratch / "whole"), right = readRun(scratch / "broken");
  QCOMPARE(right.epochs.size(), left.epochs.size());
  for (std::size_t i = 0; i < left.epochs.size(); ++i) {
    QVERIFY(left.epochs[i].loss == right.epochs[i].loss && left.epochs[i].metrics == right.epochs[i].metrics);
    QVERIFY(left.epochs[i].valLoss == right.epochs[i].valLoss);
    QVERIFY(left.epochs[i].learningRate == right.epochs[i].learningRate);
  }
  QCOMPARE(right.bestEpoch, left.bestEpoch);
}

// Values that never gain enough: the second epoch and each after it halve the rate, the last only down to the least.
void TestTrainer::theRateFallsOnAPlateau() {
  TrainJob job = tinyJob();
  for (const char* setting :
       {"schedule.type=reduce_on_plateau", "schedule.patience=0", "schedule.min_delta=1000", "schedule.factor=0.5",
        "schedule.min_rate=0.02", "optimizer.learning_rate=0.1", "epochs=6"})
    applySetting(job.project, std::string("training.") + setting);
  std::vector<double> rates;
  for (const EpochRecord& epoch : runToEnd(job).epochs()) rates.push_back(epoch.learningRate);
  QCOMPARE(rates, (std::vector<double>{0.1, 0.1, 0.05, 0.025, 0.02, 0.02}));
}

void TestTrainer::resumesIntoAnotherFolder() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "first");
  runToEnd(job);
  job.resumeFrom = job.runFolder;
  job.runFolder = scratch / "second";
  job.project.training.epochs = 5;
  const RunEvents events = runToEnd(job);
  QCOMPARE(events.epochs().size(), std::size_t{2});
  const RunRecord second = readRun(scratch / "second");
  QCOMPARE(second.epochs.size(), std::size_t{5});
  QVERIFY(second.epochs[2] == readRun(scratch / "first").epochs[2]);
}

/// All batches of an epoch are trained, its validation is not done.
void TestTrainer::resumesAfterAStopInValidation() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  EventQueue queue;
  const auto goOn = [](bool) {
    Orders orders;
    orders.train = true;
    return orders;
  };
  const auto longer = [] {
    Orders orders;
    orders.epochs = 7;
    return orders;
  };
  TrainingLoop loop(job, queue, {goOn, [] { return true; }, longer});
  QCOMPARE(std::get<FinishedEvent>(loop.run()).reason, FinishedEvent::Reason::Stopped);
  QCOMPARE(readRun(scratch / "run").project.training.epochs, 7);  // asked for before the stop, so it is kept
  const Checkpoint last = readCheckpoint(scratch / "run" / "checkpoints" / "last.safetensors");
  QCOMPARE(last.epoch, 0);
  QCOMPARE(last.epochSamples, std::int64_t{200});
  job.resumeFrom = job.runFolder;
  const auto epochs = runToEnd(job).epochs(), whole = runToEnd(tinyJob()).epochs();
  QCOMPARE(epochs.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i)
    QVERIFY(epochs[i].loss == whole[i].loss && epochs[i].valLoss == whole[i].valLoss);
}

void TestTrainer::damagedCheckpointFallsBack() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  const RunEvents whole = runToEnd(job);
  const Path checkpoints = scratch / "run" / "checkpoints";
  std::string bytes = readText(checkpoints / "last.safetensors");
  bytes[bytes.size() / 2] ^= 1;
  writeText(checkpoints / "last.safetensors", bytes);
  QVERIFY(findResumePoint(scratch / "run").problems[0].find("checksum") != std::string::npos);
  job.resumeFrom = job.runFolder;
  const RunEvents again = runToEnd(job);
  QVERIFY(again.of<NoteEvent>()[0].text.starts_with("Passed over a checkpoint."));
  QVERIFY(again.of<StartedEvent>()[0].step <= 39);
  QCOMPARE(readRun(scratch / "run").epochs.back().valLoss, whole.epochs().back().valLoss);
  QVERIFY(std::filesystem::exists(checkpoints / "last.damaged"));  // kept, out of the way
  for (const auto& entry : std::filesystem::directory_iterator(checkpoints)) writeText(entry.path(), "");
  const RunEvents none = runToEnd(job);
  QCOMPARE(none.of<FailedEvent>()[0].kind, Error::Kind::Input);
  QVERIFY(none.of<FailedEvent>()[0].message.find("no sound checkpoint") != std::string::npos);
}

void TestTrainer::refusesToResumeWhatDoesNotFit() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  job.maxSteps = 5;
  runToEnd(job);
  job.resumeFrom = job.runFolder;
  job.project.training.batchSize = 17;
  QVERIFY(runToEnd(job).of<FailedEvent>()[0].message.find("in the middle of an epoch") != std::string::npos);
  job.project = tinyProject();
  job.project.network.layers[0].fields.set("filters", std::int64_t{5});
  QVERIFY(runToEnd(job).of<FailedEvent>()[0].message.find("network is not the project's") != std::string::npos);
  job.project = tinyProject();
  applySetting(job.project, "training.optimizer.type=adam");
  QCOMPARE(runToEnd(job).of<FailedEvent>()[0].kind, Error::Kind::Input);
  job.project = tinyProject();
  QCOMPARE(runToEnd(job).of<FinishedEvent>().size(), std::size_t{1});
}

void TestTrainer::divergenceKeepsGoodWeightsAndNamesTheLayer() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  applySetting(job.project, "training.optimizer.momentum=0");
  applySetting(job.project,
               "network.conv1.activation=linear");  // a ReLU might die of the first step and be calm ever after
  runToEnd([&] {
    TrainJob good = job;
    good.maxSteps = 13;
    return good;
  }());
  const Checkpoint good = readCheckpoint(scratch / "run" / "checkpoints" / "last.safetensors");
  job.resumeFrom = job.runFolder;
  job.project.training.optimizer.fields.set("learning_rate", 1e6);
  const RunEvents events = runToEnd(job);
  const auto failed = events.of<FailedEvent>();
  QCOMPARE(failed.size(), std::size_t{1});
  QVERIFY(failed[0].diverged);
  QCOMPARE(failed[0].kind, Error::Kind::Diverged);
  QVERIFY2(failed[0].layer == "conv1" || failed[0].layer == "dense1", failed[0].layer.c_str());
  QVERIFY2(failed[0].step - good.step <= 10, failed[0].message.c_str());
  QVERIFY2(failed[0].message.find("layer " + failed[0].layer) != std::string::npos, failed[0].message.c_str());
  const Checkpoint last = readCheckpoint(scratch / "run" / "checkpoints" / "last.safetensors");
  QVERIFY(last.weights == good.weights);
  QVERIFY(events.of<SnapshotEvent>().back().snapshot->weights == good.weights);
  const RunRecord run = readRun(scratch / "run");
  QCOMPARE(run.state, std::string("diverged"));
  QCOMPARE(run.reason, failed[0].message);
}

void TestTrainer::aNetThatOnlyGuessesAfterAllIsStopped() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  applySetting(job.project, "training.optimizer.momentum=0");
  job.project.training.epochs = 8;
  const auto learned = runToEnd(job).epochs();
  QVERIFY2(learned.back().loss < std::log(job.project.network.classes) / 2,
           qPrintable(QString::number(learned.back().loss)));
  const Checkpoint good = readCheckpoint(scratch / "run" / "checkpoints" / "last.safetensors");
  job.resumeFrom = job.runFolder;
  job.project.training.epochs = 100;
  job.project.training.optimizer.fields.set("learning_rate", 1000.0);  // every ReLU dies of the first step
  const auto failed = runToEnd(job).of<FailedEvent>();
  QCOMPARE(failed.size(), std::size_t{1});
  QVERIFY(failed[0].diverged);
  QVERIFY2(failed[0].message.find("only guessed") != std::string::npos, failed[0].message.c_str());
  QCOMPARE(failed[0].layer, std::string("conv1"));
  QCOMPARE(readRun(scratch / "run").state, std::string("diverged"));
}

void TestTrainer::aNetThatIsDeadFromTheStartIsStopped() {
  TrainJob job = tinyJob();
  job.project.training.epochs = 100;
  job.startWeights = initialWeights(job.project.network, 1);
  for (const TensorPlace& place : job.startWeights->places)
    if (place.name.ends_with(".bias")) std::fill_n(job.startWeights->values.begin() + place.offset, place.size, -100.f);
  const auto failed = runToEnd(job).of<FailedEvent>();
  QCOMPARE(failed.size(), std::size_t{1});
  QVERIFY(failed[0].diverged);
  QCOMPARE(failed[0].layer, std::string("conv1"));
  QCOMPARE(failed[0].step, std::uint64_t{100});
}

void TestTrainer::weightsThatAreNotFiniteNeverStart() {
  TrainJob job = tinyJob();
  job.startWeights = initialWeights(job.project.network, 1);
  job.startWeights->values.back() = std::nanf("");
  const auto failed = runToEnd(job).of<FailedEvent>();
  QCOMPARE(failed.size(), std::size_t{1});
  QCOMPARE(failed[0].layer, std::string("dense1"));
}

void TestTrainer::aPrecisionThatIsNotOfferedNeverStarts() {
  TrainJob job = tinyJob();
  job.precision = Precision::Bfloat16;
  const auto failed = runToEnd(job).of<FailedEvent>();
  QCOMPARE(failed.size(), std::size_t{1});
  QCOMPARE(failed[0].kind, Error::Kind::Usage);
  QVERIFY2(failed[0].message.find("does not train in bfloat16, only in float32") != std::string::npos,
           failed[0].message.c_str());
}

void TestTrainer::oneRunHoldsItsFolder() {
  const ScratchFolder scratch;
  Trainer trainer;
  trainer.start(endlessJob(scratch / "run"));
  RunEvents first;
  QTRY_VERIFY((first.take(trainer), first.of<StartedEvent>().size() == 1));
  TrainJob second = endlessJob(scratch / "run");
  second.resumeFrom = second.runFolder;
  QTRY_VERIFY(std::filesystem::exists(scratch / "run" / "checkpoints" / "last.safetensors"));
  const auto failed = runToEnd(second).of<FailedEvent>();
  QCOMPARE(failed.size(), std::size_t{1});
  QCOMPARE(failed[0].kind, Error::Kind::File);
  QVERIFY2(failed[0].message.find("in use by process " + std::to_string(QCoreApplication::applicationPid())) !=
               std::string::npos,
           failed[0].message.c_str());
  QCOMPARE(readRun(scratch / "run").state, std::string("training"));  // reading is allowed
  trainer.stop();
  trainer.wait();
  const auto taken = runToEnd(tinyJob(scratch / "run")).of<FailedEvent>();  // a run is not overwritten by another
  QCOMPARE(taken.size(), std::size_t{1});
  QVERIFY(taken[0].message.find("holds a run already") != std::string::npos);
}

void TestTrainer::aCrashedRunReadsAsInterrupted() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  const RunEvents whole = runToEnd(job);
  // As a crash leaves it: never ended, half a line, a temporary file.
  writeText(scratch / "run" / "summary.json", "{\"name\": \"run\", \"state\": \"training\"}");
  writeText(scratch / "run" / "metrics.jsonl", readText(scratch / "run" / "metrics.jsonl") + "{\"event\":\"epo");
  writeText(scratch / "run" / "checkpoints" / (std::string(".last.1") + kTemporarySuffix), "half");
  QCOMPARE(readRun(scratch / "run").state, std::string("interrupted"));
  QCOMPARE(readRun(scratch / "run").epochs.size(), std::size_t{3});
  job.resumeFrom = job.runFolder;
  job.project.training.epochs = 4;
  QCOMPARE(runToEnd(job).epochs().size(), std::size_t{1});
  QCOMPARE(readRun(scratch / "run").epochs.size(), std::size_t{4});
  QVERIFY(!std::filesystem::exists(scratch / "run" / "checkpoints" / (std::string(".last.1") + kTemporarySuffix)));
}

void TestTrainer::aFullDiskIsReported() {
  const ScratchFolder scratch;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{2000, before.rlim_max};  // records fit, checkpoints do not
  TrainJob job = tinyJob(scratch / "run");
  job.savePace = std::chrono::milliseconds(0);
  job.startPaused = true;
  Trainer trainer;
  RunEvents events;
  trainer.start(job);
  QTRY_VERIFY((events.take(trainer), events.of<StartedEvent>().size() == 1));
  setrlimit(RLIMIT_FSIZE, &small);
  trainer.resume();
  trainer.wait();
  setrlimit(RLIMIT_FSIZE, &before);
  events.take(trainer);
  QCOMPARE(events.epochs().size(), std::size_t{3});  // training goes on
  QVERIFY(!events.of<NoteEvent>().empty());
  QVERIFY(events.of<NoteEvent>()[0].text.starts_with("Not saved, training goes on."));
  const auto failed = events.of<FailedEvent>();
  QCOMPARE(failed.size(), std::size_t{1});
  QCOMPARE(failed[0].kind, Error::Kind::File);
}

void TestTrainer::impossibleJobs_data() {
  QTest::addColumn<QString>("setting");
  QTest::addColumn<QString>("says");
  QTest::newRow("input") << "network.input=[9, 9, 1]"
                         << "Tiny bars has samples of 8 × 8 × 1, the net's input is 9 × 9 × 1";
  QTest::newRow("classes") << "network.classes=2"
                           << "network";
  QTest::newRow("kernel") << "network.conv1.kernel_size=9"
                          << "conv1";
  QTest::newRow("memory") << "network.conv1.filters=4096"
                          << "";
}

void TestTrainer::impossibleJobs() {
  QFETCH(QString, setting);
  QFETCH(QString, says);
  TrainJob job = tinyJob();
  applySetting(job.project, setting.toStdString());
  if (says.isEmpty()) {  // fits nowhere: as many samples as a batch may have
    job.project.training.batchSize = 65536;
    job.project.network.layers.insert(
        job.project.network.layers.begin() + 1,
        tinyLayer(job.project.network, "conv2d", {{"filters", std::int64_t{4096}}, {"kernel_size", Pair{1, 1}}}));
    says = "of memory";
  }
  const auto failed = runToEnd(job).of<FailedEvent>();
  QCOMPARE(failed.size(), std::size_t{1});
  QCOMPARE(failed[0].kind, Error::Kind::Input);
  QVERIFY2(QString::fromStdString(failed[0].message).contains(says), failed[0].message.c_str());
}

// The rule that both programs ask: fewer classes in the net than in the data hinder, more are remarked on.
void TestTrainer::saysWhatSuitsTheNet() {
  const auto dataset = tinyDataset();
  NetworkSpec network = tinyProject().network;
  QVERIFY(misfit(network, *dataset).empty());
  QVERIFY(remarks(network, *dataset).empty());
  network.classes = 2;
  QCOMPARE(misfit(network, *dataset), std::string("Tiny bars has 3 classes, the net has 2"));
  network.classes = 4;
  QVERIFY(misfit(network, *dataset).empty());
  QCOMPARE(remarks(network, *dataset),
           std::vector<std::string>{"Tiny bars has 3 classes, the net has 4: it only learns that the others never "
                                    "come."});
  network.input = Shape::image(8, 8, 3);
  QCOMPARE(misfit(network, *dataset), std::string("Tiny bars has samples of 8 × 8 × 1, the net's input is 8 × 8 × 3"));
}

void TestTrainer::remarksAreNotes() {
  TrainJob job = tinyJob();
  auto dataset = std::make_shared<Dataset>(*job.data.dataset);
  dataset->classes = {"1", "2", "3"};
  job.data = makeDataView(dataset, ValidationSource::TestSet, 0.1, 1);
  job.project.network.classes = 4;
  job.project.network.layers.back().fields.set("units", std::int64_t{4});
  job.maxSteps = 1;
  const auto notes = runToEnd(job).of<NoteEvent>();
  QCOMPARE(notes.size(), std::size_t{2});
  QCOMPARE(notes[0].text, std::string("The labels count from 1 to 3, not from 0."));
  QVERIFY(notes[1].text.starts_with("Tiny bars has 3 classes, the net has 4"));
}

void TestTrainer::runsAreListedAndRenamed() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(newRunFolder(scratch.path()));
  job.maxSteps = 1;
  runToEnd(job);
  renameRun(job.runFolder, "A better name");
  std::filesystem::create_directory(scratch / "broken");
  writeText(scratch / "broken" / "project.json", "{");
  std::filesystem::create_directory(scratch / "no-run");
  std::vector<std::string> problems;
  const auto runs = listRuns(scratch.path(), &problems);
  QCOMPARE(runs.size(), std::size_t{1});
  QCOMPARE(runs[0].name, std::string("A better name"));
  QCOMPARE(problems.size(), std::size_t{1});
  QVERIFY(problems[0].find("broken") != std::string::npos);
  job.resumeFrom = job.runFolder;
  runToEnd(job);
  QCOMPARE(readRun(job.runFolder).name, std::string("A better name"));
}

// Each run is listed or told of, whichever of its files is none.
void TestTrainer::foldersThatCannotBeReadAreListed() {
  namespace fs = std::filesystem;
  const ScratchFolder scratch;
  TrainJob job = tinyJob(newRunFolder(scratch.path()));
  job.maxSteps = 1;
  runToEnd(job);
  std::size_t folders = 1;
  for (const std::string file : {"summary.json", "environment.json", "metrics.jsonl", "project.json"})
    for (const bool link : {true, false}) {
      const Path folder = scratch / (file + (link ? "-link" : "-folder"));
      fs::copy(job.runFolder, folder, fs::copy_options::recursive);
      fs::remove(folder / file);
      if (link) fs::create_symlink(file, folder / file);  // to itself
      else fs::create_directory(folder / file);
      ++folders;
    }
  fs::create_symlink("itself", scratch / "itself");
  ++folders;
  writeText(scratch / "no folder", "");
  std::vector<std::string> problems;
  QCOMPARE(listRuns(scratch.path(), &problems).size() + problems.size(), folders);
  for (const char* unsound : {"project.json-link", "project.json-folder", "metrics.jsonl-link", "itself"})
    QVERIFY2(std::any_of(problems.begin(), problems.end(),
                         [&](const std::string& problem) { return problem.find(unsound) != std::string::npos; }),
             unsound);
  problems.clear();
  QVERIFY(listRuns(scratch / "nowhere", &problems).empty());
  QVERIFY(problems.empty());  // a folder that is not made yet is no problem
}

void TestTrainer::aFolderRemovedUnderTheRunIsMadeAnew() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(newRunFolder(scratch.path()));
  job.project.training.epochs = 3;
  job.savePace = std::chrono::milliseconds(0);
  job.startPaused = true;
  Trainer trainer;
  trainer.start(job);
  trainer.stepEpoch();
  QTRY_COMPARE(trainer.state(), Trainer::State::Paused);
  std::filesystem::remove_all(job.runFolder);
  trainer.resume();
  trainer.wait();
  RunEvents events;
  events.take(trainer);
  QVERIFY(events.of<FailedEvent>().empty());
  const auto notes = events.of<NoteEvent>();
  QCOMPARE(notes.size(), std::size_t{1});
  QVERIFY2(notes[0].text.find("was removed while the run trains") != std::string::npos, notes[0].text.c_str());

  const RunRecord record = readRun(job.runFolder);
  QCOMPARE(record.state, std::string("finished"));
  QCOMPARE(record.epochs.size(), std::size_t{3});
  QCOMPARE(record.epochs[0].loss, events.epochs()[0].loss);
  QVERIFY(holdsRun(job.runFolder) && problemWithBest(record).empty());
  QCOMPARE(readCheckpoint(job.runFolder / "checkpoints/best.safetensors").epoch, record.bestEpoch);
  job.resumeFrom = job.runFolder;
  job.project.training.epochs = 4;
  job.startPaused = false;
  QCOMPARE(runToEnd(job).epochs().size(), std::size_t{1});
}

void TestTrainer::aRunInUseIsTrainingWhateverItsSummarySays() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(newRunFolder(scratch.path()));
  job.maxSteps = 1;
  runToEnd(job);
  writeText(job.runFolder / "summary.json", "{\"state\": \"failed\"}");
  QCOMPARE(readRun(job.runFolder).state, std::string("failed"));
  QVERIFY(readRun(job.runFolder).holder.empty());
  {
    const FolderLock lock(job.runFolder);
    QCOMPARE(readRun(job.runFolder).state, std::string("training"));
    QVERIFY(readRun(job.runFolder).holder.starts_with("process "));
    QVERIFY(refusedWith(Error::Kind::File, [&] { moveRun(job.runFolder, scratch / "archive"); }).contains("in use"));
    QVERIFY(std::filesystem::exists(job.runFolder / "project.json"));
  }
  const Path name = job.runFolder.filename();
  QCOMPARE(moveRun(job.runFolder, scratch / "archive"), scratch / "archive" / name);
  std::filesystem::create_directory(job.runFolder);  // the place is taken meanwhile
  const Path back = moveRun(scratch / "archive" / name, scratch.path());
  QCOMPARE(back.parent_path(), scratch.path());
  QVERIFY(back != job.runFolder);
  QCOMPARE(readRun(back).epochs.size(), std::size_t{0});
}

// What is compared with the sample itself trains, resumes and is predicted on every backend; its best epoch is that of
// the smallest loss.
// A table's numbers, far from zero and of very different size: the standardisation travels with project and checkpoint,
// and a resumed run comes out as the whole one.
void TestTrainer::floatsAreStandardisedByWhatIsTrainedOn() {
  const ScratchFolder scratch;
  auto dataset = std::make_shared<Dataset>();
  dataset->title = "Table";
  dataset->shape = Shape::vector(3);
  dataset->classes = {"low", "high"};
  dataset->train.count = 200;
  Rng random(3, Stream::Test);
  for (int i = 0; i < 200; ++i) {
    const auto x = static_cast<float>(random.uniform01());
    dataset->train.labels.push_back(x > 0.5f);
    dataset->train.floats.insert(dataset->train.floats.end(),
                                 {1e4f + 100 * x, static_cast<float>(random.uniform01()), 5});
  }
  TrainJob job = tinyJob(scratch / "whole");
  job.data = makeDataView(dataset, ValidationSource::Split, 0.2, 1);
  NetworkSpec& network = job.project.network;
  network.input = dataset->shape;
  network.classes = 2;
  network.layers = {};
  network.layers.push_back(tinyLayer(network, "dense", {{"units", std::int64_t{2}}}));
  job.project.data.validation = ValidationSource::Split;
  job.project.training.epochs = 8;
  const RunEvents whole = runToEnd(job);
  QVERIFY(whole.epochs().back().value("val_accuracy") > 0.9);
  const Checkpoint last = readCheckpoint(scratch / "whole/checkpoints/last.safetensors");
  const Preprocessing expected = resolved(Preprocessing(), job.data);
  QVERIFY(last.preprocessing == expected && expected.mean.size() == 3);
  QVERIFY(readRun(scratch / "whole").project.data.preprocessing == expected);

  Predictor predictor(last.network, last.loss);
  predictor.setWeights(last.weights);
  const Evaluation evaluation = predictor.evaluate(dataset->train, job.data.validation, last.preprocessing);
  QCOMPARE(evaluation.metrics.at("accuracy"), whole.epochs().back().value("val_accuracy"));

  TrainJob half = job;
  half.runFolder = scratch / "half";
  half.project.training.epochs = 4;
  runToEnd(half);
  half.resumeFrom = half.runFolder;
  half.project.training.epochs = 8;
  runToEnd(half);
  QVERIFY(readCheckpoint(scratch / "half/checkpoints/last.safetensors").weights == last.weights);

  job.project.data.augmentation.fields.set("shift", std::int64_t{1});
  job.runFolder = scratch / "moved";
  const auto failed = runToEnd(job).of<FailedEvent>();
  QCOMPARE(failed.size(), std::size_t{1});
  QVERIFY2(
      failed[0].message.find("changes pictures made of bytes, Table has samples of 3 numbers") != std::string::npos,
      failed[0].message.c_str());
}

void TestTrainer::anAutoencoder_data() {
  QTest::addColumn<QString>("backend");
  QTest::newRow("reference") << "reference";
  QTest::newRow("cpu") << "cpu";
  QTest::newRow("check") << "check:reference,cpu";
}

void TestTrainer::anAutoencoder() {
  QFETCH(QString, backend);
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  job.backend = backend.toStdString();
  NetworkSpec& network = job.project.network;
  network.layers = {tinyLayer(network, "flatten")};
  network.layers.push_back(
      tinyLayer(network, "dense", {{"units", std::int64_t{9}}, {"activation", std::string("tanh")}}));
  network.layers.push_back(tinyLayer(network, "dense", {{"units", std::int64_t{64}}}));
  job.project.training.loss = {"mean_squared_error", {}};
  job.project.training.optimizer.fields.set("learning_rate", 0.5);
  QVERIFY(analyse(job.project).ok());
  const RunEvents events = runToEnd(job);
  QVERIFY(events.of<FailedEvent>().empty());
  const std::vector<EpochRecord> epochs = events.epochs();
  QCOMPARE(epochs.size(), std::size_t{3});
  QVERIFY2(epochs[2].valLoss < 0.8 * epochs[0].valLoss, qPrintable(QString::number(epochs[2].valLoss)));
  QVERIFY(epochs[0].metrics.empty());
  const FinishedEvent finished = events.of<FinishedEvent>().at(0);
  QCOMPARE(finished.monitor, std::string("val_loss"));
  QCOMPARE(finished.bestValue, epochs[std::size_t(finished.bestEpoch - 1)].valLoss);
  QVERIFY(readText(scratch / "run" / "history.csv").starts_with("epoch,loss,val_loss,epoch_seconds,"));
  const Checkpoint last = readCheckpoint(scratch / "run" / "checkpoints" / "last.safetensors");
  QVERIFY(last.loss == job.project.training.loss);
  Predictor predictor(last.network, last.loss);
  predictor.setWeights(last.weights);
  QVERIFY(
      std::abs(predictor.evaluate(job.data.dataset->test, job.data.validation, job.project.data.preprocessing).loss -
               epochs[2].valLoss) < 1e-6);
  QCOMPARE(predictor.predict(std::vector<float>(64, 0.5f)).size(), std::size_t{64});
}

// What only a whole validation has stands under its own key, decides the best epoch, and has no column of training.
void TestTrainer::metricsOfTheValidation() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  job.project.training.metrics = {"f1_score", "accuracy", "calibration_error"};
  job.project.training.monitor = "val_f1_score";
  const RunEvents events = runToEnd(job);
  const RunRecord run = readRun(scratch / "run");
  QCOMPARE(run.epochs.size(), std::size_t{3});
  for (const EpochRecord& epoch : run.epochs) {
    QVERIFY(epoch.value("val_f1_score") > 0 && epoch.value("val_f1_score") <= 1);
    QVERIFY(epoch.value("val_calibration_error") >= 0);
    QVERIFY(!epoch.metrics.contains("f1_score"));
    QVERIFY(epoch.value("val_f1_score") <= run.epochs[std::size_t(run.bestEpoch - 1)].value("val_f1_score"));
  }
  QVERIFY(readText(scratch / "run" / "history.csv")
              .starts_with("epoch,loss,accuracy,val_loss,val_f1_score,val_accuracy,val_calibration_error,"));
  const Checkpoint best = readCheckpoint(scratch / "run" / "checkpoints" / "best.safetensors");
  Predictor predictor(best.network, best.loss);
  predictor.setWeights(best.weights);
  const Evaluation again =
      predictor.evaluate(job.data.dataset->test, job.data.validation, job.project.data.preprocessing);
  QVERIFY(std::abs(again.metrics.at("f1_score") - run.epochs[std::size_t(run.bestEpoch - 1)].value("val_f1_score")) <
          1e-9);
  const auto points = events.of<ProgressEvent>();
  QVERIFY(!points.empty() && std::isnan(points.front().points.front().metric));
}

// All epochs are equally good by this measure, so the first is the best and the two after it are waited for. Also when
// the run is broken off on the way; and one that has ended so does not go on.
void TestTrainer::stopsEarly() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  job.project.training.metrics = {"accuracy", "top_5"};
  job.project.training.monitor = "val_top_5";
  job.project.training.epochs = 10;
  applySetting(job.project, "training.early_stopping.patience=2");
  const auto endsEarly = [&](const RunEvents& events, std::size_t epochs) {
    QCOMPARE(events.epochs().size(), epochs);
    QCOMPARE(events.of<FinishedEvent>().at(0).reason, FinishedEvent::Reason::EarlyStop);
    QCOMPARE(events.of<FinishedEvent>().at(0).bestEpoch, 1);
    const auto& result = *events.of<SnapshotEvent>().back().snapshot;
    QCOMPARE(result.epoch, 1);
    QVERIFY(result.weights == readCheckpoint(job.runFolder / "checkpoints" / "best.safetensors").weights);
    const Checkpoint last = readCheckpoint(job.runFolder / "checkpoints" / "last.safetensors");
    QCOMPARE(last.epoch, 3);
    QVERIFY(result.weights != last.weights);
    QCOMPARE(readRun(job.runFolder).state, std::string("finished"));
  };
  endsEarly(runToEnd(job), 3);
  job.runFolder = scratch / "broken";
  job.maxSteps = 20;
  runToEnd(job);
  job.resumeFrom = job.runFolder;
  job.maxSteps = 0;
  endsEarly(runToEnd(job), 2);
  endsEarly(runToEnd(job), 0);
}

void TestTrainer::averagedWeightsAreTheResult_data() {
  QTest::addColumn<QString>("type");
  for (const AverageDef& def : allAverages())
    if (def.share) QTest::newRow(def.type.c_str()) << QString::fromStdString(def.type);
}

// Training goes on as without a mean, to the same bits; what is validated, shown, kept and predicted with is the mean.
void TestTrainer::averagedWeightsAreTheResult() {
  QFETCH(QString, type);
  const ScratchFolder scratch;
  TrainJob plain = tinyJob(scratch / "plain"), job = tinyJob(scratch / "run");
  applySetting(job.project, "training.average.type=" + type.toStdString());
  if (type == "swa") applySetting(job.project, "training.average.start_fraction=0.4");
  const RunEvents expected = runToEnd(plain), events = runToEnd(job);
  QVERIFY(events.losses() == expected.losses());
  const auto read = [&](const char* run, const std::string& file) {
    return readCheckpoint(scratch / run / "checkpoints" / (file + ".safetensors"));
  };
  const Checkpoint last = read("run", "last");
  QVERIFY(last.weights == read("plain", "last").weights);
  const Weights mean = resultWeights(last);
  QVERIFY(mean != last.weights);
  QVERIFY(read("run", "epoch-0003").weights == mean);
  QVERIFY(events.of<SnapshotEvent>().back().snapshot->weights == mean);
  // Before it begins the weights are those of the steps.
  QCOMPARE(read("run", "epoch-0001").weights == read("plain", "epoch-0001").weights, type == "swa");
  Predictor predictor(last.network, last.loss);
  predictor.setWeights(mean);
  QVERIFY(
      std::abs(predictor.evaluate(job.data.dataset->test, job.data.validation, job.project.data.preprocessing).loss -
               events.epochs()[2].valLoss) < 1e-6);
  // From weights alone a new mean begins with them.
  job.resumeFrom = job.runFolder;
  job.project.training.epochs = 4;
  for (const char* file : {"last", "previous"})
    std::filesystem::remove(scratch / "run" / "checkpoints" / (std::string(file) + ".safetensors"));
  const RunEvents after = runToEnd(job);
  QCOMPARE(after.epochs().size(), std::size_t{1});
  QVERIFY(std::isfinite(after.epochs()[0].valLoss));
}

// More metrics than accuracy: in the events, the record and the history, and one of them decides the best epoch.
void TestTrainer::severalMetrics() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  job.project.training.metrics = {"accuracy", "top_5"};
  job.project.training.monitor = "val_loss";
  const RunEvents events = runToEnd(job);
  for (const EpochRecord& epoch : events.epochs()) {
    QCOMPARE(epoch.value("top_5"), 1.0);  // there are three classes
    QCOMPARE(epoch.value("val_top_5"), 1.0);
  }
  const RunRecord run = readRun(scratch / "run");
  QCOMPARE(run.epochs.at(0).metrics, events.epochs().at(0).metrics);
  QVERIFY(readText(scratch / "run" / "history.csv")
              .starts_with("epoch,loss,accuracy,top_5,val_loss,val_accuracy,val_top_5,epoch_seconds,"));
  for (const EpochRecord& epoch : run.epochs)
    QVERIFY(run.epochs[std::size_t(run.bestEpoch - 1)].valLoss <= epoch.valLoss);
  const RunEvents plain = runToEnd(tinyJob());
  for (std::size_t i = 0; i < 3; ++i) {
    QCOMPARE(events.epochs()[i].loss, plain.epochs()[i].loss);
    QCOMPARE(events.epochs()[i].value("val_accuracy"), plain.epochs()[i].value("val_accuracy"));
  }
}

void TestTrainer::predictsAsItValidated() {
  const TrainJob job = tinyJob();
  const RunEvents events = runToEnd(job);
  Predictor predictor(job.project.network);
  predictor.setWeights(events.of<SnapshotEvent>().back().snapshot->weights);
  const Evaluation evaluation =
      predictor.evaluate(job.data.dataset->test, job.data.validation, job.project.data.preprocessing);
  QVERIFY(std::abs(evaluation.metrics.at("accuracy") - events.epochs().back().value("val_accuracy")) < 1e-9);
  QVERIFY(std::abs(evaluation.loss - events.epochs().back().valLoss) < 1e-5);
  QCOMPARE(evaluation.predicted.size(), std::size_t{60});
  int counted = 0;
  for (const auto& row : evaluation.confusion)
    for (const int count : row) counted += count;
  QCOMPARE(counted, 60);
  QVERIFY(refusedWith(Error::Kind::Input, [&] {
            predictor.predict({1, 2, 3});
          }).contains("holds 3 values, the net reads 64"));
}

QTEST_GUILESS_MAIN(TestTrainer)
#include "tst_trainer.moc"

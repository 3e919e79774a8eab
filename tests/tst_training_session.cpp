// SPDX-License-Identifier: GPL-3.0-or-later
// The session between the pages and the trainer: reasons, words, runs on disk, continuing, branching; and the worker
// that predicts.
#include <QDeadlineTimer>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <filesystem>

#include "datasets/datasets.h"
#include "engine/run/checkpoint.h"
#include "gui/prediction_worker.h"
#include "gui/runs_loader.h"
#include "gui/training_session.h"
#include "small_project.h"

using namespace strata;
using namespace strata::gui;
using Action = TrainingSession::Action;

class TestTrainingSession : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void init();
  void cleanup();
  void reasonsBeforeAnyRun();
  void trainsAndWritesARun();
  void pausesStepsAndStops();
  void continuesTheRun();
  void branches();
  void branchesFromTheBestAlone();
  void aBranchGoesOnWithTheCpu();
  void startedAtTheEndOfAnother_data();
  void startedAtTheEndOfAnother();
  void startedByWhoeverHearsOfTheEnd();
  void aFailedStartKeepsNothingOfTheRunBefore();
  void anActionOfAnotherPhaseDoesNothing();
  void noBatchTwiceAfterABadCheckpoint();
  void noEpochTwiceAfterABadCheckpoint();
  void changesWhileRunning();
  void syntheticSaysSo();
  void newestRequestWins();
  void anAnswerIsOfItsOwnWeights();
  void whatIsForgottenNeverArrives();

 private:
  /// The end of the run, with its last events still in the queue; false when it does not come.
  bool endsUnheard() const {
    const QDeadlineTimer deadline(20000);
    while (m_session->active() && !deadline.hasExpired()) std::this_thread::yield();
    return !m_session->active();
  }
  void finish() { QTRY_VERIFY_WITH_TIMEOUT(!m_session->active(), 20000); }
  QTemporaryDir m_home;
  std::shared_ptr<const Dataset> m_data;
  std::unique_ptr<Document> m_document;
  std::unique_ptr<TrainingSession> m_session;
};

void TestTrainingSession::initTestCase() {
  qputenv("XDG_DATA_HOME", m_home.path().toUtf8());
  qputenv("STRATA_CUDA_MODULE", "/nowhere/strata_cuda.so");  // a device that fails, on machines with a GPU too
  m_data = syntheticDigits(1, 320, 64);
}

void TestTrainingSession::init() {
  m_document = std::make_unique<Document>();
  m_document->reset(smallProject(2), {});
  m_session = std::make_unique<TrainingSession>(*m_document);
  m_session->setBackend("reference", 1);
}

void TestTrainingSession::cleanup() {
  m_session->stopAndWait();
  m_session.reset();
  m_document.reset();
}

void TestTrainingSession::reasonsBeforeAnyRun() {
  QCOMPARE(m_session->blockedReason(Action::Start), QString("Choose a data set first"));
  QCOMPARE(m_session->stateWord(), QString("Cannot start"));
  m_session->setDataset(m_data);
  QCOMPARE(m_session->blockedReason(Action::Start), QString());
  QCOMPARE(m_session->stateWord(), QString("Ready"));
  QVERIFY(!m_session->blockedReason(Action::Pause).isEmpty());
  QVERIFY(!m_session->blockedReason(Action::Continue).isEmpty());
  QCOMPARE(m_session->primaryAction(), Action::Start);
  m_document->edit("Break", [](Project& p) { p.network.layers.erase(p.network.layers.begin()); });
  QVERIFY2(m_session->blockedReason(Action::Start).contains("dense1"),
           qPrintable(m_session->blockedReason(Action::Start)));
}

void TestTrainingSession::trainsAndWritesARun() {
  m_session->setDataset(m_data);
  QSignalSpy epochs(m_session.get(), &TrainingSession::epochDone),
      snapshots(m_session.get(), &TrainingSession::snapshotReady);
  m_session->perform(Action::Start);
  QVERIFY(m_session->active());
  QVERIFY(!m_session->blockedReason(Action::Start).isEmpty());
  finish();
  QTRY_COMPARE(epochs.count(), 2);
  QCOMPARE(m_session->stateWord(), QString("Finished"));
  QVERIFY(snapshots.count() >= 1);
  QCOMPARE(m_session->batches().size(), std::uint64_t(20));
  QCOMPARE(m_session->progress(), 1.0);
  const auto& run = m_session->run();
  const auto read = readRun(run.folder);
  QCOMPARE(read.state, std::string("finished"));
  QCOMPARE(read.epochs.size(), std::size_t(2));
  QCOMPARE(read.bestEpoch, run.bestEpoch);
  QCOMPARE(keptEpochs(run), (std::vector<int>{1, 2}));
  QCOMPARE(m_session->primaryAction(), Action::Continue);
  m_document->edit("Other seed", [](Project& p) { p.training.seed = 7; });
  QCOMPARE(m_session->primaryAction(), Action::Start);
}

void TestTrainingSession::pausesStepsAndStops() {
  m_document->edit("Long", [](Project& p) { p.training.epochs = 1000; });
  m_session->setDataset(m_data);
  m_session->perform(Action::StepBatch);
  QTRY_COMPARE(m_session->batches().size(), std::uint64_t(1));
  QTRY_COMPARE(m_session->state(), Trainer::State::Paused);
  m_session->perform(Action::StepBatch);
  QTRY_COMPARE(m_session->batches().size(), std::uint64_t(2));
  QTRY_COMPARE(m_session->state(), Trainer::State::Paused);
  QCOMPARE(m_session->primaryAction(), Action::Resume);
  m_session->perform(Action::Resume);
  QTRY_VERIFY(m_session->batches().size() > 20);
  m_session->perform(Action::Stop);
  finish();
  QTRY_COMPARE(m_session->stateWord(), QString("Stopped"));
  QCOMPARE(readRun(m_session->run().folder).state, std::string("stopped"));
}

void TestTrainingSession::continuesTheRun() {
  m_session->setDataset(m_data);
  m_session->perform(Action::Start);
  finish();
  QTRY_COMPARE(m_session->run().epochs.size(), std::size_t(2));
  const auto folder = m_session->run().folder;
  m_document->edit("More", [](Project& p) { p.training.epochs = 3; });
  m_session->perform(Action::Continue);
  finish();
  QTRY_COMPARE(m_session->run().epochs.size(), std::size_t(3));
  QCOMPARE(m_session->run().folder, folder);
  QCOMPARE(m_session->batches().size(), std::uint64_t(30));
  QCOMPARE(readRun(folder).epochs.size(), std::size_t(3));
}

void TestTrainingSession::branches() {
  m_session->setDataset(m_data);
  m_session->perform(Action::Start);
  finish();
  QTRY_COMPARE(m_session->run().epochs.size(), std::size_t(2));
  const auto first = m_session->run().folder;
  const auto weights = readCheckpoint(epochFile(first, 1)).weights;
  m_document->edit("Still", [](Project& p) {
    p.training.epochs = 1;
    p.training.optimizer.fields.set("learning_rate", 0.0);  // so that the new run's weights are where it began
  });
  m_session->branchFrom(first, 1);
  QVERIFY(m_session->active());
  finish();
  QTRY_COMPARE(m_session->run().epochs.size(), std::size_t(1));
  QVERIFY(m_session->run().folder != first);
  QCOMPARE(readCheckpoint(epochFile(m_session->run().folder, 1)).weights.values, weights.values);
}

// No epoch has a file of its own: the best one is on disk all the same.
void TestTrainingSession::branchesFromTheBestAlone() {
  m_document->edit("Keep none", [](Project& p) { p.training.keepEpochs = 0; });
  m_session->setDataset(m_data);
  m_session->perform(Action::Start);
  finish();
  QTRY_COMPARE(m_session->run().state, std::string("finished"));
  const auto first = m_session->run();
  QCOMPARE(keptEpochs(first), std::vector<int>{first.bestEpoch});
  QCOMPARE(m_session->branchBlockedReason(first, first.bestEpoch), QString());
  QSignalSpy notes(m_session.get(), &TrainingSession::note);
  m_session->branchFrom(first.folder, first.bestEpoch);
  QVERIFY2(m_session->active(), qPrintable(notes.isEmpty() ? QString() : notes.first().at(1).toString()));
  QVERIFY(m_session->run().folder != first.folder);
  m_session->stopAndWait();
  std::filesystem::remove(weightsFile(first.folder, first.bestEpoch));
  QVERIFY(m_session->branchBlockedReason(first, first.bestEpoch).contains("not on disk"));
  QVERIFY(keptEpochs(first).empty());
}

// The device fails before the branch's first checkpoint: the CPU begins it anew, from the same weights.
void TestTrainingSession::aBranchGoesOnWithTheCpu() {
  m_session->setDataset(m_data);
  m_session->perform(Action::Start);
  finish();
  QTRY_COMPARE(m_session->run().epochs.size(), std::size_t(2));
  QVERIFY(!m_session->canGoOnWithCpu());
  const auto first = m_session->run().folder;
  const auto weights = readCheckpoint(epochFile(first, 1)).weights;
  m_document->edit("Still", [](Project& p) {
    p.training.epochs = 1;
    p.training.optimizer.fields.set("learning_rate", 0.0);
  });
  m_session->setBackend("cuda", 1);
  m_session->branchFrom(first, 1);
  QTRY_COMPARE(m_session->stateWord(), QString("Failed"));
  QTRY_VERIFY(m_session->canGoOnWithCpu());
  m_session->goOnWithCpu();
  QVERIFY(!m_session->canGoOnWithCpu());
  QCOMPARE(m_session->backend(), QString("cpu"));
  finish();
  QTRY_COMPARE(m_session->run().epochs.size(), std::size_t(1));
  QCOMPARE(readCheckpoint(epochFile(m_session->run().folder, 1)).weights.values, weights.values);
}

void TestTrainingSession::startedAtTheEndOfAnother_data() {
  QTest::addColumn<bool>("stopped");
  QTest::newRow("completed") << false;
  QTest::newRow("stopped") << true;
}

// The thread has ended, and nobody has looked at what it said last: the new run hears none of it, the old one all.
void TestTrainingSession::startedAtTheEndOfAnother() {
  QFETCH(bool, stopped);
  constexpr int kRuns = 12;
  m_document->edit("Epochs", [&](Project& p) { p.training.epochs = stopped ? 1000 : 2; });
  m_session->setDataset(m_data);
  QSignalSpy finished(m_session.get(), &TrainingSession::finished);
  for (int run = 0; run < kRuns; ++run) {
    m_session->perform(Action::Start);
    QCOMPARE(finished.count(), run);
    QVERIFY(m_session->run().epochs.empty());
    QCOMPARE(m_session->run().state, std::string("training"));
    if (stopped) m_session->perform(Action::Stop);
    QVERIFY(endsUnheard());
  }
  m_session->stopAndWait();
  QCOMPARE(finished.count(), kRuns);
  QCOMPARE(m_session->run().state, std::string(stopped ? "stopped" : "finished"));
  if (!stopped) QCOMPARE(m_session->run().epochs.size(), std::size_t(2));
  QVERIFY(readRun(m_session->run().folder).epochs == m_session->run().epochs);
}

// The state is Finished before the last event is handled: a start in between is one of a new run all the same.
void TestTrainingSession::startedByWhoeverHearsOfTheEnd() {
  constexpr int kRuns = 6;
  m_session->setDataset(m_data);
  QSignalSpy started(m_session.get(), &TrainingSession::runStarted),
      finished(m_session.get(), &TrainingSession::finished);
  QObject listener;
  connect(m_session.get(), &TrainingSession::stateChanged, &listener, [&] {
    if (m_session->state() == Trainer::State::Finished && started.count() < kRuns) m_session->perform(Action::Start);
  });
  connect(m_session.get(), &TrainingSession::runStarted, &listener, [&] {
    QCOMPARE(finished.count(), started.count() - 1);
    QVERIFY(m_session->run().epochs.empty());
  });
  m_session->perform(Action::Start);
  QTRY_COMPARE_WITH_TIMEOUT(finished.count(), kRuns, 20000);
  QCOMPARE(started.count(), kRuns);
  QCOMPARE(m_session->run().epochs.size(), std::size_t(2));
}

void TestTrainingSession::aFailedStartKeepsNothingOfTheRunBefore() {
  m_session->setDataset(m_data);
  m_session->perform(Action::Start);
  finish();
  QTRY_COMPARE(m_session->run().epochs.size(), std::size_t(2));
  QVERIFY(m_session->snapshot());
  m_session->setBackend("cuda", 1);
  m_session->perform(Action::Start);
  QTRY_COMPARE(m_session->stateWord(), QString("Failed"));
  QTRY_COMPARE(m_session->run().state, std::string("failed"));
  QVERIFY(m_session->run().epochs.empty());
  QVERIFY(m_session->batches().empty());
  QVERIFY(!m_session->snapshot());
}

void TestTrainingSession::anActionOfAnotherPhaseDoesNothing() {
  m_session->setDataset(m_data);
  m_session->perform(Action::Start);
  const int running = m_session->phase();
  QVERIFY(endsUnheard());
  for (const Action action : {Action::Continue, Action::StepBatch, Action::Start}) {
    m_session->perform(action, running);
    QVERIFY(!m_session->active());
  }
  QCOMPARE(m_session->run().epochs.size(), std::size_t(2));
  m_session->perform(Action::Continue, m_session->phase());
  QVERIFY(m_session->active());
}

// What was trained after the checkpoint that a run goes on from is trained again, and counted once.
void TestTrainingSession::noBatchTwiceAfterABadCheckpoint() {
  m_document->edit("Long", [](Project& p) { p.training.epochs = 1000; });
  m_session->setDataset(m_data);
  m_session->perform(Action::StepBatch);
  QTRY_COMPARE(m_session->batches().size(), std::uint64_t(1));
  QTRY_COMPARE(m_session->state(), Trainer::State::Paused);
  m_session->perform(Action::StepEpoch);
  QTRY_COMPARE(m_session->batches().size(), std::uint64_t(10));
  QTRY_COMPARE(m_session->state(), Trainer::State::Paused);
  m_session->perform(Action::StepBatch);  // in the middle of an epoch: the checkpoint before is older
  QTRY_COMPARE(m_session->batches().size(), std::uint64_t(11));
  m_session->stopAndWait();
  const auto last = m_session->run().folder / "checkpoints/last.safetensors";
  std::filesystem::resize_file(last, std::filesystem::file_size(last) / 2);
  const auto trained = m_session->batches().size();
  m_session->perform(Action::Continue);
  QTRY_VERIFY(m_session->batches().size() > trained);
  m_session->stopAndWait();
  QCOMPARE(m_session->batches().firstStep(), std::uint64_t(1));
  QCOMPARE(m_session->batches().size(), m_session->batches().lastStep());
}

// Of all checkpoints only that of the first epoch is left, so the second is trained again: the record, the session and
// whoever follows it hold it once.
void TestTrainingSession::noEpochTwiceAfterABadCheckpoint() {
  const auto untilEpoch = [&](int epochs, Action action) {
    m_document->edit("Epochs", [&](Project& p) { p.training.epochs = epochs; });
    m_session->perform(action);
    QTRY_COMPARE_WITH_TIMEOUT(m_session->run().state, std::string("finished"), 20000);
  };
  m_session->setDataset(m_data);
  untilEpoch(1, Action::Start);
  const auto folder = m_session->run().folder, checkpoints = folder / "checkpoints";
  const Path kept = m_home.filePath("first-epoch").toStdString();
  std::filesystem::copy_file(checkpoints / "last.safetensors", kept);
  untilEpoch(2, Action::Continue);
  std::filesystem::remove_all(checkpoints);
  std::filesystem::create_directory(checkpoints);
  std::filesystem::copy_file(kept, checkpoints / "last.safetensors");
  QSignalSpy history(m_session.get(), &TrainingSession::historyChanged);
  untilEpoch(4, Action::Continue);
  QCOMPARE(history.count(), 1);
  const auto& run = m_session->run();
  QCOMPARE(run.epochs.size(), std::size_t(4));
  for (std::size_t i = 0; i < run.epochs.size(); ++i) QCOMPARE(run.epochs[i].epoch, int(i) + 1);
  QCOMPARE(run.bestEpoch, bestEpochOf(run.epochs));
  QVERIFY(readRun(folder).epochs == run.epochs);
}

void TestTrainingSession::changesWhileRunning() {
  m_document->edit("Long", [](Project& p) { p.training.epochs = 1000; });
  m_session->setDataset(m_data);
  m_session->perform(Action::Start);
  QTRY_VERIFY(m_session->batches().size() > 2);
  m_session->setLearningRate(0.01);
  QCOMPARE(m_session->changes().size(), std::size_t(1));
  QCOMPARE(m_session->changes()[0].text, QString("rate 0.05 → 0.01"));
  QTRY_COMPARE(m_session->lastProgress().learningRate, 0.01);
  m_session->setEpochs(int(m_session->run().epochs.size()) + 3);
  finish();
  QTRY_COMPARE(m_session->stateWord(), QString("Finished"));
  QCOMPARE(m_document->project().training.epochs, 1000);  // a run never edits the document
}

void TestTrainingSession::syntheticSaysSo() {
  m_session->setDataset(m_data);
  QVERIFY(m_session->stateFacts().contains("synthetic"));
  QSignalSpy notes(m_session.get(), &TrainingSession::note);
  m_session->perform(Action::Start);
  QVERIFY(!notes.isEmpty());
  QVERIFY(notes.first().at(1).toString().contains("synthetic"));
  finish();
}

void TestTrainingSession::newestRequestWins() {
  auto snapshot = std::make_shared<WeightSnapshot>();
  snapshot->network = smallProject(1).network;
  snapshot->weights = initialWeights(snapshot->network, 1);
  PredictionWorker worker;
  QVector<int> answered;
  std::atomic<bool> open{false};
  std::atomic<int> begun{0};
  WeightSource weights;
  const auto post = [&](PredictionWorker::Kind kind, int id) {
    worker.post(weights, kind, [&, id](LoadedWeights&) -> PredictionWorker::Deliver {
      ++begun;
      while (!open) std::this_thread::yield();
      return [&, id] { answered << id; };
    });
  };
  post(PredictionWorker::Kind::Tiles, 0);  // no weights yet: nothing happens
  weights = {snapshot};
  post(PredictionWorker::Kind::Tiles, 1);
  QTRY_COMPARE(begun.load(), 1);
  post(PredictionWorker::Kind::Evaluation, 2);
  post(PredictionWorker::Kind::Drawing, 3);
  post(PredictionWorker::Kind::Drawing, 4);  // takes the place of 3, and goes before 2
  open = true;
  QTRY_COMPARE(answered, (QVector<int>{1, 4, 2}));
  QSignalSpy failed(&worker, &PredictionWorker::failed);
  weights = {nullptr, "/nowhere/epoch-0001.safetensors", 1};
  post(PredictionWorker::Kind::Drawing, 5);
  QTRY_COMPARE(failed.count(), 1);
  QCOMPARE(failed.first().first().value<PredictionWorker::Kind>(), PredictionWorker::Kind::Drawing);
}

// An answer is of the weights that the request came with, whatever is asked of others in between.
void TestTrainingSession::anAnswerIsOfItsOwnWeights() {
  PredictionWorker worker;
  QVector<quint64> steps;
  const auto ask = [&](PredictionWorker::Kind kind, std::uint64_t step, bool otherNet) {
    auto snapshot = std::make_shared<WeightSnapshot>();
    snapshot->network = smallProject(1).network;
    if (otherNet) snapshot->network.input = Shape::image(12, 12, 3);
    snapshot->weights = initialWeights(snapshot->network, step);
    snapshot->step = step;
    worker.post({snapshot}, kind,
                [&, network = snapshot->network](LoadedWeights& weights) -> PredictionWorker::Deliver {
                  const bool own = weights.predictor->network() == network;
                  weights.predictor->predict(std::vector<float>(std::size_t(network.input.size())));
                  return [&steps, own, step = weights.step] { steps << (own ? step : 0); };
                });
  };
  for (std::uint64_t step = 1; step <= 30; step += 3) {
    ask(PredictionWorker::Kind::Evaluation, step, false);
    ask(PredictionWorker::Kind::Drawing, step + 1, true);
    ask(PredictionWorker::Kind::Tiles, step + 2, step % 2);
    QTRY_COMPARE(steps.size(), int(step) + 2);
  }
  std::sort(steps.begin(), steps.end());
  for (int i = 0; i < steps.size(); ++i) QCOMPARE(steps[i], quint64(i + 1));
}

// What was asked of weights that nobody wants any more is neither answered nor complained of.
void TestTrainingSession::whatIsForgottenNeverArrives() {
  auto snapshot = std::make_shared<WeightSnapshot>();
  snapshot->network = smallProject(1).network;
  snapshot->weights = initialWeights(snapshot->network, 1);
  PredictionWorker worker;
  QSignalSpy failed(&worker, &PredictionWorker::failed);
  QVector<int> answered;
  std::atomic<int> begun{0};
  const auto post = [&](const WeightSource& weights, int id) {
    worker.post(weights, PredictionWorker::Kind::Drawing, [&, id](LoadedWeights&) -> PredictionWorker::Deliver {
      ++begun;
      return [&, id] { answered << id; };
    });
  };
  post({snapshot}, 1);
  const QDeadlineTimer deadline(20000);
  while (begun == 0 && !deadline.hasExpired()) std::this_thread::yield();  // answered, and not delivered yet
  post({nullptr, "/nowhere/epoch-0001.safetensors", 1}, 2);
  worker.forget();
  post({snapshot}, 3);
  QTRY_COMPARE(answered, QVector<int>{3});
  QCOMPARE(failed.count(), 0);
}

QTEST_GUILESS_MAIN(TestTrainingSession)
#include "tst_training_session.moc"

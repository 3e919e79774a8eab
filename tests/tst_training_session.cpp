// SPDX-License-Identifier: GPL-3.0-or-later
// The session between the pages and the trainer: reasons, words, runs on disk, continuing, branching; and the worker
// that predicts.
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <filesystem>

#include "datasets/datasets.h"
#include "engine/train/checkpoint.h"
#include "gui/prediction_worker.h"
#include "gui/runs_loader.h"
#include "gui/training_session.h"

using namespace strata;
using namespace strata::gui;
using Action = TrainingSession::Action;

namespace {

/// Small enough to train an epoch in a blink.
Project smallProject(int epochs) {
  Project project;
  project.name = "Small";
  project.data.source = "synthetic-digits";
  project.data.validation = ValidationSource::TestSet;
  const auto layer = [](const char* type, const char* name) {
    return LayerSpec{type, name, Fields(findLayer(type)->fields)};
  };
  auto dense = layer("dense", "dense1");
  dense.fields.set("units", std::int64_t{10});
  project.network.layers = {layer("flatten", "flatten"), dense};
  project.training.epochs = epochs;
  project.training.batchSize = 32;
  project.training.optimizer.fields.set("learning_rate", 0.05);
  return project;
}

}  // namespace

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
  void aBranchGoesOnWithTheCpu();
  void noBatchTwiceAfterABadCheckpoint();
  void changesWhileRunning();
  void syntheticSaysSo();
  void newestRequestWins();

 private:
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
  QCOMPARE(keptEpochs(run.folder), (std::vector<int>{1, 2}));
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
  const auto post = [&](PredictionWorker::Kind kind, int id) {
    worker.post(kind, [&, id](Predictor&) -> PredictionWorker::Deliver {
      ++begun;
      while (!open) std::this_thread::yield();
      return [&, id] { answered << id; };
    });
  };
  post(PredictionWorker::Kind::Tiles, 0);  // no weights yet: nothing happens
  worker.setWeights({snapshot, {}});
  post(PredictionWorker::Kind::Tiles, 1);
  QTRY_COMPARE(begun.load(), 1);
  post(PredictionWorker::Kind::Evaluation, 2);
  post(PredictionWorker::Kind::Drawing, 3);
  post(PredictionWorker::Kind::Drawing, 4);  // takes the place of 3, and goes before 2
  open = true;
  QTRY_COMPARE(answered, (QVector<int>{1, 4, 2}));
  QSignalSpy failed(&worker, &PredictionWorker::failed);
  worker.setWeights({nullptr, "/nowhere/epoch-0001.safetensors"});
  post(PredictionWorker::Kind::Drawing, 5);
  QTRY_COMPARE(failed.count(), 1);
}

QTEST_GUILESS_MAIN(TestTrainingSession)
#include "tst_training_session.moc"

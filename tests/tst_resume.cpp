// SPDX-License-Identifier: GPL-3.0-or-later
// Going on with a run: only as the same run, from whatever is left of it, with all that belongs to it.
#include <QTest>
#include <cmath>

#include "data_files.h"
#include "datasets/datasets.h"
#include "engine/base/json.h"
#include "engine/run/run_folder.h"
#include "engine/run/training_loop.h"
#include "test_files.h"
#include "tiny_run.h"

using namespace strata;
namespace fs = std::filesystem;

namespace {

/// A run of the tiny job's three epochs, each saved by itself.
TrainJob doneJob(const Path& folder) {
  TrainJob job = tinyJob(folder);
  job.savePace = std::chrono::milliseconds(0);
  runToEnd(job);
  job.resumeFrom = folder;
  return job;
}

std::string firstFailure(const RunEvents& events) {
  const auto failed = events.of<FailedEvent>();
  return failed.empty() ? "not refused" : failed[0].message;
}

/// What the run has told, as one text.
QString notes(const RunEvents& events) {
  QString text;
  for (const auto& note : events.of<NoteEvent>()) text += QString::fromStdString(note.text) + "\n";
  return text;
}

void damage(const Path& file) {
  std::string bytes = readText(file);
  bytes[bytes.size() / 2] ^= 1;
  writeText(file, bytes);
}

/// The file without the lines that hold `what`.
void dropLines(const Path& file, const std::string& what) {
  std::istringstream lines(readText(file));
  std::string kept;
  for (std::string line; std::getline(lines, line);)
    if (line.find(what) == std::string::npos) kept += line + "\n";
  writeText(file, kept);
}

Checkpoint lastOf(const Path& folder) { return readCheckpoint(folder / "checkpoints" / "last.safetensors"); }

}  // namespace

class TestResume : public QObject {
  Q_OBJECT
 private slots:
  void otherDataIsAnotherRun_data();
  void otherDataIsAnotherRun();
  void otherPixelsOrLabelsAreAnotherRun();
  void runsOfEarlierVersionsGoOnExactly();
  void missingLinesAreTakenFromTheCheckpoints_data();
  void missingLinesAreTakenFromTheCheckpoints();
  void linesThatMakeNoSenseAreNoReasonToRefuse();
  void aFallBackCutsTheRecord();
  void goesOnFromAnEpochsWeights();
  void bringsAllAlongIntoAnotherFolder();
  void oneFolderUnderTwoNames();
  void aRunThatWasNeverBegun_data();
  void aRunThatWasNeverBegun();
  void aFolderThatIsNoRunIsLeftAlone();
  void fewerEpochsThanDoneAreRefused();
  void aStretchedScheduleIsTold();
  void anEpochThatEndsAfterAResumeHasItsFigures();
  void longRecordsAreRead();
};

void TestResume::otherDataIsAnotherRun_data() {
  QTest::addColumn<QString>("setting");
  QTest::addColumn<QString>("says");
  QTest::newRow("seed") << "training.seed=2"
                        << "its seed is 1, got 2";
  QTest::newRow("fraction") << "data.validation_fraction=0.3"
                            << "it validated on 0.1 of the training set, held out, not on 0.3";
  QTest::newRow("validation") << "data.validation=test"
                              << "not on the test set";
  QTest::newRow("order") << "training.shuffle=false"
                         << "it shuffled its samples";
  QTest::newRow("polarity") << "data.preprocessing.invert=true"
                            << "reads its pixels in another way";
}

void TestResume::otherDataIsAnotherRun() {
  QFETCH(QString, setting);
  QFETCH(QString, says);
  const ScratchFolder scratch;
  const auto dataset = tinyDataset();
  const auto split = [&](TrainJob& job) {
    job.data = makeDataView(dataset, job.project.data.validation, job.project.data.validationFraction,
                            job.project.training.seed);
  };
  TrainJob job = tinyJob(scratch / "run");
  applySetting(job.project, "data.validation=split");
  split(job);
  job.maxSteps = 5;
  runToEnd(job);
  job.resumeFrom = job.runFolder;
  const std::string project = readText(scratch / "run" / "project.json");
  TrainJob other = job;
  applySetting(other.project, setting.toStdString());
  split(other);
  const auto failed = runToEnd(other).of<FailedEvent>();
  QCOMPARE(failed.size(), std::size_t{1});
  QCOMPARE(failed[0].kind, Error::Kind::Input);
  QVERIFY2(QString::fromStdString(failed[0].message).contains(says), failed[0].message.c_str());
  QCOMPARE(readText(scratch / "run" / "project.json"), project);
  QCOMPARE(firstFailure(runToEnd(job)), std::string("not refused"));
}

void TestResume::otherPixelsOrLabelsAreAnotherRun() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  job.maxSteps = 5;
  runToEnd(job);
  job.resumeFrom = job.runFolder;
  const auto refusedFor = [&](auto change) {
    auto dataset = std::make_shared<Dataset>(*tinyDataset());
    change(*dataset);
    TrainJob other = job;
    other.data = makeDataView(dataset, ValidationSource::TestSet, 0.1, 1);
    return QString::fromStdString(firstFailure(runToEnd(other)));
  };
  const QString same = "these samples of \"Tiny bars\" are not those it was trained on";
  QVERIFY(refusedFor([](Dataset& data) { data.train.pixels.back() ^= 1; }).contains(same));
  QVERIFY(refusedFor([](Dataset& data) { data.test.pixels.front() ^= 1; }).contains(same));
  QVERIFY(refusedFor([](Dataset& data) { std::swap(data.train.labels[0], data.train.labels[1]); }).contains(same) ||
          tinyDataset()->train.labels[0] == tinyDataset()->train.labels[1]);
  const QString other = refusedFor([](Dataset& data) {
    data.title = "Stripes";
    data.train.pixels.front() ^= 1;
  });
  QVERIFY2(other.contains("it was trained on \"Tiny bars\", these data are \"Stripes\""), qPrintable(other));
  QCOMPARE(refusedFor([](Dataset& data) { data.title = "The same under another name"; }), QString("not refused"));
}

/// Made by the version that had no fingerprints yet, stopped after 11 of 24 batches; beside it how it ended there.
void TestResume::runsOfEarlierVersionsGoOnExactly() {
  const ScratchFolder scratch;
  const Path golden = STRATA_SOURCE_DIR "/tests/golden";
  fs::copy(golden / "earlier_run", scratch / "run", fs::copy_options::recursive);
  writeDataset(scratch / "data", 256, 64, 8);
  TrainJob job;
  job.project = readProject(scratch / "run" / "project.json");
  job.project.data.source = (scratch / "data").string();
  job.data = makeDataView(loadDataset(job.project.data.source, {}), ValidationSource::TestSet, 0.1, 4);
  job.backend = "reference";
  job.threads = 1;
  TrainJob whole = job;
  whole.runFolder = scratch / "whole";
  whole.maxSteps = 11;
  runToEnd(whole);
  const bool sameArithmetic = lastOf(scratch / "whole").weights == lastOf(golden / "earlier_run").weights;

  job.resumeFrom = job.runFolder = scratch / "run";
  const RunEvents events = runToEnd(job);
  QCOMPARE(firstFailure(events), std::string("not refused"));
  QCOMPARE(events.of<StartedEvent>()[0].step, std::uint64_t{11});
  std::vector<std::string> told;
  for (const NoteEvent& note : events.of<NoteEvent>()) told.push_back(note.text);
  QVERIFY2(told == job.data.dataset->warnings, qPrintable(notes(events)));  // of the data, and none of the resuming
  const Checkpoint ended = lastOf(scratch / "run"), then = readCheckpoint(golden / "earlier_run_end.safetensors");
  QCOMPARE(ended.step, std::uint64_t{24});
  // Another processor may round otherwise, but then it did so from the first step on.
  if (sameArithmetic) {
    QVERIFY(ended.weights == then.weights);
    QVERIFY(ended.optimizerState == then.optimizerState);
  }
  for (std::size_t i = 0; i < then.weights.values.size(); ++i)
    QVERIFY(std::abs(ended.weights.values[i] - then.weights.values[i]) < 1e-3f);
  QCOMPARE(readRun(scratch / "run").epochs.size(), std::size_t{3});
}

void TestResume::missingLinesAreTakenFromTheCheckpoints_data() {
  QTest::addColumn<int>("epoch");
  QTest::addColumn<bool>("remembered");
  QTest::newRow("the last") << 3 << true;
  QTest::newRow("one between") << 2 << true;
  QTest::newRow("the first") << 1 << true;
  QTest::newRow("one whose weights are gone as well") << 2 << false;
}

void TestResume::missingLinesAreTakenFromTheCheckpoints() {
  QFETCH(int, epoch);
  QFETCH(bool, remembered);
  const ScratchFolder scratch;
  TrainJob job = doneJob(scratch / "run");
  const RunRecord whole = readRun(scratch / "run");
  dropLines(scratch / "run" / "metrics.jsonl", "\"epoch\":" + std::to_string(epoch) + ",");
  if (!remembered) {
    fs::remove(scratch / "run" / "checkpoints" / epochFileName(epoch));
    fs::remove(scratch / "run" / "checkpoints" / "best.safetensors");
  }
  job.project.training.epochs = 4;
  const RunEvents events = runToEnd(job);
  QCOMPARE(firstFailure(events), std::string("not refused"));
  QVERIFY2(notes(events).contains(QString("epoch %1").arg(epoch)), qPrintable(notes(events)));
  const RunRecord record = readRun(scratch / "run");
  QCOMPARE(record.epochs.size(), std::size_t{4});
  for (std::size_t i = 0; i < 3; ++i)
    if (remembered || static_cast<int>(i) + 1 != epoch) QVERIFY(record.epochs[i] == whole.epochs[i]);
    else QVERIFY(isMissing(record.epochs[i]));
  QCOMPARE(notes(runToEnd(job)).isEmpty(), remembered);  // mended for good; a loss is told each time
}

void TestResume::linesThatMakeNoSenseAreNoReasonToRefuse() {
  const ScratchFolder scratch;
  TrainJob job = doneJob(scratch / "run");
  const Path metrics = scratch / "run" / "metrics.jsonl";
  const std::string whole = readText(metrics);
  const auto second = whole.find('\n') + 1;
  writeText(metrics, whole.substr(0, second) + "{\"event\":\"epo\n[1]\n" + whole.substr(second));
  refusedWith(Error::Kind::Input, [&] { readRun(scratch / "run"); });
  job.project.training.epochs = 4;
  const RunEvents events = runToEnd(job);
  QCOMPARE(firstFailure(events), std::string("not refused"));
  QVERIFY2(notes(events).contains("metrics.jsonl, line 2"), qPrintable(notes(events)));
  QCOMPARE(readRun(scratch / "run").epochs.size(), std::size_t{4});
  QVERIFY(readText(metrics).starts_with(whole));
}

void TestResume::aFallBackCutsTheRecord() {
  const ScratchFolder scratch;
  TrainJob job = doneJob(scratch / "run");
  const Path checkpoints = scratch / "run" / "checkpoints";
  const RunRecord whole = readRun(scratch / "run");
  damage(checkpoints / "last.safetensors");
  job.maxSteps = 1;
  job.project.training.epochs = 5;
  const RunEvents events = runToEnd(job);
  const StartedEvent started = events.of<StartedEvent>().at(0);
  QCOMPARE(started.step, std::uint64_t{26});  // of the checkpoint before
  QCOMPARE(started.epochs.size(), std::size_t{2});
  QCOMPARE(started.bestEpoch, bestEpochOf(started.epochs));
  const RunRecord record = readRun(scratch / "run");
  QCOMPARE(record.epochs.size(), std::size_t{2});
  QVERIFY(record.epochs[0] == whole.epochs[0] && record.epochs[1] == whole.epochs[1]);
  QCOMPARE(readCheckpoint(checkpoints / "best.safetensors").epoch, record.bestEpoch);
  QVERIFY(!fs::exists(checkpoints / epochFileName(3)));  // it is trained again
  QCOMPARE(QString::fromStdString(readText(scratch / "run" / "history.csv")).count('\n'), 3);
}

void TestResume::goesOnFromAnEpochsWeights() {
  const ScratchFolder scratch;
  TrainJob job = doneJob(scratch / "run");
  const Path checkpoints = scratch / "run" / "checkpoints";
  for (const auto& entry : fs::directory_iterator(checkpoints))
    if (entry.path().filename() != epochFileName(1)) damage(entry.path());
  const RunEvents events = runToEnd(job);
  QCOMPARE(firstFailure(events), std::string("not refused"));
  QVERIFY2(notes(events).contains("goes on from the weights of epoch 1 alone: the optimizer's state is lost"),
           qPrintable(notes(events)));
  QCOMPARE(events.of<StartedEvent>()[0].step, std::uint64_t{13});
  const RunRecord record = readRun(scratch / "run");
  QCOMPARE(record.epochs.size(), std::size_t{3});
  QCOMPARE(lastOf(scratch / "run").step, std::uint64_t{39});
  QCOMPARE(readCheckpoint(checkpoints / "best.safetensors").epoch, record.bestEpoch);
}

void TestResume::bringsAllAlongIntoAnotherFolder() {
  const ScratchFolder scratch;
  TrainJob job = doneJob(scratch / "first");
  const Path first = scratch / "first", second = scratch / "second";
  writeText(first / "metrics.jsonl", readText(first / "metrics.jsonl") + "{\"event\":\"note\",\"step\":39,\"x\":1}\n");
  const RunRecord before = readRun(first);
  job.runFolder = second;
  QCOMPARE(firstFailure(runToEnd(job)), std::string("not refused"));
  const RunRecord after = readRun(second);
  QVERIFY(after.epochs == before.epochs);
  QCOMPARE(readText(second / "metrics.jsonl"), readText(first / "metrics.jsonl"));
  QCOMPARE(readText(second / "history.csv"), readText(first / "history.csv"));
  QCOMPARE(readCheckpoint(second / "checkpoints" / "best.safetensors").epoch, before.bestEpoch);
  for (int epoch = 1; epoch <= 3; ++epoch)
    QVERIFY(readCheckpoint(second / "checkpoints" / epochFileName(epoch)).weights ==
            readCheckpoint(first / "checkpoints" / epochFileName(epoch)).weights);
  QVERIFY(lastOf(second).weights == lastOf(first).weights);
}

void TestResume::oneFolderUnderTwoNames() {
  const ScratchFolder scratch;
  TrainJob job = doneJob(scratch / "run");
  job.project.training.epochs = 4;
  job.runFolder = scratch.path() / "run" / ".." / "run";
  QCOMPARE(firstFailure(runToEnd(job)), std::string("not refused"));
  QCOMPARE(readRun(scratch / "run").epochs.size(), std::size_t{4});
}

void TestResume::aRunThatWasNeverBegun_data() {
  QTest::addColumn<bool>("resumed");
  QTest::newRow("resumed") << true;
  QTest::newRow("started again") << false;
}

/// As earlier versions left a folder that was killed between its project.json and its first checkpoint.
void TestResume::aRunThatWasNeverBegun() {
  QFETCH(bool, resumed);
  const ScratchFolder scratch;
  TrainJob job = doneJob(scratch / "run");
  const RunRecord whole = readRun(scratch / "run");
  fs::remove_all(scratch / "run" / "checkpoints");
  fs::create_directory(scratch / "run" / "checkpoints");
  writeText(scratch / "run" / "metrics.jsonl", "");
  if (!resumed) job.resumeFrom.clear();
  const RunEvents events = runToEnd(job);
  QCOMPARE(firstFailure(events), std::string("not refused"));
  QCOMPARE(notes(events).contains("it starts with its first step"), resumed);
  const RunRecord record = readRun(scratch / "run");
  QCOMPARE(record.epochs.size(), whole.epochs.size());
  QVERIFY(record.epochs[2].loss == whole.epochs[2].loss);
}

/// Somebody's folder with a project in it, which happens to have the name.
void TestResume::aFolderThatIsNoRunIsLeftAlone() {
  const ScratchFolder scratch;
  writeText(scratch / "project.json", "mine");
  for (int again = 0; again < 2; ++again)
    QVERIFY(QString::fromStdString(firstFailure(runToEnd(tinyJob(scratch.path())))).contains("holds a run already"));
  QCOMPARE(readText(scratch / "project.json"), std::string("mine"));
  QVERIFY(!fs::exists(scratch / "checkpoints"));
}

void TestResume::fewerEpochsThanDoneAreRefused() {
  const ScratchFolder scratch;
  TrainJob job = doneJob(scratch / "run");
  const std::string project = readText(scratch / "run" / "project.json");
  job.project.training.epochs = 2;
  const auto failed = runToEnd(job).of<FailedEvent>();
  QCOMPARE(failed.size(), std::size_t{1});
  QCOMPARE(failed[0].kind, Error::Kind::Input);
  QVERIFY2(failed[0].message.find("the run has trained 3 epochs, more than the 2 asked for") != std::string::npos,
           failed[0].message.c_str());
  QCOMPARE(readText(scratch / "run" / "project.json"), project);
  job.project.training.epochs = 3;  // nothing to do is no failure
  QCOMPARE(firstFailure(runToEnd(job)), std::string("not refused"));
}

void TestResume::aStretchedScheduleIsTold() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  applySetting(job.project, "training.schedule.type=one_cycle");
  runToEnd(job);
  job.resumeFrom = job.runFolder;
  job.project.training.epochs = 6;
  const QString told = notes(runToEnd(job));
  QVERIFY2(told.contains("The schedule now runs over 6 epochs instead of 3: the learning rate goes on at 0.0") &&
               told.contains(", not at 1e-05"),
           qPrintable(told));
  TrainJob constant = doneJob(scratch / "constant");
  constant.project.training.epochs = 6;
  QVERIFY(notes(runToEnd(constant)).isEmpty());
}

void TestResume::anEpochThatEndsAfterAResumeHasItsFigures() {
  const ScratchFolder scratch;
  TrainJob job = tinyJob(scratch / "run");
  EventQueue queue;
  const auto goOn = [](bool) {
    Orders orders;
    orders.train = true;
    return orders;
  };
  TrainingLoop(job, queue, {goOn, [] { return true; }}).run();  // stopped while it validates
  job.resumeFrom = job.runFolder;
  const EpochRecord first = runToEnd(job).epochs().at(0);
  QCOMPARE(first.learningRate, 0.1);
  QVERIFY(first.samplesPerSecond > 0 && first.epochSeconds > 0);
  QCOMPARE(first.samplesPerSecond, 200 / first.epochSeconds);
}

void TestResume::longRecordsAreRead() {
  const ScratchFolder scratch;
  TrainJob job = doneJob(scratch / "run");
  constexpr int kEpochs = 20'000;
  std::string metrics = readText(scratch / "run" / "metrics.jsonl");
  EpochRecord epoch = readRun(scratch / "run").epochs.back();
  while (epoch.epoch < kEpochs) {
    ++epoch.epoch;
    Json json = epochToJson(epoch);
    json["step"] = epoch.epoch * 13;
    json["more"] = std::string(3500, '.');  // what a few hundred thousand epochs take, in fewer lines
    metrics += compactJson(json) + "\n";
  }
  QVERIFY(metrics.size() > kMaxRecordBytes);
  writeText(scratch / "run" / "metrics.jsonl", metrics);
  QCOMPARE(readRun(scratch / "run").epochs.size(), std::size_t{kEpochs});
  job.project.training.epochs = 4;
  QCOMPARE(firstFailure(runToEnd(job)), std::string("not refused"));
  QCOMPARE(readRun(scratch / "run").epochs.size(), std::size_t{4});
}

QTEST_GUILESS_MAIN(TestResume)
#include "tst_resume.moc"

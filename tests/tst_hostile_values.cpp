// SPDX-License-Identifier: GPL-3.0-or-later
// Every value in every file that a run leaves behind, replaced by each of a list of bad ones: the file is refused in
// one sentence, or what was read makes sense. Checksums are right: they are no proof of good will.
#include <QTest>
#include <algorithm>
#include <cmath>
#include <functional>

#include "checkpoint_file.h"
#include "engine/base/json.h"
#include "engine/run/project.h"
#include "engine/run/run_record.h"
#include "test_files.h"
#include "tiny_run.h"

using namespace strata;

namespace {

/// As they stand in JSON.
const std::vector<std::string>& badValues() {
  static const std::vector<std::string> values{"0",
                                               "-1",
                                               "0.5",
                                               "2147483648",
                                               "4294967295",
                                               "4294967297",
                                               "9007199254740993",
                                               "9223372036854775808",
                                               "18446744073709551104",
                                               "18446744073709551615",
                                               "18446744073709551617",
                                               "1e308",
                                               "-1e308",
                                               "1e400",
                                               "NaN",
                                               "null",
                                               "true",
                                               "\"x\"",
                                               "\"a\\u001b[2J\\nstrata: all is well\\u202e\"",
                                               '"' + std::string(5000, 'n') + '"',
                                               "[]",
                                               "{}",
                                               std::string(10000, '[') + std::string(10000, ']'),
                                               "[" + std::string(20000, '9') + "]"};
  return values;
}

/// Calls `visit` with the place of every value inside `json`, objects and lists included.
void eachPlace(const Json& json, const Json::json_pointer& at,
               const std::function<void(const Json::json_pointer&)>& visit) {
  if (!at.empty()) visit(at);
  if (json.is_object())
    for (const auto& [key, value] : json.items()) eachPlace(value, at / key, visit);
  if (json.is_array())
    for (std::size_t i = 0; i < json.size(); ++i) eachPlace(json[i], at / i, visit);
}

std::string replaced(Json json, const Json::json_pointer& at, const std::string& value) {
  json[at] = "@";
  std::string text = compactJson(json);
  return text.replace(text.find("\"@\""), 3, value);
}

Checkpoint soundCheckpoint() {
  Checkpoint checkpoint;
  checkpoint.network = tinyProject().network;
  checkpoint.classes = {"left", "middle", "right"};
  checkpoint.weights = initialWeights(checkpoint.network, 5);
  checkpoint.optimizerState.assign(checkpoint.weights.values.size(), 0.25f);
  checkpoint.optimizerSlots = {"momentum"};
  checkpoint.step = 30;
  checkpoint.epoch = 2;
  checkpoint.epochLossSum = 70.5;
  checkpoint.epochMetrics = {{"accuracy", 17}};
  checkpoint.epochSamples = 64;
  checkpoint.epochSeconds = 1.5;
  return checkpoint;
}

/// One sentence on one line, without the words of a library.
QString whyNoSentence(const std::string& message) {
  const QString text = QString::fromStdString(message);
  for (const char* word : {"json.exception", "std::", "filesystem error", "map::at"})
    if (text.contains(word)) return text;
  const bool plain = std::none_of(text.begin(), text.end(), [](QChar c) { return c.unicode() < 0x20; });
  return plain && text.size() < 1000 && text.endsWith('.') ? QString() : text;
}

bool inUnit(double value) { return std::isnan(value) || (value >= 0 && value <= 1); }

}  // namespace

using Look = std::function<QString(const Path&)>;  ///< reads a run's folder; what makes no sense in it
Q_DECLARE_METATYPE(Look)

class TestHostileValues : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void refusedOrSane_data();
  void refusedOrSane();
  void tensors_data();
  void tensors();
  void resumeRefusesWhatNoTrainingLeaves_data();
  void resumeRefusesWhatNoTrainingLeaves();
  void anOlderStateGoesOnToTheSameBits();

 private:
  Path run() const { return m_folder / "run"; }
  Path last() const { return run() / "checkpoints/last.safetensors"; }

  ScratchFolder m_folder;
};

/// A run of three epochs, with all its files.
void TestHostileValues::initTestCase() {
  QCOMPARE(runToEnd(tinyJob(run())).of<FinishedEvent>().size(), std::size_t{1});
}

void TestHostileValues::refusedOrSane_data() {
  QTest::addColumn<QString>("file");
  QTest::addColumn<Look>("look");
  const Look record = [](const Path& folder) -> QString {
    const RunRecord run = readRun(folder);
    for (const std::string& problem : run.problems)
      if (const QString text = whyNoSentence(problem); !text.isEmpty()) return text;
    for (const std::string* text : {&run.name, &run.state, &run.reason, &run.started, &run.backend, &run.datasetTitle})
      if (*text != printable(*text, 300)) return "a text that is not clean";
    if (run.threads < 0 || run.parameters < 0) return "a count below 0";
    int number = 0;
    for (const EpochRecord& epoch : run.epochs)
      if (epoch.epoch != ++number || !inUnit(epoch.value("accuracy")) || !inUnit(epoch.value("val_accuracy")) ||
          epoch.epochSeconds < 0)
        return QString("epoch %1").arg(number);
    return run.bestEpoch <= number ? QString() : QString("best epoch %1").arg(run.bestEpoch);
  };
  const Look checkpoint = [](const Path& folder) -> QString {
    const Checkpoint read = readCheckpoint(folder / "checkpoints/last.safetensors");
    const bool sane = read.epoch >= 0 && read.step >= static_cast<std::uint64_t>(read.epoch) &&
                      read.step <= std::uint64_t{1} << 53 && read.epochSamples >= 0 &&
                      std::ranges::all_of(read.epochMetrics,
                                          [&](const auto& sum) { return sum.second <= double(read.epochSamples); }) &&
                      std::isfinite(read.epochLossSum) && read.epochSeconds >= 0 && analyse(read.network).ok() &&
                      read.classes.size() <= static_cast<std::size_t>(read.network.classes) &&
                      read.weights == soundCheckpoint().weights;
    return sane ? QString() : QStringLiteral("a checkpoint without sense");
  };
  QTest::newRow("checkpoint") << "checkpoint" << checkpoint;
  for (const char* file : {"metrics.jsonl", "summary.json", "environment.json", "project.json"})
    QTest::newRow(file) << file << record;
}

void TestHostileValues::refusedOrSane() {
  QFETCH(QString, file);
  QFETCH(Look, look);
  const bool isCheckpoint = file == "checkpoint", isLines = file == "metrics.jsonl";
  const Path path = isCheckpoint ? last() : run() / file.toStdString();
  const std::string before = readText(path);
  const CheckpointFile checkpoint(soundCheckpoint());
  const std::string line = before.substr(0, before.find('\n') + 1);
  const Json sound = isCheckpoint ? checkpoint.state : parseJson(isLines ? line : before, "the sound file");
  int refused = 0;
  eachPlace(sound, Json::json_pointer(), [&](const Json::json_pointer& at) {
    for (const std::string& value : badValues()) {
      const std::string text = replaced(sound, at, value);
      writeText(path, isCheckpoint ? checkpoint.bytes(text)
                      : isLines    ? text + "\n" + before.substr(line.size())
                                   : text);
      const std::string what = at.to_string() + " = " + value.substr(0, 30) + ": ";
      try {
        if (const QString problem = look(run()); !problem.isEmpty())
          QFAIL(qPrintable(QString::fromStdString(what) + problem));
      } catch (const Error& error) {
        ++refused;
        const QString problem = whyNoSentence(error.what());
        if (error.kind() != Error::Kind::Input || !problem.isEmpty() ||
            !std::string(error.what()).starts_with(m_folder.path().string()))
          QFAIL((what + error.what()).c_str());
      }
    }
  });
  writeText(path, before);
  const bool optional = file == "summary.json" || file == "environment.json";
  QVERIFY2(optional ? refused == 0 : refused > 100, qPrintable(QString::number(refused)));
}

void TestHostileValues::tensors_data() {
  QTest::addColumn<QString>("change");
  QTest::addColumn<QString>("says");
  QTest::newRow("a weight is not a number") << "nan"
                                            << "tensor \"conv1.kernel\" holds weights that are not finite";
  QTest::newRow("a weight is infinite") << "inf"
                                        << "tensor \"conv1.kernel\" holds weights that are not finite";
  QTest::newRow("moments exchanged") << "exchange"
                                     << "tensor \"optimizer/momentum/conv1.kernel\" is 36 × 3";
  QTest::newRow("moments of a layer missing") << "missing"
                                              << "has no tensor \"optimizer/momentum/dense1.bias\"";
  QTest::newRow("moments of no layer") << "more"
                                       << "tensor \"optimizer/momentum/extra\" belongs to no layer";
  QTest::newRow("state in one piece, cut") << "cut"
                                           << "its optimizer's state is 3";
  QTest::newRow("state in one piece, too long") << "long"
                                                << "its optimizer's state is 1000000";
}

void TestHostileValues::tensors() {
  QFETCH(QString, change);
  QFETCH(QString, says);
  CheckpointFile file(soundCheckpoint());
  const auto blob = [&](std::int64_t count) {
    std::erase_if(file.tensors, [](const auto& tensor) { return tensor.first.starts_with("optimizer/"); });
    file.state["version"] = 1;
    file.state.erase("optimizer_slots");
    file.tensors["optimizer/state"] = {"F32", {count}, std::string(static_cast<std::size_t>(count) * 4, '\0')};
  };
  if (change == "nan" || change == "inf") {
    std::vector<float> values = file.floats("conv1.kernel");
    values[7] = change == "nan" ? std::nanf("") : INFINITY;
    file.setFloats("conv1.kernel", values);
  }
  if (change == "exchange")
    std::swap(file.tensors["optimizer/momentum/conv1.kernel"], file.tensors["optimizer/momentum/dense1.kernel"]);
  if (change == "missing") file.tensors.erase("optimizer/momentum/dense1.bias");
  if (change == "more") file.tensors["optimizer/momentum/extra"] = {"F32", {1}, "1234"};
  if (change == "cut") blob(3);
  if (change == "long") blob(1'000'000);
  const Path path = m_folder / "changed.safetensors";
  writeText(path, file.bytes());
  const QString message = refusedWith(Error::Kind::Input, [&] { readCheckpoint(path); });
  QVERIFY2(message.contains(says), qPrintable(message));
}

void TestHostileValues::resumeRefusesWhatNoTrainingLeaves_data() {
  QTest::addColumn<QString>("optimizer");
  QTest::addColumn<float>("value");
  QTest::addColumn<QString>("says");
  QTest::newRow("momentum not a number") << "sgd" << std::nanf("") << "momentum holds values that no training leaves";
  QTest::newRow("momentum infinite") << "sgd" << INFINITY << "momentum holds values that no training leaves";
  QTest::newRow("squares below zero") << "adam" << -1.f << "v holds values that no training leaves behind";
  QTest::newRow("squares not a number") << "adam" << std::nanf("") << "v holds values that no training leaves behind";
  QTest::newRow("infinite squares") << "adam" << INFINITY << "";
  QTest::newRow("another optimizer") << "other" << 0.f << "needs m, v of earlier steps, the checkpoint holds momentum";
  QTest::newRow("none left") << "none" << 0.f << "needs momentum of earlier steps, the checkpoint holds nothing";
}

void TestHostileValues::resumeRefusesWhatNoTrainingLeaves() {
  QFETCH(QString, optimizer);
  QFETCH(float, value);
  QFETCH(QString, says);
  OptimizerSpec adam{"adam", Fields(allOptimizers()[1].fields)};
  const OptimizerSpec momentum = tinyProject().training.optimizer;
  Checkpoint checkpoint = soundCheckpoint();
  const std::size_t weights = checkpoint.weights.values.size();
  if (optimizer == "adam") {
    checkpoint.optimizerSlots = {"m", "v"};
    checkpoint.optimizerState.assign(2 * weights, 0.f);
  }
  if (optimizer == "none") {
    checkpoint.optimizerState.clear();
    checkpoint.optimizerSlots.clear();
  } else {
    checkpoint.optimizerState.back() = value;
  }
  const OptimizerSpec& goesOn = optimizer == "adam" || optimizer == "other" ? adam : momentum;
  const QString message = refusedWith(Error::Kind::Input, [&] { checkOptimizerState(checkpoint, goesOn, "run"); });
  QVERIFY2(says.isEmpty() ? message == "not refused" : message.startsWith("run: ") && message.contains(says),
           qPrintable(message));
}

/// Checkpoints of version 1 hold the optimizer's state in one piece.
void TestHostileValues::anOlderStateGoesOnToTheSameBits() {
  TrainJob first = tinyJob(m_folder / "newer");
  first.maxSteps = 20;
  runToEnd(first);
  const Path newer = m_folder / "newer", older = m_folder / "older";
  std::filesystem::copy(newer, older, std::filesystem::copy_options::recursive);
  const Checkpoint checkpoint = readCheckpoint(newer / "checkpoints/last.safetensors");
  CheckpointFile file(checkpoint);
  std::erase_if(file.tensors, [](const auto& tensor) { return tensor.first.starts_with("optimizer/"); });
  file.state["version"] = 1;
  file.state.erase("optimizer_slots");
  file.tensors["optimizer/state"] = {"F32", {static_cast<std::int64_t>(checkpoint.optimizerState.size())}, {}};
  file.setFloats("optimizer/state", checkpoint.optimizerState);
  writeText(older / "checkpoints/last.safetensors", file.bytes());
  for (const Path& folder : {newer, older}) {
    TrainJob job = tinyJob(folder);
    job.resumeFrom = folder;
    QCOMPARE(runToEnd(job).of<FinishedEvent>().size(), std::size_t{1});
  }
  const Checkpoint a = readCheckpoint(newer / "checkpoints/last.safetensors"),
                   b = readCheckpoint(older / "checkpoints/last.safetensors");
  QVERIFY(a.weights == b.weights);
  QVERIFY(a.optimizerState == b.optimizerState && a.optimizerSlots == b.optimizerSlots);
}

QTEST_GUILESS_MAIN(TestHostileValues)
#include "tst_hostile_values.moc"

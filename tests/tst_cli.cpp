// SPDX-License-Identifier: GPL-3.0-or-later
// The program `strata` as scripts call it: commands, output, exit codes, signals.
#include <QImage>
#include <QProcess>
#include <QTest>
#include <cmath>
#include <csignal>
#include <map>
#include <sstream>

#include "cli_run.h"
#include "datasets/datasets.h"
#include "engine/backend/backend.h"
#include "engine/base/json.h"
#include "engine/run/checkpoint.h"
#include "engine/run/run_record.h"
#include "picture_files.h"

using namespace strata;

namespace {

std::vector<Json> ofEvent(const std::vector<Json>& lines, const std::string& event) {
  std::vector<Json> found;
  for (const Json& line : lines)
    if (line["event"] == event) found.push_back(line);
  return found;
}

/// step -> value of a column in a CSV file.
std::map<int, double> column(const Path& path, int index) {
  std::map<int, double> values;
  std::istringstream stream(readText(path));
  std::string line;
  std::getline(stream, line);
  while (std::getline(stream, line)) {
    const QStringList parts = QString::fromStdString(line).split(',');
    values[parts[0].toInt()] = parts[index].toDouble();
  }
  return values;
}

}  // namespace

class TestCli : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void followsTheGoldenTrace();
  void trainsInPlainLines();
  void jsonLinesHaveTheirFields();
  void optionsOverrideTheProject();
  void logsEveryBatch();
  void resumesToTheSameBits();
  void resumesAsItBegan();
  void helpNamesThePrecision();
  void exitCodes_data();
  void exitCodes();
  void errorsAreJsonToo();
  void divergedRunsSaySo();
  void signalsSaveAndEnd_data();
  void signalsSaveAndEnd();
  void aSecondProcessIsToldWhoHoldsTheRun();
  void predictsPictures();
  void evaluates();
  void tellsWhatThingsAre();
  void listsDevicesAndData();
  void readsDataOfOnesOwn();
  void saysWhenResultsAreLost();

 private:
  std::string path(const std::string& name) const { return (m_folder / name).string(); }
  CliResult train(std::vector<std::string> more, const std::string& run) const {
    more.insert(more.begin(), {"train", path("tiny.strata"), "--threads", "1", "--out", path(run)});
    return runStrata(more);
  }
  ScratchFolder m_folder;
};

void TestCli::initTestCase() {
  qputenv("XDG_DATA_HOME", QByteArray::fromStdString(path("home")));
  writeTinyData(m_folder / "data");
  writeText(m_folder / "tiny.strata", tinyProjectText(m_folder / "data"));
}

void TestCli::followsTheGoldenTrace() {
  if (!findDataset("mnist", "")) QSKIP("MNIST is not here: strata data get mnist.");
  const CliResult result =
      runStrata({"train", STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata", "--weights",
                 STRATA_SOURCE_DIR "/tests/golden/seed_init.safetensors", "--steps", "20", "--set",
                 "training.optimizer.learning_rate=0.05", "--log-batches", path("f.csv"), "--out", path("golden")});
  QVERIFY2(result.exitCode == 0, result.err.c_str());
  QVERIFY(result.out.find("validating on the test set, as the project asks (10,000 samples)") != std::string::npos);
  const auto losses = column(m_folder / "f.csv", 1),
             golden = column(STRATA_SOURCE_DIR "/tests/golden/seed_trace.csv", 3);
  QCOMPARE(losses.size(), std::size_t{20});
  for (const auto& [step, loss] : losses)
    QVERIFY2(std::abs(loss - golden.at(step)) < 1e-4,
             qPrintable(QString("step %1: %2, needed %3").arg(step).arg(loss).arg(golden.at(step))));
  QCOMPARE(readCheckpoint(m_folder / "golden" / "checkpoints" / "last.safetensors").step, std::uint64_t{20});
}

void TestCli::trainsInPlainLines() {
  const CliResult result = train({}, "plain");
  QVERIFY2(result.exitCode == 0, result.err.c_str());
  QCOMPARE(result.err, std::string());
  const QString out = QString::fromStdString(result.out);
  QVERIFY2(out.contains("Tiny: 7,850 parameters, backend cpu\n"), qPrintable(out));
  QVERIFY(out.contains(QRegularExpression("\nepoch 2/2 - [0-9.]+ s - loss: [0-9.]+ - accuracy: [0-9.]+ - val_loss: "
                                          "[0-9.]+ - val_accuracy: [0-9.]+ - [0-9,]+ samples/s\n")));
  QVERIFY(!out.contains('\r') && !out.contains('\033'));
}

void TestCli::jsonLinesHaveTheirFields() {
  const CliResult result = train({"--json"}, "json");
  QCOMPARE(result.exitCode, 0);
  const auto lines = jsonLines(result.out);
  const auto epochs = ofEvent(lines, "epoch");
  QCOMPARE(epochs.size(), std::size_t{2});
  for (const char* key :
       {"loss", "accuracy", "val_loss", "val_accuracy", "epoch_seconds", "val_seconds", "samples_per_second"})
    QVERIFY2(epochs[0].contains(key) && epochs[0][key].is_number(), key);
  QCOMPARE(epochs[1]["epoch"].get<int>(), 2);
  const Json started = ofEvent(lines, "started")[0], finished = ofEvent(lines, "finished")[0];
  QCOMPARE(started["validation"].get<std::string>(), std::string("test"));
  QCOMPARE(started["synthetic"].get<bool>(), false);
  QCOMPARE(started["run"].get<std::string>(), path("json"));
  QCOMPARE(finished["reason"].get<std::string>(), std::string("completed"));
  QCOMPARE(finished["step"].get<int>(), 16);
}

void TestCli::optionsOverrideTheProject() {
  const CliResult result = train({"--epochs", "1", "--seed", "9", "--set", "training.batch_size=64", "--set",
                                  "name=Other", "--backend", "reference", "--precision", "float32", "--json"},
                                 "options");
  QVERIFY2(result.exitCode == 0, result.err.c_str());
  const auto lines = jsonLines(result.out);
  const Json started = ofEvent(lines, "started")[0];
  QCOMPARE(started["epochs"].get<int>(), 1);
  QCOMPARE(started["seed"].get<int>(), 9);
  QCOMPARE(started["batch_size"].get<int>(), 64);
  QCOMPARE(started["project"].get<std::string>(), std::string("Other"));
  QCOMPARE(started["backend"].get<std::string>(), std::string("reference"));
  QCOMPARE(readRun(m_folder / "options").precision, std::string("float32"));
  QCOMPARE(ofEvent(lines, "epoch").size(), std::size_t{1});
}

void TestCli::logsEveryBatch() {
  QCOMPARE(train({"--log-batches", path("log.csv")}, "log").exitCode, 0);
  const auto losses = column(m_folder / "log.csv", 1);
  QCOMPARE(losses.size(), std::size_t{16});
  QCOMPARE(losses.begin()->first, 1);
  QVERIFY(readText(m_folder / "log.csv").starts_with("step,loss\n1,"));
}

void TestCli::resumesToTheSameBits() {
  QCOMPARE(train({}, "whole").exitCode, 0);
  QCOMPARE(train({"--steps", "11"}, "part").exitCode, 0);
  const CliResult result = runStrata({"train", "--resume", path("part"), "--threads", "1"});
  QVERIFY2(result.exitCode == 0, result.err.c_str());
  QVERIFY(result.out.find("Resuming at step 11\n") != std::string::npos);
  const Checkpoint whole = readCheckpoint(m_folder / "whole" / "checkpoints" / "last.safetensors"),
                   part = readCheckpoint(m_folder / "part" / "checkpoints" / "last.safetensors");
  QVERIFY(whole.weights == part.weights);
}

// Backend and precision are the run's own unless given; another backend chooses its own precision.
void TestCli::resumesAsItBegan() {
  QCOMPARE(train({"--steps", "5", "--backend", "reference"}, "began").exitCode, 0);
  const auto resumed = [this](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"train", "--resume", path("began"), "--steps", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return runStrata(arguments);
  };
  const CliResult plain = resumed({});
  QVERIFY2(plain.exitCode == 0, plain.err.c_str());
  QCOMPARE(readRun(m_folder / "began").backend, std::string("reference"));

  Json environment = parseJson(readText(m_folder / "began" / "environment.json"), "environment.json");
  environment["precision"] = "bfloat16";
  writeText(m_folder / "began" / "environment.json", environment.dump());
  const CliResult kept = resumed({});
  QCOMPARE(kept.exitCode, 2);
  QVERIFY2(kept.err.find("backend reference: it does not train in bfloat16") != std::string::npos, kept.err.c_str());
  const CliResult given = resumed({"--precision", "float32"});
  QVERIFY2(given.exitCode == 0, given.err.c_str());
  writeText(m_folder / "began" / "environment.json", environment.dump());
  const CliResult other = resumed({"--backend", "cpu"});
  QVERIFY2(other.exitCode == 0, other.err.c_str());
  QCOMPARE(readRun(m_folder / "began").backend, std::string("cpu"));
  QCOMPARE(readRun(m_folder / "began").precision, std::string("float32"));

  environment["backend"] = "check:reference,cpu";  // of the table alone: what a file names is not to be put together
  writeText(m_folder / "began" / "environment.json", environment.dump());
  QCOMPARE(resumed({}).exitCode, 0);
  QVERIFY(readRun(m_folder / "began").backend != "check:reference,cpu");
}

void TestCli::helpNamesThePrecision() {
  for (const char* command : {"train", "bench"}) {
    const CliResult help = runStrata({command, "--help"});
    QCOMPARE(help.exitCode, 0);
    QVERIFY2(help.out.find("What to train in: float32, tf32 or bfloat16") != std::string::npos, help.out.c_str());
  }
}

void TestCli::exitCodes_data() {
  QTest::addColumn<QStringList>("arguments");
  QTest::addColumn<int>("code");
  QTest::addColumn<QString>("says");
  const QString project = QString::fromStdString(path("tiny.strata")),
                folder = QString::fromStdString(m_folder.path().string());
  writeText(m_folder / "bad.strata", "{\"version\": 1,");
  QTest::newRow("help") << QStringList{"--help"} << 0 << "";
  QTest::newRow("version") << QStringList{"--version"} << 0 << "";
  QTest::newRow("nothing") << QStringList{} << 2 << "subcommand";
  QTest::newRow("unknown command") << QStringList{"fly"} << 2 << "subcommand";
  QTest::newRow("unknown option") << QStringList{"train", project, "--epoch", "2"} << 2 << "--epoch";
  QTest::newRow("no number") << QStringList{"train", project, "--epochs", "x"} << 2 << "--epochs";
  QTest::newRow("no project") << QStringList{"train"} << 2 << "needed a project file";
  QTest::newRow("unknown setting") << QStringList{"train", project, "--set", "training.lr=1"} << 2
                                   << "there is no such setting";
  QTest::newRow("bad setting") << QStringList{"train", project, "--set", "training.epochs=-1"} << 3
                               << "training.epochs must be";
  QTest::newRow("unknown precision") << QStringList{"train", project, "--precision", "half"} << 2 << "half not in";
  QTest::newRow("precision not offered") << QStringList{"train", project, "--backend", "cpu", "--precision", "bfloat16"}
                                         << 2 << "backend cpu: it does not train in bfloat16, only in float32";
  QTest::newRow("precision not offered to bench")
      << QStringList{"bench", project, "--backend", "reference", "--precision", "tf32"} << 2
      << "does not train in TF32";
  QTest::newRow("unknown backend") << QStringList{"train", project, "--backend", "tpu"} << 2 << "tpu";
  QTest::newRow("bad project") << QStringList{"train", folder + "/bad.strata"} << 3 << "not valid JSON at line 1";
  QTest::newRow("no such project") << QStringList{"train", folder + "/none.strata"} << 4 << "there is no such file";
  QTest::newRow("no such run") << QStringList{"train", "--resume", folder + "/none"} << 4 << "there is no such run";
  QTest::newRow("no such weights") << QStringList{"train", project, "--weights", folder + "/none"} << 4
                                   << "there is no such file";
  QTest::newRow("no such data folder") << QStringList{"train", project, "--set", "data.source=/no/such/folder"} << 4
                                       << "--set data.source=synthetic-digits";
  QTest::newRow("unknown data set") << QStringList{"train", project, "--set", "data.source=mnits"} << 2
                                    << "Did you mean mnist?";
  QTest::newRow("data that are a file") << QStringList{"train", project, "--set",
                                                       "data.source=" + folder + "/data/train-images-idx3-ubyte"}
                                        << 3 << "is a file";
  QTest::newRow("unknown optimizer") << QStringList{"train", project, "--set", "training.optimizer.type=sdg"} << 2
                                     << "one of sgd";
  QTest::newRow("unknown layer") << QStringList{"train", project, "--set", "network.conv7.filters=3"} << 2
                                 << "there is no such setting";
  QTest::newRow("unknown initializer") << QStringList{"train", project, "--set",
                                                      "network.dense1.kernel_initializer=zeroes"}
                                       << 2 << "must be one of";
  QTest::newRow("setting without a value")
      << QStringList{"train", project, "--set", "training.epochs"} << 2 << "needed KEY=VALUE";
  QTest::newRow("setting out of limits") << QStringList{"train", project, "--set", "training.batch_size=0"} << 3
                                         << "training.batch_size must be";
  QTest::newRow("classes that the net lacks")
      << QStringList{"train", project, "--set", "network.classes=9", "--set", "network.dense1.units=9"} << 3
      << "data has 10 classes, the net has 9";
  QTest::newRow("out not writable") << QStringList{"train", project, "--out", "/proc/nowhere"} << 4
                                    << "cannot create the folder";
  QTest::newRow("info of nothing") << QStringList{"info", folder + "/none"} << 4 << "there is no such file";
  QTest::newRow("info of rubbish") << QStringList{"info", folder + "/data/train-labels-idx1-ubyte.txt"} << 4
                                   << "there is no such file";
  QTest::newRow("predict without a model")
      << QStringList{"predict", folder + "/none", "x.png"} << 4 << "there is no such run";
  QTest::newRow("predict with a project")
      << QStringList{"predict", project, "x.png"} << 3 << "is not a Strata checkpoint";
  QTest::newRow("unknown data") << QStringList{"data", "get", "no-such-data"} << 2 << "no-such-data";
  for (const char* command : {"train", "predict", "info", "devices", "data", "bench"})
    QTest::addRow("help of %s", command) << QStringList{command, "-h"} << 0 << "";
  for (const char* command : {"predict", "info", "data", "bench"})
    QTest::addRow("%s alone", command) << QStringList{command} << 2 << "";
  QTest::newRow("predict without pictures") << QStringList{"predict", folder} << 2 << "IMAGE";
  QTest::newRow("data get nothing") << QStringList{"data", "get"} << 2 << "NAME";
  for (const char* command : {"train", "predict", "info", "devices", "data", "bench"})
    QTest::addRow("unknown option of %s", command) << QStringList{command, project, "--frobnicate"} << 2 << "";
  for (const char* option : {"--out", "--data-dir", "--weights", "--resume", "--log-batches", "--set", "--backend",
                             "--precision", "--epochs", "--seed"})
    QTest::addRow("empty %s", option) << QStringList{"train", project, option, ""} << 2 << option;
  QTest::newRow("empty project") << QStringList{"train", ""} << 2 << "PROJECT";
  QTest::newRow("empty path") << QStringList{"info", ""} << 2 << "PATH";
  QTest::newRow("empty model") << QStringList{"predict", "", "x.png"} << 2 << "MODEL";
  QTest::newRow("empty picture") << QStringList{"predict", folder, ""} << 2 << "IMAGE";
  QTest::newRow("empty name") << QStringList{"data", "get", ""} << 2 << "NAME";
  QTest::newRow("empty command") << QStringList{""} << 2 << "";
  QTest::newRow("two dashes alone") << QStringList{"--"} << 2 << "subcommand";
  QTest::newRow("option without its value") << QStringList{"train", project, "--out"} << 2 << "--out";
  QTest::newRow("a name that looks like an option") << QStringList{"info", "-x"} << 2 << "PATH";
  QTest::newRow("the same after two dashes") << QStringList{"info", "--", "-x"} << 4 << "-x: there is no such file";
  QTest::newRow("a name longer than any file's")
      << QStringList{"info", QString(5000, 'n')} << 4 << "cannot be looked at";
  QTest::newRow("a run's name longer than any file's")
      << QStringList{"predict", QString(5000, 'n'), "x.png"} << 4 << "cannot be looked at";
  QTest::newRow("a project's name longer than any file's")
      << QStringList{"train", QString(5000, 'n')} << 4 << "cannot open the file";
}

void TestCli::exitCodes() {
  QFETCH(QStringList, arguments);
  QFETCH(int, code);
  QFETCH(QString, says);
  std::vector<std::string> list;
  for (const QString& argument : arguments) list.push_back(argument.toStdString());
  const CliResult result = runStrata(list);
  QVERIFY2(result.exitCode == code, (std::to_string(result.exitCode) + ": " + result.err).c_str());
  QVERIFY2(QString::fromStdString(result.err).contains(says), result.err.c_str());
  QCOMPARE(result.err.empty(), code == 0);
  if (code != 0) QCOMPARE(result.out, std::string());
}

void TestCli::errorsAreJsonToo() {
  const CliResult result = runStrata({"train", path("none.strata"), "--json"});
  QCOMPARE(result.exitCode, 4);
  const auto lines = jsonLines(result.err);
  QCOMPARE(lines.size(), std::size_t{1});
  QCOMPARE(lines[0]["exit_code"].get<int>(), 4);
  QVERIFY(lines[0]["error"].get<std::string>().find("none.strata") != std::string::npos);
  QCOMPARE(jsonLines(runStrata({"train", "--json", "--nonsense"}).err)[0]["exit_code"].get<int>(), 2);
  const std::string reason = [] {
    for (const BackendDef& def : allBackends())
      if (def.id == "cuda") return def.unavailableReason();
    return std::string();
  }();
  if (!reason.empty()) QCOMPARE(train({"--backend", "cuda"}, "cuda").exitCode, 5);
}

void TestCli::divergedRunsSaySo() {
  writeText(m_folder / "wild.strata",
            R"({"version": 1, "data": {"source": ")" + path("data") +
                R"(", "validation": "test"}, "network": {"input": [28, 28, 1], "classes": 10, "layers": [
    {"type": "flatten", "name": "flatten"}, {"type": "dense", "name": "a", "units": 16}, {"type": "dense", "name": "b", "units": 10}]},
    "training": {"batch_size": 32, "epochs": 20, "optimizer": {"type": "sgd", "learning_rate": 1000000}}})");
  const CliResult result = runStrata({"train", path("wild.strata"), "--json", "--out", path("wild")});
  QVERIFY2(result.exitCode == 6, result.err.c_str());
  const auto diverged = ofEvent(jsonLines(result.out), "diverged");
  QCOMPARE(diverged.size(), std::size_t{1});
  QVERIFY(diverged[0]["layer"] == "a" || diverged[0]["layer"] == "b");
  QVERIFY(firstNonFinite(readCheckpoint(m_folder / "wild" / "checkpoints" / "last.safetensors").weights).empty());
}

void TestCli::signalsSaveAndEnd_data() {
  QTest::addColumn<int>("number");
  QTest::newRow("interrupt") << SIGINT;
  QTest::newRow("terminate") << SIGTERM;
}

void TestCli::signalsSaveAndEnd() {
  QFETCH(int, number);
  const std::string run = "signal" + std::to_string(number);
  CliProcess process(
      {"train", path("tiny.strata"), "--epochs", "1000000", "--set", "training.keep_epochs=0", "--out", path(run)});
  QTRY_VERIFY(process.out().find("epoch 1/") != std::string::npos);
  ::kill(process.pid(), number);
  const CliResult result = process.finish();
  QCOMPARE(result.exitCode, 128 + number);
  QVERIFY(readCheckpoint(m_folder / run / "checkpoints" / "last.safetensors").step > 0);
  QVERIFY(readText(m_folder / run / "summary.json").find("\"state\": \"stopped\"") != std::string::npos);
}

void TestCli::aSecondProcessIsToldWhoHoldsTheRun() {
  CliProcess process(
      {"train", path("tiny.strata"), "--epochs", "1000000", "--set", "training.keep_epochs=0", "--out", path("held")});
  QTRY_VERIFY(process.out().find("epoch 1/") != std::string::npos);
  const CliResult second = runStrata({"train", "--resume", path("held")});
  const CliResult reading = runStrata({"info", path("held")});
  ::kill(process.pid(), SIGKILL);
  process.finish();
  QCOMPARE(second.exitCode, 4);
  QVERIFY2(second.err.find("in use by process " + std::to_string(process.pid())) != std::string::npos,
           second.err.c_str());
  QVERIFY2(reading.out.find(": training\n") != std::string::npos, (reading.out + reading.err).c_str());
  const CliResult after =
      runStrata({"train", "--resume", path("held"), "--steps", "1"});  // the lock died with its holder
  QVERIFY2(after.exitCode == 0, after.err.c_str());
}

void TestCli::predictsPictures() {
  QCOMPARE(train({"--steps", "1"}, "model").exitCode, 0);
  QImage picture = drawnOne();
  QVERIFY(picture.save(QString::fromStdString(path("one.png"))));
  for (const std::string& model : {path("model"), path("model") + "/checkpoints/last.safetensors"}) {
    const CliResult result = runStrata({"predict", model, path("one.png"), path("one.png"), "--json"});
    QVERIFY2(result.exitCode == 0, result.err.c_str());
    const auto lines = jsonLines(result.out);
    QCOMPARE(lines.size(), std::size_t{2});
    QCOMPARE(lines[0]["probabilities"].size(), std::size_t{10});
    QCOMPARE(lines[0]["image"].get<std::string>(), path("one.png"));
    QVERIFY(lines[0]["probability"].get<double>() >= 0.1);
  }
  picture.fill(Qt::white);
  QVERIFY(picture.save(QString::fromStdString(path("empty.png"))));
  const CliResult empty = runStrata({"predict", path("model"), path("empty.png")});
  QCOMPARE(empty.exitCode, 3);
  QVERIFY2(empty.err.find("the picture is empty") != std::string::npos, empty.err.c_str());
}

// On the data of the run or on others, the same figures as a sum over the confusion; other views stand apart.
void TestCli::evaluates() {
  QCOMPARE(train({"--epochs", "2"}, "judged").exitCode, 0);
  const CliResult result = runStrata({"evaluate", path("judged"), "--views", "shift_flip", "--json"});
  QVERIFY2(result.exitCode == 0, result.err.c_str());
  const Json line = jsonLines(result.out).at(0);
  std::int64_t all = 0, right = 0;
  for (std::size_t truth = 0; truth < line["confusion"].size(); ++truth)
    for (std::size_t said = 0; said < line["confusion"][truth].size(); ++said) {
      all += line["confusion"][truth][said].get<std::int64_t>();
      if (truth == said) right += line["confusion"][truth][said].get<std::int64_t>();
    }
  QCOMPARE(all, line["samples"].get<std::int64_t>());
  QVERIFY(std::abs(line["accuracy"].get<double>() - double(right) / double(all)) < 1e-9);
  QVERIFY(line["loss"].get<double>() > 0);
  QVERIFY(line["averaged"]["loss"].get<double>() != line["loss"].get<double>());
  const std::string weights = path("judged") + "/checkpoints/last.safetensors";
  const CliResult text = runStrata({"evaluate", weights, "--train"});
  QVERIFY2(text.exitCode == 0 && text.out.find("training set") != std::string::npos, text.err.c_str());
  std::filesystem::copy_file(weights, path("alone.safetensors"));
  const CliResult alone = runStrata({"evaluate", path("alone.safetensors")});
  QCOMPARE(alone.exitCode, 2);
  QVERIFY2(alone.err.find("--data") != std::string::npos, alone.err.c_str());
}

void TestCli::tellsWhatThingsAre() {
  QCOMPARE(train({"--epochs", "1"}, "told").exitCode, 0);
  const std::map<std::string, std::string> expected{
      {path("tiny.strata"), "Strata project \"Tiny\""},
      {path("told"), "Checkpoints: all sound"},
      {path("told") + "/checkpoints/last.safetensors", "Strata checkpoint after step 8, epoch 1"},
      {STRATA_SOURCE_DIR "/tests/golden/seed_init.safetensors", "safetensors file, 8 tensors"},
      {path("data"), "256 training and 64 test samples of 28 × 28 × 1, 10 classes"},
      {path("data") + "/train-images-idx3-ubyte", "pictures: 256 × 28 × 28"},
      {path("data") + "/t10k-labels-idx1-ubyte", "labels: 64"}};
  for (const auto& [what, says] : expected) {
    const CliResult result = runStrata({"info", what});
    QVERIFY2(result.exitCode == 0 && result.out.find(says) != std::string::npos,
             (what + ": " + result.out + result.err).c_str());
  }
}

void TestCli::listsDevicesAndData() {
  const CliResult devices = runStrata({"devices"});
  QCOMPARE(devices.exitCode, 0);
  for (const BackendDef& def : allBackends()) {
    QVERIFY(devices.out.find(def.id + " ") != std::string::npos);
    QVERIFY(devices.out.find(def.unavailableReason()) != std::string::npos);
  }
  const CliResult data = runStrata({"data", "list"});
  QCOMPARE(data.exitCode, 0);
  QVERIFY(data.out.find("mnist") != std::string::npos && data.out.find("synthetic-digits") != std::string::npos);
}

// From a table to a net, as a person would: look at it, train, go on.
void TestCli::readsDataOfOnesOwn() {
  std::string table = "width;height;name;kind\n";
  for (int i = 0; i < 60; ++i)
    table += std::to_string(i % 2 ? 900 + i : 100 + i) + ",5;" + std::to_string(i % 7) + ";n" + std::to_string(i) +
             (i % 2 ? ";wide\n" : ";small\n");
  writeText(m_folder / "things.csv", table + ";1;n;wide\n");
  const CliResult told = runStrata({"data", "inspect", path("things.csv")});
  QVERIFY2(told.exitCode == 0, told.err.c_str());
  for (const char* says :
       {"things (tables (CSV, TSV)): 60 training samples and 0 test samples of 2 numbers, 2 classes",
        "  small: 30\n  wide: 30\n", "separated by semicolons", "a decimal comma", "The labels are in \"kind\"",
        "1 column of text is left out: \"name\"", "Warning: 1 row of things.csv was left out"})
    QVERIFY2(told.out.find(says) != std::string::npos, told.out.c_str());
  const auto json =
      jsonLines(runStrata({"data", "inspect", path("things.csv"), "--json", "--set", "data.reading.label=height"}).out);
  QCOMPARE(json.size(), std::size_t{1});
  QCOMPARE(json[0]["kind"].get<std::string>(), std::string("table"));
  QCOMPARE(json[0]["classes"].size(), std::size_t{7});
  QCOMPARE(json[0]["classes"][0]["training"].get<int>(), 9);
  QCOMPARE(json[0]["shape"].dump(), std::string("[1]"));
  QCOMPARE(json[0]["values"].get<std::string>(), std::string("floats"));

  writeText(m_folder / "own.strata", R"({"version": 2, "name": "Own", "data": {"source": "things.csv"},
 "network": {"input": [2], "classes": 2, "layers": [{"type": "dense", "name": "dense1", "units": 2}]},
 "training": {"batch_size": 8, "epochs": 4, "optimizer": {"type": "sgd", "learning_rate": 0.5}}})");
  CliResult trained = runStrata({"train", path("own.strata"), "--out", path("own"), "--epochs", "2"});
  QVERIFY2(trained.exitCode == 0, trained.err.c_str());
  trained = runStrata({"train", path("own.strata"), "--resume", path("own"), "--json"});
  QVERIFY2(trained.exitCode == 0, trained.err.c_str());
  QVERIFY2(trained.out.find("\"val_accuracy\":1") != std::string::npos, trained.out.c_str());

  const CliResult nothing = runStrata({"data", "inspect", path("absent.csv"), path("tiny.strata")});
  QCOMPARE(nothing.exitCode, 4);
  QVERIFY2(nothing.err.find("tiny.strata: is a file without data of a kind that is read") != std::string::npos,
           nothing.err.c_str());
  QCOMPARE(runStrata({"data", "inspect", path("things.csv"), "--set", "data.reading.lable=x"}).exitCode, 2);
  QCOMPARE(runStrata({"data", "inspect", path("things.csv"), "--set", "data.reading.label=x"}).exitCode, 3);
}

void TestCli::saysWhenResultsAreLost() {
  QProcess program;
  program.setStandardOutputFile("/dev/full");
  program.start(QString::fromStdString(kStrata), {"devices"});
  QVERIFY(program.waitForFinished());
  QCOMPARE(program.exitCode(), 4);
  QCOMPARE(program.readAllStandardError().count("standard output: not all of the results could be written"), 1);
}

QTEST_GUILESS_MAIN(TestCli)
#include "tst_cli.moc"

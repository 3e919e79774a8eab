// SPDX-License-Identifier: GPL-3.0-or-later
// The program `strata` where saving is hard: limits, closed streams, logs in odd places, signals in large nets, and
// folders that a failed save has left.
#include <sys/stat.h>

#include <csignal>

#include "cli_run.h"
#include "engine/run/run_folder.h"

using namespace strata;
namespace fs = std::filesystem;

class TestCliSaves : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void aLimitOnFilesIsTold();
  void closedStreamsAreNoFiles_data();
  void closedStreamsAreNoFiles();
  void aPipeIsNoLog();
  void theLogGoesOnWithTheRun();
  void aStaleBestIsNamed();
  void aRunWithoutProjectSaysSo();
  void longRecordsArePrintedShort();
  void aDeepNetEndsSoon_data();
  void aDeepNetEndsSoon();

 private:
  std::string path(const std::string& name) const { return (m_folder / name).string(); }
  /// A shell's command line, in which $STRATA is the program.
  CliResult shell(const std::string& line) const;

  ScratchFolder m_folder;
};

CliResult TestCliSaves::shell(const std::string& line) const {
  QProcess process;
  process.start("/bin/sh", {"-c", QString::fromStdString("STRATA='" + kStrata + "'; cd '" + m_folder.path().string() +
                                                         "'; " + line)});
  CliResult result;
  if (!process.waitForFinished(120'000)) return result;
  result.exitCode = process.exitStatus() == QProcess::NormalExit ? process.exitCode() : 128 + process.exitCode();
  result.out = process.readAllStandardOutput().toStdString();
  result.err = process.readAllStandardError().toStdString();
  return result;
}

void TestCliSaves::initTestCase() {
  writeTinyData(m_folder / "data");
  writeText(m_folder / "tiny.strata", tinyProjectText(m_folder / "data"));
}

void TestCliSaves::aLimitOnFilesIsTold() {
  const CliResult result = shell("ulimit -f 8; \"$STRATA\" train tiny.strata --out limited");
  QCOMPARE(result.exitCode, 4);
  QVERIFY2(result.err.find("File too large") != std::string::npos, result.err.c_str());
  const CliResult again = shell("\"$STRATA\" train tiny.strata --out limited");
  QVERIFY2(again.exitCode == 0, again.err.c_str());
}

void TestCliSaves::closedStreamsAreNoFiles_data() {
  QTest::addColumn<QString>("closed");
  QTest::newRow("output") << ">&-";
  QTest::newRow("errors") << "2>&-";
  QTest::newRow("all") << "<&- >&- 2>&-";
}

void TestCliSaves::closedStreamsAreNoFiles() {
  QFETCH(QString, closed);
  const std::string run = std::string("closed-") + QTest::currentDataTag();
  shell("\"$STRATA\" train tiny.strata --out " + run + " --log-batches " + run + ".csv " + closed.toStdString());
  const std::string log = readText(m_folder / (run + ".csv"));
  QCOMPARE(QString::fromStdString(log).count('\n'), 17);
  QVERIFY2(log.starts_with("step,loss\n1,") && log.find("epoch") == std::string::npos, log.c_str());
  QCOMPARE(readRun(m_folder / run).state, std::string("finished"));
}

void TestCliSaves::aPipeIsNoLog() {
  QCOMPARE(::mkfifo(path("fifo").c_str(), 0600), 0);
  const CliResult result =
      runStrata({"train", path("tiny.strata"), "--out", path("piped"), "--log-batches", path("fifo")});
  QCOMPARE(result.exitCode, 4);
  QVERIFY2(result.err.find("fifo: is not a regular file") != std::string::npos, result.err.c_str());
  QVERIFY(!fs::exists(m_folder / "piped"));
}

void TestCliSaves::theLogGoesOnWithTheRun() {
  const std::string log = path("log.csv");
  const auto train = [&](std::vector<std::string> more) {
    more.insert(more.begin(), "train");
    more.insert(more.end(), {"--threads", "1", "--log-batches", log});
    return runStrata(more);
  };
  QCOMPARE(train({path("tiny.strata"), "--out", path("whole")}).exitCode, 0);
  const std::string whole = readText(log);
  fs::remove(log);
  QCOMPARE(train({path("tiny.strata"), "--out", path("parts"), "--steps", "11"}).exitCode, 0);
  writeText(log, readText(log) + "12,9\n13,9\n");  // as a crash leaves it: ahead of the checkpoint
  const CliResult resumed = train({"--resume", path("parts")});
  QVERIFY2(resumed.exitCode == 0, resumed.err.c_str());
  QCOMPARE(readText(log), whole);
  QCOMPARE(train({path("tiny.strata"), "--out", path("anew")}).exitCode, 0);  // another run has another log
  QCOMPARE(readText(log), whole);
}

void TestCliSaves::aStaleBestIsNamed() {
  QCOMPARE(runStrata({"train", path("tiny.strata"), "--epochs", "3", "--out", path("stale")}).exitCode, 0);
  const Path checkpoints = m_folder / "stale" / "checkpoints";
  const int best = readRun(m_folder / "stale").bestEpoch, other = best == 1 ? 2 : 1;
  fs::copy_file(checkpoints / epochFileName(other), checkpoints / "best.safetensors",
                fs::copy_options::overwrite_existing);
  const std::string says = "best.safetensors: holds the weights of epoch " + std::to_string(other) +
                           ", the best epoch of the record is " + std::to_string(best);
  const CliResult info = runStrata({"info", path("stale")});
  QCOMPARE(info.exitCode, 3);
  QVERIFY2(info.err.find(says) != std::string::npos, info.err.c_str());
  writeText(m_folder / "no.png", "");
  QVERIFY(runStrata({"predict", path("stale"), path("no.png")}).err.find(says) != std::string::npos);
  QCOMPARE(runStrata({"train", "--resume", path("stale")}).exitCode, 0);  // nothing to train, but that to mend
  const CliResult after = runStrata({"info", path("stale")});
  QVERIFY2(after.exitCode == 0, after.err.c_str());
  QCOMPARE(readCheckpoint(checkpoints / "best.safetensors").epoch, best);
}

void TestCliSaves::aRunWithoutProjectSaysSo() {
  fs::create_directories(m_folder / "early" / "checkpoints");
  const CliResult result = runStrata({"train", "--resume", path("early")});
  QCOMPARE(result.exitCode, 3);
  QVERIFY2(result.err.find("one that was never begun. Start it again with its project.") != std::string::npos,
           result.err.c_str());
  const CliResult again = runStrata({"train", path("tiny.strata"), "--out", path("early")});
  QVERIFY2(again.exitCode == 0, again.err.c_str());
}

void TestCliSaves::longRecordsArePrintedShort() {
  QCOMPARE(runStrata({"train", path("tiny.strata"), "--epochs", "1000", "--set", "training.keep_epochs=0", "--out",
                      path("long")})
               .exitCode,
           0);
  const CliResult info = runStrata({"info", path("long")});
  QVERIFY2(info.exitCode == 0, info.err.c_str());
  const qsizetype lines = QString::fromStdString(info.out).count('\n');
  QVERIFY2(lines > 150 && lines < 220, info.out.c_str());
  QVERIFY(info.out.find("  best\n") != std::string::npos && info.out.find("  epoch 1000  ") != std::string::npos);
}

void TestCliSaves::aDeepNetEndsSoon_data() {
  QTest::addColumn<int>("number");
  QTest::addColumn<bool>("started");
  QTest::newRow("terminated while it starts") << SIGTERM << false;
  QTest::newRow("hung up while it starts") << SIGHUP << false;
  QTest::newRow("terminated while it trains") << SIGTERM << true;
}

/// Of a thousand layers; the memory for them is a sign that they are being made.
void TestCliSaves::aDeepNetEndsSoon() {
  QFETCH(int, number);
  QFETCH(bool, started);
  std::string layers;
  for (int i = 0; i < 998; ++i)
    layers += R"({"type": "dropout", "name": "d)" + std::to_string(i) + R"(", "rate": 0.1}, )";
  writeText(m_folder / "deep.strata",
            R"({"version": 1, "data": {"source": ")" + path("data") +
                R"(", "validation": "test"}, "network": {"input": [28, 28, 1], "classes": 10, "layers": [)" + layers +
                R"({"type": "flatten", "name": "f"}, {"type": "dense", "name": "o", "units": 10}]},
    "training": {"batch_size": )" +
                (started ? "8" : "256") + R"(, "epochs": 1000}})");
  const std::string run = "deep" + std::to_string(number) + (started ? "s" : "");
  CliProcess process({"train", path("deep.strata"), "--out", path(run)});
  const auto pages = [&] {
    long size = 0, resident = 0;
    std::ifstream("/proc/" + std::to_string(process.pid()) + "/statm") >> size >> resident;
    return resident;
  };
  if (started) QTRY_VERIFY_WITH_TIMEOUT(process.out().find("Run folder:") != std::string::npos, 60'000);
  else QTRY_VERIFY_WITH_TIMEOUT(pages() > 20'000, 60'000);
  ::kill(process.pid(), number);
  QCOMPARE(process.finish().exitCode, 128 + number);
  if (started) QCOMPARE(readRun(m_folder / run).state, std::string("stopped"));
  else QVERIFY(!holdsRun(m_folder / run) || readRun(m_folder / run).epochs.empty());
}

QTEST_GUILESS_MAIN(TestCliSaves)
#include "tst_cli_saves.moc"

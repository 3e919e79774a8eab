// SPDX-License-Identifier: GPL-3.0-or-later
// A run in which file calls fail, or that is killed at one: each call of a run in turn, once and for ever. Whatever
// happens, exit code 0 means that all is saved, anything else is a sentence, and the run can go on to the same bits.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <QtTest>
#include <cstdio>
#include <future>

#include "engine/base/json.h"
#include "engine/run/checkpoint.h"
#include "engine/run/run_folder.h"
#include "test_files.h"
#include "tiny_run.h"

using namespace strata;

namespace {

/// Two epochs of four batches, an optimizer with a state, the weights of the newest epoch kept.
TrainJob job(const Path& folder, bool resumed) {
  TrainJob job = tinyJob(folder);
  job.data = makeDataView(tinyDataset(64, 30), ValidationSource::TestSet, 0.1, 1);
  applySetting(job.project, "training.optimizer.type=adam");
  job.project.training.epochs = 2;
  job.project.training.keepEpochs = 1;
  job.savePace = std::chrono::milliseconds(0);
  if (resumed) job.resumeFrom = folder;
  return job;
}

struct Outcome {
  int exitCode = 0;
  std::string sentence;
};

Outcome outcomeOf(const RunEvents& events) {
  const auto failed = events.of<FailedEvent>();
  if (failed.empty()) return {};
  return {static_cast<int>(failed[0].kind), failed[0].message};
}

/// One fault. Each number that a run's calls have is tried with each kind.
struct Fault {
  std::string kind;
  bool ever = false;
  long at = 0;
  std::string name() const { return kind + (ever ? " from call " : " at call ") + std::to_string(at); }
};

/// The run in a process of its own, under the shim.
Outcome runWith(const Fault& fault, const Path& folder, const Path& countFile = {}) {
  const std::string self = QCoreApplication::applicationFilePath().toStdString();
  const Path said = folder.string() + ".said";
  std::vector<std::string> environment{"LD_PRELOAD=" FAULT_SHIM, "FAULT_FOLDER=" + folder.string(),
                                       "FAULT_KIND=" + fault.kind, "FAULT_AT=" + std::to_string(fault.at),
                                       "FAULT_COUNT=" + countFile.string()};
  if (fault.ever) environment.emplace_back("FAULT_EVER=1");
  std::vector<std::string> arguments{self, "--run", folder.string()};
  std::vector<char*> argv, envp;
  for (std::string& text : arguments) argv.push_back(text.data());
  for (std::string& text : environment) envp.push_back(text.data());
  for (char** variable = environ; *variable; ++variable) envp.push_back(*variable);
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t pid = -1;
  int status = 0;
  const bool ran = posix_spawn(&pid, self.c_str(), &actions, nullptr, argv.data(), envp.data()) == 0 &&
                   waitpid(pid, &status, 0) == pid;
  posix_spawn_file_actions_destroy(&actions);
  if (!ran) return {-1, "could not be started"};
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), readText(said)};
}

/// All that a run leaves and that does not depend on the time it took.
std::string contentOf(const Path& folder) {
  std::string content;
  const auto checkpoint = [&](const std::string& name) {
    const Checkpoint read = readCheckpoint(folder / "checkpoints" / name);
    content += name + " step " + std::to_string(read.step) + " epoch " + std::to_string(read.epoch) + "\n";
    for (const std::vector<float>* values : {&read.weights.values, &read.optimizerState})
      content.append(reinterpret_cast<const char*>(values->data()), values->size() * sizeof(float));
  };
  for (const char* name : {"last.safetensors", "best.safetensors", "epoch-0002.safetensors"}) checkpoint(name);
  const RunRecord record = readRun(folder);
  content += record.state + " best " + std::to_string(record.bestEpoch) + "\n";
  for (const EpochRecord& epoch : record.epochs)
    for (const double value :
         {epoch.loss, epoch.value("accuracy"), epoch.valLoss, epoch.value("val_accuracy"), epoch.learningRate})
      content += std::to_string(value) + " ";
  content += "history " + std::to_string(QString::fromStdString(readText(folder / "history.csv")).count('\n'));
  return content;
}

}  // namespace

class TestSaves : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void everyCall_data();
  void everyCall();
  void whatIsInHandIsOwed();

 private:
  std::string problemWith(const Fault& fault) const;

  ScratchFolder m_folder;
  std::string m_whole;  ///< what an undisturbed run leaves
  long m_calls = 0, m_writes = 0;
};

void TestSaves::initTestCase() {
  QCOMPARE(runWith({"none"}, m_folder / "whole", m_folder / "count").exitCode, 0);
  m_whole = contentOf(m_folder / "whole");
  std::istringstream(readText(m_folder / "count")) >> m_calls >> m_writes;
  QVERIFY2(m_calls > 80 && m_writes > 15, qPrintable(QString("%1 calls, %2 writes").arg(m_calls).arg(m_writes)));
}

void TestSaves::everyCall_data() {
  QTest::addColumn<QString>("kind");
  QTest::addColumn<bool>("ever");
  for (const char* kind : {"ENOSPC", "EIO", "short"}) {
    QTest::addRow("%s once", kind) << kind << false;
    QTest::addRow("%s for ever", kind) << kind << true;
  }
  QTest::newRow("kill") << "kill" << false;
}

/// "" when all is well: what the run said is true, and it goes on to what an undisturbed one leaves.
std::string TestSaves::problemWith(const Fault& fault) const {
  const ScratchFolder scratch;
  const Path folder = scratch / "run";
  const Outcome outcome = runWith(fault, folder);
  if (outcome.exitCode == 128 + SIGKILL ? fault.kind != "kill" : outcome.exitCode != 0 && outcome.exitCode != 4)
    return "exit code " + std::to_string(outcome.exitCode) + ": " + outcome.sentence;
  try {
    if (outcome.exitCode == 0 && contentOf(folder) != m_whole) return "exit code 0, but something was lost";
    if (outcome.exitCode == 4 && outcome.sentence.empty()) return "no word of what failed";
    const Outcome after = outcomeOf(runToEnd(job(folder, holdsRun(folder))));
    if (after.exitCode != 0) return "cannot go on: " + after.sentence + " First: " + outcome.sentence;
    if (contentOf(folder) != m_whole) return "goes on to something else; first: " + outcome.sentence;
  } catch (const Error& error) {
    return std::string("left unsound: ") + error.what();
  }
  return {};
}

void TestSaves::everyCall() {
  QFETCH(QString, kind);
  QFETCH(bool, ever);
  const long count = kind == "short" ? m_writes : m_calls;
  std::atomic<long> next{1};
  const auto work = [&] {
    QStringList problems;
    for (long at = next++; at <= count; at = next++) {
      const Fault fault{kind.toStdString(), ever, at};
      if (const std::string problem = problemWith(fault); !problem.empty())
        problems << QString::fromStdString(fault.name() + ": " + problem);
    }
    return problems;
  };
  auto other = std::async(std::launch::async, work);
  const QStringList problems = work() + other.get();
  QVERIFY2(problems.isEmpty(), qPrintable(problems.join('\n')));
}

// The saver may be between two rounds or within one when it is asked: what it has in hand is owed all the same.
void TestSaves::whatIsInHandIsOwed() {
  const ScratchFolder scratch;
  const TrainJob tiny = job(scratch / "run", false);
  RunRecord record;
  record.folder = tiny.runFolder;
  record.project = tiny.project;
  const auto start = std::make_shared<Checkpoint>(readCheckpoint(m_folder / "whole/checkpoints/last.safetensors"));
  RunFolder folder({record, Json::object(), start, {}, tiny.savePace});
  QCOMPARE(folder.flush(), std::string());
  std::filesystem::remove_all(tiny.runFolder);
  writeText(tiny.runFolder, "a file where the folder was");
  for (int i = 0; i < 200; ++i) {
    folder.checkpoint(std::make_shared<Checkpoint>(*start));
    QVERIFY2(!folder.flush().empty(), qPrintable(QString::number(i)));
  }
  std::filesystem::remove(tiny.runFolder);
  QCOMPARE(folder.flush(), std::string());
}

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--run") {
    const Outcome outcome = outcomeOf(runToEnd(job(argv[2], false)));
    std::fputs(outcome.sentence.c_str(), stdout);
    return outcome.exitCode;
  }
  QCoreApplication application(argc, argv);
  TestSaves test;
  return QTest::qExec(&test, argc, argv);
}

#include "tst_saves.moc"

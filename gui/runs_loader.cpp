// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/runs_loader.h"

#include <QCoreApplication>
#include <algorithm>
#include <charconv>

#include "engine/base/error.h"
#include "engine/base/thread_name.h"

namespace strata::gui {
namespace {

constexpr std::string_view kTail = ".safetensors";

/// Of the files in checkpoints/; none where that cannot be listed.
std::vector<std::string> checkpointNames(const Path& runFolder) {
  std::vector<std::string> names;
  std::error_code failed;
  std::filesystem::directory_iterator entry(runFolder / "checkpoints", failed), end;
  for (; !failed && entry != end; entry.increment(failed))
    if (auto name = entry->path().filename().string(); name.ends_with(kTail)) names.push_back(std::move(name));
  return names;
}

Path bestFile(const Path& runFolder) { return runFolder / "checkpoints/best.safetensors"; }

}  // namespace

void RunsLoader::load() {
  if (m_busy) {
    m_again = true;
    return;
  }
  m_busy = true;
  m_thread = std::jthread([this] {
    nameThisThread("runs");
    std::vector<RunRecord> runs;
    std::vector<std::string> problems;
    try {
      runs = listRuns(runsDir(), &problems);
    } catch (const std::exception& error) {
      problems.push_back(error.what());
    }
    QStringList sentences;
    for (const auto& problem : problems) sentences << QString::fromStdString(problem);
    QMetaObject::invokeMethod(
        this, [this, runs = std::move(runs), sentences] { take(runs, sentences); }, Qt::QueuedConnection);
  });
}

void RunsLoader::take(std::vector<RunRecord> runs, QStringList problems) {
  m_thread.join();
  m_busy = false;
  m_runs = std::move(runs);
  m_problems = std::move(problems);
  emit loaded();
  if (std::exchange(m_again, false)) load();
}

std::vector<int> keptEpochs(const RunRecord& run) {
  std::vector<int> epochs;
  for (const std::string& name : checkpointNames(run.folder)) {
    constexpr std::string_view head = "epoch-";
    if (!name.starts_with(head)) continue;
    int epoch = 0;
    std::from_chars(name.data() + head.size(), name.data() + name.size() - kTail.size(), epoch);
    if (epoch > 0) epochs.push_back(epoch);
  }
  std::error_code none;
  const bool listed = std::find(epochs.begin(), epochs.end(), run.bestEpoch) != epochs.end();
  if (run.bestEpoch > 0 && !listed && std::filesystem::exists(bestFile(run.folder), none))
    epochs.push_back(run.bestEpoch);
  std::sort(epochs.begin(), epochs.end());
  return epochs;
}

Path weightsFile(const Path& runFolder, int epoch) {
  std::error_code none;
  const Path own = epochFile(runFolder, epoch);
  return std::filesystem::exists(own, none) ? own : bestFile(runFolder);
}

Checkpoint readWeightsOf(int epoch, const Path& file) {
  auto checkpoint = readCheckpoint(file);
  if (checkpoint.epoch != epoch)
    throw Error(
        Error::Kind::Input, file.string(),
        "holds the weights of epoch " + std::to_string(checkpoint.epoch) + ", not of epoch " + std::to_string(epoch),
        "Choose another epoch");
  return checkpoint;
}

bool hasCheckpoint(const Path& runFolder) { return !checkpointNames(runFolder).empty(); }

Path epochFile(const Path& runFolder, int epoch) {
  return runFolder / "checkpoints" / QString("epoch-%1.safetensors").arg(epoch, 4, 10, QChar('0')).toStdString();
}

std::vector<RunRecord> referenceRuns() {
  const Path program = QCoreApplication::applicationDirPath().toStdString();
  for (const Path& file :
       {program / "../../resources/reference_runs.json", program / "../share/strata/reference_runs.json"}) {
    std::error_code none;
    if (!std::filesystem::exists(file, none)) continue;
    try {
      return readReferenceRuns(file);
    } catch (const Error& error) {
      qWarning("%s", error.what());
    }
  }
  return {};
}

}  // namespace strata::gui

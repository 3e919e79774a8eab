// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/runs_loader.h"

#include <algorithm>
#include <charconv>

#include "engine/thread_name.h"

namespace strata::gui {

void RunsLoader::load() {
  if (m_busy) {
    m_again = true;
    return;
  }
  m_busy = true;
  m_thread = std::jthread([this] {
    nameThisThread("runs");
    std::vector<std::string> problems;
    std::error_code none;
    auto runs =
        std::filesystem::is_directory(runsDir(), none) ? listRuns(runsDir(), &problems) : std::vector<RunRecord>();
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

std::vector<int> keptEpochs(const Path& runFolder) {
  std::vector<int> epochs;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(runFolder / "checkpoints", none)) {
    const auto name = entry.path().filename().string();
    constexpr std::string_view head = "epoch-", tail = ".safetensors";
    if (!name.starts_with(head) || !name.ends_with(tail)) continue;
    int epoch = 0;
    std::from_chars(name.data() + head.size(), name.data() + name.size() - tail.size(), epoch);
    if (epoch > 0) epochs.push_back(epoch);
  }
  std::sort(epochs.begin(), epochs.end());
  return epochs;
}

Path epochFile(const Path& runFolder, int epoch) {
  return runFolder / "checkpoints" / QString("epoch-%1.safetensors").arg(epoch, 4, 10, QChar('0')).toStdString();
}

}  // namespace strata::gui

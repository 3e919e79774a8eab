// SPDX-License-Identifier: GPL-3.0-or-later
// Reads the run folders on a thread of its own, so that a long list never holds the window up.
#pragma once
#include <QObject>
#include <QStringList>
#include <thread>
#include <vector>

#include "engine/run/checkpoint.h"
#include "engine/run/run_record.h"

namespace strata::gui {

class RunsLoader : public QObject {
  Q_OBJECT
 public:
  using QObject::QObject;
  /// loaded() follows. A call while one is under way is answered once more after it.
  void load();
  const std::vector<RunRecord>& runs() const { return m_runs; }  ///< newest first
  const QStringList& problems() const { return m_problems; }     ///< of folders that could not be read

 signals:
  void loaded();

 private:
  void take(std::vector<RunRecord> runs, QStringList problems);
  std::vector<RunRecord> m_runs;
  QStringList m_problems;
  bool m_busy = false, m_again = false;
  std::jthread m_thread;
};

/// Epochs of a run whose weights are on disk, ascending: those with a file of their own, and the best one.
std::vector<int> keptEpochs(const RunRecord& run);
/// Whether there is any checkpoint that the run could go on from; that it is sound, only reading it tells.
bool hasCheckpoint(const Path& runFolder);
Path epochFile(const Path& runFolder, int epoch);
/// Where the weights of a kept epoch are: in its own file, or in that of the best where it has none.
Path weightsFile(const Path& runFolder, int epoch);
/// Error::Input when `file`, which need not be named after it, holds those of another epoch; else as readCheckpoint().
Checkpoint readWeightsOf(int epoch, const Path& file);

/// The three systems the lesson is measured against, from resources/reference_runs.json; none when the file is not
/// there.
std::vector<RunRecord> referenceRuns();

}  // namespace strata::gui

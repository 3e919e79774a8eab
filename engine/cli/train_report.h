// SPDX-License-Identifier: Apache-2.0
// What `strata train` prints: JSON lines, plain lines for a pipe, or Keras-like lines with a progress bar on a
// terminal.
#pragma once
#include <memory>

#include "engine/run/trainer.h"

namespace strata {

class TrainReport {
 public:
  virtual ~TrainReport() = default;
  virtual void started(const TrainJob& job, const StartedEvent& event) = 0;
  virtual void progress(const ProgressEvent&) {}
  virtual void epoch(const EpochRecord& record, int epochs, bool best) = 0;
  virtual void note(const NoteEvent& event) = 0;
  virtual void failed(const FailedEvent& event) = 0;
  virtual void finished(const FinishedEvent& event, std::uint64_t step, const Path& folder) = 0;
};

enum class ReportStyle { Json, Plain, Terminal };
std::unique_ptr<TrainReport> makeTrainReport(ReportStyle style);

}  // namespace strata

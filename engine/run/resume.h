// SPDX-License-Identifier: Apache-2.0
// Going on with a run: from which checkpoint, with which record, and what comes along into its folder.
#pragma once
#include "engine/run/checkpoint.h"
#include "engine/run/run_record.h"

namespace strata {

/// Where a run can go on.
struct ResumePoint {
  bool begun = true;  ///< false: it was ended before its first checkpoint, and starts with its first step
  Checkpoint checkpoint;
  bool weightsAlone = false;          ///< of an epoch's file: the optimizer's state is lost
  std::vector<std::string> problems;  ///< of newer checkpoints that had to be passed over, a sentence each
};
/// Tries checkpoints/last.safetensors, previous.safetensors, then the epochs' and the best weights, newest first.
/// Error::File or Error::Input when none will do.
ResumePoint findResumePoint(const Path& folder);

/// "" when best.safetensors holds the epoch that the record calls best; else what it holds, in a sentence: a save that
/// failed or was cut off can leave older weights. A run that just trains may be caught between the two.
std::string problemWithBest(const RunRecord& run);

/// Whether the folder holds a run that has at least been begun; one that was ended before its first checkpoint may be
/// started again.
bool holdsRun(const Path& folder);

/// The run's epochs up to the checkpoint. Lines that are missing in the record are taken from what its checkpoints
/// remember, or stand as missingEpoch(); either is said in `problems`.
std::vector<EpochRecord> epochsUpTo(const Checkpoint& checkpoint, const RunRecord& run,
                                    std::vector<std::string>& problems);

/// Brings the weights that belong to the run up to `start` from one checkpoints folder to another, or takes away what
/// was trained later where both are one. In the end best.safetensors holds `bestEpoch`, or a problem says why not.
/// Error::File.
void takeOverWeights(const Path& from, const Path& to, const Checkpoint& start, int bestEpoch,
                     std::vector<std::string>& problems);

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// A checkpoint is one safetensors file: weights by name, the optimizer's state ("optimizer/m/conv1.kernel"; the mean of
// the weights, where a run keeps one, is "optimizer/average/conv1.kernel" beside the weights that are trained), and as
// metadata the network, the preprocessing, the position and a checksum, so that a run resumes exactly and a damaged
// file is refused. A right checksum is no proof of good will: every number is checked all the same.
#pragma once
#include <map>
#include <optional>

#include "engine/base/file.h"
#include "engine/data/dataset.h"
#include "engine/data/fingerprint.h"
#include "engine/learn/loss.h"
#include "engine/learn/optimizer.h"
#include "engine/learn/schedule.h"
#include "engine/net/weights.h"
#include "engine/run/events.h"

namespace strata {

struct Checkpoint {
  NetworkSpec network;
  LossSpec loss;  ///< says what the net's output means; of earlier versions: softmax cross-entropy
  Preprocessing preprocessing;
  std::vector<std::string> classes;
  Weights weights;
  std::vector<float> optimizerState;        ///< empty in files that hold weights alone
  std::vector<std::string> optimizerSlots;  ///< its parts by name, each as long as the weights; files of version 1
                                            ///< have a state without names
  std::uint64_t step = 0;                   ///< batches trained
  int epoch = 0;                            ///< whole epochs trained
  double epochLossSum = 0;  ///< of the unfinished epoch, so that its means come out the same after a resume
  std::map<std::string, double> epochMetrics;  ///< sums over its samples by id: "accuracy"
  std::int64_t epochSamples = 0;
  double epochSeconds = 0;
  std::optional<std::uint64_t> averageStart;  ///< the step with which the mean of the weights begins, if one is kept
  std::optional<PlateauState> plateau;        ///< of a schedule that follows the validation
  std::optional<DataFingerprint> data;        ///< what it was trained on; absent in files of earlier versions, as is:
  std::optional<EpochRecord> lastEpoch;       ///< of the last whole epoch: what the record must hold at least
};

/// What the run is for: the mean of the weights where one is kept and has begun, else the weights.
Weights resultWeights(const Checkpoint& checkpoint);
/// To look at and to start from, not to go on: without the optimizer's state, and resultWeights() for weights.
Checkpoint resultOf(const Checkpoint& checkpoint);

std::string checkpointBytes(const Checkpoint& checkpoint);
/// Error::File, Error::Input. A large file whose header does not account for its size, or whose network does not
/// account for its tensors, costs no more than that header; the checksum must be right and all weights finite.
Checkpoint readCheckpoint(const Path& path);
/// Throws Error::Input naming `where` unless the state is one that `optimizer` can go on with.
void checkOptimizerState(const Checkpoint& checkpoint, const OptimizerSpec& optimizer, const std::string& where);
/// Tensors "<layer>.<param>" of a safetensors file, plain or a checkpoint, for `--weights`. Every one must be there,
/// with its shape, finite, and no other.
Weights readWeights(const Path& path, const NetworkSpec& network);

}  // namespace strata

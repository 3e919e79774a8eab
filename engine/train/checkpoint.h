// SPDX-License-Identifier: Apache-2.0
// A checkpoint is one safetensors file: weights by name, optimizer state, and as metadata the network, the
// preprocessing, the position and a checksum, so that a run resumes exactly and a damaged file is refused.
#pragma once
#include "engine/data/dataset.h"
#include "engine/file.h"
#include "engine/weights.h"

namespace strata {

struct Checkpoint {
  NetworkSpec network;
  Preprocessing preprocessing;
  std::vector<std::string> classes;
  Weights weights;
  std::vector<float> optimizerState;  ///< empty in files that hold weights alone
  std::uint64_t step = 0;             ///< batches trained
  int epoch = 0;                      ///< whole epochs trained
  double epochLossSum = 0;            ///< of the unfinished epoch, so that its means come out the same after a resume
  std::int64_t epochHits = 0, epochSamples = 0;
  double epochSeconds = 0;
};

std::string checkpointBytes(const Checkpoint& checkpoint);
/// Error::File, Error::Input; verifies the checksum, before anything is believed, and that every tensor fits the
/// network.
Checkpoint readCheckpoint(const Path& path);
/// Tensors "<layer>.<param>" of a safetensors file, plain or a checkpoint, for `--weights`. Every one must be there,
/// with its shape, and no other.
Weights readWeights(const Path& path, const NetworkSpec& network);

}  // namespace strata

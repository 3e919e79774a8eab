// SPDX-License-Identifier: Apache-2.0
// The document: data, network and training as one small value, the same file for the studio and the command line.
#pragma once
#include <string>

#include "engine/base/file.h"
#include "engine/data/augment.h"
#include "engine/data/dataset.h"
#include "engine/data/reading.h"
#include "engine/learn/metric.h"
#include "engine/learn/optimizer.h"
#include "engine/learn/schedule.h"
#include "engine/net/network_spec.h"

namespace strata {

/// Limits of settings; settings.h describes them all.
inline constexpr int kMaxEpochs = 1'000'000, kMaxBatchSize = 65536;
inline constexpr double kMaxValidationFraction = 0.9;

struct DataSpec {
  std::string source = "mnist";  ///< id of the catalogue, "synthetic-digits", or a file or folder
  ValidationSource validation = ValidationSource::Split;
  double validationFraction = 0.1;
  Preprocessing preprocessing;
  Augmentation augmentation;  ///< of the training samples
  Reading reading;            ///< of a file or folder
  bool operator==(const DataSpec&) const = default;
};

struct TrainingSpec {
  LossSpec loss;
  MetricIds metrics{"accuracy"};         ///< those that do not fit the loss are passed over: metricsOf()
  std::string monitor = "val_accuracy";  ///< the history key that makes an epoch the best: monitorOf()
  OptimizerSpec optimizer;
  ScheduleSpec schedule;
  int batchSize = 128;
  int epochs = 30;
  std::uint64_t seed = 1;
  bool shuffle = true;
  int patience = 0;     ///< of early stopping: epochs in a row that may be no better than the best; 0: any number
  int keepEpochs = 30;  ///< epoch checkpoints kept in a run folder, newest first; 0 keeps none
  bool operator==(const TrainingSpec&) const = default;
};

/// The metrics of a run with these settings.
MetricIds metricsOf(const TrainingSpec& training);
/// What decides its best epoch: `monitor`, or "val_loss" where that does not fit the loss.
std::string monitorOf(const TrainingSpec& training);

struct Project {
  std::string name = "Untitled";
  DataSpec data;
  NetworkSpec network;
  TrainingSpec training;
  bool operator==(const Project&) const = default;
};

/// The network by what its loss asks of it.
Analysis analyse(const Project& project);

inline constexpr int kProjectVersion = 2;
inline constexpr std::uint64_t kMaxProjectBytes = 1 << 20;  ///< of a project's file; a larger one is not read

Json projectToJson(const Project& project);
/// What an earlier version has written, as this one would have. Damage stays what it is.
Json migrate(Json json);
/// Throws Error::Input for anything malformed, unknown or of a newer version. A stack with issues is accepted.
Project projectFromJson(const Json& json, const std::string& where);
Project readProject(const Path& path);                        ///< Error::File, Error::Input
void writeProject(const Path& path, const Project& project);  ///< durable; Error::File

/// Overrides one value by its path, as `--set training.optimizer.learning_rate=0.05`. Layers by name:
/// network.conv1.filters=32, in containers by path, network.res1/conv1.filters=32. Throws Error::Usage for a path that
/// does not exist, Error::Input for a bad value.
void applySetting(Project& project, const std::string& keyEqualsValue);

}  // namespace strata

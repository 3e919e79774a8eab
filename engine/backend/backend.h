// SPDX-License-Identifier: Apache-2.0
// The seam between what a net is and how it is computed. A backend makes ops; a layer it has no op for runs by the
// reference op, so every layer trains on every backend from its first day. A backend may instead compile the whole
// stack.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/backend/precision.h"
#include "engine/data/batches.h"
#include "engine/learn/optimizer.h"
#include "engine/learn/scorer.h"
#include "engine/net/weights.h"

namespace strata {

/// All a backend needs to make a stack run.
struct CompileRequest {
  NetworkSpec network;  ///< accepted by analyse()
  OptimizerSpec optimizer;
  LossSpec loss;
  MetricIds metrics{"accuracy"};  ///< those that do not fit the loss are passed over
  int maxBatch = 128;
  std::uint64_t seed = 1;                   ///< of dropout
  std::optional<Precision> precision = {};  ///< one of Backend::precisions(); open: the first of them
  bool training = true;  ///< false: for forward() and activations() alone, without room for gradients
};

/// Values that the net puts out for one sample.
std::int64_t outputSize(const NetworkSpec& network);

/// Which layer showed it first, when a loss is not finite.
struct NonFinite {
  std::string layer;  ///< path: "res1/conv1"
  std::string what;   ///< "output", "gradient", "weights"
};

/// A stack bound to a backend: weights, optimizer state and workspace included. One thread at a time.
class CompiledNetwork {
 public:
  virtual ~CompiledNetwork() = default;

  virtual void setWeights(const Weights& weights) = 0;  ///< canonical layout; layoutFor(network) tells it
  virtual Weights weights() const = 0;
  virtual std::vector<float> optimizerState() const = 0;  ///< slotsPerWeight() times the weights, canonical layout
  virtual void setOptimizerState(const std::vector<float>& state) = 0;

  /// Forward, loss, backward, update. `step` counts batches from 0. When the loss is not finite the weights stay as
  /// they were.
  virtual LossResult trainBatch(const Batch& batch, double learningRate, std::uint64_t step) = 0;
  /// How many batches trainRun() likes to take at once: more than one where waiting for each result costs time.
  virtual int runLength() const { return 1; }
  /// trainBatch() for batch `first` of `batches` and those behind it, one a rate, at steps `step`, step + 1 ... One
  /// result for each; ends after the first whose loss is not finite. The samples behind `batches` must not change while
  /// this lives.
  virtual std::vector<LossResult> trainRun(Batches& batches, int first, std::span<const double> learningRates,
                                           std::uint64_t step);
  /// The net's output [N, outputSize()]; no dropout. Weights are not changed.
  virtual void forward(const Batch& batch, float* outputs) = 0;
  /// The output of every node of the graph for one batch: out[i] is [N, node i's shape]. For looking inside; may be
  /// slow.
  virtual void activations(const Batch& batch, std::vector<std::vector<float>>& out) = 0;
  /// Runs `batch` again layer by layer and names the first that is not finite; what = "" when all are finite.
  virtual NonFinite findNonFinite(const Batch& batch, std::uint64_t step) = 0;
  /// What it trains in: what was asked for, or what the device has instead.
  virtual Precision precision() const { return Precision::Float32; }
  /// One line a layer or pass: which kernel was chosen and why (`strata bench --explain`).
  virtual std::string explain() const = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual const std::string& id() const = 0;
  /// What it can train in, its own choice first.
  virtual std::vector<Precision> precisions() const { return {Precision::Float32}; }
  /// An op for the site, or null: then the reference op runs.
  virtual std::unique_ptr<Op> makeOp(const LayerDef& def, const Site& site) = 0;
  /// The whole stack. The default is Network (network.h), op by op. Error::Input when there is not memory enough.
  virtual std::unique_ptr<CompiledNetwork> compile(const CompileRequest& request);
};

/// How one convolution would be computed on one GPU that need not be here.
struct PlannedConv {
  std::string graph;      ///< "forward+bias+relu 128x12x12x24 -> 8x8x48, 5x5"
  std::string precision;  ///< "float32", "TF32" or "bfloat16"
  std::string gpu;        ///< "NVIDIA H200 (sm_90)"
  std::string engine;     ///< the library's name for its kernel; empty where it has none
  std::int64_t workspaceBytes = 0;
  std::string fallback;  ///< what computes it where there is no engine, and why
};

/// A backend that can be asked for. What is missing is a reason, not an #ifdef.
struct BackendDef {
  std::string id;                                               ///< "cpu"
  std::string title;                                            ///< "CPU"
  std::function<std::string()> unavailableReason;               ///< "" when it can be used here
  std::function<std::unique_ptr<Backend>(int threads)> create;  ///< threads: 0 = one per core
  /// Every convolution that training the net takes, on every described GPU, in every precision: needs no GPU. Throws
  /// Error::Device with the reason where it cannot plan; unset for a backend that plans nothing ahead.
  std::function<std::vector<PlannedConv>(const NetworkSpec& network, int batch)> plans = {};
};

/// reference, cpu, cuda, in that order. "check:a,b" is made by createBackend() and is not listed.
const std::vector<BackendDef>& allBackends();

/// The backend of that id. Throws Error::Usage for an unknown id (with the known ones) and Error::Device with the
/// reason for an absent one.
std::unique_ptr<Backend> createBackend(const std::string& id, int threads);
/// Throws Error::Usage when the backend does not offer the precision.
void checkPrecision(const Backend& backend, std::optional<Precision> precision);
/// "cuda" where it is available, else "cpu".
std::string defaultBackendId();

}  // namespace strata

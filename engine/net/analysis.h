// SPDX-License-Identifier: Apache-2.0
// analyse(): a pure function from the net to shapes, costs, issues and, where there is no error, the graph.
#pragma once
#include <string>
#include <vector>

#include "engine/net/graph.h"
#include "engine/net/network_spec.h"

namespace strata {

/// What analyse() found for one layer. Shapes are unknown from the first broken layer on.
struct LayerAnalysis {
  const LayerDef* def = nullptr;  ///< null when the type is unknown
  std::string path;               ///< "res1/conv1"
  int depth = 0;                  ///< containers around it
  Shape in, out;
  std::vector<ParamInfo> params;  ///< of the layer alone
  std::int64_t parameters = 0;    ///< running variables included; of a container: of all that it holds
  std::int64_t macs = 0;          ///< per sample, forward; likewise
  int value = -1;                 ///< of Analysis::graph: its output; -1 while that is unknown
};

struct Analysis {
  std::vector<LayerAnalysis> layers;  ///< by number (network_spec.h)
  Graph graph;                        ///< whole only when ok()
  std::vector<Issue> issues;
  std::int64_t parameters = 0;   ///< running variables included, as Keras counts
  std::int64_t macs = 0;         ///< per sample, forward
  std::int64_t activations = 0;  ///< floats per sample, all nodes' outputs and the input
  bool ok() const;               ///< no issue of level Error

  /// Bytes needed to train with this batch on a host: activations and their gradients, weights, gradients, optimizer
  /// state.
  std::int64_t trainingBytes(int batch, int optimizerSlots) const;
  /// Bytes needed for answers to so many samples at once: layer outputs and weights, each also in the form that a
  /// fast kernel wants.
  std::int64_t inferenceBytes(int batch) const;
};

/// What a loss asks of the net's output: adds an issue where `out` is not fit for it.
using OutputRule = void (*)(const NetworkSpec& spec, const Shape& out, std::vector<Issue>& issues);
/// One value for each class, as they are: no activation behind them.
void classifierOutput(const NetworkSpec& spec, const Shape& out, std::vector<Issue>& issues);

Analysis analyse(const NetworkSpec& spec, OutputRule rule = classifierOutput);

/// Of a net that is sound whatever its output; else Error::Input with the first error.
Analysis soundAnalysis(const NetworkSpec& spec);
/// Its graph, likewise.
Graph lower(const NetworkSpec& spec);

}  // namespace strata

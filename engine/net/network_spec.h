// SPDX-License-Identifier: Apache-2.0
// The stack as a document holds it, and analyse(): a pure function from the stack to shapes, costs and issues.
#pragma once
#include <string>
#include <vector>

#include "engine/net/layer.h"

namespace strata {

struct LayerSpec {
  std::string type;  ///< a LayerDef's type
  std::string name;  ///< unique in the stack; names the weights in files
  Fields fields;
  bool operator==(const LayerSpec&) const = default;
};

/// A stack of layers. The last layer's output are the logits; the softmax belongs to the loss.
struct NetworkSpec {
  Shape input = Shape::image(28, 28, 1);
  int classes = 10;
  std::vector<LayerSpec> layers;
  bool operator==(const NetworkSpec&) const = default;
};

/// Sizes past these are refused before anything is allocated.
inline constexpr std::int64_t kMaxElements = INT32_MAX;  ///< values in one sample's tensors, or in all weights
inline constexpr int kMaxLayers = 1000;
inline constexpr int kMaxSide = 16384;      ///< height or width of an input
inline constexpr int kMaxChannels = 65536;  ///< channels of an input, or its length when it is a vector
inline constexpr int kMaxClasses = 65536;

/// What analyse() found for one layer. Shapes are unknown from the first broken layer on.
struct LayerAnalysis {
  const LayerDef* def = nullptr;  ///< null when the type is unknown
  Shape in, out;
  std::vector<ParamInfo> params;
  std::int64_t parameters = 0;
  std::int64_t weightsOffset = 0;  ///< of the layer's slice in the arena, in floats
  std::int64_t macs = 0;           ///< per sample, forward
};

struct Analysis {
  std::vector<LayerAnalysis> layers;  ///< one for each layer of the stack
  std::vector<Issue> issues;
  std::int64_t parameters = 0;
  std::int64_t macs = 0;         ///< per sample, forward
  std::int64_t activations = 0;  ///< floats per sample, all layer outputs and the input
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

/// Carries out one of the fixes of an issue that analyse(spec) reported.
void applyFix(NetworkSpec& spec, const Issue& issue, const Fix& fix);

/// A new layer of that type, named "conv3" or the like, unused in `spec`.
LayerSpec newLayer(const NetworkSpec& spec, const LayerDef& def);

Json networkToJson(const NetworkSpec& spec);
/// Throws Error::Input naming `where` and the layer. Accepts a stack with issues: a half-edited net is a document too.
NetworkSpec networkFromJson(const Json& json, const std::string& where);

}  // namespace strata

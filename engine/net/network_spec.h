// SPDX-License-Identifier: Apache-2.0
// The net as a document holds it: a stack of layers, and containers that hold stacks of their own. What can be asked of
// it is in analysis.h.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "engine/net/layer.h"

namespace strata {

struct LayerSpec {
  std::string type;  ///< a LayerDef's type
  std::string name;  ///< unique among all layers of one container; names the weights in files
  Fields fields;
  bool trainable = true;                            ///< false: frozen, and everything that it holds
  std::vector<std::vector<LayerSpec>> stacks = {};  ///< of a container, in the order of LayerDef::stacks
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
inline constexpr int kMaxLayers = 1000;                  ///< with those in containers
inline constexpr int kMaxDepth = 8;                      ///< of containers in containers
inline constexpr int kMaxStacks = 16;                    ///< of one container
inline constexpr int kMaxSide = 16384;                   ///< height or width of an input
inline constexpr int kMaxChannels = 65536;               ///< channels of an input, or its length when it is a vector
inline constexpr int kMaxClasses = 65536;

// Layers are numbered as one reads the net from top to bottom: a container comes before what it holds, its first stack
// before its second. In a net without containers that is the place in the stack.

int layerCount(const NetworkSpec& spec);
/// The layer of that number; it must be there.
LayerSpec& layerAt(NetworkSpec& spec, int number);
const LayerSpec& layerAt(const NetworkSpec& spec, int number);

/// A gap between layers, where one is put.
struct StackPlace {
  int container = -1;  ///< its number; -1: the net itself
  int stack = 0;       ///< which of the container's
  int at = 0;          ///< before the layer that stands there
  bool operator==(const StackPlace&) const = default;
};
/// Where the layer of that number stands.
StackPlace placeOf(const NetworkSpec& spec, int number);
/// The stack that a place is in; the container must be there.
std::vector<LayerSpec>& stackAt(NetworkSpec& spec, const StackPlace& place);
/// The number of the layer at a place, or, behind the last of a stack, that which one put there would get.
int numberAt(const NetworkSpec& spec, const StackPlace& place);
/// Names from the outside in: "res1/conv1".
std::string pathOf(const NetworkSpec& spec, int number);

/// Carries out one of the fixes of an issue that analyse(spec) reported.
void applyFix(NetworkSpec& spec, const Issue& issue, const Fix& fix);

/// A new layer of that type, named "conv3" or the like, unused anywhere in `spec`; a container with its stacks empty.
LayerSpec newLayer(const NetworkSpec& spec, const LayerDef& def);
/// The names of all layers, those in containers included.
std::set<std::string> namesIn(const NetworkSpec& spec);
/// "conv3": the stem and the lowest number that is not used.
std::string unusedName(const std::set<std::string>& used, const std::string& stem);
/// 1 to 64 letters, digits, _ and -.
bool usableName(const std::string& name);

Json networkToJson(const NetworkSpec& spec);
/// Throws Error::Input naming `where` and the layer. Accepts a stack with issues: a half-edited net is a document too.
NetworkSpec networkFromJson(const Json& json, const std::string& where);

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// A layer is data plus a reference op, in one file of layers/. The metadata here drive the palette, the form, undo,
// JSON, validation and the generated tests; the reference op is the plain, readable truth that every backend is
// compared with. A container is a layer that holds stacks of layers: instead of an op it has join(), which says what
// becomes of the stacks' outputs. To add a layer: one file in layers/, one line in layers/all_layers.cpp. Start from
// layers/pool2d.cpp.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/net/field.h"
#include "engine/net/shape.h"

namespace strata {

/// A one-click mend of an Issue: sets a field of the layer it is about ("name" is its name) or of those in one of its
/// stacks, or puts a new layer before it or into one of its stacks. applyFix() in network_spec.h carries it out.
struct Fix {
  std::string title;  ///< "Use 5 × 5"
  std::string field;  ///< empty when a layer is inserted
  Value value;
  std::string insert;                                    ///< type of the layer to put before: "flatten"
  int stack = -1;                                        ///< of the container: at its end the layer is put, in all its layers the field set
  std::vector<std::pair<std::string, Value>> with = {};  ///< fields of the inserted layer
};

/// Something wrong, or worth a warning, in a stack.
struct Issue {
  enum class Level { Warning, Error };
  int layer = -1;     ///< of Analysis::layers; -1: the net as a whole
  std::string field;  ///< id of the field to blame; empty: the layer as a whole
  Level level = Level::Error;
  std::string text;  ///< a full sentence with the limit: "Kernel 13 × 13 does not fit the 12 × 12 input. Largest that
                     ///< fits: 12."
  std::vector<Fix> fixes;  ///< at most two
};

/// What a layer makes of an input shape: a shape, or an issue when it cannot.
struct ShapeResult {
  Shape out;                   ///< unknown when there is an issue of level Error
  std::optional<Issue> issue;  ///< its `layer` is filled in by analyse()
};

/// One variable of a layer, in the order in which they lie in the layer's slice of the arena.
struct ParamInfo {
  /// A Trained variable has a gradient and the optimizer's slots. A Running one is a statistic that the layer keeps for
  /// itself, like batch norm's moving mean: saved, loaded and exported, never differentiated. Where a trained one gets
  /// its gradient, backward() leaves the value that it takes after this batch.
  enum class Role { Trained, Running };
  std::string name;                    ///< "kernel", "bias": the file name is "<path>.<name>"
  std::vector<int> shape;              ///< conv kernel [R,S,C,K], dense kernel [in,out], bias [out]
  Initializer initializer;             ///< how it starts
  std::int64_t fanIn = 1, fanOut = 1;  ///< as Keras counts them
  Role role = Role::Trained;
  std::int64_t size() const;
};

/// Everything an op must know about the place it runs in.
struct Site {
  std::string name;  ///< path of the node, for messages
  Fields fields;
  Shape in, out;
  std::vector<Shape> ins;  ///< of all inputs, `in` the first of them
  int maxBatch = 1;
  std::uint64_t stream = 0;        ///< separates the random numbers of two dropouts; below 2^24
  bool needsInputGradient = true;  ///< false for the first layer: dx is not asked for
  bool trainable = true;           ///< false: nobody looks at the gradients
};

/// One call's tensors. All are dense and channels last; the op owns nothing of them.
template <class Real>
struct BasicOpIo {
  int batch = 0;                    ///< samples in this call, 1..maxBatch
  const Real* x = nullptr;          ///< [N, in]; of a node that joins, the first input
  Real* y = nullptr;                ///< [N, out]; backward may read it
  const Real* dy = nullptr;         ///< [N, out]; backward only
  Real* dx = nullptr;               ///< [N, in]; backward only; null when not needed. Overwritten, never added to
  std::span<const Real* const> xs;  ///< every input of a node that joins, in the order of Site::ins
  std::span<Real* const> dxs;       ///< likewise; single ones are null when not needed
  std::span<const Real> weights;    ///< the layer's slice: its ParamInfos one after another
  std::span<Real> gradients;        ///< same layout; backward overwrites it
  bool training = false;            ///< dropout acts only when true
  std::uint64_t seed = 0;           ///< of the run
  std::uint64_t step = 0;           ///< batches trained before this one
};

/// A layer bound to a site. Owns its caches and workspace. backward() is called after forward() with the same x, y and
/// batch.
template <class Real>
class BasicOp {
 public:
  virtual ~BasicOp() = default;
  virtual void forward(const BasicOpIo<Real>& io) = 0;
  virtual void backward(const BasicOpIo<Real>& io) = 0;
};
using Op = BasicOp<float>;
using OpIo = BasicOpIo<float>;

/// A case for the generated tests: fields that differ from the initial values, and an input shape they are legal for.
struct Example {
  std::string fields;  ///< a JSON object, as in a project; of a container with its stacks
  Shape in;
  std::vector<Shape> others = {};  ///< the further inputs of a layer that joins
  /// How far gradients in float may be off where they are sums that cancel to nothing.
  double tolerance = 1e-6;
};

/// One of the stacks that a container holds.
struct StackDef {
  std::string key;    ///< in JSON: "shortcut"
  std::string title;  ///< "Shortcut"
};

/// One of several nodes that the single layer in a container's stack becomes, each with variables of its own:
/// "bi1/backward".
struct TwinDef {
  std::string name;                                      ///< of the node, in the place of the layer's
  std::vector<std::pair<std::string, Value>> with = {};  ///< what its fields hold besides the layer's
};

/// What join() sees and does while the net is flattened. Values are numbers of Graph::values.
class Joining {
 public:
  virtual ~Joining() = default;
  virtual const Fields& fields() const = 0;  ///< the container's
  /// Of its stacks, an empty one's is the container's input; or of its twins.
  virtual const std::vector<int>& outputs() const = 0;
  virtual Shape shapeOf(int value) const = 0;
  /// Adds a node "<container>/<name>" of that type, its fields a JSON object, and returns the value that it makes; -1
  /// when it cannot take the inputs, which becomes an issue of the container. `variables` are names for the node's
  /// variables as the layer's own: "depthwise_kernel" for "<layer>.depthwise_kernel".
  virtual int node(const std::string& type, const std::string& name, const std::string& fields,
                   const std::vector<int>& inputs, const std::vector<std::string>& variables = {}) = 0;
  virtual void add(Issue issue) = 0;  ///< of the container; an error when the result is -1. Fixes may fail to mend
};

/// Everything there is to know about a type of layer.
struct LayerDef {
  std::string type;      ///< as in files: "conv2d"
  std::string title;     ///< "Conv 2D"
  std::string stem;      ///< of the names of new layers: "conv" makes conv1, conv2
  std::string category;  ///< "conv" "pool" "norm" "dense" "seq" "act" "shape" "reg": the design's colour tokens
  std::string icon;      ///< name in resources/icons
  std::string help;      ///< two or three sentences for a newcomer
  std::vector<Field> fields;
  std::vector<StackDef> stacks;     ///< of a container
  bool anyStacks = false;           ///< any number of stacks of the one kind in `stacks`, under one key
  std::vector<TwinDef> twins;       ///< of a container whose one stack holds a single recurrent layer: its nodes
  bool recurrent = false;           ///< it reads its input step by step (layers/recurrent.h)
  bool hidden = false;              ///< only containers make it: it is not in the palette
  bool reshapes = false;            ///< in memory nothing moves: the output's values are the input's
  bool samplesIndependent = false;  ///< each sample's output depends on that sample alone, in training too
  bool onlyInTraining = false;      ///< it does nothing when the net is used
  bool onlyActivates = false;       ///< its field "activation" says all that it does
  std::string width;  ///< id of the field that says how many channels come out: "filters"; empty where none does

  bool isContainer() const { return join != nullptr; }
  bool joins() const { return inferJoin != nullptr; }

  ShapeResult (*inferShape)(const Fields& fields, Shape in) = nullptr;
  /// Of a layer with several inputs, in the place of inferShape.
  ShapeResult (*inferJoin)(const Fields& fields, const std::vector<Shape>& ins) = nullptr;
  /// Of a container: adds the nodes that join its stacks' outputs and returns the last one's value; -1 with an issue.
  int (*join)(Joining& to) = nullptr;
  /// Of a layer that the net computes as several other nodes: adds them behind its input, outputs().front(), and
  /// returns the last one's value. inferShape is asked before; such a layer has no op.
  int (*expand)(Joining& to) = nullptr;
  std::vector<ParamInfo> (*params)(const Fields& fields, Shape in) = nullptr;
  std::int64_t (*macs)(const Fields& fields, Shape in) = nullptr;  ///< multiply-adds of one sample's forward pass
  std::string (*summary)(const Fields& fields) =
      nullptr;  ///< the card's second line: "24 filters · 5 × 5 · stride 1 · ReLU"
  /// A few letters for a line that holds a whole net: "C24", "P"; null where the layer is left out there.
  std::string (*shortText)(const Fields& fields) = nullptr;
  std::unique_ptr<Op> (*makeOp)(const Site& site) = nullptr;  ///< reference op
  /// The same code in double, for gradient checks.
  std::unique_ptr<BasicOp<double>> (*makeOp64)(const Site& site) = nullptr;
  std::vector<Example> examples;
};

/// Every layer there is, in the palette's order.
const std::vector<LayerDef>& allLayers();

/// The layer of that type, or null.
const LayerDef* findLayer(const std::string& type);

}  // namespace strata

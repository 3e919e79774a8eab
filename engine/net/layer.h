// SPDX-License-Identifier: Apache-2.0
// A layer is data plus a reference op, in one file of layers/. The metadata here drive the palette, the form, undo,
// JSON, validation and five generated tests; the reference op is the plain, readable truth that every backend is
// compared with. To add a layer: one file in layers/, one line in layers/all_layers.cpp. Start from layers/pool2d.cpp.
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

/// A one-click mend of an Issue: sets one field of the layer it is about ("name" is the layer's name), or puts a new
/// layer before it. applyFix() in network_spec.h carries it out.
struct Fix {
  std::string title;  ///< "Use 5 × 5"
  std::string field;  ///< empty when a layer is inserted
  Value value;
  std::string insert;  ///< type of the layer to put before: "flatten"
};

/// Something wrong, or worth a warning, in a stack.
struct Issue {
  enum class Level { Warning, Error };
  int layer = -1;     ///< index in the stack; -1: the net as a whole
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

/// One trained tensor of a layer, in the order in which they lie in the layer's slice of the arena.
struct ParamInfo {
  std::string name;        ///< "kernel", "bias": the file name is "<layer name>.<name>"
  std::vector<int> shape;  ///< conv kernel [R,S,C,K], dense kernel [in,out], bias [out]
  Initializer initializer;
  std::int64_t fanIn = 1, fanOut = 1;  ///< as Keras counts them
  std::int64_t size() const;
};

/// Everything an op must know about the place it runs in.
struct Site {
  std::string name;  ///< of the layer, for messages
  Fields fields;
  Shape in, out;
  int maxBatch = 1;
  int index = 0;                   ///< position in the stack: separates the random streams of two dropouts
  bool needsInputGradient = true;  ///< false for the first layer: dx is not asked for
};

/// One call's tensors. All are dense and channels last; the op owns nothing of them.
template <class Real>
struct BasicOpIo {
  int batch = 0;                  ///< samples in this call, 1..maxBatch
  const Real* x = nullptr;        ///< [N, in]
  Real* y = nullptr;              ///< [N, out]; backward may read it
  const Real* dy = nullptr;       ///< [N, out]; backward only
  Real* dx = nullptr;             ///< [N, in]; backward only; null when not needed. Overwritten, never added to
  std::span<const Real> weights;  ///< the layer's slice: its ParamInfos one after another
  std::span<Real> gradients;      ///< same layout; backward overwrites it
  bool training = false;          ///< dropout acts only when true
  std::uint64_t seed = 0;         ///< of the run
  std::uint64_t step = 0;         ///< batches trained before this one
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
  std::string fields;  ///< a JSON object, as in a project
  Shape in;
};

/// Everything there is to know about a type of layer.
struct LayerDef {
  std::string type;      ///< as in files: "conv2d"
  std::string title;     ///< "Conv 2D"
  std::string stem;      ///< of the names of new layers: "conv" makes conv1, conv2
  std::string category;  ///< "conv" "pool" "dense" "act" "shape" "reg": the design's colour tokens
  std::string icon;      ///< name in resources/icons
  std::string help;      ///< two or three sentences for a newcomer
  std::vector<Field> fields;

  ShapeResult (*inferShape)(const Fields& fields, Shape in) = nullptr;
  std::vector<ParamInfo> (*params)(const Fields& fields, Shape in) = nullptr;
  std::int64_t (*macs)(const Fields& fields, Shape in) = nullptr;  ///< multiply-adds of one sample's forward pass
  std::string (*summary)(const Fields& fields) =
      nullptr;  ///< the card's second line: "24 filters · 5 × 5 · stride 1 · ReLU"
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

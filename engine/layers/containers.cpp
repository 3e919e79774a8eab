// SPDX-License-Identifier: Apache-2.0
// Containers: layers that hold stacks of layers. Flattened they are the layers of their stacks and the nodes that join
// what comes out.
#include "engine/layers/common.h"

namespace strata {
namespace {

constexpr int kMain = 0, kShortcut = 1;  ///< the stacks of a residual

/// The stride at which a window of one pixel makes `out` of `in`; 0: none does.
int strideTo(int in, int out) {
  for (int stride = 1; stride <= in; ++stride)
    if ((in + stride - 1) / stride == out) return stride;
  return 0;
}

/// A convolution at the end of the shortcut that makes its shape the stack's, where one can.
std::optional<Fix> convolutionFix(Shape side, Shape main) {
  const Pair strides{strideTo(side.h, main.h), strideTo(side.w, main.w)};
  if (strides.h == 0 || strides.w == 0) return {};
  Fix fix{"Use a 1 × 1 convolution", "", {}, "conv2d", kShortcut};
  fix.with = {{"filters", std::int64_t{main.c}}, {"kernel_size", Pair{1, 1}}, {"strides", strides}};
  return fix;
}

/// What can make two images equal: a convolution in the shortcut, or the stride taken off the smaller one's layers.
std::vector<Fix> sumFixes(Shape side, Shape main) {
  if (!side.isImage() || !main.isImage()) return {};
  std::vector<Fix> fixes;
  if (auto fix = convolutionFix(side, main)) fixes.push_back(std::move(*fix));
  if (side.h != main.h || side.w != main.w)
    fixes.push_back({"Set stride to 1", "strides", Pair{1, 1}, "", main.h < side.h ? kMain : kShortcut});
  return fixes;
}

int joinResidual(Joining& to) {
  const int main = to.outputs()[kMain], side = to.outputs()[kShortcut];
  if (to.shapeOf(main) != to.shapeOf(side)) {
    to.add({-1, "", Issue::Level::Error,
            "The stack gives " + to.shapeOf(main).text() + ", the shortcut " + to.shapeOf(side).text() + ": no sum.",
            sumFixes(to.shapeOf(side), to.shapeOf(main))});
    return -1;
  }
  const int sum = to.node("add", "add", "{}", {main, side});
  const std::string& activation = to.fields().text("activation");
  if (sum < 0 || activation == "linear") return sum;
  return to.node("activation", "activation", R"({"activation": ")" + activation + R"("})", {sum});
}

int joinBranches(Joining& to) {
  const std::string& merge = to.fields().text("merge");
  const std::vector<int>& ways = to.outputs();
  return to.node(merge, merge, "{}", ways);
}

/// Work and variables of a container are those of its nodes, which are counted one by one.
void makeContainer(LayerDef& def) {
  def.category = "shape";
  def.params = noParams;
  def.macs = noMacs;
}

}  // namespace

LayerDef residualLayer() {
  LayerDef def;
  def.type = "residual";
  def.title = "Residual";
  def.stem = "res";
  def.icon = "residual";
  def.help =
      "Adds what comes in to what its stack makes of it, so that the stack only has to learn the difference. Deep "
      "nets train far better that way. A shortcut without layers hands the input on as it is.";
  def.stacks = {{"stack", "Stack"}, {"shortcut", "Shortcut"}};
  def.fields = {activationField("relu")};
  def.join = joinResidual;
  def.summary = [](const Fields& fields) { return "adds its shortcut · " + activationTitle(fields); };
  def.examples = {
      {R"({"stack": [{"type": "conv2d", "name": "a", "filters": 3, "kernel_size": 3, "padding": "same"}]})",
       Shape::image(5, 6, 3)},
      {R"({"stack": [{"type": "conv2d", "name": "a", "filters": 4, "kernel_size": 3, "padding": "same", "strides": 2,
                      "activation": "relu"},
                     {"type": "conv2d", "name": "b", "filters": 4, "kernel_size": 3, "padding": "same"}],
           "shortcut": [{"type": "conv2d", "name": "c", "filters": 4, "kernel_size": 1, "strides": 2}],
           "activation": "tanh"})",
       Shape::image(7, 6, 2)},
      {R"({"stack": [{"type": "dense", "name": "a", "units": 9}], "activation": "linear"})", Shape::vector(9)},
  };
  makeContainer(def);
  return def;
}

LayerDef branchesLayer() {
  LayerDef def;
  def.type = "branches";
  def.title = "Branches";
  def.stem = "branch";
  def.icon = "branches";
  def.help =
      "Gives its input to several stacks side by side and joins what they make of it: windows of several sizes on "
      "one image, say. A stack without layers hands the input on as it is.";
  def.stacks = {{"stacks", "Branch"}};
  def.anyStacks = true;
  def.fields = {choiceField("merge", "Merge",
                            {{"concat", "Concatenate", "Channels one behind the other"},
                             {"add", "Add", "The sum, value by value; all of one shape"},
                             {"multiply", "Multiply", "The product, value by value; all of one shape"},
                             {"average", "Average", "The mean, value by value; all of one shape"},
                             {"max", "Maximum", "The largest, value by value; all of one shape"}},
                            "concat", "How the branches are joined.")};
  def.join = joinBranches;
  def.summary = [](const Fields& fields) { return "side by side, then " + fields.text("merge"); };
  def.examples = {
      {R"({"stacks": [[{"type": "conv2d", "name": "a", "filters": 3, "kernel_size": 1}],
                      [{"type": "conv2d", "name": "b", "filters": 2, "kernel_size": 3, "padding": "same"}], []]})",
       Shape::image(5, 4, 2)},
      {R"({"stacks": [[{"type": "dense", "name": "a", "units": 5}], [{"type": "dense", "name": "b", "units": 5}]],
           "merge": "multiply"})",
       Shape::vector(6)},
      {R"({"stacks": [[{"type": "dense", "name": "a", "units": 6, "activation": "tanh"}], []], "merge": "max"})",
       Shape::vector(6)},
      {R"({"stacks": [[{"type": "residual", "name": "a", "stack": [{"type": "dense", "name": "b", "units": 6}]}],
                      [{"type": "dense", "name": "c", "units": 6}]], "merge": "average"})",
       Shape::vector(6)},
  };
  makeContainer(def);
  return def;
}

}  // namespace strata

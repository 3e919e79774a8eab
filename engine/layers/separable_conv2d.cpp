// SPDX-License-Identifier: Apache-2.0
// Separable Conv 2D: a depthwise convolution without bias, then a convolution of 1 x 1 with bias and activation. That
// is also how it is computed: lowering makes the two nodes.
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/layers/common.h"

namespace strata {
namespace {

std::vector<Field> separableFields() {
  return {
      intField("filters", "Filters", 32, 1, 4096, "How many channels the output has."),
      kernelField("Height and width of the patch of each channel that one output pixel looks at."),
      stridesField("How far the kernel moves each time; 2 halves height and width."),
      paddingField("Valid keeps the kernel inside the image, which shrinks by its size less one; Same pads with "
                   "zeros to keep the size."),
      intField("depth_multiplier", "Kernels a channel", 1, 1, 256,
               "How many channels are made of every input channel before they are mixed."),
      activationField("linear"),
      biasField(),
      initializerField("depthwise_initializer", "Initial kernels"),
      initializerField("pointwise_initializer", "Initial mixing"),
  };
}

/// The two layers' fields.
Fields depthwiseFieldsOf(const Fields& fields) {
  Fields depthwise(findLayer("depthwise_conv2d")->fields);
  for (const char* id : {"kernel_size", "strides", "padding", "depth_multiplier"}) depthwise.set(id, fields.at(id));
  depthwise.set("kernel_initializer", fields.at("depthwise_initializer"));
  depthwise.set("use_bias", false);
  return depthwise;
}
Fields pointwiseFieldsOf(const Fields& fields) {
  Fields pointwise(findLayer("conv2d")->fields);
  for (const char* id : {"filters", "activation", "use_bias"}) pointwise.set(id, fields.at(id));
  pointwise.set("kernel_initializer", fields.at("pointwise_initializer"));
  pointwise.set("kernel_size", Pair{1, 1});
  return pointwise;
}

ShapeResult separableShape(const Fields& fields, Shape in) {
  const ShapeResult between = findLayer("depthwise_conv2d")->inferShape(depthwiseFieldsOf(fields), in);
  return between.out.known() ? findLayer("conv2d")->inferShape(pointwiseFieldsOf(fields), between.out) : between;
}

int expandSeparable(Joining& to) {
  const auto written = [](const char* type, const Fields& fields) {
    Json json = Json::object();
    fieldsToJson(findLayer(type)->fields, fields, json);
    return json.dump();
  };
  const int between =
      to.node("depthwise_conv2d", "depthwise", written("depthwise_conv2d", depthwiseFieldsOf(to.fields())),
              to.outputs(), {"depthwise_kernel"});
  if (between < 0) return between;
  return to.node("conv2d", "pointwise", written("conv2d", pointwiseFieldsOf(to.fields())), {between},
                 {"pointwise_kernel", "bias"});
}

}  // namespace

LayerDef separableConv2dLayer() {
  LayerDef def;
  def.type = "separable_conv2d";
  def.title = "Separable Conv 2D";
  def.stem = "sepconv";
  def.category = "conv";
  def.icon = "sepconv";
  def.help = "A convolution in two steps: first every channel by itself, then a mixture of the channels at each pixel. "
             "It does nearly what a convolution does with a fraction of the weights and the work.";
  def.fields = separableFields();
  def.inferShape = separableShape;
  def.expand = expandSeparable;
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields& fields) {
    return counted(fields.integer("filters"), "filter") + " · " + pairText(fields.pair("kernel_size")) + " · stride " +
           strideText(fields.pair("strides")) + (fields.text("padding") == "same" ? " · same" : "") +
           thenActivation(fields);
  };
  def.width = "filters";
  def.shortText = [](const Fields& fields) { return "S" + std::to_string(fields.integer("filters")); };
  def.samplesIndependent = true;
  def.examples = {
      {R"({"filters": 5})", Shape::image(6, 5, 4)},
      {R"({"filters": 9, "padding": "same", "strides": 2, "activation": "relu"})", Shape::image(7, 6, 3)},
      {R"({"filters": 4, "depth_multiplier": 3, "use_bias": false, "activation": "gelu"})", Shape::image(5, 4, 2)},
  };
  return def;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Fields, shape rule and parameters of the recurrent layers.
#include "engine/layers/recurrent.h"

#include "engine/base/text.h"
#include "engine/net/initializer.h"

namespace strata {
namespace {

/// The activations whose slope their output tells, since a cell keeps no more than that.
Field activationOfCells() {
  Field field = activationField("tanh");
  std::erase_if(field.choices, [](const Choice& choice) {
    return choice.id != "tanh" && choice.id != "relu" && choice.id != "sigmoid" && choice.id != "linear";
  });
  field.help = "What bends the output of every step. Tanh is the usual one: it keeps what is handed on within -1..1, "
               "while ReLU can let it grow from step to step.";
  return field;
}

}  // namespace

Issue needsSequence(const std::string& title, Shape in) {
  Issue issue;
  issue.text = title + " reads a sequence or the rows of an image, but its input is a vector of " + in.text() +
               ". Move it before the Flatten layer, or let the recurrent layer before it return sequences.";
  return issue;
}

std::vector<Field> recurrentFields() {
  return {intField("units", "Units", 128, 1, 1 << 11,
                   "How many numbers the layer remembers from step to step, and puts out."),
          boolField("return_sequences", "Every step", false,
                    "Puts out what it knows after every step, for a further layer that reads sequences; otherwise only "
                    "what it knows after the last."),
          activationOfCells()};
}

bool goesBackwards(const Fields& fields) { return fields.has(kGoBackwards) && fields.flag(kGoBackwards); }

ShapeResult recurrentShape(const std::string& title, const Fields& fields, Shape in) {
  if (in.isVector()) return {{}, needsSequence(title, in)};
  const int units = fields.integer("units");
  return {fields.flag("return_sequences") ? Shape::sequence(in.h, units) : Shape::vector(units), {}};
}

std::int64_t recurrentMacs(const Fields& fields, Shape in, int gates) {
  const std::int64_t units = fields.integer("units"), inputs = asSequence(in).c;
  return saturatingMul(saturatingMul(gates * units, inputs + units), in.h);
}

std::vector<ParamInfo> recurrentParams(const Fields& fields, Shape in, int gates, const std::vector<int>& biasShape,
                                       const char* biasStart) {
  const int units = fields.integer("units"), width = gates * units, inputs = asSequence(in).c;
  return {{"kernel", {inputs, width}, {}, inputs, width},
          {"recurrent_kernel", {units, width}, makeInitializer("orthogonal"), units, width},
          {"bias", biasShape, {biasStart}, width, width}};
}

void makeRecurrent(LayerDef& def) {
  def.category = "seq";
  def.fields = recurrentFields();
  def.recurrent = true;
  def.samplesIndependent = true;
  def.summary = [](const Fields& fields) {
    return counted(fields.integer("units"), "unit") + " · " + activationTitle(fields) +
           (fields.flag("return_sequences") ? " · every step" : "");
  };
}

}  // namespace strata

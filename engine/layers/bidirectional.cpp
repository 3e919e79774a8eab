// SPDX-License-Identifier: Apache-2.0
// Bidirectional (Schuster & Paliwal 1997): a container whose one recurrent layer becomes two nodes with weights of
// their own, "<path>/forward" and "<path>/backward", and a node that joins what they put out, step by step.
#include "engine/layers/recurrent.h"

namespace strata {
namespace {

int joinBidirectional(Joining& to) {
  const std::string& mode = to.fields().text("merge_mode");
  const std::string type = mode == "sum" ? "add" : mode == "mul" ? "multiply" : mode == "ave" ? "average" : mode;
  return to.node(type, type, "{}", to.outputs());
}

}  // namespace

LayerDef bidirectionalLayer() {
  LayerDef def;
  def.type = "bidirectional";
  def.title = "Bidirectional";
  def.stem = "bi";
  def.category = "seq";
  def.icon = "bidir";
  def.help =
      "Holds one recurrent layer and lets it read the sequence twice, from the first step on and from the last step "
      "back, each with weights of its own. Every step then knows what comes before it and what comes after.";
  def.stacks = {{"stack", "Recurrent layer"}};
  def.twins = {{"forward"}, {"backward", {{kGoBackwards, true}}}};
  def.fields = {choiceField("merge_mode", "Merge",
                            {{"concat", "Concatenate", "Both side by side: twice as many channels"},
                             {"sum", "Sum", "The sum, value by value"},
                             {"mul", "Multiply", "The product, value by value"},
                             {"ave", "Average", "The mean, value by value"}},
                            "concat", "How what both directions put out is joined.")};
  def.join = joinBidirectional;
  def.params = noParams;
  def.macs = noMacs;
  def.summary = [](const Fields& fields) { return "both ways, then " + fields.text("merge_mode"); };
  def.examples = {
      {R"({"stack": [{"type": "lstm", "name": "a", "units": 5}]})", Shape::sequence(4, 3)},
      {R"({"stack": [{"type": "gru", "name": "a", "units": 7, "return_sequences": true}], "merge_mode": "sum"})",
       Shape::image(5, 3, 2)},
      {R"({"stack": [{"type": "simple_rnn", "name": "a", "units": 3, "return_sequences": true}], "merge_mode": "mul"})",
       Shape::sequence(3, 4)},
      {R"({"stack": [{"type": "lstm", "name": "a", "units": 17}], "merge_mode": "ave"})", Shape::sequence(2, 9)},
  };
  return def;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Preprocessing as fields and as JSON, and what of it follows from the data.
#include "engine/data/preprocessing.h"

#include <algorithm>

#include "engine/base/json.h"

namespace strata {
namespace {

// In the order of the enumerators.
const std::vector<Choice> kFramings{{"auto", "Automatic", "As the data set's own pictures are framed."},
                                    {"mnist", "MNIST", "Cropped to the ink, fitted and centred."},
                                    {"none", "None", "The whole picture is scaled."}};
const std::vector<Choice> kInks{{"auto", "Automatic", "As the data set's own pictures show it."},
                                {"light", "Light", "Light ink on a dark ground."},
                                {"dark", "Dark", "Dark ink on a light ground."},
                                {"none", "None", "The pictures are no drawings."}};

template <class Enum>
Enum byName(const std::vector<Choice>& choices, const std::string& id) {
  const auto named = [&id](const Choice& choice) { return choice.id == id; };
  return static_cast<Enum>(std::find_if(choices.begin(), choices.end(), named) - choices.begin());
}

}  // namespace

const std::vector<Field>& preprocessingFields() {
  static const std::vector<Field> fields{
      realField("scale", "Scale", Preprocessing{}.scale, -1e6, 1e6, "What one step of a byte is worth."),
      realField("offset", "Offset", 0, -1e6, 1e6, "What a black pixel is worth."),
      boolField("invert", "Dark ink on light ground", false,
                "The data are dark ink on light ground: every value is turned around before the net reads it."),
      choiceField("framing", "Framing", kFramings, "auto",
                  "How pictures from outside are laid before the net: framed as MNIST frames digits, or whole."),
      choiceField("ink", "Ink", kInks, "auto", "Whether the data are light on dark or dark on light."),
  };
  return fields;
}

Json preprocessingToJson(const Preprocessing& preprocessing) {
  return {{"scale", preprocessing.scale},
          {"offset", preprocessing.offset},
          {"invert", preprocessing.invert},
          {"framing", kFramings[static_cast<std::size_t>(preprocessing.framing)].id},
          {"ink", kInks[static_cast<std::size_t>(preprocessing.ink)].id}};
}

Preprocessing preprocessingFromJson(const Json& json, const std::string& where) {
  return preprocessingOf(fieldsFromJson(preprocessingFields(), json, where, {}));
}

Fields fieldsOf(const Preprocessing& preprocessing) {
  Fields fields;
  fields.set("scale", preprocessing.scale);
  fields.set("offset", preprocessing.offset);
  fields.set("invert", preprocessing.invert);
  fields.set("framing", kFramings[static_cast<std::size_t>(preprocessing.framing)].id);
  fields.set("ink", kInks[static_cast<std::size_t>(preprocessing.ink)].id);
  return fields;
}

Preprocessing preprocessingOf(const Fields& fields) {
  return {fields.real("scale"), fields.real("offset"), fields.flag("invert"),
          byName<Framing>(kFramings, fields.text("framing")), byName<Ink>(kInks, fields.text("ink"))};
}

Preprocessing resolved(Preprocessing preprocessing, const Dataset& dataset) {
  if (preprocessing.framing == Framing::Auto) preprocessing.framing = dataset.framing;
  if (preprocessing.ink == Ink::Auto) preprocessing.ink = dataset.ink;
  return preprocessing;
}

Preprocessing resolved(Preprocessing preprocessing, const Shape& shape, const std::vector<std::string>& classes) {
  static const std::vector<std::string> digits{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  Dataset described;
  described.framing = shape == Shape::image(28, 28, 1) && classes == digits ? Framing::Mnist : Framing::None;
  described.ink = preprocessing.invert ? Ink::Dark : Ink::Light;
  return resolved(preprocessing, described);
}

std::string polarityWarning(const Preprocessing& preprocessing) {
  if (preprocessing.framing != Framing::Mnist) return {};
  if (preprocessing.ink == Ink::Dark && !preprocessing.invert)
    return "The data are dark ink on light ground, the opposite of drawn digits; pictures are turned to match them. "
           "To learn light ink, tick \"Dark ink on light ground\" or set data.preprocessing.invert=true.";
  if (preprocessing.ink == Ink::Light && preprocessing.invert)
    return "The data are light ink on dark ground already, and are turned to dark ink; pictures are turned to match "
           "them. To learn light ink, untick \"Dark ink on light ground\" or set data.preprocessing.invert=false.";
  return {};
}

}  // namespace strata

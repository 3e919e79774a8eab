// SPDX-License-Identifier: Apache-2.0
#include "engine/data/reading.h"

#include "engine/base/error.h"
#include "engine/base/json.h"

namespace strata {
namespace {

constexpr int kMostSide = 1024;  ///< pixels
constexpr char kLabel[] = "label";

std::string labelFromJson(const Json& json, const std::string& where) {
  const auto label = json.find(kLabel);
  if (label == json.end()) return {};
  if (!label->is_string())
    throw Error(Error::Kind::Input, where, "label must be the name of a column in quotes, got " + shownValue(*label));
  return label->get<std::string>();
}

}  // namespace

const std::vector<Field>& readingFields() {
  static const std::vector<Field> fields = [] {
    Field size =
        pairField("size", "Size", 0, 0, kMostSide, "Height and width that all pictures of a folder are given.");
    size.unit = "px";
    size.zeroText = "as most are";
    return std::vector<Field>{
        size,
        choiceField("fit", "Other sizes",
                    {{"resize", "Resize", "Scaled as a whole, which may change the proportions."},
                     {"crop", "Crop", "Scaled until the size is filled; what stands over at the edges is cut off."},
                     {"pad", "Pad", "Scaled until all is inside; the rest stays black."}},
                    "resize", "What becomes of pictures of another size."),
        choiceField("colour", "Colour",
                    {{"auto", "As they are", "Grey when every picture is grey."},
                     {"grey", "Grey", "One channel."},
                     {"rgb", "Colour", "Three channels: red, green, blue."}},
                    "auto", "Whether pictures are read in colour.")};
  }();
  return fields;
}

Reading::Reading() : fields(readingFields()) {}

Json readingToJson(const Reading& reading) {
  Json json = Json::object();
  fieldsToJson(readingFields(), reading.fields, json);
  if (!reading.label.empty()) json[kLabel] = reading.label;
  return json;
}

Json wholeReadingToJson(const Reading& reading) {
  Json json = Json::object();
  allFieldsToJson(readingFields(), reading.fields, json);
  json[kLabel] = reading.label;
  return json;
}

Reading readingFromJson(const Json& json, const std::string& where) {
  Reading reading;
  reading.fields = fieldsFromJson(readingFields(), json, where, {kLabel});
  reading.label = labelFromJson(json, where);
  return reading;
}

}  // namespace strata

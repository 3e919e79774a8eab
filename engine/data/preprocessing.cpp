// SPDX-License-Identifier: Apache-2.0
// Preprocessing as fields and as JSON, and what of it follows from the data.
#include "engine/data/preprocessing.h"

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
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

constexpr double kMostValue = 1e38;        ///< of a float
constexpr double kLeastDeviation = 1e-12;  ///< as a share of the mean: less is but rounding

constexpr char kMean[] = "mean", kDeviation[] = "deviation";

std::vector<double> numbersFromJson(const Json& json, const std::string& where, double low) {
  if (!json.is_array() || json.empty() || json.size() > kMostColumns)
    throw Error(Error::Kind::Input, where,
                "must be a list of 1 to " + std::to_string(kMostColumns) + " numbers, got " + shownValue(json));
  std::vector<double> numbers;
  for (const Json& number : json) numbers.push_back(realNumber(number, where, low, kMostValue));
  return numbers;
}

/// Mean and deviation of what is trained on, by column. What never changes has the deviation 1: it becomes 0.
void measure(const DataView& data, Preprocessing& preprocessing) {
  const auto channels = static_cast<std::size_t>(data.dataset->shape.c),
             columns = channels > kMostColumns ? 1 : channels;
  const std::vector<float>& floats = data.dataset->train.floats;
  const auto size = static_cast<std::size_t>(data.dataset->shape.size());
  const double each = static_cast<double>(data.train.size()) * static_cast<double>(size / columns);
  const auto sums = [&](const auto& term) {
    std::vector<double> sum(columns, 0);
    for (const int index : data.train) {
      const float* sample = floats.data() + static_cast<std::size_t>(index) * size;
      for (std::size_t i = 0; i < size; ++i) sum[i % columns] += term(double{sample[i]}, i % columns);
    }
    for (double& value : sum) value /= each;
    return sum;
  };
  std::vector<double>& mean = preprocessing.mean;
  mean = sums([](double value, std::size_t) { return value; });
  preprocessing.deviation = sums([&](double value, std::size_t c) { return (value - mean[c]) * (value - mean[c]); });
  for (std::size_t c = 0; c < columns; ++c) {
    double& deviation = preprocessing.deviation[c];
    deviation = std::sqrt(deviation);
    if (!(deviation > kLeastDeviation * std::max(1.0, std::abs(mean[c])))) deviation = 1;
  }
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
  Json json = {{"scale", preprocessing.scale},
               {"offset", preprocessing.offset},
               {"invert", preprocessing.invert},
               {"framing", kFramings[static_cast<std::size_t>(preprocessing.framing)].id},
               {"ink", kInks[static_cast<std::size_t>(preprocessing.ink)].id}};
  if (preprocessing.mean.empty()) return json;
  json[kMean] = preprocessing.mean;
  json[kDeviation] = preprocessing.deviation;
  return json;
}

Preprocessing preprocessingFromJson(const Json& json, const std::string& where) {
  const Fields fields = fieldsFromJson(preprocessingFields(), json, where, {kMean, kDeviation});
  Preprocessing read;
  takeFields(read, fields);
  const auto mean = json.find(kMean), deviation = json.find(kDeviation);
  if (mean == json.end() && deviation == json.end()) return read;
  if (mean == json.end() || deviation == json.end() || mean->size() != deviation->size())
    throw Error(Error::Kind::Input, where, "needs as many deviations as means", "Give both lists or neither");
  read.mean = numbersFromJson(*mean, where + ": mean", -kMostValue);
  read.deviation = numbersFromJson(*deviation, where + ": deviation", 1 / kMostValue);
  return read;
}

void standardise(std::span<float> values, const Preprocessing& preprocessing) {
  const std::size_t columns = preprocessing.mean.size();
  if (columns == 0) return;
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>((double{values[i]} - preprocessing.mean[i % columns]) /
                                   preprocessing.deviation[i % columns]);
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

void takeFields(Preprocessing& preprocessing, const Fields& fields) {
  preprocessing.scale = fields.real("scale");
  preprocessing.offset = fields.real("offset");
  preprocessing.invert = fields.flag("invert");
  preprocessing.framing = byName<Framing>(kFramings, fields.text("framing"));
  preprocessing.ink = byName<Ink>(kInks, fields.text("ink"));
}

Preprocessing resolved(Preprocessing preprocessing, const Dataset& dataset) {
  if (preprocessing.framing == Framing::Auto) preprocessing.framing = dataset.framing;
  if (preprocessing.ink == Ink::Auto) preprocessing.ink = dataset.ink;
  return preprocessing;
}

Preprocessing resolved(Preprocessing preprocessing, const DataView& data) {
  if (data.dataset->train.areFloats() && preprocessing.mean.empty() && !data.train.empty())
    measure(data, preprocessing);
  return resolved(std::move(preprocessing), *data.dataset);
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

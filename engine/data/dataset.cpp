// SPDX-License-Identifier: Apache-2.0
// Preprocessing as JSON, and the split into training and validation.
#include "engine/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/error.h"
#include "engine/field.h"
#include "engine/rng.h"
#include "engine/text.h"

namespace strata {
namespace {

const std::vector<Field>& preprocessingFields() {
  static const std::vector<Field> fields{
      realField("scale", "Scale", Preprocessing{}.scale, -1e6, 1e6, "What one step of a byte is worth."),
      realField("offset", "Offset", 0, -1e6, 1e6, "What a black pixel is worth."),
      boolField("invert", "Invert", false, "The data are dark ink on light ground."),
  };
  return fields;
}

std::vector<int> upTo(int count) {
  std::vector<int> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

/// `held` of 0..count-1, drawn by `seed`: the first places of a shuffle.
std::vector<char> drawHeldOut(int count, int held, std::uint64_t seed) {
  std::vector<int> order = upTo(count);
  std::vector<char> isHeld(order.size(), 0);
  Rng rng(seed, Stream::Split);
  for (int i = 0; i < held; ++i) {
    std::swap(order[static_cast<std::size_t>(i)],
              order[static_cast<std::size_t>(i) + rng.below(static_cast<std::uint32_t>(count - i))]);
    isHeld[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = 1;
  }
  return isHeld;
}

}  // namespace

Json preprocessingToJson(const Preprocessing& preprocessing) {
  return {{"scale", preprocessing.scale}, {"offset", preprocessing.offset}, {"invert", preprocessing.invert}};
}

Preprocessing preprocessingFromJson(const Json& json, const std::string& where) {
  const Fields fields = fieldsFromJson(preprocessingFields(), json, where, {});
  return {fields.real("scale"), fields.real("offset"), fields.flag("invert")};
}

SplitSizes splitSizes(const Dataset& dataset, ValidationSource source, double fraction) {
  const int count = dataset.train.count;
  if (source == ValidationSource::TestSet) {
    if (dataset.test.count == 0)
      throw Error(Error::Kind::Input, dataset.title, "it has no test set to validate on",
                  "Validate on a part of the training set instead.");
    return {count, dataset.test.count};
  }
  if (!(fraction > 0 && fraction < 1))
    throw Error(Error::Kind::Input, "data.validation_fraction",
                "must lie between 0 and 1; got " + numberText(fraction));
  if (count < 2)
    throw Error(Error::Kind::Input, dataset.title,
                "got " + counted(count, "training sample") + ", needed 2 or more to hold some out");
  const int held = std::clamp(static_cast<int>(std::lround(fraction * count)), 1, count - 1);
  return {count - held, held};
}

DataView makeDataView(std::shared_ptr<const Dataset> dataset, ValidationSource source, double fraction,
                      std::uint64_t seed) {
  const SplitSizes sizes = splitSizes(*dataset, source, fraction);
  DataView view;
  view.validationSource = source;
  if (source == ValidationSource::TestSet) {
    view.train = upTo(sizes.train);
    view.validation = upTo(sizes.validation);
  } else {
    const int count = dataset->train.count;
    const std::vector<char> isHeld = drawHeldOut(count, sizes.validation, seed);
    for (int i = 0; i < count; ++i) (isHeld[static_cast<std::size_t>(i)] ? view.validation : view.train).push_back(i);
  }
  view.dataset = std::move(dataset);
  return view;
}

}  // namespace strata

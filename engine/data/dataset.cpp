// SPDX-License-Identifier: Apache-2.0
// The split into training and validation.
#include "engine/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/error.h"
#include "engine/base/rng.h"
#include "engine/base/text.h"
#include "engine/net/field.h"

namespace strata {
namespace {

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

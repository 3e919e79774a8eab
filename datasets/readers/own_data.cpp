// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/own_data.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "engine/base/narrow.h"
#include "engine/base/text.h"
#include "engine/net/network_spec.h"

namespace strata {
namespace {

constexpr std::int64_t kMostCounted = 9999;  ///< a larger label is a name, not a count of classes
constexpr std::size_t kMostNamed = 3;        ///< in a warning
constexpr std::int64_t kImbalance = 10;      ///< the largest class over the smallest

void checkClasses(std::size_t classes, const Path& path) {
  if (classes > static_cast<std::size_t>(kMaxClasses))
    refuseData(path,
               "has " + counted(static_cast<std::int64_t>(classes), "class") + ", at most " + grouped(kMaxClasses) +
                   " are told apart",
               "Choose the column or the files that hold the classes.");
}

std::optional<std::int64_t> asWhole(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Gives each distinct value its place in `order`.
template <class Value, class Order>
std::map<Value, std::int32_t, Order> placesOf(std::span<const Value> train, std::span<const Value> test, Order order) {
  std::map<Value, std::int32_t, Order> places(order);
  for (const auto& part : {train, test})
    for (const Value& value : part) places.emplace(value, 0);
  std::int32_t next = 0;
  for (auto& [value, place] : places) place = next++;
  return places;
}

template <class Value, class Places>
void placeLabels(Dataset& dataset, std::span<const Value> train, std::span<const Value> test, const Places& places) {
  const auto place = [&](std::span<const Value> values, Samples& samples) {
    samples.labels.clear();
    samples.labels.reserve(values.size());
    for (const Value& value : values) samples.labels.push_back(places.find(value)->second);
  };
  place(train, dataset.train);
  place(test, dataset.test);
}

std::vector<std::int64_t> countsOf(const Samples& samples, std::size_t classes) {
  std::vector<std::int64_t> counts(classes, 0);
  for (const std::int32_t label : samples.labels) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

void warnOfCounts(Dataset& dataset) {
  const std::vector<std::int64_t> counts = countsOf(dataset.train, dataset.classes.size());
  std::vector<std::string> absent;
  std::size_t largest = 0, smallest = counts.size();
  for (std::size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] == 0) {
      absent.push_back(dataset.classes[c]);
      continue;
    }
    if (counts[c] > counts[largest]) largest = c;
    if (smallest == counts.size() || counts[c] < counts[smallest]) smallest = c;
  }
  if (!absent.empty()) {
    std::string names;
    for (std::size_t i = 0; i < std::min(absent.size(), kMostNamed); ++i)
      names += (i ? ", " : "") + inQuotes(absent[i]);
    const bool more = absent.size() > kMostNamed;
    dataset.warnings.push_back(counted(std::ssize(absent), "class") + (absent.size() == 1 ? " has" : " have") +
                               " no training samples (" + names + (more ? " and others" : "") +
                               "): a net cannot learn what it never sees.");
  }
  if (smallest < counts.size() && counts[largest] > kImbalance * counts[smallest])
    dataset.warnings.push_back("The classes are of very different size: " + inQuotes(dataset.classes[largest]) +
                               " has " + counted(counts[largest], "training sample") + ", " +
                               inQuotes(dataset.classes[smallest]) + " has " + grouped(counts[smallest]) +
                               ". A net may neglect the small ones; look at each class's own accuracy.");
}

/// Sample `i` as its bytes.
std::string_view bytesOf(const Samples& samples, std::size_t size, int i) {
  const auto at = static_cast<std::size_t>(i) * size;
  if (!samples.areFloats()) return {reinterpret_cast<const char*>(samples.pixels.data() + at), size};
  return {reinterpret_cast<const char*>(samples.floats.data() + at), size * sizeof(float)};
}

/// Exact doubles between the parts: a test that was trained on says nothing.
void warnOfDoubles(Dataset& dataset) {
  const auto size = static_cast<std::size_t>(dataset.shape.size());
  if (dataset.test.count == 0 || dataset.train.areFloats() != dataset.test.areFloats()) return;
  std::unordered_set<std::string_view> test;
  for (int i = 0; i < dataset.test.count; ++i) test.insert(bytesOf(dataset.test, size, i));
  std::unordered_set<std::string_view> seen;
  for (int i = 0; i < dataset.train.count; ++i)
    if (const auto found = test.find(bytesOf(dataset.train, size, i)); found != test.end()) seen.insert(*found);
  if (seen.empty()) return;
  std::int64_t doubles = 0;
  for (int i = 0; i < dataset.test.count; ++i) doubles += seen.contains(bytesOf(dataset.test, size, i));
  dataset.warnings.push_back(counted(doubles, "test sample") + (doubles == 1 ? " is" : " are") +
                             " in the training set as well, to the last value: the test flatters the net. Take " +
                             (doubles == 1 ? "it" : "them") + " out of one of the two.");
}

}  // namespace

void refuseData(const Path& path, const std::string& what, const std::string& wayOut) {
  throw Error(Error::Kind::Input, path.string(), what, wayOut);
}

void checkRoom(std::uint64_t count, std::uint64_t size, std::uint64_t bytesEach, const Path& path) {
  const std::string where = path.string();
  const std::uint64_t bytes = checkedMul(checkedMul(count, size, where), bytesEach, where);
  if (bytes > kMostSampleBytes)
    refuseData(
        path,
        "holds " + grouped(static_cast<std::int64_t>(bytes >> 20)) + " MiB of samples, at most 4,096 MiB are read",
        "Use fewer or smaller samples.");
  narrow<int>(count, where + ", its number of samples");
  requireMemory(narrow<std::int64_t>(bytes, where), where, "reading its samples", "Use fewer or smaller samples");
}

void checkShape(const Shape& shape, const Path& path) {
  if (shape.h > kMaxSide || shape.w > kMaxSide || shape.c > kMaxChannels || shape.size() > kMaxElements)
    refuseData(path,
               "has samples of " + shape.text() + ", needed at most " + grouped(kMaxSide) + " a side and " +
                   grouped(kMaxChannels) + " channels or columns",
               "Use smaller samples.");
}

void takeClasses(Dataset& dataset, std::span<const std::int64_t> train, std::span<const std::int64_t> test,
                 const Path& path) {
  std::int64_t lowest = INT64_MAX, highest = INT64_MIN;
  for (const auto& part : {train, test})
    for (const std::int64_t label : part) lowest = std::min(lowest, label), highest = std::max(highest, label);
  dataset.classes.clear();
  if (lowest > highest) return;
  if (lowest >= 0 && highest <= kMostCounted) {
    const std::int64_t first = lowest == 1 ? 1 : 0;
    const auto place = [&](std::span<const std::int64_t> labels, Samples& samples) {
      samples.labels.clear();
      for (const std::int64_t label : labels) samples.labels.push_back(static_cast<std::int32_t>(label - first));
    };
    place(train, dataset.train);
    place(test, dataset.test);
    for (std::int64_t label = first; label <= highest; ++label) dataset.classes.push_back(std::to_string(label));
    return;
  }
  const auto places = placesOf(train, test, std::less<>());
  checkClasses(places.size(), path);
  placeLabels(dataset, train, test, places);
  for (const auto& [value, place] : places) dataset.classes.push_back(std::to_string(value));
}

void takeClasses(Dataset& dataset, std::span<const std::string> train, std::span<const std::string> test,
                 const Path& path) {
  const auto take = [&](auto order) {
    const auto places = placesOf(train, test, order);
    checkClasses(places.size(), path);
    placeLabels(dataset, train, test, places);
    dataset.classes.clear();
    for (const auto& [name, place] : places) dataset.classes.push_back(printable(name));
  };
  const auto whole = [](std::span<const std::string> names) {
    return std::all_of(names.begin(), names.end(), [](const std::string& name) { return asWhole(name).has_value(); });
  };
  if (!whole(train) || !whole(test)) return take(std::less<>());
  take([](const std::string& a, const std::string& b) {
    const std::int64_t x = *asWhole(a), y = *asWhole(b);
    return x != y ? x < y : a < b;  // "1" and "01" are two names
  });
}

std::string titleOf(const Path& path) {
  Path name = (path.has_filename() ? path : path.parent_path()).filename();
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored))
    for (int endings = 0; endings < 2 && name.has_extension(); ++endings) name = name.stem();
  return printable(name.string());
}

void addWarnings(Dataset& dataset) {
  warnOfCounts(dataset);
  warnOfDoubles(dataset);
}

}  // namespace strata

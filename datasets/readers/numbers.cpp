// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "datasets/readers/own_data.h"
#include "engine/base/text.h"

namespace strata {
namespace {

constexpr double kLargestWhole = 9007199254740992;  // 2^53: larger reals are whole by force
constexpr char kFiniteWay[] = "Leave out the samples with missing values, or fill them in.";

std::uint64_t bitsAt(const std::uint8_t* bytes, const NumberType& type) {
  std::uint64_t bits = 0;
  for (int i = 0; i < type.size; ++i) bits |= std::uint64_t{bytes[i]} << 8 * (type.bigEndian ? type.size - 1 - i : i);
  return bits;
}

/// IEEE 754's binary16.
double halfOf(std::uint32_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31);
  const double mantissa = bits & 1023, sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa == 0 ? sign * INFINITY : NAN;
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(mantissa + 1024, exponent - 25));
}

double numberAt(const std::uint8_t* bytes, const NumberType& type) {
  const std::uint64_t bits = bitsAt(bytes, type);
  switch (type.kind) {
    case NumberType::Kind::Unsigned:
      return static_cast<double>(bits);
    case NumberType::Kind::Signed:
      return static_cast<double>(static_cast<std::int64_t>(bits << (64 - 8 * type.size)) >> (64 - 8 * type.size));
    case NumberType::Kind::Real:
      break;
  }
  if (type.size == 2) return halfOf(static_cast<std::uint32_t>(bits));
  return type.size == 4 ? double{std::bit_cast<float>(static_cast<std::uint32_t>(bits))} : std::bit_cast<double>(bits);
}

template <class Each>
void eachNumber(const Array& array, Each each) {
  const auto size = static_cast<std::size_t>(array.type.size);
  for (std::size_t i = 0; i * size < array.bytes.size(); ++i)
    each(i, numberAt(array.bytes.data() + i * size, array.type));
}

[[noreturn]] void refuseArray(const Array& array, const std::string& what, const std::string& wayOut) {
  refuseData(array.path, (array.name.empty() ? "" : "its array " + inQuotes(array.name) + " ") + what, wayOut);
}

std::string dimsText(const std::vector<int>& dims) {
  std::string text;
  for (const int dim : dims) text += (text.empty() ? "" : " × ") + std::to_string(dim);
  return text.empty() ? "a single number" : text;
}

struct Range {
  double low = INFINITY, high = -INFINITY;
  bool whole = true;
};

Range rangeOf(const Array& array) {
  if (array.type.isByte() && !array.bytes.empty()) {
    const auto [low, high] = std::minmax_element(array.bytes.begin(), array.bytes.end());
    return {double(*low), double(*high), true};
  }
  Range range;
  const std::size_t perSample = array.bytes.size() / static_cast<std::size_t>(array.type.size) /
                                static_cast<std::size_t>(std::max(1, array.dims[0]));
  eachNumber(array, [&](std::size_t i, double value) {
    if (!std::isfinite(static_cast<float>(value)))
      refuseArray(array, "has a value that is not a finite number in sample " + grouped(std::int64_t(i / perSample)),
                  kFiniteWay);
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
    range.whole = range.whole && value == std::floor(value);
  });
  return range;
}

bool isChannels(int count) { return count == 1 || count == 3 || count == 4; }

/// How the dimensions behind the first are meant.
struct Layout {
  Shape shape;
  bool channelsFirst = false;
  std::string said;
};

Layout layoutOf(const Array& array, bool likePictures) {
  const std::vector<int>& d = array.dims;
  switch (d.size()) {
    case 2:
      return {Shape::vector(d[1]), false, {}};
    case 3:
      if (likePictures) return {Shape::image(d[1], d[2], 1), false, {}};
      return {Shape::sequence(d[1], d[2]), false,
              "The samples are taken for sequences of " + std::to_string(d[1]) + " steps of " +
                  counted(d[2], "number") + ", since their values are not those of pictures."};
    case 4:
      if (isChannels(d[1]) && !isChannels(d[3]))
        return {Shape::image(d[2], d[3], d[1]), true,
                "The pictures are stored channels first (N × C × H × W, told by the small axis) and were turned."};
      return {Shape::image(d[1], d[2], d[3]), false, {}};
    default:
      break;
  }
  refuseArray(array, "is " + dimsText(d) + ", needed two to four dimensions of which the first counts the samples",
              "Give it the shape samples × columns, or samples × height × width × channels.");
}

/// The samples' values, from where they are stored to where they belong.
template <class Value>
std::vector<Value> turned(std::vector<Value> values, const Layout& layout) {
  if (!layout.channelsFirst) return values;
  std::vector<Value> turned(values.size());
  const auto places = static_cast<std::size_t>(layout.shape.places()),
             channels = static_cast<std::size_t>(layout.shape.c);
  for (std::size_t at = 0; at < values.size(); at += places * channels)
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t p = 0; p < places; ++p) turned[at + p * channels + c] = values[at + c * places + p];
  return turned;
}

void fill(Samples& samples, Array array, const Layout& layout, bool asBytes) {
  samples.count = array.dims[0];
  const auto count = static_cast<std::size_t>(samples.count) * static_cast<std::size_t>(layout.shape.size());
  if (asBytes && array.type.isByte()) {
    samples.pixels = turned(std::move(array.bytes), layout);
  } else if (asBytes) {
    checkRoom(static_cast<std::uint64_t>(samples.count), static_cast<std::uint64_t>(layout.shape.size()), 1,
              array.path);
    samples.pixels.resize(count);
    eachNumber(array, [&](std::size_t i, double value) { samples.pixels[i] = static_cast<std::uint8_t>(value); });
    samples.pixels = turned(std::move(samples.pixels), layout);
  } else {
    checkRoom(static_cast<std::uint64_t>(samples.count), static_cast<std::uint64_t>(layout.shape.size()), sizeof(float),
              array.path);
    samples.floats.resize(count);
    eachNumber(array, [&](std::size_t i, double value) { samples.floats[i] = static_cast<float>(value); });
    samples.floats = turned(std::move(samples.floats), layout);
  }
}

}  // namespace

std::string nameOf(const Array& array) {
  return array.name.empty() ? array.path.filename().string() : inQuotes(array.name);
}

void takeSamples(Dataset& dataset, Array train, std::optional<Array> test) {
  const auto likePicture = [](const Range& range) {
    return range.low >= 0 && (range.high <= 1 || (range.whole && range.high <= 255));
  };
  const Range range = rangeOf(train), other = test ? rangeOf(*test) : range;
  const Layout layout = layoutOf(train, likePicture(range) && likePicture(other));
  checkShape(layout.shape, train.path);
  if (!layout.said.empty()) dataset.understood.push_back(layout.said);
  if (test && (test->dims.size() != train.dims.size() ||
               !std::equal(train.dims.begin() + 1, train.dims.end(), test->dims.begin() + 1)))
    refuseArray(*test,
                "is " + dimsText(test->dims) + ", needed samples of the same size as in the training set, which is " +
                    dimsText(train.dims),
                "Get all files from the same place.");
  const bool stored = train.type.isByte() && (!test || test->type.isByte());
  const bool bytes = likePicture(range) && likePicture(other) && range.whole && other.whole &&
                     (stored || std::max(range.high, other.high) > 1);
  dataset.shape = layout.shape;
  fill(dataset.train, std::move(train), layout, bytes && layout.shape.isImage());
  if (test) fill(dataset.test, std::move(*test), layout, bytes && layout.shape.isImage());
}

std::vector<std::int64_t> labelsOf(const Array& array) {
  const std::size_t rank = array.dims.size();
  const bool rows = rank == 2 && array.dims[1] > 1;
  if (rank == 0 || rank > 2)
    refuseArray(array, "is " + dimsText(array.dims) + ", needed one label a sample",
                "Check that samples and labels are not swapped.");
  std::vector<std::int64_t> labels(rows ? static_cast<std::size_t>(array.dims[0]) : 0, -1);
  const auto width = static_cast<std::size_t>(rows ? array.dims[1] : 1);
  eachNumber(array, [&](std::size_t i, double value) {
    if (!rows) {
      if (!(value == std::floor(value) && std::abs(value) <= kLargestWhole))
        refuseArray(array, "has a label that is no whole number in sample " + grouped(std::int64_t(i)),
                    "Number the classes from 0.");
      labels.push_back(static_cast<std::int64_t>(value));
      return;
    }
    std::int64_t& label = labels[i / width];
    const bool good = value == 0 || (value == 1 && label < 0);
    if (value == 1) label = static_cast<std::int64_t>(i % width);
    if (!good || (i % width == width - 1 && label < 0))
      refuseArray(array,
                  "is " + dimsText(array.dims) + ", needed one label a sample, or rows with a single 1; sample " +
                      grouped(std::int64_t(i / width)) + " has another",
                  "Number the classes from 0.");
  });
  return labels;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/compare_tensors.h"

#include <algorithm>
#include <cmath>

#include "engine/net/field.h"

namespace strata {
namespace {

/// "[1,0,3]" of a flat index.
std::string placeText(std::int64_t index, const std::vector<int>& shape) {
  std::string text;
  for (auto side = shape.rbegin(); side != shape.rend(); ++side) {
    text = std::to_string(index % *side) + (text.empty() ? "" : ",") + text;
    index /= *side;
  }
  return "[" + text + "]";
}

bool agree(double got, double expected, double allowed) {
  if (std::isnan(expected) || std::isnan(got)) return std::isnan(expected) && std::isnan(got);
  if (std::isinf(expected) || std::isinf(got)) return got == expected;
  return std::abs(got - expected) <= allowed;
}

}  // namespace

template <class Real>
std::optional<std::string> compareTensors(std::span<const Real> got, std::span<const Real> expected,
                                          const std::vector<int>& shape, Tolerance tolerance) {
  if (got.size() != expected.size())
    return "got " + std::to_string(got.size()) + " values, expected " + std::to_string(expected.size());
  double scale = 0, largest = 0;
  for (const Real value : expected)
    if (std::isfinite(value)) scale = std::max(scale, std::abs(static_cast<double>(value)));
  const double allowed = tolerance.absolute + tolerance.relative * scale;
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - expected[i]);
    if (error > largest) largest = error;  // never a NaN
    if (!first && !agree(got[i], expected[i], allowed)) first = i;
  }
  if (!first) return std::nullopt;
  return "first differs at " + placeText(static_cast<std::int64_t>(*first), shape) + ": got " +
         numberText(got[*first]) + ", expected " + numberText(expected[*first]) + "; largest error " +
         numberText(largest) + " (" + numberText(largest / scale) + " of the largest value)";
}

template std::optional<std::string> compareTensors(std::span<const float>, std::span<const float>,
                                                   const std::vector<int>&, Tolerance);
template std::optional<std::string> compareTensors(std::span<const double>, std::span<const double>,
                                                   const std::vector<int>&, Tolerance);

}  // namespace strata

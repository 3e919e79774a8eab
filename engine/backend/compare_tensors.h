// SPDX-License-Identifier: Apache-2.0
// Whether two tensors are the same but for rounding, and if not, where and by how much.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace strata {

/// Values agree within absolute + relative * the largest finite magnitude in `expected`: what sums of many terms can
/// promise, large terms that cancel included. NaN agrees with NaN alone, an infinity with the same one.
struct Tolerance {
  double relative = 1e-4, absolute = 1e-7;
};

/// Nothing when they agree; else "first differs at [1,0,3]: got 2, expected 1; largest error 1 (0.5 of the largest
/// value)". `shape` names the place of the first mismatch; its product is the size of both.
template <class Real>
std::optional<std::string> compareTensors(std::span<const Real> got, std::span<const Real> expected,
                                          const std::vector<int>& shape, Tolerance tolerance = {});

}  // namespace strata

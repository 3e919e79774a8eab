// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace strata {

/// Product and sum of sizes (both not negative) that stop at the largest value instead of wrapping, so that a limit can
/// be checked after the arithmetic and before any allocation.
inline std::int64_t saturatingMul(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}
inline std::int64_t saturatingAdd(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

}  // namespace strata

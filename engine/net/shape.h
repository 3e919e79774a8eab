// SPDX-License-Identifier: Apache-2.0
// The shape of one sample. Tensors are float32, channels last: [N,H,W,C] for images, [N,C] for vectors.
#pragma once
#include <array>
#include <cstdint>
#include <string>

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

/// One sample's shape: an image [H,W,C] (rank 3) or a vector [C] (rank 1). Rank 0 means "unknown".
struct Shape {
  int rank = 0;
  int h = 0, w = 0, c = 0;  ///< a vector has h = w = 1

  static Shape image(int h, int w, int c) { return {3, h, w, c}; }
  static Shape vector(int c) { return {1, 1, 1, c}; }

  bool known() const { return rank != 0; }
  bool isImage() const { return rank == 3; }
  /// Values in one sample, saturating; analyse() refuses a stack in which it would pass kMaxElements (network_spec.h).
  std::int64_t size() const { return rank == 0 ? 0 : saturatingMul(std::int64_t{h} * w, c); }
  /// "24 × 24 × 24" or "512"; "?" when unknown.
  std::string text() const;

  bool operator==(const Shape&) const = default;
};

}  // namespace strata

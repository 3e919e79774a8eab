// SPDX-License-Identifier: Apache-2.0
// The shape of one sample. Tensors are float32, channels last: [N,H,W,C] for images, [N,T,C] for sequences, [N,C] for
// vectors.
#pragma once
#include <string>

#include "engine/base/saturating.h"

namespace strata {

/// One sample's shape: an image [H,W,C] (rank 3), a sequence [T,C] (rank 2) or a vector [C] (rank 1). Rank 0 means
/// "unknown".
struct Shape {
  int rank = 0;
  int h = 0, w = 0, c = 0;  ///< a sequence has h steps and w = 1, a vector h = w = 1

  static Shape image(int h, int w, int c) { return {3, h, w, c}; }
  static Shape sequence(int steps, int c) { return {2, steps, 1, c}; }
  static Shape vector(int c) { return {1, 1, 1, c}; }

  bool known() const { return rank != 0; }
  bool isImage() const { return rank == 3; }
  bool isSequence() const { return rank == 2; }
  bool isVector() const { return rank == 1; }
  /// Pixels of an image, steps of a sequence: how often it has its channels.
  std::int64_t places() const { return std::int64_t{h} * w; }
  /// Values in one sample, saturating; analyse() refuses a stack in which it would pass kMaxElements (network_spec.h).
  std::int64_t size() const { return rank == 0 ? 0 : saturatingMul(std::int64_t{h} * w, c); }
  /// "24 × 24 × 24", "28 × 28" or "512"; "?" when unknown.
  std::string text() const;

  bool operator==(const Shape&) const = default;
};

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// A convolution as cuDNN is asked for it: forward with bias and ReLU, data gradient or weight gradient, channels last.
// Kernels are [K,R,S,C] here, as cuDNN wants them for channels last (the canonical layout is [R,S,C,K]).
#pragma once
#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/backend/precision.h"

namespace strata::cuda {

struct ConvGraph {
  enum class Kind { Forward, DataGradient, WeightGradient };
  /// Names of the tensors to bind: x [N,H,W,C], w [K,R,S,C], bias [K], y and dy [N,P,Q,K], dx as x, dw as w. With
  /// Bfloat16 all of them are bfloat16; cuDNN has no engine that would give dw in float32.
  enum Tensor : int { X = 1, W = 2, Bias = 3, Y = 4, Dy = 5, Dx = 6, Dw = 7 };

  Kind kind = Kind::Forward;
  Precision precision = Precision::Float32;
  int n = 1, h = 1, w = 1, c = 1;  ///< input
  int p = 1, q = 1, k = 1;         ///< output
  int r = 1, s = 1, strideH = 1, strideW = 1;
  int top = 0, left = 0, bottom = 0, right = 0;  ///< padding
  bool bias = false, relu = false;               ///< forward only

  std::string text() const;  ///< "forward+bias+relu 128x12x12x24 -> 48, 5x5"
  /// The tensors to bind, each with its number of values.
  std::vector<std::pair<Tensor, std::int64_t>> tensors() const;
  auto operator<=>(const ConvGraph&) const = default;
};

}  // namespace strata::cuda

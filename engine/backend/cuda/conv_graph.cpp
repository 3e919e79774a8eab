// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/conv_graph.h"

#include <initializer_list>

namespace strata::cuda {

std::string ConvGraph::text() const {
  const auto by = [](std::initializer_list<int> sizes) {
    std::string text;
    for (const int size : sizes) text.append(text.empty() ? "" : "x").append(std::to_string(size));
    return text;
  };
  const char* what = kind == Kind::Forward        ? "forward"
                     : kind == Kind::DataGradient ? "data gradient"
                                                  : "weight gradient";
  return std::string(what) + (bias ? "+bias" : "") + (relu ? "+relu" : "") + " " + by({n, h, w, c}) + " -> " +
         by({p, q, k}) + ", " + by({r, s}) + (strideH * strideW > 1 ? " stride " + by({strideH, strideW}) : "") +
         (top + left + bottom + right > 0 ? " pad " + by({top, left, bottom, right}) : "");
}

std::vector<std::pair<ConvGraph::Tensor, std::int64_t>> ConvGraph::tensors() const {
  const std::int64_t x = std::int64_t{n} * h * w * c, y = std::int64_t{n} * p * q * k,
                     kernel = std::int64_t{k} * r * s * c;
  if (kind == Kind::DataGradient) return {{Dy, y}, {W, kernel}, {Dx, x}};
  if (kind == Kind::WeightGradient) return {{Dy, y}, {X, x}, {Dw, kernel}};
  std::vector<std::pair<Tensor, std::int64_t>> list{{X, x}, {W, kernel}, {Y, y}};
  if (bias) list.emplace_back(Bias, k);
  return list;
}

}  // namespace strata::cuda

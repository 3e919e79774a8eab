// SPDX-License-Identifier: Apache-2.0
#include "engine/cuda/conv_graph.h"

#include <initializer_list>

namespace strata::cuda {

std::string ConvGraph::text() const {
  const auto by = [](std::initializer_list<int> sizes) {
    std::string text;
    for (const int size : sizes) text.append(text.empty() ? "" : "x").append(std::to_string(size));
    return text;
  };
  const char* what = kind == Kind::Forward ? "forward" : kind == Kind::DataGradient ? "data gradient" : "weight gradient";
  return std::string(what) + (bias ? "+bias" : "") + (relu ? "+relu" : "") + " " + by({n, h, w, c}) + " -> " + by({p, q, k}) + ", " + by({r, s}) +
         (strideH * strideW > 1 ? " stride " + by({strideH, strideW}) : "") + (top + left + bottom + right > 0 ? " pad " + by({top, left, bottom, right}) : "");
}

}  // namespace strata::cuda

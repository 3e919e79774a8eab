// SPDX-License-Identifier: GPL-3.0-or-later
// Between numbers as they lie on the simulated device and the floats that it computes with.
#pragma once
#include <vector>

#include "engine/backend/cuda/views.h"

namespace strata::cuda {

inline std::vector<float> toFloats(const void* data, Index count, Storage storage) {
  std::vector<float> floats(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i) floats[static_cast<std::size_t>(i)] = RealRef(const_cast<void*>(data), storage, i);
  return floats;
}
inline void fromFloats(const std::vector<float>& floats, void* data, Storage storage) {
  for (std::size_t i = 0; i < floats.size(); ++i) RealRef(data, storage, static_cast<Index>(i)) = floats[i];
}

}  // namespace strata::cuda

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/arena.h"

#include <algorithm>

namespace strata::cuda {
namespace {

constexpr std::int64_t kAlignment = 128;  // values

}  // namespace

void ArenaLayout::add(ParamPlace place, bool late) { m_params.push_back({place, late}); }

void ArenaLayout::finish() {
  std::int64_t next = 0;
  for (const bool late : {false, true}) {
    for (Param& param : m_params) {
      if (param.late != late) continue;
      param.place.offset = next;
      next += (param.place.size + kAlignment - 1) / kAlignment * kAlignment;
    }
    if (!late) m_early = next;
  }
  m_size = std::max(next, kAlignment);  // a net without weights has an arena all the same
}

std::vector<float> ArenaLayout::toDevice(const float* canonical) const {
  std::vector<float> device(static_cast<std::size_t>(m_size), 0.0f);
  for (const auto& [place, late] : m_params) {
    const float* from = canonical + place.canonical;
    float* to = device.data() + place.offset;
    if (place.k == 0) {
      std::copy_n(from, place.size, to);
      continue;
    }
    for (std::int64_t i = 0; i < place.rsc; ++i)
      for (std::int64_t k = 0; k < place.k; ++k) to[k * place.rsc + i] = from[i * place.k + k];
  }
  return device;
}

void ArenaLayout::toCanonical(const float* device, float* canonical) const {
  for (const auto& [place, late] : m_params) {
    const float* from = device + place.offset;
    float* to = canonical + place.canonical;
    if (place.k == 0) {
      std::copy_n(from, place.size, to);
      continue;
    }
    for (std::int64_t i = 0; i < place.rsc; ++i)
      for (std::int64_t k = 0; k < place.k; ++k) to[i * place.k + k] = from[k * place.rsc + i];
  }
}

}  // namespace strata::cuda

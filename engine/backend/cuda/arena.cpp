// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/arena.h"

#include <algorithm>

namespace strata::cuda {
namespace {

constexpr std::int64_t kAlignment = 128;  // values

}  // namespace

void ArenaLayout::add(ParamId id, ParamPlace place, ParamKind kind) { m_params[id] = {place, kind}; }

void ArenaLayout::finish() {
  std::int64_t next = 0;
  const auto endOf = [&](ParamKind kind) {
    for (auto& [id, param] : m_params) {
      if (param.kind != kind) continue;
      param.place.offset = next;
      next += (param.place.size + kAlignment - 1) / kAlignment * kAlignment;
    }
    return next;
  };
  m_running = endOf(ParamKind::Running);
  m_early = endOf(ParamKind::Early);
  m_late = endOf(ParamKind::Late);
  // The optimizer has something to do even where nothing is trained: it moves the step's cursor on.
  if (m_late == m_running) m_late = m_early = next += kAlignment;
  m_size = endOf(ParamKind::Frozen);
}

std::vector<float> ArenaLayout::toDevice(const float* canonical) const {
  std::vector<float> device(static_cast<std::size_t>(m_size), 0.0f);
  for (const auto& [id, param] : m_params) {
    const ParamPlace& place = param.place;
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
  for (const auto& [id, param] : m_params) {
    const ParamPlace& place = param.place;
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

// SPDX-License-Identifier: Apache-2.0
#include "engine/train/events.h"

#include <utility>

namespace strata {

void EventQueue::push(TrainEvent event) {
  const std::lock_guard lock(m_mutex);
  auto* newer = std::get_if<ProgressEvent>(&event);
  auto* pending = m_events.empty() ? nullptr : std::get_if<ProgressEvent>(&m_events.back());
  if (!newer || !pending) {
    m_events.push_back(std::move(event));
    return;
  }
  std::vector<BatchPoint> points = std::move(pending->points);
  points.insert(points.end(), newer->points.begin(), newer->points.end());
  *pending = std::move(*newer);
  pending->points = std::move(points);
}

std::vector<TrainEvent> EventQueue::drain() {
  const std::lock_guard lock(m_mutex);
  return std::exchange(m_events, {});
}

}  // namespace strata

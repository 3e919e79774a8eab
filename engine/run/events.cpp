// SPDX-License-Identifier: Apache-2.0
#include "engine/run/events.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace strata {

double EpochRecord::value(const std::string& key) const {
  if (key == "loss") return loss;
  if (key == "val_loss") return valLoss;
  const auto found = metrics.find(key);
  return found == metrics.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
}

void EventQueue::push(TrainEvent event) {
  const std::lock_guard lock(m_mutex);
  if (std::holds_alternative<SnapshotEvent>(event)) {
    // Of weights only the newest count, and whoever does not drain must not make them pile up. Found near the end.
    const auto isSnapshot = [](const TrainEvent& each) { return std::holds_alternative<SnapshotEvent>(each); };
    const auto old = std::find_if(m_events.rbegin(), m_events.rend(), isSnapshot);
    if (old != m_events.rend()) m_events.erase(std::next(old).base());
  }
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

// SPDX-License-Identifier: Apache-2.0
#include "engine/run/events.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace strata {
namespace {

/// Of each four neighbours between the two ends those with the lowest and the highest loss, in their order. One that is
/// no number counts as the highest, so that it is not lost.
std::vector<BatchPoint> thinned(const std::vector<BatchPoint>& points) {
  constexpr std::ptrdiff_t kGroup = 4;
  if (points.size() < kGroup + 2) return points;
  const auto height = [](const BatchPoint& point) {
    return std::isfinite(point.loss) ? point.loss : std::numeric_limits<double>::infinity();
  };
  const auto lower = [height](const BatchPoint& a, const BatchPoint& b) { return height(a) < height(b); };
  std::vector<BatchPoint> kept{points.front()};
  for (auto from = points.begin() + 1, end = points.end() - 1; from != end;) {
    const auto to = from + std::min(kGroup, end - from);
    const auto [low, high] = std::minmax_element(from, to, lower);
    kept.push_back(*std::min(low, high));
    if (low != high) kept.push_back(*std::max(low, high));
    from = to;
  }
  kept.push_back(points.back());
  return kept;
}

}  // namespace

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
  if (newer) m_points += newer->points.size();
  if (newer && pending) {
    std::vector<BatchPoint> points = std::move(pending->points);
    points.insert(points.end(), newer->points.begin(), newer->points.end());
    *pending = std::move(*newer);
    pending->points = std::move(points);
  } else {
    m_events.push_back(std::move(event));
  }
  if (m_points > m_thinOver) thinPoints();
}

/// Points that cannot be thinned, as epochs of few batches are between others, must not be looked at every time.
void EventQueue::thinPoints() {
  m_points = 0;
  for (TrainEvent& event : m_events) {
    auto* progress = std::get_if<ProgressEvent>(&event);
    if (!progress) continue;
    progress->points = thinned(progress->points);
    m_points += progress->points.size();
  }
  m_thinOver = std::max(kMostPoints, 2 * m_points);
}

std::vector<TrainEvent> EventQueue::drain() {
  const std::lock_guard lock(m_mutex);
  m_points = 0;
  m_thinOver = kMostPoints;
  return std::exchange(m_events, {});
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/learn/scorer.h"

#include <algorithm>

#include "engine/base/error.h"

namespace strata {
namespace {

/// The samples as the net reads them: floats as they are, bytes in `room`.
const float* samplesOf(const Batch& batch, int begin, int count, std::int64_t size, std::vector<float>& room) {
  const std::int64_t first = begin * size;
  if (batch.floats) return batch.floats + first;
  room.resize(static_cast<std::size_t>(count * size));
  std::transform(batch.bytes + first, batch.bytes + first + count * size, room.begin(),
                 [&](std::uint8_t byte) { return static_cast<float>(byte) * batch.scale + batch.offset; });
  return room.data();
}

}  // namespace

LossResult& LossResult::operator+=(const LossResult& other) {
  lossSum += other.lossSum;
  for (std::size_t i = 0; i < metrics.size(); ++i) metrics[i] += other.metrics[i];
  return *this;
}

Scorer::Scorer(const LossSpec& loss, const MetricIds& metrics) : m_loss(&loss.def()), m_fields(loss.fields) {
  for (const std::string& id : fittingMetrics(metrics, loss)) m_metrics.push_back(findMetric(id));
}

bool Scorer::hasTargets(const Batch& batch) const { return m_loss->target != TargetKind::ClassIndex || batch.labels; }

void Scorer::checkTargets(const Batch& batch, std::int64_t size) const {
  if (m_loss->target != TargetKind::ClassIndex) return;
  const auto possible = [&](std::int32_t label) { return label >= 0 && label < size; };
  const std::int32_t *end = batch.labels + batch.size, *wrong = std::find_if_not(batch.labels, end, possible);
  if (wrong != end)
    throw Error(Error::Kind::Input, "labels",
                "got label " + std::to_string(*wrong) + ", needed 0 to " + std::to_string(size - 1));
}

LossResult Scorer::operator()(const Batch& batch, int begin, int count, std::int64_t size, const float* outputs,
                              float* gradients) const {
  LossIo io;
  io.count = count;
  io.size = size;
  io.outputs = outputs;
  io.gradients = gradients;
  std::vector<float> room;
  if (m_loss->target == TargetKind::ClassIndex) io.labels = batch.labels + begin;
  else io.targets = samplesOf(batch, begin, count, size, room);
  LossResult result;
  result.lossSum = m_loss->compute(m_fields, io);
  for (std::size_t i = 0; i < m_metrics.size(); ++i) result.metrics[i] = m_metrics[i]->sum(*m_metrics[i], io);
  return result;
}

}  // namespace strata

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
  for (const std::string& id : fittingMetrics(metrics, loss)) {
    const MetricDef* def = findMetric(id);
    (def->validationAlone() ? m_tallied : m_metrics).push_back(def);
  }
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

LossIo Scorer::ioFor(const Batch& batch, int begin, int count, std::int64_t size, const float* outputs,
                     std::vector<float>& room) const {
  LossIo io;
  io.count = count;
  io.size = size;
  io.outputs = outputs;
  if (m_loss->target == TargetKind::ClassIndex) io.labels = batch.labels + begin;
  else io.targets = samplesOf(batch, begin, count, size, room);
  return io;
}

LossResult Scorer::operator()(const Batch& batch, int begin, int count, std::int64_t size, const float* outputs,
                              float* gradients) const {
  std::vector<float> room;
  LossIo io = ioFor(batch, begin, count, size, outputs, room);
  io.gradients = gradients;
  LossResult result;
  result.lossSum = m_loss->compute(m_fields, io);
  for (std::size_t i = 0; i < m_metrics.size(); ++i) result.metrics[i] = m_metrics[i]->sum(*m_metrics[i], io);
  return result;
}

Validation::Validation(const Scorer& scorer, std::int64_t size) : m_scorer(scorer), m_size(size) {
  for (const MetricDef* def : scorer.tallied()) m_tallies.emplace_back(def->tallySize(size));
}

void Validation::add(const Batch& batch, const float* outputs) {
  m_sums += m_scorer(batch, 0, batch.size, m_size, outputs);
  m_samples += batch.size;
  if (m_tallies.empty()) return;
  m_predictions.resize(static_cast<std::size_t>(batch.size * m_size));
  m_scorer.loss().predict(outputs, batch.size, m_size, m_predictions.data());
  std::vector<float> room;
  const LossIo io = m_scorer.ioFor(batch, 0, batch.size, m_size, outputs, room);
  for (std::size_t i = 0; i < m_tallies.size(); ++i)
    m_scorer.tallied()[i]->count(io, m_predictions.data(), m_tallies[i]);
}

double Validation::loss() const { return m_sums.lossSum / static_cast<double>(m_samples); }

std::map<std::string, double> Validation::metrics() const {
  std::map<std::string, double> values;
  for (std::size_t i = 0; i < m_scorer.metrics().size(); ++i)
    values[m_scorer.metrics()[i]->id] = m_sums.metrics[i] / static_cast<double>(m_samples);
  for (std::size_t i = 0; i < m_tallies.size(); ++i)
    values[m_scorer.tallied()[i]->id] = m_scorer.tallied()[i]->ofTally(m_tallies[i]);
  return values;
}

}  // namespace strata

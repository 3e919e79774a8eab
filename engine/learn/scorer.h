// SPDX-License-Identifier: Apache-2.0
// What a net's output is worth: loss and metrics of a batch, or of a part of one. Training on every backend, validation
// and evaluation all ask this.
#pragma once
#include <array>
#include <map>

#include "engine/data/batches.h"
#include "engine/learn/metric.h"

namespace strata {

struct LossResult {
  double lossSum = 0;                          ///< over the samples
  std::array<double, kMostMetrics> metrics{};  ///< sums over the samples, by the position in the run's metrics
  LossResult& operator+=(const LossResult& other);
};

/// Any thread.
class Scorer {
 public:
  /// Metrics that do not fit the loss are passed over.
  Scorer(const LossSpec& loss, const MetricIds& metrics);

  const LossDef& loss() const { return *m_loss; }
  /// Those that are sums over samples, as they lie in a LossResult.
  const std::vector<const MetricDef*>& metrics() const { return m_metrics; }
  /// Those of a whole validation alone: see Validation.
  const std::vector<const MetricDef*>& tallied() const { return m_tallied; }
  /// Whether the batch has what the loss compares with.
  bool hasTargets(const Batch& batch) const;
  /// Error::Input when a target is not possible, as a label past the last of `size` classes.
  void checkTargets(const Batch& batch, std::int64_t size) const;
  /// Samples [begin, begin + count) of the batch, whose outputs [count, size] begin at `outputs`. `gradients`
  /// [count, size] are of the mean over these samples, or null.
  LossResult operator()(const Batch& batch, int begin, int count, std::int64_t size, const float* outputs,
                        float* gradients = nullptr) const;

 private:
  friend class Validation;
  LossIo ioFor(const Batch& batch, int begin, int count, std::int64_t size, const float* outputs,
               std::vector<float>& room) const;

  const LossDef* m_loss;
  Fields m_fields;
  std::vector<const MetricDef*> m_metrics, m_tallied;
};

/// Loss and metrics of a whole set of samples, gathered batch by batch. One thread at a time.
class Validation {
 public:
  /// Of a net that puts out `size` values a sample. The scorer must outlive this.
  Validation(const Scorer& scorer, std::int64_t size);

  /// A batch, whose outputs are [batch.size, size].
  void add(const Batch& batch, const float* outputs);
  double loss() const;                            ///< mean over the samples; not a number without any, like the metrics
  std::map<std::string, double> metrics() const;  ///< by id

 private:
  const Scorer& m_scorer;
  const std::int64_t m_size;
  LossResult m_sums;
  std::int64_t m_samples = 0;
  std::vector<std::vector<double>> m_tallies;  ///< of m_scorer.tallied()
  std::vector<float> m_predictions;
};

}  // namespace strata

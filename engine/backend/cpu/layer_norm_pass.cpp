// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/layer_norm_pass.h"

#include <algorithm>
#include <atomic>

#include "engine/backend/cpu/weighted_pass.h"
#include "engine/backend/cpu/whole_rows.h"

namespace strata {
namespace {

class LayerNormPass : public WeightedPass {
 public:
  /// `node` must outlive this.
  LayerNormPass(const Node& node, int stateSlots, Buffer& x, Buffer& y, int threads)
      : WeightedPass(node, stateSlots), m_x(x),
        m_y(y), m_shape{x.shape.c, float(node.fields.real("epsilon")), activationOf(node.fields)},
        m_rows(x, 4, threads), m_moments(2 * std::size_t(x.shape.places() * x.batch)),
        m_sampleSums(m_gradients.size() * kMostParts), m_partSums(m_sampleSums.size()) {
    m_y.hasZeros |= m_shape.activation == Activation::Relu;
  }

  void forward(const Step& step) override {
    std::atomic<bool> finite{true};
    step.pool.run(step.batch, [&](int n, int thread) {
      float *moments = momentsOf(n), probe = 0;
      m_rows.each(n, thread, {&m_x, &m_y}, {&m_x.values, &m_y.values}, [&](int places, float*(&rows)[2]) {
        probe += step.kernels.layerNormRows(m_shape, rows[0], places, m_weights.data(), m_weights.data() + m_shape.c,
                                            rows[1], moments);
        moments += 2 * places;
      });
      if (!(probe == 0)) finite = false;
    });
    m_finite = finite;
  }

  /// Sums of a sample in float, of the samples of a part in double.
  void backward(const Step& step) override {
    const std::size_t size = m_gradients.size();
    step.pool.run(step.parts(), [&](int part, int thread) {
      float* sample = m_sampleSums.data() + std::size_t(part) * size;
      double* total = m_partSums.data() + std::size_t(part) * size;
      std::fill_n(total, size, 0);
      for (int n = step.begin(part); n < step.end(part); ++n) {
        std::fill_n(sample, size, 0.f);
        backwardSample(step, n, thread, sample);
        for (std::size_t i = 0; i < size; ++i) total[i] += double(sample[i]);
      }
    });
    for (std::size_t i = 0; i < size; ++i) {
      double sum = 0;
      for (int part = 0; part < step.parts(); ++part) sum += m_partSums[std::size_t(part) * size + i];
      m_gradients[i] = float(sum);
    }
  }

  PassWork work() const override {
    return {m_node.path, "vectors of channels", "vectors of channels", 0, m_x.gradients.size() > 0, true, 1, 1, 1};
  }

 private:
  float* momentsOf(int n) const { return m_moments.data() + 2 * m_x.shape.places() * n; }

  void backwardSample(const Step& step, int n, int thread, float* sums) const {
    const float* moments = momentsOf(n);
    const bool wanted = m_x.gradients.size() > 0;
    // Where the input's gradient is not wanted, something must stand in its place: nothing is written there.
    m_rows.each(n, thread, {&m_y, &m_y, &m_x, &m_x},
                {&m_y.values, &m_y.gradients, &m_x.values, wanted ? &m_x.gradients : &m_x.values},
                [&](int places, float*(&rows)[4]) {
                  step.kernels.layerNormGradientRows(m_shape, rows[0], rows[1], rows[2], places, m_weights.data(),
                                                     moments, sums, wanted ? rows[3] : nullptr);
                  if (!wanted) rows[3] = rows[2];
                  moments += 2 * places;
                });
  }

  Buffer &m_x, &m_y;
  const LayerNormShape m_shape;
  const WholeRows m_rows;
  Array<float> m_moments;  ///< [N][places][2]: mean and 1 / sqrt(variance + epsilon) of the batch's
  Array<float> m_sampleSums;
  Array<double> m_partSums;  ///< [parts][2][c]
};

}  // namespace

PassKind layerNormPassKind() {
  PassKind kind{"layer_norm"};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    return std::make_unique<LayerNormPass>(place.node(), place.stateSlots(), place.x(), place.y, place.threads);
  };
  return kind;
}

}  // namespace strata

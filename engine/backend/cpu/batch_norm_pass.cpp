// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/batch_norm_pass.h"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace strata {

BatchNormPass::BatchNormPass(const Node& node, int stateSlots, Buffer& x, Buffer& y)
    : WeightedPass(node, stateSlots), m_x(x), m_y(y), m_channels(x.shape.c), m_scale(node.fields.flag("scale")),
      m_center(node.fields.flag("center")), m_momentum(node.fields.real("momentum")),
      m_epsilon(node.fields.real("epsilon")), m_activation(activationOf(node.fields)),
      m_variance(std::size_t(m_channels)), m_sums(2 * m_variance.size()), m_partSums(kMostParts * m_sums.size()) {
  for (Array<float>* array : {&m_center0, &m_mean, &m_gain, &m_shift, &m_ofGradient, &m_ofInput, &m_fixed})
    *array = Array<float>(m_variance.size());
  m_sample = Array<float>(m_partSums.size());
  m_y.hasZeros |= m_activation == Activation::Relu;
}

template <class Sum>
void BatchNormPass::sumBatch(const Step& step, Sum sum) {
  const std::size_t size = m_sums.size();
  step.pool.run(step.parts(), [&](int part, int) {
    double* total = m_partSums.data() + std::size_t(part) * size;
    float* sample = m_sample.data() + std::size_t(part) * size;
    std::fill_n(total, size, 0);
    for (int n = step.begin(part); n < step.end(part); ++n) {
      std::fill_n(sample, size, 0.f);
      sum(n, sample);
      for (std::size_t i = 0; i < size; ++i) total[i] += double(sample[i]);
    }
  });
  std::fill(m_sums.begin(), m_sums.end(), 0);
  for (int part = 0; part < step.parts(); ++part)
    for (std::size_t i = 0; i < size; ++i) m_sums[i] += m_partSums[std::size_t(part) * size + i];
}

/// Mean and variance of the batch, or the moving ones.
void BatchNormPass::measure(const Step& step) {
  const float *mean = running(m_weights, 0), *variance = running(m_weights, 1);
  std::copy_n(mean, m_channels, m_center0.data());
  std::copy_n(mean, m_channels, m_mean.data());
  std::copy_n(variance, m_channels, m_variance.data());
  m_byBatch = step.training && m_node.trainable;
  if (!m_byBatch) return;
  sumBatch(step, [&](int n, float* sums) {
    eachRow(n, {&m_x}, {&m_x.values}, [&](int first, int count, int pixels, float*(&rows)[1]) {
      if (count == m_channels) return step.kernels.channelSums(rows[0], pixels, count, m_center0.data(), sums);
      for (int c = 0; c < count; ++c) {
        const float off = rows[0][c] - m_center0[std::size_t(first + c)];
        sums[first + c] += off;
        sums[m_channels + first + c] += off * off;
      }
    });
  });
  const double rows = double(step.batch) * double(m_x.shape.size() / m_channels);
  for (std::size_t c = 0; c < m_variance.size(); ++c) {
    const double off = m_sums[c] / rows;
    m_mean[c] = float(double(m_center0[c]) + off);
    m_variance[c] = std::max(0.0, m_sums[m_variance.size() + c] / rows - off * off);
    if (!std::isfinite(m_sums[m_variance.size() + c])) m_finite = false;
  }
}

void BatchNormPass::forward(const Step& step) {
  m_finite = true;
  measure(step);
  for (std::size_t c = 0; c < m_variance.size(); ++c) {
    const double gamma = m_scale ? double(m_weights[c]) : 1;
    const double beta = m_center ? double(m_weights[(m_scale ? m_variance.size() : 0) + c]) : 0;
    const double gain = gamma / std::sqrt(m_variance[c] + m_epsilon);
    m_gain[c] = float(gain);
    m_shift[c] = float(beta - double(m_mean[c]) * gain);
  }
  std::atomic<bool> finite{true};
  step.pool.run(step.batch, [&](int n, int) {
    float probe = 0;
    eachRow(n, {&m_x, &m_y}, {&m_x.values, &m_y.values}, [&](int first, int count, int pixels, float*(&rows)[2]) {
      probe += step.kernels.channelAffine(m_activation, rows[0], pixels, count, m_gain.data() + first,
                                          m_shift.data() + first, rows[1]);
    });
    if (!(probe == 0)) finite = false;
  });
  m_finite = m_finite && finite;
}

/// With P the sum of dz (x - mean), S that of dz and M the values of a channel: through the batch's statistics
/// dx = gain (dz - S / M - (x - mean) P / (M (variance + epsilon))).
void BatchNormPass::backward(const Step& step) {
  sumBatch(step, [&](int n, float* sums) {
    eachRow(n, {&m_y, &m_y, &m_x}, {&m_y.values, &m_y.gradients, &m_x.values},
            [&](int first, int count, int pixels, float*(&rows)[3]) {
              if (count == m_channels)
                return step.kernels.channelGradientSums(m_activation, rows[0], rows[1], rows[2], pixels, count,
                                                        m_mean.data(), sums);
              std::vector<float> own(2 * std::size_t(count));
              step.kernels.channelGradientSums(m_activation, rows[0], rows[1], rows[2], pixels, count,
                                               m_mean.data() + first, own.data());
              for (int c = 0; c < count; ++c) {
                sums[first + c] += own[std::size_t(c)];
                sums[m_channels + first + c] += own[std::size_t(count + c)];
              }
            });
  });
  const double rows = double(step.batch) * double(m_x.shape.size() / m_channels);
  const std::size_t channels = m_variance.size();
  for (std::size_t c = 0; c < channels; ++c) {
    const double spread = m_variance[c] + m_epsilon, sum = m_sums[c], product = m_sums[channels + c];
    const double gain = double(m_gain[c]), share = m_byBatch ? gain / rows : 0;
    if (m_scale) m_gradients[c] = float(product / std::sqrt(spread));
    if (m_center) m_gradients[(m_scale ? channels : 0) + c] = float(sum);
    m_ofGradient[c] = float(gain);
    m_ofInput[c] = float(-share * product / spread);
    m_fixed[c] = float(share * (product / spread * double(m_mean[c]) - sum));
    const auto next = [&](double old, double measured) {
      return float(m_byBatch ? m_momentum * old + (1 - m_momentum) * measured : old);
    };
    running(m_gradients, 0)[c] = next(double(running(m_weights, 0)[c]), double(m_mean[c]));
    running(m_gradients, 1)[c] = next(double(running(m_weights, 1)[c]), m_variance[c]);
  }
  if (m_x.gradients.size() == 0) return;
  step.pool.run(step.batch, [&](int n, int) {
    eachRow(n, {&m_y, &m_y, &m_x, &m_x}, {&m_y.values, &m_y.gradients, &m_x.values, &m_x.gradients},
            [&](int first, int count, int pixels, float*(&at)[4]) {
              const ChannelSlopes slopes{m_ofGradient.data() + first, m_ofInput.data() + first, m_fixed.data() + first};
              step.kernels.channelGradient(m_activation, at[0], at[1], at[2], pixels, count, slopes, at[3]);
            });
  });
}

PassWork BatchNormPass::work() const {
  return {m_node.path, "vectors of channels, twice", "vectors of channels, twice", 0, true, true, 1, 1, 1};
}

PassKind batchNormPassKind() {
  PassKind kind{"batch_norm"};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    return std::make_unique<BatchNormPass>(place.node(), place.stateSlots(), place.x(), place.y);
  };
  return kind;
}

}  // namespace strata

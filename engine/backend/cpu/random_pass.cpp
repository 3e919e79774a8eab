// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/random_pass.h"

#include <algorithm>

#include "engine/base/rng.h"

namespace strata {
namespace {

class RandomPass : public Pass {
 public:
  RandomPass(const Site& site, Stream use, Buffer& x, Buffer& y)
      : m_x(x), m_y(y), m_name(site.name), m_use(use), m_stream(site.stream) {}

  void forward(const Step& step) override { run(step, m_x, m_x.values, m_y, m_y.values, false); }
  void backward(const Step& step) override {
    if (m_x.gradients.size() > 0) run(step, m_y, m_y.gradients, m_x, m_x.gradients, true);
  }
  PassWork work() const override { return {m_name, "vectors", "vectors", 0, false, false, 1, 1, 1}; }

 protected:
  Buffer &m_x, &m_y;

  /// Numbers `first` and on of this step's; one is drawn for each value or channel of the batch.
  RandomPlace placeOf(const Step& step, std::int64_t first) const {
    return {step.seed, streamNumber(m_use, m_stream << 40 | step.index), std::uint64_t(first)};
  }
  /// What becomes of `pixels` of `count` channels, the first of which is value `at` of sample n.
  virtual void apply(const Step& step, int n, std::int64_t at, bool back, const float* from, int pixels, int count,
                     float* to) = 0;
  /// Before the rows of a sample, by any thread.
  virtual void prepare(const Step&, int /*n*/) {}

 private:
  void run(const Step& step, const Buffer& from, const Array<float>& source, const Buffer& to,
           const Array<float>& target, bool back) {
    step.pool.run(step.batch, [&](int n, int) {
      if (step.training) prepare(step, n);
      std::int64_t at = 0;
      eachRow(n, {&from, &to}, {&source, &target}, [&](int, int count, int pixels, float*(&rows)[2]) {
        if (step.training) apply(step, n, at, back, rows[0], pixels, count, rows[1]);
        else std::copy_n(rows[0], std::int64_t{pixels} * count, rows[1]);
        at += std::int64_t{pixels} * count;
      });
    });
  }

  const std::string m_name;
  const Stream m_use;
  const std::uint64_t m_stream;
};

/// As dropout.cpp draws them.
struct DropoutRate {
  std::uint32_t threshold;
  float scale;
  explicit DropoutRate(double rate) : threshold(std::uint32_t(rate * 0x1p32)), scale(float(1 / (1 - rate))) {}
};

class DropoutPass : public RandomPass {
 public:
  DropoutPass(const Site& site, Buffer& x, Buffer& y)
      : RandomPass(site, Stream::Dropout, x, y), m_rate(site.fields.real("rate")) {}

 protected:
  void apply(const Step& step, int n, std::int64_t at, bool, const float* from, int pixels, int count,
             float* to) override {
    step.kernels.dropValues(placeOf(step, n * m_x.shape.size() + at), m_rate.threshold, m_rate.scale, from, to,
                            std::int64_t{pixels} * count);
  }

 private:
  const DropoutRate m_rate;
};

class SpatialDropoutPass : public RandomPass {
 public:
  SpatialDropoutPass(const Site& site, Buffer& x, Buffer& y)
      : RandomPass(site, Stream::Dropout, x, y), m_rate(site.fields.real("rate")),
        m_gains(std::size_t(x.shape.c) * std::size_t(x.batch)), m_zeros(std::size_t(x.shape.c)),
        m_words(m_gains.size()) {}

 protected:
  void prepare(const Step& step, int n) override {
    const std::int64_t first = std::int64_t{n} * m_x.shape.c;
    step.kernels.drawWords(placeOf(step, first), m_x.shape.c, m_words.data() + first);
    for (std::int64_t i = first; i < first + m_x.shape.c; ++i)
      m_gains[std::size_t(i)] = m_words[std::size_t(i)] >= m_rate.threshold ? m_rate.scale : 0.f;
  }
  void apply(const Step& step, int n, std::int64_t, bool, const float* from, int pixels, int count,
             float* to) override {
    step.kernels.channelAffine(Activation::Linear, from, pixels, count, m_gains.data() + std::int64_t{n} * count,
                               m_zeros.data(), to);
  }

 private:
  const DropoutRate m_rate;
  Array<float> m_gains;  ///< [N][c]
  const Array<float> m_zeros;
  Array<std::uint32_t> m_words;
};

class NoisePass : public RandomPass {
 public:
  NoisePass(const Site& site, Buffer& x, Buffer& y)
      : RandomPass(site, Stream::Noise, x, y), m_deviation(float(site.fields.real("stddev"))) {}

 protected:
  void apply(const Step& step, int n, std::int64_t at, bool back, const float* from, int pixels, int count,
             float* to) override {
    const std::int64_t size = std::int64_t{pixels} * count;
    if (back) std::copy_n(from, size, to);
    else step.kernels.addNoise(placeOf(step, n * m_x.shape.size() + at), m_deviation, from, to, size);
  }

 private:
  const float m_deviation;
};

template <class Made>
PassKind randomPassKind(const char* type, bool zeros) {
  PassKind kind{type};
  static_assert(std::is_base_of_v<RandomPass, Made>);
  kind.make = zeros ? [](const PassPlace& place) -> std::unique_ptr<Pass> {
    place.y.hasZeros = true;
    return std::make_unique<Made>(place.site(), place.x(), place.y);
  }
  : [](const PassPlace& place) -> std::unique_ptr<Pass> {
      return std::make_unique<Made>(place.site(), place.x(), place.y);
    };
  return kind;
}

}  // namespace

PassKind dropoutPassKind() { return randomPassKind<DropoutPass>("dropout", true); }
PassKind spatialDropoutPassKind() { return randomPassKind<SpatialDropoutPass>("spatial_dropout2d", true); }
PassKind gaussianNoisePassKind() { return randomPassKind<NoisePass>("gaussian_noise", false); }

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/image_pass.h"

#include <algorithm>

#include "engine/backend/cpu/geometry.h"
#include "engine/layers/upsample.h"

namespace strata {
namespace {

constexpr int kMostPlaces = 255;  ///< of a window: a place is told by a byte

/// Works on one sample after another, and needs nothing of the others.
class SamplePass : public Pass {
 public:
  SamplePass(std::string name, Buffer& x, Buffer& y) : m_x(x), m_y(y), m_name(std::move(name)) {}
  void forward(const Step& step) override {
    step.pool.run(step.batch, [&](int n, int thread) { forwardSample(step.kernels, n, thread); });
  }
  void backward(const Step& step) override {
    if (m_x.gradients.size() > 0)
      step.pool.run(step.batch, [&](int n, int thread) { backwardSample(step.kernels, n, thread); });
  }
  PassWork work() const override {
    return {m_name, "vectors of channels", "vectors of channels", 0, false, false, 1, 1, 1};
  }

 protected:
  virtual void forwardSample(const Kernels& kernels, int n, int thread) = 0;
  virtual void backwardSample(const Kernels& kernels, int n, int thread) = 0;
  Buffer &m_x, &m_y;

 private:
  const std::string m_name;
};

class MaxPoolPass : public SamplePass {
 public:
  MaxPoolPass(std::string name, const WindowGeometry& g, int lanes, Buffer& x, Buffer& y)
      : SamplePass(std::move(name), x, y), m_shape{g.in.c,     g.in.h,     g.in.w,     g.out.h,
                                                   g.out.w,    g.y.kernel, g.x.kernel, g.y.stride,
                                                   g.x.stride, g.y.before, g.x.before},
        m_codesSize(g.out.places() * ((g.in.c + lanes - 1) / lanes * lanes)),
        m_codes(std::size_t(m_codesSize * x.batch)) {}

 protected:
  void forwardSample(const Kernels& kernels, int n, int) override {
    kernels.maxPool(m_shape, m_x.inside(n, m_x.values), m_y.inside(n, m_y.values), m_codes.data() + n * m_codesSize);
  }
  void backwardSample(const Kernels& kernels, int n, int) override {
    kernels.maxPoolGradient(m_shape, m_y.inside(n, m_y.gradients), m_codes.data() + n * m_codesSize,
                            m_x.inside(n, m_x.gradients));
  }

 private:
  const PoolShape m_shape;
  const std::int64_t m_codesSize;     ///< of one sample
  const Array<std::uint8_t> m_codes;  ///< [N][pooled pixel][c, in whole vectors]
};

class GlobalMaxPass : public SamplePass {
 public:
  GlobalMaxPass(std::string name, Buffer& x, Buffer& y)
      : SamplePass(std::move(name), x, y), m_channels(x.shape.c), m_values(std::size_t(x.batch) * x.shape.c),
        m_winners(m_values.size()) {}

 protected:
  void forwardSample(const Kernels& kernels, int n, int) override {
    const std::int64_t first = std::int64_t{n} * m_channels;
    kernels.globalMax(m_x.sample(n, m_x.values), int(m_x.shape.places()), m_channels, m_values.data() + first,
                      m_winners.data() + first);
    copySample<Copy::In>(m_y, m_y.values, m_values.data() + first, n);
  }
  void backwardSample(const Kernels&, int n, int) override {
    const std::int64_t first = std::int64_t{n} * m_channels;
    copySample<Copy::Out>(m_y, m_y.gradients, m_values.data() + first, n);
    float* dx = m_x.sample(n, m_x.gradients);
    std::fill_n(dx, m_x.shape.size(), 0.f);
    for (std::int64_t c = 0; c < m_channels; ++c)
      dx[m_winners[std::size_t(first + c)] * std::int64_t{m_channels} + c] = m_values[std::size_t(first + c)];
  }

 private:
  const int m_channels;
  const Array<float> m_values;          ///< [N][c]: of the output, or its gradient
  const Array<std::int32_t> m_winners;  ///< [N][c]: pixels
};

class UpsamplePass : public SamplePass {
 public:
  UpsamplePass(const Site& site, Buffer& x, Buffer& y, int threads)
      : SamplePass(site.name, x, y), m_bilinear(site.fields.text("interpolation") == "bilinear"),
        m_rows(upsampleTaps(site.in.h, site.fields.pair("size").h, m_bilinear)),
        m_rowSize(std::size_t(site.in.w) * std::size_t(site.in.c)), m_row(m_rowSize * std::size_t(threads)) {
    for (const UpsampleTap& tap : upsampleTaps(site.in.w, site.fields.pair("size").w, m_bilinear)) {
      m_first.push_back(tap.first);
      m_second.push_back(tap.second);
      m_share.push_back(float(tap.share));
    }
  }

 protected:
  /// A row between two of the input, then its pixels. Rows that are equal are computed once.
  void forwardSample(const Kernels& kernels, int n, int thread) override {
    const Frame x = m_x.inside(n, m_x.values), y = m_y.inside(n, m_y.values);
    float* row = m_row.data() + std::size_t(thread) * m_rowSize;
    for (std::size_t o = 0; o < m_rows.size(); ++o) {
      const UpsampleTap& tap = m_rows[o];
      float* to = y.data + std::int64_t(o) * y.rowStride;
      if (o > 0 && tap.first == m_rows[o - 1].first && tap.share == m_rows[o - 1].share) {
        std::copy_n(to - y.rowStride, m_first.size() * std::size_t(m_y.shape.c), to);
        continue;
      }
      const float* from = x.data + std::int64_t{tap.first} * x.rowStride;
      if (tap.share > 0) {
        kernels.blend(from, x.data + std::int64_t{tap.second} * x.rowStride, float(tap.share), row,
                      std::int64_t(m_rowSize));
        from = row;
      }
      kernels.widenRow(taps(), from, m_x.shape.c, to);
    }
  }
  void backwardSample(const Kernels& kernels, int n, int thread) override {
    const Frame dx = m_x.inside(n, m_x.gradients), dy = m_y.inside(n, m_y.gradients);
    float* row = m_row.data() + std::size_t(thread) * m_rowSize;
    const auto size = std::int64_t(m_rowSize);
    for (int i = 0; i < m_x.shape.h; ++i) std::fill_n(dx.data + std::int64_t{i} * dx.rowStride, size, 0.f);
    for (std::size_t o = 0; o < m_rows.size(); ++o) {
      const UpsampleTap& tap = m_rows[o];
      float* first = dx.data + std::int64_t{tap.first} * dx.rowStride;
      const float* from = dy.data + std::int64_t(o) * dy.rowStride;
      if (tap.share == 0) {
        kernels.widenRowGradient(taps(), from, m_x.shape.c, first);
        continue;
      }
      std::fill_n(row, size, 0.f);
      kernels.widenRowGradient(taps(), from, m_x.shape.c, row);
      kernels.addScaled(first, row, float(1 - tap.share), size);
      kernels.addScaled(dx.data + std::int64_t{tap.second} * dx.rowStride, row, float(tap.share), size);
    }
  }

 private:
  WidenTaps taps() const {
    return {int(m_first.size()), m_first.data(), m_second.data(), m_bilinear ? m_share.data() : nullptr};
  }

  const bool m_bilinear;
  const std::vector<UpsampleTap> m_rows;        ///< of each row of the output
  std::vector<std::int32_t> m_first, m_second;  ///< of each column
  std::vector<float> m_share;
  const std::size_t m_rowSize;
  const Array<float> m_row;  ///< [threads][w][c]
};

/// The frame itself is zero from the start, and nothing writes there.
class ZeroPadPass : public SamplePass {
 public:
  ZeroPadPass(const Site& site, Buffer& x, Buffer& y)
      : SamplePass(site.name, x, y), m_padding(site.fields.pair("padding")) {}

 protected:
  void forwardSample(const Kernels&, int n, int) override {
    eachInner(n, m_x.values, m_y.values,
              [](float* inner, float* outer, std::int64_t size) { std::copy_n(inner, size, outer); });
  }
  void backwardSample(const Kernels&, int n, int) override {
    eachInner(n, m_x.gradients, m_y.gradients,
              [](float* inner, float* outer, std::int64_t size) { std::copy_n(outer, size, inner); });
  }

 private:
  /// visit(row of the input, where it lies in the output, its size).
  template <class Visit>
  void eachInner(int n, const Array<float>& inner, const Array<float>& outer, Visit visit) const {
    const Frame x = m_x.inside(n, inner), y = m_y.inside(n, outer);
    for (int row = 0; row < m_x.shape.h; ++row)
      visit(x.data + std::int64_t{row} * x.rowStride,
            y.data + std::int64_t{row + m_padding.h} * y.rowStride + std::int64_t{m_padding.w} * m_x.shape.c,
            std::int64_t{m_x.shape.w} * m_x.shape.c);
  }

  const Pair m_padding;
};

}  // namespace

PassKind maxPoolPassKind() {
  PassKind kind{"max_pool2d"};
  kind.takes = [](const Site& site) {
    const Pair window = site.fields.pair("pool_size");
    return std::int64_t{window.h} * window.w <= kMostPlaces;
  };
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    place.y.hasZeros |= place.x().hasZeros;
    return std::make_unique<MaxPoolPass>(place.node().path, poolGeometry(place.site()), place.kernels.lanes, place.x(),
                                         place.y);
  };
  return kind;
}

PassKind globalMaxPassKind() {
  PassKind kind{"global_max_pool"};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    return std::make_unique<GlobalMaxPass>(place.node().path, place.x(), place.y);
  };
  return kind;
}

PassKind upsamplePassKind() {
  PassKind kind{"upsample2d"};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    place.y.hasZeros |= place.x().hasZeros;
    return std::make_unique<UpsamplePass>(place.site(), place.x(), place.y, place.threads);
  };
  return kind;
}

PassKind zeroPadPassKind() {
  PassKind kind{"zero_pad2d"};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    place.y.hasZeros = true;
    return std::make_unique<ZeroPadPass>(place.site(), place.x(), place.y);
  };
  return kind;
}

}  // namespace strata

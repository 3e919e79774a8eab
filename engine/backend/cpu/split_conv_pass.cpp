// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/split_conv_pass.h"

#include <algorithm>

#include "engine/backend/cpu/conv_pass.h"
#include "engine/backend/cpu/geometry.h"

namespace strata {
namespace {

constexpr int kMostPhases = 64;  // each is an image at least as large as the kernel

int divideUp(int a, int b) { return (a + b - 1) / b; }

class SplitConvPass : public Pass {
 public:
  explicit SplitConvPass(const PassPlace& place);

  void forward(const Step& step) override;
  void backward(const Step& step) override;
  bool finite() const override {
    return std::all_of(m_groups.begin(), m_groups.end(), [](const Group& group) { return group.conv->finite(); });
  }
  PassWork work() const override;

  int gradientTasks(const Step& step) const override { return tasks(m_groups.front().conv->gradientTasks(step)); }
  void gradientTask(const Step& step, int task) override {
    const int each = m_groups.front().conv->gradientTasks(step);
    m_groups[std::size_t(task / each)].conv->gradientTask(inner(step), task % each);
  }
  int updateTasks(const Step& step) const override { return tasks(m_groups.front().conv->updateTasks(step)); }
  float updateTask(const Step& step, int task, int thread, const UpdateRule& rule) override {
    const int each = m_groups.front().conv->updateTasks(step);
    return m_groups[std::size_t(task / each)].conv->updateTask(inner(step), task % each, thread, rule);
  }

  void setWeights(const float* canonical) override {
    eachSlice(canonical, [](ConvPass& conv, const float* slice) { conv.setWeights(slice); });
  }
  void getWeights(float* canonical) const override {
    gatherSlices(canonical, [](const ConvPass& conv, float* slice) { conv.getWeights(slice); });
  }
  void setState(int slot, const float* canonical) override {
    eachSlice(canonical, [slot](ConvPass& conv, const float* slice) { conv.setState(slot, slice); });
  }
  void getState(int slot, float* canonical) const override {
    gatherSlices(canonical, [slot](const ConvPass& conv, float* slice) { conv.getState(slot, slice); });
  }
  std::int64_t weightsOffset() const override { return m_weightsOffset; }

 private:
  struct Group {
    Buffer x, y;
    std::unique_ptr<ConvPass> conv;
  };

  std::int64_t kernelRows() const { return std::int64_t{m_g.y.kernel} * m_g.x.kernel * m_channels; }
  int tasks(int each) const { return each * int(m_groups.size()); }
  /// What the convolutions within work on: a sample for each of the smaller images.
  Step inner(const Step& step) const {
    return {step.kernels, step.pool, step.batch * m_phases, step.training, step.seed, step.index};
  }

  /// visit(offset of an input pixel, which of the small images has it, where there).
  template <class Visit>
  void eachInput(Visit visit) const;
  template <class Visit>
  void eachOutput(Visit visit) const;

  /// Calls visit(place in the canonical layout, place in group g's) for its kernel [taps * channels][K] and bias [K],
  /// which is like one more row.
  template <class Visit>
  void eachNumber(std::size_t g, Visit visit) const;
  template <class Use>
  void eachSlice(const float* canonical, Use use);
  template <class Fill>
  void gatherSlices(float* canonical, Fill fill) const;

  const WindowGeometry m_g;
  const int m_channels, m_filters;  ///< of one group
  const int m_downs, m_acrosses, m_phases;
  const bool m_bias;
  const std::int64_t m_weightsOffset;
  const std::string m_name;
  Buffer &m_x, &m_y;
  std::vector<Group> m_groups;
};

SplitConvPass::SplitConvPass(const PassPlace& place)
    : m_g(convGeometry(place.site())), m_channels(m_g.in.c / place.node().fields.integer("groups")),
      m_filters(m_g.out.c / place.node().fields.integer("groups")), m_downs(m_g.y.dilation), m_acrosses(m_g.x.dilation),
      m_phases(m_downs * m_acrosses), m_bias(place.node().fields.flag("use_bias")),
      m_weightsOffset(place.node().weightsOffset), m_name(place.node().path), m_x(place.x()), m_y(place.y),
      m_groups(std::size_t(place.node().fields.integer("groups"))) {
  const Site site = place.site();
  m_y.hasZeros |= activationOf(site.fields) == Activation::Relu;
  for (Group& group : m_groups) {
    const int outH = divideUp(m_g.out.h, m_downs), outW = divideUp(m_g.out.w, m_acrosses);
    const auto prepare = [&](Buffer& buffer, const Shape& shape, bool gradients) {
      buffer.shape = shape;
      buffer.rows = shape.h, buffer.cols = shape.w;
      buffer.allocate(place.request.maxBatch * m_phases, gradients);
    };
    prepare(
        group.x,
        Shape::image((outH - 1) * m_g.y.stride + m_g.y.kernel, (outW - 1) * m_g.x.stride + m_g.x.kernel, m_channels),
        site.needsInputGradient);
    prepare(group.y, Shape::image(outH, outW, m_filters), place.request.training);
    group.x.hasZeros = m_x.hasZeros;
    ConvPass::Plan plan;
    plan.name = m_name;
    plan.hasBias = m_bias;
    plan.inputGradient = site.needsInputGradient;
    plan.training = place.request.training;
    plan.stateSlots = place.stateSlots();
    ConvShape& shape = plan.shape;
    shape.c = m_channels, shape.k = m_filters;
    shape.r = m_g.y.kernel, shape.s = m_g.x.kernel, shape.sy = m_g.y.stride, shape.sx = m_g.x.stride;
    shape.rows = group.x.rows, shape.cols = group.x.cols;
    shape.outH = outH, shape.outW = outW;
    shape.activation = activationOf(site.fields);
    planConv(shape, plan.inputGradient, place.kernels);
    group.conv = std::make_unique<ConvPass>(plan, group.x, group.y, nullptr, place.kernels, place.threads);
  }
}

template <class Visit>
void SplitConvPass::eachInput(Visit visit) const {
  const Buffer& small = m_groups.front().x;
  for (int row = 0; row < m_g.in.h; ++row) {
    const int down = row + m_g.y.before, smallRow = down / m_downs;
    if (smallRow >= small.rows) break;  // no output reads it
    for (int col = 0; col < m_g.in.w; ++col) {
      const int across = col + m_g.x.before, smallCol = across / m_acrosses;
      if (smallCol >= small.cols) break;
      visit((std::int64_t{row} * m_x.cols + col) * m_g.in.c, down % m_downs * m_acrosses + across % m_acrosses,
            (std::int64_t{smallRow} * small.cols + smallCol) * m_channels);
    }
  }
}

template <class Visit>
void SplitConvPass::eachOutput(Visit visit) const {
  const Buffer& small = m_groups.front().y;
  for (int row = 0; row < m_g.out.h; ++row)
    for (int col = 0; col < m_g.out.w; ++col)
      visit((std::int64_t{row} * m_y.cols + col) * m_g.out.c, row % m_downs * m_acrosses + col % m_acrosses,
            (std::int64_t{row / m_downs} * small.cols + col / m_acrosses) * m_filters);
}

void SplitConvPass::forward(const Step& step) {
  step.pool.run(step.batch, [&](int n, int) {
    const float* x = m_x.inside(n, m_x.values).data;
    eachInput([&](std::int64_t pixel, int phase, std::int64_t place) {
      const float* from = x + pixel;
      for (const Group& group : m_groups) {
        float* to = group.x.sample(n * m_phases + phase, group.x.values) + place;
        for (int c = 0; c < m_channels; ++c) *to++ = *from++;
      }
    });
  });
  for (const Group& group : m_groups) group.conv->forward(inner(step));
  step.pool.run(step.batch, [&](int n, int) {
    float* y = m_y.inside(n, m_y.values).data;
    eachOutput([&](std::int64_t pixel, int phase, std::int64_t place) {
      float* to = y + pixel;
      for (const Group& group : m_groups) {
        const float* from = group.y.sample(n * m_phases + phase, group.y.values) + place;
        for (int k = 0; k < m_filters; ++k) *to++ = *from++;
      }
    });
  });
}

/// Outputs of the small images that are none of the whole have no gradient: nothing writes theirs, which are zero.
void SplitConvPass::backward(const Step& step) {
  step.pool.run(step.batch, [&](int n, int) {
    const float* dy = m_y.inside(n, m_y.gradients).data;
    eachOutput([&](std::int64_t pixel, int phase, std::int64_t place) {
      const float* from = dy + pixel;
      for (const Group& group : m_groups) {
        float* to = group.y.sample(n * m_phases + phase, group.y.gradients) + place;
        for (int k = 0; k < m_filters; ++k) *to++ = *from++;
      }
    });
  });
  for (const Group& group : m_groups) group.conv->backward(inner(step));
  if (m_x.gradients.size() == 0) return;
  step.pool.run(step.batch, [&](int n, int) {
    std::fill_n(m_x.sample(n, m_x.gradients), m_x.sampleSize(), 0.f);
    float* dx = m_x.inside(n, m_x.gradients).data;
    eachInput([&](std::int64_t pixel, int phase, std::int64_t place) {
      float* to = dx + pixel;
      for (const Group& group : m_groups) {
        const float* from = group.x.sample(n * m_phases + phase, group.x.gradients) + place;
        for (int c = 0; c < m_channels; ++c) *to++ = *from++;
      }
    });
  });
}

template <class Visit>
void SplitConvPass::eachNumber(std::size_t g, Visit visit) const {
  for (std::int64_t row = 0; row < kernelRows() + m_bias; ++row)
    for (int k = 0; k < m_filters; ++k)
      visit(row * m_g.out.c + std::int64_t(g) * m_filters + k, std::size_t(row * m_filters + k));
}

template <class Use>
void SplitConvPass::eachSlice(const float* canonical, Use use) {
  std::vector<float> slice(std::size_t((kernelRows() + 1) * m_filters));
  for (std::size_t g = 0; g < m_groups.size(); ++g) {
    eachNumber(g, [&](std::int64_t whole, std::size_t own) { slice[own] = canonical[whole]; });
    use(*m_groups[g].conv, slice.data());
  }
}

template <class Fill>
void SplitConvPass::gatherSlices(float* canonical, Fill fill) const {
  std::vector<float> slice(std::size_t((kernelRows() + 1) * m_filters));
  for (std::size_t g = 0; g < m_groups.size(); ++g) {
    fill(*m_groups[g].conv, slice.data());
    eachNumber(g, [&](std::int64_t whole, std::size_t own) { canonical[whole] = slice[own]; });
  }
}

PassWork SplitConvPass::work() const {
  PassWork work = m_groups.front().conv->work();
  const double share = double(m_g.out.h) * m_g.out.w / (double(m_groups.front().y.rows) * m_groups.front().y.cols);
  work.macs *= share * double(m_groups.size());
  work.forward = std::to_string(m_groups.size() * std::size_t(m_phases)) + " smaller ones, " + work.forward;
  work.backward = std::to_string(m_groups.size() * std::size_t(m_phases)) + " smaller ones, " + work.backward;
  return work;
}

}  // namespace

PassKind splitConvPassKind() {
  PassKind kind{"conv2d"};
  // Apart and in strides, an output's taps would not be every so many pixels of one small image.
  kind.takes = [](const Site& site) {
    const Slides slides = slidesOf(site.fields, site.in);
    return slides.y.dilation * slides.x.dilation <= kMostPhases && (slides.y.dilation == 1 || slides.y.stride == 1) &&
           (slides.x.dilation == 1 || slides.x.stride == 1);
  };
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> { return std::make_unique<SplitConvPass>(place); };
  return kind;
}

}  // namespace strata

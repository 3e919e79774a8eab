// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/plain_stages.h"

#include <algorithm>

#include "engine/base/rng.h"

namespace strata::cuda {
namespace {

class LoadStage : public Stage {
 public:
  explicit LoadStage(Shared& shared) : Stage({}), m_shared(shared) { note = "own kernel LoadInput"; }
  void forward(const Pass& pass) override {
    const Out<Real> y = out.values.out(pass.batch * out.size);
    launch(m_shared.device, Lane::Main, LoadInput{pass.images, y}, y.count);
  }
  void backward(const Pass&) override {}

 private:
  Shared& m_shared;
};

class PoolStage : public Stage {
 public:
  PoolStage(Shared& shared, Input input, const Window& window, int channels, bool max)
      : Stage({input}), m_shared(shared), m_window(window), m_channels(channels), m_max(max) {
    if (max)
      m_winners = Buffer<std::int32_t>(shared.device, shared.maxBatch * Index{window.outH} * window.outW * channels);
    note = max ? "own kernels MaxPool and MaxPoolGradient" : "own kernels AvgPool and AvgPoolGradient";
  }
  void forward(const Pass& pass) override {
    const In<Real> x = in[0].values(pass.batch);
    const Out<Real> y = out.values.out(pass.batch * out.size);
    if (m_max)
      launch(m_shared.device, Lane::Main, MaxPool{m_window, m_channels, x, y, m_winners.out(y.count)}, y.count);
    else launch(m_shared.device, Lane::Main, AvgPool{m_window, m_channels, x, y}, y.count);
  }
  void backward(const Pass& pass) override {
    if (!in[0].wantsGradient()) return;
    const In<Real> dy = out.gradients.in(pass.batch * out.size);
    const Out<Real> dx = in[0].gradient(pass.batch);
    if (m_max)
      launch(m_shared.device, Lane::Main, MaxPoolGradient{m_window, m_channels, dy, m_winners.in(dy.count), dx},
             dx.count);
    else launch(m_shared.device, Lane::Main, AvgPoolGradient{m_window, m_channels, dy, dx}, dx.count);
  }

 private:
  Shared& m_shared;
  Window m_window;
  int m_channels;
  bool m_max;
  Buffer<std::int32_t> m_winners;
};

class ActivationStage : public Stage {
 public:
  ActivationStage(Shared& shared, Input input, Act act) : Stage({input}), m_shared(shared), m_act(act) {
    note = "own kernels Activate and ActivateGradient";
  }
  void forward(const Pass& pass) override {
    const Index count = pass.batch * out.size;
    launch(m_shared.device, Lane::Main, Activate{m_act, in[0].values(pass.batch), out.values.out(count)}, count);
  }
  void backward(const Pass& pass) override {
    if (!in[0].wantsGradient()) return;
    const Index count = pass.batch * out.size;
    launch(m_shared.device, Lane::Main,
           ActivateGradient{m_act, out.values.in(count), out.gradients.in(count), in[0].gradient(pass.batch)}, count);
  }

 private:
  Shared& m_shared;
  Act m_act;
};

class DropoutStage : public Stage {
 public:
  DropoutStage(Shared& shared, Input input, double rate, std::uint64_t stream)
      : Stage({input}), m_shared(shared),
        m_stream(static_cast<std::uint64_t>(strata::Stream::Dropout) << 56 | stream << 40),
        m_threshold(static_cast<std::uint32_t>(rate * 0x1p32)), m_scale(static_cast<float>(1 / (1 - rate))) {
    note = "own kernel Dropout, forward and backward";
  }
  void forward(const Pass& pass) override {
    apply(in[0].values(pass.batch), out.values.out(pass.batch * out.size), pass.training);
  }
  void backward(const Pass& pass) override {
    if (in[0].wantsGradient()) apply(out.gradients.in(pass.batch * out.size), in[0].gradient(pass.batch), true);
  }

 private:
  void apply(In<Real> x, Out<Real> y, bool training) {
    launch(m_shared.device, Lane::Main,
           Dropout{m_shared.cursor, m_shared.params, m_shared.seed, m_stream, training ? m_threshold : 0,
                   training ? m_scale : 1, x, y},
           y.count);
  }
  Shared& m_shared;
  std::uint64_t m_stream;
  std::uint32_t m_threshold;
  float m_scale;
};

class JoinStage : public Stage {
 public:
  JoinStage(Shared& shared, std::vector<Input> inputs, Merge merge, Act act)
      : Stage(std::move(inputs)), m_shared(shared), m_merge(merge), m_act(act) {
    note = "own kernels Join and JoinGradient";
  }
  void forward(const Pass& pass) override {
    Join join;
    join.merge = m_merge;
    join.act = m_act;
    join.count = static_cast<int>(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) join.xs[i] = in[i].values(pass.batch);
    join.y = out.values.out(pass.batch * out.size);
    launch(m_shared.device, Lane::Main, join, join.y.count);
  }
  void backward(const Pass& pass) override {
    if (std::ranges::none_of(in, &Input::wantsGradient)) return;
    const Index count = pass.batch * out.size;
    JoinGradient join;
    join.merge = m_merge;
    join.act = m_act;
    join.count = static_cast<int>(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (join.readsInputs()) join.xs[i] = in[i].values(pass.batch);
      if (in[i].wantsGradient()) join.dxs[i] = in[i].gradient(pass.batch);
    }
    if (m_act != Act::Linear) join.y = out.values.in(count);
    join.dy = out.gradients.in(count);
    launch(m_shared.device, Lane::Main, join, count);
  }

 private:
  Shared& m_shared;
  Merge m_merge;
  Act m_act;
};

class ConcatStage : public Stage {
 public:
  ConcatStage(Shared& shared, std::vector<Input> inputs, const std::vector<int>& channels)
      : Stage(std::move(inputs)), m_shared(shared) {
    for (const int each : channels) m_channels.each[m_channels.count++] = each, m_channels.all += each;
    note = "own kernels Concat and ConcatGradient";
  }
  void forward(const Pass& pass) override {
    Concat concat;
    concat.channels = m_channels;
    for (std::size_t i = 0; i < in.size(); ++i) concat.xs[i] = in[i].values(pass.batch);
    concat.y = out.values.out(pass.batch * out.size);
    launch(m_shared.device, Lane::Main, concat, concat.y.count);
  }
  void backward(const Pass& pass) override {
    if (std::ranges::none_of(in, &Input::wantsGradient)) return;
    ConcatGradient concat;
    concat.channels = m_channels;
    for (std::size_t i = 0; i < in.size(); ++i)
      if (in[i].wantsGradient()) concat.dxs[i] = in[i].gradient(pass.batch);
    concat.dy = out.gradients.in(pass.batch * out.size);
    launch(m_shared.device, Lane::Main, concat, concat.dy.count);
  }

 private:
  Shared& m_shared;
  JoinedChannels m_channels;
};

}  // namespace

std::unique_ptr<Stage> makeLoadStage(Shared& shared) { return std::make_unique<LoadStage>(shared); }
std::unique_ptr<Stage> makePoolStage(Shared& shared, Input input, const Window& window, int channels, bool max) {
  return std::make_unique<PoolStage>(shared, input, window, channels, max);
}
std::unique_ptr<Stage> makeActivationStage(Shared& shared, Input input, Act act) {
  return std::make_unique<ActivationStage>(shared, input, act);
}
std::unique_ptr<Stage> makeDropoutStage(Shared& shared, Input input, double rate, std::uint64_t stream) {
  return std::make_unique<DropoutStage>(shared, input, rate, stream);
}
std::unique_ptr<Stage> makeJoinStage(Shared& shared, std::vector<Input> inputs, Merge merge, Act act) {
  return std::make_unique<JoinStage>(shared, std::move(inputs), merge, act);
}
std::unique_ptr<Stage> makeConcatStage(Shared& shared, std::vector<Input> inputs, const std::vector<int>& channels) {
  return std::make_unique<ConcatStage>(shared, std::move(inputs), channels);
}

}  // namespace strata::cuda

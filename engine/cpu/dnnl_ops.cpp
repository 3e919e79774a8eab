// SPDX-License-Identifier: Apache-2.0
// Tensors stay channels last and weights canonical outside; oneDNN may want weights in a layout of its own, then they
// are reordered on the way in and their gradients on the way out. Primitives are made once for each batch size met.
#include "engine/cpu/dnnl_ops.h"

#include <omp.h>

#include <algorithm>
#include <dnnl.hpp>
#include <map>
#include <optional>

#include "engine/cpu/geometry.h"

namespace strata {
namespace {

using dnnl::memory;
using dnnl::prop_kind;
using Tag = memory::format_tag;

memory::desc floats(const memory::dims& dims, Tag tag) { return {dims, memory::data_type::f32, tag}; }

/// A tensor of the caller's, and the same in the layout a primitive asked for.
class Bridge {
 public:
  Bridge(const dnnl::engine& engine, const memory::desc& outside, const memory::desc& inside)
      : m_outside(outside, engine, nullptr), m_inside(inside, engine, nullptr), m_same(outside == inside) {
    if (!m_same) m_inside = memory(inside, engine);
  }
  memory& in(dnnl::stream& stream, const float* data) {
    m_outside.set_data_handle(const_cast<float*>(data));
    if (m_same) return m_outside;
    dnnl::reorder(m_outside, m_inside).execute(stream, m_outside, m_inside);
    return m_inside;
  }
  memory& target(float* data) {
    m_outside.set_data_handle(data);
    return m_same ? m_outside : m_inside;
  }
  void out(dnnl::stream& stream) {
    if (!m_same) dnnl::reorder(m_inside, m_outside).execute(stream, m_inside, m_outside);
  }

 private:
  memory m_outside, m_inside;
  bool m_same;
};

struct Context {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

/// y = f(z), and dz from dy and y.
class ActivationGradient {
 public:
  ActivationGradient(Activation kind, const dnnl::engine& engine, memory::dim size)
      : m_kind(kind), m_scratch(std::size_t(size)) {
    if (kind == Activation::Linear) return;
    const auto desc = floats({size}, Tag::a);
    const auto algorithm = kind == Activation::Relu   ? dnnl::algorithm::eltwise_relu_use_dst_for_bwd
                           : kind == Activation::Tanh ? dnnl::algorithm::eltwise_tanh_use_dst_for_bwd
                                                      : dnnl::algorithm::eltwise_logistic_use_dst_for_bwd;
    const dnnl::eltwise_forward::primitive_desc hint({prop_kind::forward_training, algorithm, desc, 0.f, 0.f}, engine);
    m_primitive = dnnl::eltwise_backward({{algorithm, desc, desc, 0.f, 0.f}, engine, hint});
    m_y = memory(desc, engine, nullptr);
    m_dy = memory(desc, engine, nullptr);
    m_dz = memory(desc, engine, nullptr);
  }
  const float* run(dnnl::stream& stream, const float* y, const float* dy) {
    if (m_kind == Activation::Linear) return dy;
    m_y.set_data_handle(const_cast<float*>(y));
    m_dy.set_data_handle(const_cast<float*>(dy));
    m_dz.set_data_handle(m_scratch.data());
    m_primitive.execute(stream, {{DNNL_ARG_DST, m_y}, {DNNL_ARG_DIFF_DST, m_dy}, {DNNL_ARG_DIFF_SRC, m_dz}});
    return m_scratch.data();
  }

 private:
  Activation m_kind;
  dnnl::eltwise_backward m_primitive;
  memory m_y, m_dy, m_dz;
  std::vector<float> m_scratch;
};

/// Attributes that fuse the activation into the primitive before it.
dnnl::primitive_attr fused(Activation kind) {
  dnnl::primitive_attr attributes;
  dnnl::post_ops ops;
  if (kind == Activation::Relu) ops.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, 0.f, 0.f);
  if (kind == Activation::Tanh) ops.append_eltwise(1.f, dnnl::algorithm::eltwise_tanh, 0.f, 0.f);
  if (kind == Activation::Sigmoid) ops.append_eltwise(1.f, dnnl::algorithm::eltwise_logistic, 0.f, 0.f);
  attributes.set_post_ops(ops);
  return attributes;
}

/// What conv2d and dense share: kernel and bias, three primitives, an activation.
struct LinearPlan {
  dnnl::primitive forward, backwardData, backwardWeights;
  std::optional<Bridge> x, kernel, y, bias, dzData, kernelData, dx, xWeights, dzWeights, dKernel, dBias;
  std::optional<ActivationGradient> activation;
};

/// Builds the plan for conv2d (`Forward` convolution_forward...) or dense (inner_product_forward...).
/// `makeForward(prop, ...)` and its fellows hide the one difference: a convolution has strides and padding.
template <class Forward, class Data, class Weights, class MakeForward, class MakeData, class MakeWeights>
LinearPlan makePlan(const dnnl::engine& engine, const memory::desc& x, const memory::desc& kernel,
                    const memory::desc& y, bool hasBias, Activation activation, bool needsDx, MakeForward makeForward,
                    MakeData makeData, MakeWeights makeWeights) {
  LinearPlan plan;
  const auto any = floats(kernel.dims(), Tag::any);
  const auto bias = hasBias ? floats({y.dims()[1]}, Tag::a) : memory::desc();
  const typename Forward::primitive_desc forward(makeForward(x, any, bias, y), fused(activation), engine);
  plan.forward = Forward(forward);
  plan.x.emplace(engine, x, forward.src_desc());
  plan.kernel.emplace(engine, kernel, forward.weights_desc());
  plan.y.emplace(engine, y, forward.dst_desc());
  if (hasBias) plan.bias.emplace(engine, bias, bias), plan.dBias.emplace(engine, bias, bias);
  const typename Weights::primitive_desc weights(makeWeights(x, any, bias, y), engine, forward);
  plan.backwardWeights = Weights(weights);
  plan.xWeights.emplace(engine, x, weights.src_desc());
  plan.dzWeights.emplace(engine, y, weights.diff_dst_desc());
  plan.dKernel.emplace(engine, kernel, weights.diff_weights_desc());
  if (needsDx) {
    const typename Data::primitive_desc data(makeData(x, any, y), engine, forward);
    plan.backwardData = Data(data);
    plan.dzData.emplace(engine, y, data.diff_dst_desc());
    plan.kernelData.emplace(engine, kernel, data.weights_desc());
    plan.dx.emplace(engine, x, data.diff_src_desc());
  }
  memory::dim size = 1;
  for (const auto side : y.dims()) size *= side;
  plan.activation.emplace(activation, engine, size);
  return plan;
}

class LinearOp : public Op {
 public:
  LinearOp(const Site& site, int threads)
      : m_site(site), m_activation(activationOf(site.fields)), m_hasBias(site.fields.flag("use_bias")),
        m_threads(threads) {}

  void forward(const OpIo& io) override {
    omp_set_num_threads(m_threads);
    LinearPlan& plan = planFor(io.batch);
    auto& stream = m_context.stream;
    std::unordered_map<int, memory> args{{DNNL_ARG_SRC, plan.x->in(stream, io.x)},
                                         {DNNL_ARG_WEIGHTS, plan.kernel->in(stream, io.weights.data())},
                                         {DNNL_ARG_DST, plan.y->target(io.y)}};
    if (plan.bias) args.emplace(DNNL_ARG_BIAS, plan.bias->in(stream, io.weights.data() + kernelSize()));
    plan.forward.execute(stream, args);
    plan.y->out(stream);
    stream.wait();
  }

  void backward(const OpIo& io) override {
    omp_set_num_threads(m_threads);
    LinearPlan& plan = planFor(io.batch);
    auto& stream = m_context.stream;
    const float* dz = plan.activation->run(stream, io.y, io.dy);
    std::unordered_map<int, memory> args{{DNNL_ARG_SRC, plan.xWeights->in(stream, io.x)},
                                         {DNNL_ARG_DIFF_DST, plan.dzWeights->in(stream, dz)},
                                         {DNNL_ARG_DIFF_WEIGHTS, plan.dKernel->target(io.gradients.data())}};
    if (plan.dBias) args.emplace(DNNL_ARG_DIFF_BIAS, plan.dBias->target(io.gradients.data() + kernelSize()));
    plan.backwardWeights.execute(stream, args);
    plan.dKernel->out(stream);
    if (io.dx) {
      plan.backwardData.execute(stream, {{DNNL_ARG_DIFF_DST, plan.dzData->in(stream, dz)},
                                         {DNNL_ARG_WEIGHTS, plan.kernelData->in(stream, io.weights.data())},
                                         {DNNL_ARG_DIFF_SRC, plan.dx->target(io.dx)}});
      plan.dx->out(stream);
    }
    stream.wait();
  }

 protected:
  virtual LinearPlan make(int batch) = 0;
  virtual std::size_t kernelSize() const = 0;

  const Site m_site;
  const Activation m_activation;
  const bool m_hasBias;
  const int m_threads;
  Context m_context;

 private:
  LinearPlan& planFor(int batch) {
    const auto found = m_plans.find(batch);
    return found != m_plans.end() ? found->second : m_plans.emplace(batch, make(batch)).first->second;
  }
  std::map<int, LinearPlan> m_plans;
};

class ConvOp : public LinearOp {
 public:
  ConvOp(const Site& site, int threads) : LinearOp(site, threads), m_g(convGeometry(site)) {}

 private:
  std::size_t kernelSize() const override { return std::size_t(m_g.y.kernel) * m_g.x.kernel * m_g.in.c * m_g.out.c; }

  LinearPlan make(int n) override {
    const auto x = floats({n, m_g.in.c, m_g.in.h, m_g.in.w}, Tag::nhwc),
               y = floats({n, m_g.out.c, m_g.out.h, m_g.out.w}, Tag::nhwc);
    const auto kernel = floats({m_g.out.c, m_g.in.c, m_g.y.kernel, m_g.x.kernel}, Tag::hwio);
    const memory::dims stride{m_g.y.stride, m_g.x.stride}, before{m_g.y.before, m_g.x.before},
        after{m_g.after(m_g.y), m_g.after(m_g.x)};
    const auto direct = dnnl::algorithm::convolution_direct;
    using Forward = dnnl::convolution_forward;
    using Data = dnnl::convolution_backward_data;
    using Weights = dnnl::convolution_backward_weights;
    return makePlan<Forward, Data, Weights>(
        m_context.engine, x, kernel, y, m_hasBias, m_activation, m_site.needsInputGradient,
        [&](auto& xd, auto& w, auto& b, auto& yd) {
          return Forward::desc(prop_kind::forward_training, direct, xd, w, b, yd, stride, before, after);
        },
        [&](auto& xd, auto& w, auto& yd) { return Data::desc(direct, xd, w, yd, stride, before, after); },
        [&](auto& xd, auto& w, auto& b, auto& yd) {
          return Weights::desc(direct, xd, w, b, yd, stride, before, after);
        });
  }

  const WindowGeometry m_g;
};

class DenseOp : public LinearOp {
 public:
  using LinearOp::LinearOp;

 private:
  std::size_t kernelSize() const override { return std::size_t(m_site.in.c) * m_site.out.c; }

  LinearPlan make(int n) override {
    const auto x = floats({n, m_site.in.c}, Tag::nc), y = floats({n, m_site.out.c}, Tag::nc),
               kernel = floats({m_site.out.c, m_site.in.c}, Tag::io);
    using Forward = dnnl::inner_product_forward;
    using Data = dnnl::inner_product_backward_data;
    using Weights = dnnl::inner_product_backward_weights;
    return makePlan<Forward, Data, Weights>(
        m_context.engine, x, kernel, y, m_hasBias, m_activation, m_site.needsInputGradient,
        [&](auto& xd, auto& w, auto& b, auto& yd) { return Forward::desc(prop_kind::forward_training, xd, w, b, yd); },
        [&](auto& xd, auto& w, auto& yd) { return Data::desc(xd, w, yd); },
        [&](auto& xd, auto& w, auto& b, auto& yd) { return Weights::desc(xd, w, b, yd); });
  }
};

class PoolOp : public Op {
 public:
  PoolOp(const Site& site, bool max, int threads) : m_g(poolGeometry(site)), m_max(max), m_threads(threads) {}

  void forward(const OpIo& io) override {
    omp_set_num_threads(m_threads);
    Plan& plan = planFor(io.batch);
    plan.x.set_data_handle(const_cast<float*>(io.x));
    plan.y.set_data_handle(io.y);
    std::unordered_map<int, memory> args{{DNNL_ARG_SRC, plan.x}, {DNNL_ARG_DST, plan.y}};
    if (m_max) args.emplace(DNNL_ARG_WORKSPACE, plan.workspace);
    plan.forward.execute(m_context.stream, args);
    m_context.stream.wait();
  }

  void backward(const OpIo& io) override {
    if (!io.dx) return;
    omp_set_num_threads(m_threads);
    Plan& plan = planFor(io.batch);
    plan.x.set_data_handle(io.dx);
    plan.y.set_data_handle(const_cast<float*>(io.dy));
    std::unordered_map<int, memory> args{{DNNL_ARG_DIFF_SRC, plan.x}, {DNNL_ARG_DIFF_DST, plan.y}};
    if (m_max) args.emplace(DNNL_ARG_WORKSPACE, plan.workspace);
    plan.backward.execute(m_context.stream, args);
    m_context.stream.wait();
  }

 private:
  struct Plan {
    dnnl::pooling_forward forward;
    dnnl::pooling_backward backward;
    memory x, y, workspace;
  };

  Plan& planFor(int n) {
    if (const auto found = m_plans.find(n); found != m_plans.end()) return found->second;
    const auto& engine = m_context.engine;
    const auto x = floats({n, m_g.in.c, m_g.in.h, m_g.in.w}, Tag::nhwc),
               y = floats({n, m_g.out.c, m_g.out.h, m_g.out.w}, Tag::nhwc);
    const memory::dims stride{m_g.y.stride, m_g.x.stride}, window{m_g.y.kernel, m_g.x.kernel},
        before{m_g.y.before, m_g.x.before};
    const memory::dims after{m_g.after(m_g.y), m_g.after(m_g.x)};
    const auto algorithm = m_max ? dnnl::algorithm::pooling_max : dnnl::algorithm::pooling_avg_exclude_padding;
    const dnnl::pooling_forward::primitive_desc forward(
        {prop_kind::forward_training, algorithm, x, y, stride, window, before, after}, engine);
    const dnnl::pooling_backward::primitive_desc backward({algorithm, x, y, stride, window, before, after}, engine,
                                                          forward);
    Plan plan{dnnl::pooling_forward(forward),
              dnnl::pooling_backward(backward),
              memory(x, engine, nullptr),
              memory(y, engine, nullptr),
              {}};
    if (m_max) plan.workspace = memory(forward.workspace_desc(), engine);
    return m_plans.emplace(n, std::move(plan)).first->second;
  }

  const WindowGeometry m_g;
  const bool m_max;
  const int m_threads;
  Context m_context;
  std::map<int, Plan> m_plans;
};

}  // namespace

std::unique_ptr<Op> makeDnnlOp(const LayerDef& def, const Site& site, int threads) {
  if (def.type == "conv2d") return std::make_unique<ConvOp>(site, threads);
  if (def.type == "dense") return std::make_unique<DenseOp>(site, threads);
  if (def.type == "max_pool2d" || def.type == "avg_pool2d")
    return std::make_unique<PoolOp>(site, def.type == "max_pool2d", threads);
  return nullptr;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/curve_pass.h"

#include <algorithm>

#include "engine/backend/cpu/whole_rows.h"

namespace strata {
namespace {

/// One input, one output of the same shape, nothing to train.
class BendingPass : public Pass {
 public:
  BendingPass(std::string name, Buffer& x, Buffer& y) : m_x(x), m_y(y), m_name(std::move(name)) {}
  PassWork work() const override { return {m_name, "vectors", "vectors", 0, false, false, 1, 1, 1}; }

 protected:
  bool wantsGradient() const { return m_x.gradients.size() > 0; }
  Buffer &m_x, &m_y;

 private:
  const std::string m_name;
};

class ActivationPass : public BendingPass {
 public:
  ActivationPass(std::string name, Activation activation, Buffer& x, Buffer& y)
      : BendingPass(std::move(name), x, y), m_activation(activation) {}

  void forward(const Step& step) override {
    step.pool.run(step.batch, [&](int n, int) {
      eachRow(n, {&m_x, &m_y}, {&m_x.values, &m_y.values}, [&](int, int count, int pixels, float*(&rows)[2]) {
        std::copy_n(rows[0], std::int64_t{pixels} * count, rows[1]);
        step.kernels.activate(m_activation, rows[1], std::int64_t{pixels} * count);
      });
    });
  }
  void backward(const Step& step) override {
    if (!wantsGradient()) return;
    step.pool.run(step.batch, [&](int n, int) {
      eachRow(n, {&m_y, &m_y, &m_x}, {&m_y.values, &m_y.gradients, &m_x.gradients},
              [&](int, int count, int pixels, float*(&rows)[3]) {
                std::copy_n(rows[1], std::int64_t{pixels} * count, rows[2]);
                step.kernels.activationGradient(m_activation, rows[0], rows[2], std::int64_t{pixels} * count);
              });
    });
  }

 private:
  const Activation m_activation;
};

class CurvePass : public BendingPass {
 public:
  CurvePass(std::string name, Curve curve, Buffer& x, Buffer& y) : BendingPass(std::move(name), x, y), m_curve(curve) {}

  void forward(const Step& step) override {
    step.pool.run(step.batch, [&](int n, int) {
      eachRow(n, {&m_x, &m_y}, {&m_x.values, &m_y.values}, [&](int, int count, int pixels, float*(&rows)[2]) {
        step.kernels.curve(m_curve, rows[0], rows[1], std::int64_t{pixels} * count);
      });
    });
  }
  void backward(const Step& step) override {
    if (!wantsGradient()) return;
    step.pool.run(step.batch, [&](int n, int) {
      eachRow(n, {&m_x, &m_y, &m_x}, {&m_x.values, &m_y.gradients, &m_x.gradients},
              [&](int, int count, int pixels, float*(&rows)[3]) {
                step.kernels.curveGradient(m_curve, rows[0], rows[1], rows[2], std::int64_t{pixels} * count);
              });
    });
  }

 private:
  const Curve m_curve;
};

class SoftmaxPass : public BendingPass {
 public:
  SoftmaxPass(std::string name, Buffer& x, Buffer& y, int threads)
      : BendingPass(std::move(name), x, y), m_rows(x, 3, threads) {}

  void forward(const Step& step) override {
    step.pool.run(step.batch, [&](int n, int thread) {
      m_rows.each(n, thread, {&m_x, &m_y}, {&m_x.values, &m_y.values}, [&](int places, float*(&rows)[2]) {
        step.kernels.softmaxRows(rows[0], places, m_x.shape.c, rows[1]);
      });
    });
  }
  void backward(const Step& step) override {
    if (!wantsGradient()) return;
    step.pool.run(step.batch, [&](int n, int thread) {
      m_rows.each(n, thread, {&m_y, &m_y, &m_x}, {&m_y.values, &m_y.gradients, &m_x.gradients},
                  [&](int places, float*(&rows)[3]) {
                    step.kernels.softmaxGradientRows(rows[0], rows[1], places, m_x.shape.c, rows[2]);
                  });
    });
  }

 private:
  const WholeRows m_rows;
};

template <Curve kCurve>
PassKind curvePassKind(const char* type) {
  PassKind kind{type};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    return std::make_unique<CurvePass>(place.node().path, kCurve, place.x(), place.y);
  };
  return kind;
}

}  // namespace

PassKind activationPassKind() {
  PassKind kind{"activation"};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    const Activation activation = activationOf(place.node().fields);
    place.y.hasZeros |= activation == Activation::Relu || (activation == Activation::Linear && place.x().hasZeros);
    return std::make_unique<ActivationPass>(place.node().path, activation, place.x(), place.y);
  };
  return kind;
}

PassKind geluPassKind() { return curvePassKind<Curve::Gelu>("gelu"); }
PassKind swishPassKind() { return curvePassKind<Curve::Swish>("swish"); }
PassKind softplusPassKind() { return curvePassKind<Curve::Softplus>("softplus"); }

PassKind softmaxPassKind() {
  PassKind kind{"softmax"};
  kind.make = [](const PassPlace& place) -> std::unique_ptr<Pass> {
    return std::make_unique<SoftmaxPass>(place.node().path, place.x(), place.y, place.threads);
  };
  return kind;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// One step of an optimizer as plain numbers, and what it does to one weight: the single place where an update's formula
// stands. The reference, the kernels of the cpu (Number a vector of floats) and those of cuda all call apply().
// Formulas: SGD as Keras 3; Adam is Kingma & Ba 2015 in Keras's form; RMSprop, Nadam (Dozat 2016) and Adagrad as
// PyTorch; Lion is Chen et al. 2023. Weight decay and clipping: PyTorch. Plain types alone, since kernels include this
// (kernels_body.h).
#pragma once
#include "engine/base/host_device.h"

namespace strata {

struct UpdateRule {
  enum class Kind { Sgd, Momentum, Nesterov, Adam, RmsProp, RmsMomentum, Nadam, Adagrad, Lion } kind = Kind::Sgd;
  float rate = 0;  ///< of this step; Adam's includes the correction of the first steps
  float momentum = 0;
  float fresh1 = 0, fresh2 = 0, epsilon = 0;  ///< fresh is 1 - beta, of the mean gradient and of its square
  float ahead = 0;                            ///< Nadam: the rate of the gradient beside that of its mean
  float rootScale = 1;                        ///< Nadam: corrects the root of the mean square in the first steps
  float start = 0;                            ///< Adagrad: what the sum of squares begins with
  float decay = 0;                            ///< so much of the weight is added to its gradient
  float shrink = 0;  ///< so much of the weight is taken off it first: decay that the gradient knows nothing of
  // What is done to gradients before all that.
  float clipNorm = 0;   ///< the largest norm that all gradients together may have; 0: any
  float clipScale = 1;  ///< what they are multiplied by for that: setNorm()
  float clipValue = 0;  ///< the largest size of each; 0: any
  // And behind it: a mean of the weights over the steps, kept in a slot behind those of the kind.
  bool averages = false;
  float average = 0;  ///< the share of this step's weight in it; 0: it has not begun

  /// Floats kept for each weight.
  static constexpr int slotCount(Kind kind) {
    return kind == Kind::Sgd ? 0 : kind == Kind::Adam || kind == Kind::Nadam || kind == Kind::RmsMomentum ? 2 : 1;
  }
  int slotCount() const { return slotCount(kind) + (averages ? 1 : 0); }
  /// Whether a weight with a gradient of zero stays what it is, and its state too.
  bool restsWithoutGradient() const { return kind == Kind::Sgd && decay == 0 && shrink == 0 && average == 0; }
};

/// Room for the state of any optimizer.
inline constexpr int kMostSlots = 3;

/// Where the state of some weights lies, slot by slot; those that the rule does not use are null.
struct SlotPointers {
  float* at[kMostSlots] = {};
};

/// Sets clipScale for gradients of that norm, taken over all that are trained; as PyTorch's clip_grad_norm_.
STRATA_DEVICE void setNorm(UpdateRule& rule, double norm) {
  if (rule.clipNorm <= 0) return;
  const double scale = static_cast<double>(rule.clipNorm) / (norm + 1e-6);
  rule.clipScale = scale < 1 ? static_cast<float>(scale) : 1;
}

/// Updates one weight. `state` holds its slots in the optimizer's order. `math` has for a Number: root(x), the square
/// root; sign(x), -1, 0 or 1; clipped(x, limit), between -limit and limit. The kind is a constant, so that a loop over
/// weights asks nothing of it.
template <UpdateRule::Kind kKind, class Number, class Math>
[[gnu::always_inline]] STRATA_DEVICE void apply(const UpdateRule& rule, Number& weight, Number gradient, Number* state,
                                                const Math& math) {
  using Kind = UpdateRule::Kind;
  if (rule.clipScale != 1) gradient *= rule.clipScale;
  if (rule.clipValue != 0) gradient = math.clipped(gradient, rule.clipValue);
  if (rule.decay != 0) gradient += rule.decay * weight;
  if (rule.shrink != 0) weight -= rule.shrink * weight;
  if constexpr (kKind == Kind::Sgd) {
    weight -= rule.rate * gradient;
  } else if constexpr (kKind == Kind::Adam) {
    state[0] += (gradient - state[0]) * rule.fresh1;
    state[1] += (gradient * gradient - state[1]) * rule.fresh2;
    weight -= state[0] * rule.rate / (math.root(state[1]) + rule.epsilon);
  } else if constexpr (kKind == Kind::RmsProp) {
    state[0] += (gradient * gradient - state[0]) * rule.fresh2;
    weight -= gradient * rule.rate / (math.root(state[0]) + rule.epsilon);
  } else if constexpr (kKind == Kind::RmsMomentum) {
    state[0] += (gradient * gradient - state[0]) * rule.fresh2;
    state[1] = rule.momentum * state[1] + gradient / (math.root(state[0]) + rule.epsilon);
    weight -= rule.rate * state[1];
  } else if constexpr (kKind == Kind::Nadam) {
    state[0] += (gradient - state[0]) * rule.fresh1;
    state[1] += (gradient * gradient - state[1]) * rule.fresh2;
    weight -= (state[0] * rule.rate + gradient * rule.ahead) / (math.root(state[1]) * rule.rootScale + rule.epsilon);
  } else if constexpr (kKind == Kind::Adagrad) {
    state[0] += gradient * gradient;
    weight -= gradient * rule.rate / (math.root(state[0] + rule.start) + rule.epsilon);
  } else if constexpr (kKind == Kind::Lion) {
    weight -= rule.rate * math.sign(state[0] + (gradient - state[0]) * rule.fresh1);
    state[0] += (gradient - state[0]) * rule.fresh2;
  } else {
    state[0] = rule.momentum * state[0] - rule.rate * gradient;
    weight += kKind == Kind::Momentum ? state[0] : rule.momentum * state[0] - rule.rate * gradient;
  }
}

/// Takes an updated weight into the mean of weights. The first share is 1, and the mean 0 until then.
template <class Number>
[[gnu::always_inline]] STRATA_DEVICE void takeIn(const UpdateRule& rule, Number& mean, Number weight) {
  mean += (weight - mean) * rule.average;
}

/// A kind as a type, for withKind().
template <UpdateRule::Kind kKind>
struct KindConstant {
  static constexpr UpdateRule::Kind value = kKind;
};
/// Calls body(KindConstant<kind>()) and returns what it returns.
template <class Body>
auto withKind(UpdateRule::Kind kind, Body body) {
  using Kind = UpdateRule::Kind;
  switch (kind) {
    case Kind::Momentum:
      return body(KindConstant<Kind::Momentum>{});
    case Kind::Nesterov:
      return body(KindConstant<Kind::Nesterov>{});
    case Kind::Adam:
      return body(KindConstant<Kind::Adam>{});
    case Kind::RmsProp:
      return body(KindConstant<Kind::RmsProp>{});
    case Kind::RmsMomentum:
      return body(KindConstant<Kind::RmsMomentum>{});
    case Kind::Nadam:
      return body(KindConstant<Kind::Nadam>{});
    case Kind::Adagrad:
      return body(KindConstant<Kind::Adagrad>{});
    case Kind::Lion:
      return body(KindConstant<Kind::Lion>{});
    default:
      return body(KindConstant<Kind::Sgd>{});
  }
}

}  // namespace strata

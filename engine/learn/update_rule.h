// SPDX-License-Identifier: Apache-2.0
// One step of an optimizer as plain numbers, and what it does to one weight: the single place where an update's formula
// stands. The reference, the kernels of the cpu (Number a vector of floats) and those of cuda all call apply().
// Formulas: Keras 3; Adam is Kingma & Ba 2015 in Keras's form. Weight decay: PyTorch. Plain types alone, since kernels
// include this (kernels_body.h).
#pragma once
#include "engine/base/host_device.h"

namespace strata {

struct UpdateRule {
  enum class Kind { Sgd, Momentum, Nesterov, Adam } kind = Kind::Sgd;
  float rate = 0;  ///< of this step; Adam's includes the correction of the first steps
  float momentum = 0;
  float fresh1 = 0, fresh2 = 0, epsilon = 0;  ///< Adam's; fresh is 1 - beta
  float decay = 0;                            ///< so much of the weight is added to its gradient
  float shrink = 0;  ///< so much of the weight is taken off it first: decay that the gradient knows nothing of

  /// Floats kept for each weight.
  static constexpr int slotCount(Kind kind) { return kind == Kind::Sgd ? 0 : kind == Kind::Adam ? 2 : 1; }
  int slotCount() const { return slotCount(kind); }
  /// Whether a weight with a gradient of zero stays what it is.
  bool restsWithoutGradient() const { return kind == Kind::Sgd && decay == 0 && shrink == 0; }
};

/// Room for the state of any optimizer.
inline constexpr int kMostSlots = 2;

/// Where the state of some weights lies, slot by slot; those that the rule does not use are null.
struct SlotPointers {
  float* at[kMostSlots] = {};
};

/// Updates one weight. `state` holds its slots in the optimizer's order; `root` is the square root of a Number. The
/// kind is a constant, so that a loop over weights asks nothing of it.
template <UpdateRule::Kind kKind, class Number, class Root>
[[gnu::always_inline]] STRATA_DEVICE void apply(const UpdateRule& rule, Number& weight, Number gradient, Number* state,
                                                Root root) {
  using Kind = UpdateRule::Kind;
  if (rule.decay != 0) gradient += rule.decay * weight;
  if (rule.shrink != 0) weight -= rule.shrink * weight;
  if constexpr (kKind == Kind::Sgd) {
    weight -= rule.rate * gradient;
  } else if constexpr (kKind == Kind::Adam) {
    state[0] += (gradient - state[0]) * rule.fresh1;
    state[1] += (gradient * gradient - state[1]) * rule.fresh2;
    weight -= state[0] * rule.rate / (root(state[1]) + rule.epsilon);
  } else {
    state[0] = rule.momentum * state[0] - rule.rate * gradient;
    weight += kKind == Kind::Momentum ? state[0] : rule.momentum * state[0] - rule.rate * gradient;
  }
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
    default:
      return body(KindConstant<Kind::Sgd>{});
  }
}

}  // namespace strata

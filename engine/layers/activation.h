// SPDX-License-Identifier: Apache-2.0
// The activations: the single place where their formulas stand. The reference, the kernels of the cpu (Number a vector
// of floats) and those of cuda all use them. Plain types alone, since kernels include this (kernels_body.h). To add
// one: a name and two formulas here, and a row in common.cpp.
#pragma once
#include "engine/base/host_device.h"

namespace strata {

enum class Activation { Linear, Relu, LeakyRelu, Tanh, Sigmoid };

inline constexpr float kLeakySlope = 0.3f;  ///< below zero; Keras's

/// act(z); NaN stays NaN. `math` has tanh() and sigmoid() of a Number.
template <Activation kKind, class Number, class Math>
[[gnu::always_inline]] STRATA_DEVICE Number activated(Number z, const Math& math) {
  if constexpr (kKind == Activation::Relu) return z < Number{} ? Number{} : z;
  else if constexpr (kKind == Activation::LeakyRelu) return z < Number{} ? z * kLeakySlope : z;
  else if constexpr (kKind == Activation::Tanh) return math.tanh(z);
  else if constexpr (kKind == Activation::Sigmoid) return math.sigmoid(z);
  else return z;
}

/// The gradient before the activation, from its output y and the gradient behind it.
template <Activation kKind, class Number>
[[gnu::always_inline]] STRATA_DEVICE Number gradientBefore(Number y, Number dy) {
  if constexpr (kKind == Activation::Relu) return y <= Number{} ? Number{} : dy;
  else if constexpr (kKind == Activation::LeakyRelu) return y < Number{} ? dy * kLeakySlope : dy;
  else if constexpr (kKind == Activation::Tanh) return dy * (1.f - y * y);
  else if constexpr (kKind == Activation::Sigmoid) return dy * y * (1.f - y);
  else return dy;
}

/// An activation as a type, for withActivation().
template <Activation kKind>
struct ActivationConstant {
  static constexpr Activation value = kKind;
};
/// Calls body(ActivationConstant<activation>()) and returns what it returns.
template <class Body>
[[gnu::always_inline]] STRATA_DEVICE auto withActivation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::Relu:
      return body(ActivationConstant<Activation::Relu>{});
    case Activation::LeakyRelu:
      return body(ActivationConstant<Activation::LeakyRelu>{});
    case Activation::Tanh:
      return body(ActivationConstant<Activation::Tanh>{});
    case Activation::Sigmoid:
      return body(ActivationConstant<Activation::Sigmoid>{});
    default:
      return body(ActivationConstant<Activation::Linear>{});
  }
}

}  // namespace strata

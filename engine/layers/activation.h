// SPDX-License-Identifier: Apache-2.0
// The activations whose gradient can be told from their output: the single place where their formulas stand. The
// reference, the kernels of the cpu (Number a vector of floats) and those of cuda all use them, so that a layer can do
// its activation in place. Plain types alone, since kernels include this (kernels_body.h). To add one: a name and two
// formulas here, and a row in common.cpp. Those whose gradient needs the input are nodes of their own (curves.cpp).
#pragma once
#include "engine/base/host_device.h"

namespace strata {

enum class Activation { Linear, Relu, LeakyRelu, Tanh, Sigmoid, Elu, Selu, HardSigmoid };

inline constexpr float kLeakySlope = 0.3f;  ///< below zero; Keras's
/// Of SELU (Klambauer et al. 2017).
inline constexpr float kSeluScale = 1.05070098735548049f, kSeluAlpha = 1.67326324235437728f;

/// e^z - 1, exact near 0; of z so large that tanh(z / 2) is 1, infinity.
template <class Number, class Math>
[[gnu::always_inline]] STRATA_DEVICE Number exponentialLess1(Number z, const Math& math) {
  const Number half = math.tanh(z * 0.5f);
  return (half + half) / (1.f - half);
}

/// act(z); NaN stays NaN. `math` has tanh() and sigmoid() of a Number.
template <Activation kKind, class Number, class Math>
[[gnu::always_inline]] STRATA_DEVICE Number activated(Number z, const Math& math) {
  if constexpr (kKind == Activation::Relu) return z < Number{} ? Number{} : z;
  else if constexpr (kKind == Activation::LeakyRelu) return z < Number{} ? z * kLeakySlope : z;
  else if constexpr (kKind == Activation::Tanh) return math.tanh(z);
  else if constexpr (kKind == Activation::Sigmoid) return math.sigmoid(z);
  else if constexpr (kKind == Activation::Elu) return z < Number{} ? exponentialLess1(z, math) : z;
  else if constexpr (kKind == Activation::Selu)
    return z < Number{} ? exponentialLess1(z, math) * (kSeluScale * kSeluAlpha) : z * kSeluScale;
  else if constexpr (kKind == Activation::HardSigmoid)
    return z < Number{} - 3.f ? Number{} : (z > Number{} + 3.f ? Number{} + 1.f : (z + 3.f) / 6.f);
  else return z;
}

/// The gradient before the activation, from its output y and the gradient behind it.
template <Activation kKind, class Number>
[[gnu::always_inline]] STRATA_DEVICE Number gradientBefore(Number y, Number dy) {
  if constexpr (kKind == Activation::Relu) return y <= Number{} ? Number{} : dy;
  else if constexpr (kKind == Activation::LeakyRelu) return y < Number{} ? dy * kLeakySlope : dy;
  else if constexpr (kKind == Activation::Tanh) return dy * (1.f - y * y);
  else if constexpr (kKind == Activation::Sigmoid) return dy * y * (1.f - y);
  else if constexpr (kKind == Activation::Elu) return y < Number{} ? dy * (y + 1.f) : dy;
  else if constexpr (kKind == Activation::Selu)
    return y < Number{} ? dy * (y + kSeluScale * kSeluAlpha) : dy * kSeluScale;
  else if constexpr (kKind == Activation::HardSigmoid)
    return y <= Number{} ? Number{} : (y >= Number{} + 1.f ? Number{} : dy / 6.f);
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
    case Activation::Elu:
      return body(ActivationConstant<Activation::Elu>{});
    case Activation::Selu:
      return body(ActivationConstant<Activation::Selu>{});
    case Activation::HardSigmoid:
      return body(ActivationConstant<Activation::HardSigmoid>{});
    default:
      return body(ActivationConstant<Activation::Linear>{});
  }
}

}  // namespace strata

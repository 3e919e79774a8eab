// SPDX-License-Identifier: Apache-2.0
// Kernels of activations whose gradient needs their input, and of what is done to the channels of one place: softmax
// and layer norm. Included once per instruction set.
#pragma once
#include "engine/backend/cpu/kernels_math.h"

namespace strata::STRATA_ISA_NAMESPACE {

struct VecCurve {
  Vec value, slope;
};

/// The share of the normal distribution below x is 1 - q(x), or q(-x) of x below 0, with q = e^(-x^2 / 2) times a
/// polynomial in 1 / (1 + p x), within 8e-8: Abramowitz & Stegun 7.1.26.
STRATA_INLINE VecCurve geluOf(Vec x) {
  const Vec size = x < Vec{} ? -x : x, bell = exponential(x * x * -0.5f);
  const Vec t = quotient(all(1.f), size * 0.231641888f + 1.f);
  const Vec polynomial =
      ((((t * 0.5307027145f - 0.7265760135f) * t + 0.7107068705f) * t - 0.142248368f) * t + 0.1274147960f) * t;
  const Vec q = polynomial * bell, share = x < Vec{} ? q : 1.f - q;
  return {x * share, share + x * bell * 0.398942280f};
}

STRATA_INLINE VecCurve swishOf(Vec x) {
  const Vec share = sigmoidOf(x);
  return {x * share, share * (1.f + x * (1.f - share))};
}

/// log(1 + e^-|x|) is 2 artanh(q / (2 - q)), q = sigmoid(-|x|), whose argument is a third at most.
STRATA_INLINE VecCurve softplusOf(Vec x) {
  const Vec size = x < Vec{} ? -x : x, q = sigmoidOf(-size), s = q / (2.f - q), square = s * s;
  Vec series = all(1.f / 13);
  series = series * square + 1.f / 11;
  series = series * square + 1.f / 9;
  series = series * square + 1.f / 7;
  series = series * square + 1.f / 5;
  series = series * square + 1.f / 3;
  series = series * square + 1.f;
  return {(x < Vec{} ? Vec{} : x) + 2.f * s * series, x < Vec{} ? q : 1.f - q};
}

template <class Body>
STRATA_INLINE void withCurve(Curve curve, const Body& body) {
  if (curve == Curve::Gelu) body([](Vec x) STRATA_INLINED { return geluOf(x); });
  else if (curve == Curve::Swish) body([](Vec x) STRATA_INLINED { return swishOf(x); });
  else body([](Vec x) STRATA_INLINED { return softplusOf(x); });
}

inline void curve(Curve kind, const float* x, float* y, std::int64_t n) {
  withCurve(kind, [&](const auto& function) {
    for (std::int64_t i = 0; i < n; i += kLanes) {
      const int some = n - i < kLanes ? int(n - i) : kLanes;
      storeSome(y + i, function(loadSome(x + i, some)).value, some);
    }
  });
}

inline void curveGradient(Curve kind, const float* x, const float* dy, float* dx, std::int64_t n) {
  withCurve(kind, [&](const auto& function) {
    for (std::int64_t i = 0; i < n; i += kLanes) {
      const int some = n - i < kLanes ? int(n - i) : kLanes;
      storeSome(dx + i, loadSome(dy + i, some) * function(loadSome(x + i, some)).slope, some);
    }
  });
}

/// Lanes from `some` on become `value`.
STRATA_INLINE Vec filled(Vec v, int some, float value) { return ramp() < all(some) ? v : all(value); }

STRATA_INLINE float largestOf(Vec v) {
  float most = v[0];
  for (int i = 1; i < kLanes; ++i) most = v[i] > most || v[i] != v[i] ? v[i] : most;
  return most;
}

inline void softmaxRows(const float* x, int rows, int c, float* y) {
  for (int row = 0; row < rows; ++row, x += c, y += c) {
    Vec most = filled(loadSome(x, c), c, x[0]);
    for (int i = kLanes; i < c; i += kLanes) {
      const Vec v = filled(loadSome(x + i, c - i), c - i, x[0]);
      most = v > most ? v : most;
    }
    const float top = largestOf(most);
    Vec sums{};
    for (int i = 0; i < c; i += kLanes) {
      const Vec v = exponential(loadSome(x + i, c - i) - top);
      sums += filled(v, c - i, 0);
      storeSome(y + i, v, c - i);
    }
    const float share = 1.f / sumOf(sums);
    for (int i = 0; i < c; i += kLanes) storeSome(y + i, loadSome(y + i, c - i) * share, c - i);
  }
}

inline void softmaxGradientRows(const float* y, const float* dy, int rows, int c, float* dx) {
  for (int row = 0; row < rows; ++row, y += c, dy += c, dx += c) {
    Vec sums{};
    for (int i = 0; i < c; i += kLanes) sums += loadSome(dy + i, c - i) * loadSome(y + i, c - i);
    const float sum = sumOf(sums);
    for (int i = 0; i < c; i += kLanes)
      storeSome(dx + i, loadSome(y + i, c - i) * (loadSome(dy + i, c - i) - sum), c - i);
  }
}

inline float layerNormRows(const LayerNormShape& g, const float* x, int rows, const float* gamma, const float* beta,
                           float* y, float* moments) {
  const int c = g.c;
  Vec probe{};
  const auto row = [&](auto kind) {
    Vec sums{};
    for (int i = 0; i < c; i += kLanes) sums += loadSome(x + i, c - i);
    const float mean = sumOf(sums) / float(c);
    Vec squares{};
    for (int i = 0; i < c; i += kLanes) {
      const Vec off = filled(loadSome(x + i, c - i), c - i, mean) - mean;
      squares += off * off;
    }
    const float inverse = 1.f / __builtin_sqrtf(sumOf(squares) / float(c) + g.epsilon);
    moments[0] = mean, moments[1] = inverse;
    for (int i = 0; i < c; i += kLanes) {
      const Vec v = (loadSome(x + i, c - i) - mean) * inverse * loadSome(gamma + i, c - i) + loadSome(beta + i, c - i);
      probe += filled(v - v, c - i, 0);
      storeSome(y + i, activated<decltype(kind)::value>(v, VectorMath{}), c - i);
    }
  };
  withActivation(g.activation, [&](auto kind) {
    for (int i = 0; i < rows; ++i, x += c, y += c, moments += 2) row(kind);
  });
  return sumOf(probe);
}

inline void layerNormGradientRows(const LayerNormShape& g, const float* y, const float* dy, const float* x, int rows,
                                  const float* gamma, const float* moments, float* sums, float* dx) {
  const int c = g.c;
  const auto row = [&](auto kind) {
    const float mean = moments[0], inverse = moments[1];
    const auto before = [&](int i) STRATA_INLINED {
      return gradientBefore<decltype(kind)::value>(loadSome(y + i, c - i), loadSome(dy + i, c - i));
    };
    Vec ofGradient{}, ofProduct{};
    for (int i = 0; i < c; i += kLanes) {
      const int some = c - i;
      const Vec dz = before(i), normalized = (loadSome(x + i, some) - mean) * inverse,
                scaled = dz * loadSome(gamma + i, some);
      storeSome(sums + i, loadSome(sums + i, some) + dz * normalized, some);
      storeSome(sums + c + i, loadSome(sums + c + i, some) + dz, some);
      ofGradient += scaled;  // zero past the channels, like gamma
      ofProduct += scaled * normalized;
    }
    if (!dx) return;
    const float fixed = sumOf(ofGradient) / float(c), slope = sumOf(ofProduct) / float(c);
    for (int i = 0; i < c; i += kLanes) {
      const int some = c - i;
      const Vec normalized = (loadSome(x + i, some) - mean) * inverse;
      storeSome(dx + i, (before(i) * loadSome(gamma + i, some) - fixed - normalized * slope) * inverse, some);
    }
  };
  withActivation(g.activation, [&](auto kind) {
    for (int i = 0; i < rows; ++i, y += c, dy += c, x += c, moments += 2, dx = dx ? dx + c : nullptr) row(kind);
  });
}

}  // namespace strata::STRATA_ISA_NAMESPACE

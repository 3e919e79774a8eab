// SPDX-License-Identifier: Apache-2.0
// Kernels of layers that treat every channel by itself: batch norm and depthwise convolution. Included once per
// instruction set.
#pragma once
#include "engine/backend/cpu/kernels_math.h"

namespace strata::STRATA_ISA_NAMESPACE {

inline void channelSums(const float* x, int pixels, int c, const float* center, float* sums) {
  for (int i = 0; i < c; i += kLanes) {
    const int some = c - i;
    const Vec middle = loadSome(center + i, some);
    Vec sum = loadSome(sums + i, some), squares = loadSome(sums + c + i, some);
    for (int at = 0; at < pixels; ++at) {
      const Vec off = loadSome(x + std::int64_t{at} * c + i, some) - middle;
      sum += off;
      squares += off * off;
    }
    storeSome(sums + i, sum, some);
    storeSome(sums + c + i, squares, some);
  }
}

inline float channelAffine(Activation activation, const float* x, int pixels, int c, const float* gain,
                           const float* shift, float* y) {
  Vec probe{};
  for (int i = 0; i < c; i += kLanes) {
    const int some = c - i;
    const Vec factor = loadSome(gain + i, some), more = loadSome(shift + i, some);
    for (int at = 0; at < pixels; ++at) {
      Vec v = loadSome(x + std::int64_t{at} * c + i, some) * factor + more;
      probe += v - v;
      if (activation == Activation::Relu) v = v < Vec{} ? Vec{} : v;
      storeSome(y + std::int64_t{at} * c + i, v, some);
    }
  }
  if (activation != Activation::Relu) activate(activation, y, std::int64_t{pixels} * c);
  return sumOf(probe);
}

inline void channelGradientSums(Activation activation, const float* y, const float* dy, const float* x, int pixels,
                                int c, const float* center, float* sums) {
  withActivation(activation, [&](auto kind) {
    for (int i = 0; i < c; i += kLanes) {
      const int some = c - i;
      const Vec middle = loadSome(center + i, some);
      Vec sum = loadSome(sums + i, some), products = loadSome(sums + c + i, some);
      for (std::int64_t at = i; at < std::int64_t{pixels} * c; at += c) {
        const Vec dz = gradientBefore<decltype(kind)::value>(loadSome(y + at, some), loadSome(dy + at, some));
        sum += dz;
        products += dz * (loadSome(x + at, some) - middle);
      }
      storeSome(sums + i, sum, some);
      storeSome(sums + c + i, products, some);
    }
  });
}

inline void channelGradient(Activation activation, const float* y, const float* dy, const float* x, int pixels, int c,
                            const ChannelSlopes& slopes, float* dx) {
  withActivation(activation, [&](auto kind) {
    for (int i = 0; i < c; i += kLanes) {
      const int some = c - i;
      const Vec ofGradient = loadSome(slopes.ofGradient + i, some), ofInput = loadSome(slopes.ofInput + i, some),
                fixed = loadSome(slopes.fixed + i, some);
      for (std::int64_t at = i; at < std::int64_t{pixels} * c; at += c) {
        const Vec dz = gradientBefore<decltype(kind)::value>(loadSome(y + at, some), loadSome(dy + at, some));
        storeSome(dx + at, dz * ofGradient + loadSome(x + at, some) * ofInput + fixed, some);
      }
    }
  });
}

inline void repeatChannels(const float* from, std::int64_t pixels, int c, int each, float* to) {
  for (std::int64_t i = 0; i < pixels * c; ++i)
    for (int m = 0; m < each; ++m) *to++ = from[i];
}

inline void sumChannels(const float* from, std::int64_t pixels, int c, int each, float* to) {
  for (std::int64_t i = 0; i < pixels * c; ++i) {
    float sum = 0;
    for (int m = 0; m < each; ++m) sum += *from++;
    to[i] = sum;
  }
}

/// Calls body(vector of channels, how many of them count, output row, first input pixel under the row's first window).
template <class Body>
STRATA_INLINE void eachDepthwiseRow(const DepthwiseShape& g, Body body) {
  for (int i = 0; i < g.c; i += kLanes)
    for (int oy = 0; oy < g.outH; ++oy) body(i, g.c - i, oy, std::int64_t{oy} * g.strideH * g.cols * g.c + i);
}

inline float depthwiseForward(const DepthwiseShape& g, const float* x, const float* weights, const float* bias,
                              Frame y) {
  Vec probe{};
  const int taps = g.kernelH * g.kernelW;
  eachDepthwiseRow(g, [&](int i, int some, int oy, std::int64_t under) STRATA_INLINED {
    Vec kernel[kDepthwiseTaps];
    std::int64_t place[kDepthwiseTaps];
    for (int t = 0; t < taps; ++t) {
      kernel[t] = loadSome(weights + std::int64_t{t} * g.c + i, some);
      place[t] = t / g.kernelW * g.tapDown() + t % g.kernelW * g.tapAcross();
    }
    const Vec start = bias ? loadSome(bias + i, some) : Vec{};
    float* to = y.data + std::int64_t{oy} * y.rowStride + i;
    const float* from = x + under;
    for (int ox = 0; ox < g.outW; ++ox, to += g.c, from += g.strideW * g.c) {
      Vec sum = start;
      for (int t = 0; t < taps; ++t) sum += loadSome(from + place[t], some) * kernel[t];
      probe += sum - sum;
      storeSome(to, sum, some);
    }
  });
  for (int oy = 0; oy < g.outH; ++oy)
    activate(g.activation, y.data + std::int64_t{oy} * y.rowStride, std::int64_t{g.outW} * g.c);
  return sumOf(probe);
}

inline void depthwiseInputGradient(const DepthwiseShape& g, Frame dz, const float* weights, float* dx) {
  const int taps = g.kernelH * g.kernelW;
  eachDepthwiseRow(g, [&](int i, int some, int oy, std::int64_t under) STRATA_INLINED {
    Vec kernel[kDepthwiseTaps];
    for (int t = 0; t < taps; ++t) kernel[t] = loadSome(weights + std::int64_t{t} * g.c + i, some);
    const float* from = dz.data + std::int64_t{oy} * dz.rowStride + i;
    float* to = dx + under;
    for (int ox = 0; ox < g.outW; ++ox, from += g.c, to += g.strideW * g.c) {
      const Vec gradient = loadSome(from, some);
      for (int r = 0, t = 0; r < g.kernelH; ++r)
        for (int s = 0; s < g.kernelW; ++s, ++t) {
          float* at = to + r * g.tapDown() + s * g.tapAcross();
          storeSome(at, loadSome(at, some) + gradient * kernel[t], some);
        }
    }
  });
}

inline void depthwiseWeightGradient(const DepthwiseShape& g, Frame dz, const float* x, float* gradient) {
  const int taps = g.kernelH * g.kernelW;
  for (int i = 0; i < g.c; i += kLanes) {
    const int some = g.c - i;
    Vec sums[kDepthwiseTaps], bias = loadSome(gradient + std::int64_t{taps} * g.c + i, some);
    for (int t = 0; t < taps; ++t) sums[t] = loadSome(gradient + std::int64_t{t} * g.c + i, some);
    for (int oy = 0; oy < g.outH; ++oy) {
      const float* from = dz.data + std::int64_t{oy} * dz.rowStride + i;
      const float* under = x + std::int64_t{oy} * g.strideH * g.cols * g.c + i;
      for (int ox = 0; ox < g.outW; ++ox, from += g.c, under += g.strideW * g.c) {
        const Vec d = loadSome(from, some);
        bias += d;
        for (int r = 0, t = 0; r < g.kernelH; ++r)
          for (int s = 0; s < g.kernelW; ++s, ++t)
            sums[t] += d * loadSome(under + r * g.tapDown() + s * g.tapAcross(), some);
      }
    }
    for (int t = 0; t < taps; ++t) storeSome(gradient + std::int64_t{t} * g.c + i, sums[t], some);
    storeSome(gradient + std::int64_t{taps} * g.c + i, bias, some);
  }
}

}  // namespace strata::STRATA_ISA_NAMESPACE

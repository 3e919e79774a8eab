// SPDX-License-Identifier: GPL-3.0-or-later
// A convolution by plain loops in double precision, with max pooling and both gradients: the truth for each of the cpu
// backend's ways. Numbers are made up and coarse, so that float arithmetic sums them exactly and ties are ties.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include "engine/backend/cpu/kernels.h"
#include "engine/base/rng.h"

namespace strata::test {

using Doubles = std::vector<double>;

/// A convolution, its numbers, and the loops. x [rows][cols][c] with its frame, kernel [r][s][c][k], y and dy
/// [outH][outW][k], pooled.
struct PlainConv {
  ConvShape g;
  std::vector<float> kernel, bias;

  PlainConv(const ConvShape& shape, Rng& rng) : g(shape) {
    for (int i = 0; i < g.r * g.s * g.c * g.k; ++i) kernel.push_back(float(int(rng.below(9)) - 4) / 16);
    for (int k = 0; k < g.k; ++k) bias.push_back(rng.below(6) == 0 ? -64.f : float(int(rng.below(9)) - 4) / 16);
  }

  std::size_t xAt(int y, int x, int c) const { return (std::size_t(y) * g.cols + x) * g.c + c; }
  std::size_t yAt(int y, int x, int k) const { return (std::size_t(y) * g.outW + x) * g.k + k; }
  std::size_t kernelAt(int r, int s, int c, int k) const { return ((std::size_t(r) * g.s + s) * g.c + c) * g.k + k; }
  std::size_t xSize() const { return xAt(g.rows, 0, 0); }
  std::size_t ySize() const { return yAt(g.outH, 0, 0); }

  /// Values of which `livePercent` are not zero, behind a frame of `pad` zeros.
  std::vector<float> inputs(int pad, int livePercent, Rng& rng) const {
    std::vector<float> x(xSize());
    for (int i = pad; i < g.rows - pad; ++i)
      for (int j = pad; j < g.cols - pad; ++j)
        for (int c = 0; c < g.c; ++c)
          if (int(rng.below(100)) < livePercent)
            x[xAt(i, j, c)] = float(1 + rng.below(8)) / 8 * (rng.below(2) ? 1 : -1);
    return x;
  }
  std::vector<float> gradients(int livePercent, Rng& rng) const {
    std::vector<float> dy(ySize());
    for (float& v : dy)
      if (int(rng.below(100)) < livePercent) v = float(int(rng.below(17)) - 8) / 8;
    return dy;
  }

  /// Before bias and pooling.
  double sum(const float* x, int oy, int ox, int k) const {
    double total = 0;
    for (int r = 0; r < g.r; ++r)
      for (int s = 0; s < g.s; ++s)
        for (int c = 0; c < g.c; ++c)
          total += double(x[xAt(oy * g.sy + r, ox * g.sx + s, c)]) * kernel[kernelAt(r, s, c, k)];
    return total;
  }
  double activated(double z) const {
    if (g.activation == Activation::Relu) return z > 0 ? z : 0;
    if (g.activation == Activation::Tanh) return std::tanh(z);
    return g.activation == Activation::Sigmoid ? 1 / (1 + std::exp(-z)) : z;
  }
  /// y, and of each value the place of its window that was largest, the first of several.
  Doubles forward(const float* x, std::vector<int>& places) const {
    Doubles y(ySize());
    places.assign(ySize(), 0);
    for (int py = 0; py < g.outH; ++py)
      for (int px = 0; px < g.outW; ++px)
        for (int k = 0; k < g.k; ++k) {
          double best = -HUGE_VAL;
          for (int q = 0; q < g.poolH * g.poolW; ++q)
            if (const double z = sum(x, py * g.poolH + q / g.poolW, px * g.poolW + q % g.poolW, k); z > best)
              best = z, places[yAt(py, px, k)] = q;
          y[yAt(py, px, k)] = activated(best + bias[std::size_t(k)]);
        }
    return y;
  }

  /// Calls body(index in y, output row, output column, k, gradient) for the place that each gradient belongs to. dz
  /// lies before the activation, or is stopped by ReLU where y is zero.
  template <class Body>
  void eachGradient(const float* dz, const Doubles& y, const std::vector<int>& places, Body&& body) const {
    for (int py = 0; py < g.outH; ++py)
      for (int px = 0; px < g.outW; ++px)
        for (int k = 0; k < g.k; ++k) {
          const std::size_t at = yAt(py, px, k);
          if (dz[at] == 0 || (g.relu() && y[at] <= 0)) continue;
          body(py * g.poolH + places[at] / g.poolW, px * g.poolW + places[at] % g.poolW, k, double(dz[at]));
        }
  }
  /// Adds to dKernel [r][s][c][k] and dBias [k].
  void addWeightGradient(const float* x, const float* dz, const Doubles& y, const std::vector<int>& places,
                         Doubles& dKernel, Doubles& dBias) const {
    eachGradient(dz, y, places, [&](int oy, int ox, int k, double d) {
      dBias[std::size_t(k)] += d;
      for (int r = 0; r < g.r; ++r)
        for (int s = 0; s < g.s; ++s)
          for (int c = 0; c < g.c; ++c) dKernel[kernelAt(r, s, c, k)] += d * x[xAt(oy * g.sy + r, ox * g.sx + s, c)];
    });
  }
  Doubles inputGradient(const float* dz, const Doubles& y, const std::vector<int>& places) const {
    Doubles dx(xSize());
    eachGradient(dz, y, places, [&](int oy, int ox, int k, double d) {
      for (int r = 0; r < g.r; ++r)
        for (int s = 0; s < g.s; ++s)
          for (int c = 0; c < g.c; ++c) dx[xAt(oy * g.sy + r, ox * g.sx + s, c)] += d * kernel[kernelAt(r, s, c, k)];
    });
    return dx;
  }
};

}  // namespace strata::test

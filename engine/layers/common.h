// SPDX-License-Identifier: Apache-2.0
// What several layers share: sliding windows as Keras places them, the activation field, the one inner loop of the
// reference ops, and how a LayerDef makes its op in float and in double.
#pragma once
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "engine/layers/activation.h"
#include "engine/net/layer.h"

namespace strata {

/// Pixels from the first to the last of so many taps.
constexpr int reachOf(int kernel, int dilation) { return (kernel - 1) * dilation + 1; }

/// A kernel sliding along one direction of its input. Outputs are o = 0..out-1, taps t = 0..kernel-1; the tap reads the
/// input at at(o, t), and only taps from begin(o) to end(o)-1 lie inside it.
struct Slide {
  int in = 0, out = 0, kernel = 1, stride = 1;
  int before = 0;    ///< padding in front of the input
  int dilation = 1;  ///< from one tap to the next
  int at(int o, int tap) const { return o * stride - before + tap * dilation; }
  int begin(int o) const { return std::max(0, (before - o * stride + dilation - 1) / dilation); }
  int end(int o) const { return std::min(kernel, (in + before - o * stride + dilation - 1) / dilation); }
  int reach() const { return reachOf(kernel, dilation); }
};

/// "valid" keeps the window inside; "same" pads so that out = ceil(in / stride), an odd pixel of padding below and on
/// the right.
Slide slide(int in, int kernel, int stride, bool same, int dilation = 1);

/// How a kernel slides over an image, down and across.
struct Slides {
  Slide y, x;
};
/// By the fields kernel_size, strides, padding and, where there is one, dilation_rate.
Slides slidesOf(const Fields& fields, Shape in);

/// The issue of a window that does not fit the image without padding, with its two fixes, or nothing. `noun` "Kernel",
/// `field` its id.
std::optional<Issue> windowIssue(const std::string& noun, const std::string& field, Pair window, int usual, Shape in);
/// The same of a convolution's kernel, whose taps may lie apart.
std::optional<Issue> kernelIssue(const Fields& fields, Shape in);
/// The issue of an image that would have more pixels a side than there may be.
std::optional<Issue> sideIssue(const std::string& field, std::int64_t h, std::int64_t w);
/// The issue of a layer that reads images and is given something else.
Issue needsImage(const std::string& title, Shape in);

Field paddingField(const std::string& help);
Field kernelField(const std::string& help);
Field stridesField(const std::string& help);
Field dilationField();
Field biasField();
Field initializerField(const std::string& id = "kernel_initializer", const std::string& title = "Initial weights");
std::string pairText(Pair pair);    ///< "5 × 5"
std::string strideText(Pair pair);  ///< "2", or "2 × 1" where the sides differ

/// An activation that can be chosen.
struct ActivationDef {
  Activation kind;  ///< Linear of those that lowering makes a node of their own (curves.cpp)
  Choice choice;    ///< id as in files, title, help
};
const std::vector<ActivationDef>& allActivations();
Field activationField(const std::string& initial);
Activation activationOf(const Fields& fields);
std::string activationTitle(const Fields& fields);  ///< "ReLU"; "Linear"
std::string thenActivation(const Fields& fields);   ///< " · ReLU", or nothing where it is linear

/// tanh and sigmoid of one number, for activated().
template <class Real>
struct PlainMath {
  Real tanh(Real z) const { return std::tanh(z); }
  Real sigmoid(Real z) const { return 1 / (1 + std::exp(-z)); }
};

/// y = act(y), in place. NaN stays NaN.
template <class Real>
void activate(Activation activation, Real* y, std::int64_t count) {
  withActivation(activation, [&](auto kind) {
    for (std::int64_t i = 0; i < count; ++i) y[i] = activated<decltype(kind)::value>(y[i], PlainMath<Real>{});
  });
}

/// dz = dy * act'(z), told from y = act(z) alone.
template <class Real>
void activationGradient(Activation activation, const Real* y, const Real* dy, Real* dz, std::int64_t count) {
  withActivation(activation, [&](auto kind) {
    for (std::int64_t i = 0; i < count; ++i) dz[i] = gradientBefore<decltype(kind)::value>(y[i], dy[i]);
  });
}

/// y[cols] += x[rows] · w[rows, cols], the inner loop of every layer with weights. x and the rows of w may lie apart by
/// a stride. Four rows at a time: y is then loaded and stored once for four multiply-adds, and compilers turn the loop
/// over j into vectors.
template <class Real>
void addProduct(std::int64_t rows, std::int64_t cols, const Real* x, std::int64_t xStride, const Real* w,
                std::int64_t wStride, Real* __restrict y) {
  std::int64_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const Real x0 = x[i * xStride], x1 = x[(i + 1) * xStride], x2 = x[(i + 2) * xStride], x3 = x[(i + 3) * xStride];
    const Real *w0 = w + i * wStride, *w1 = w0 + wStride, *w2 = w1 + wStride, *w3 = w2 + wStride;
    for (std::int64_t j = 0; j < cols; ++j) y[j] += x0 * w0[j] + x1 * w1[j] + x2 * w2[j] + x3 * w3[j];
  }
  for (; i < rows; ++i)
    for (std::int64_t j = 0; j < cols; ++j) y[j] += x[i * xStride] * w[i * wStride + j];
}

/// out[cols, rows] = w[rows, cols] transposed.
template <class Real>
void transpose(const Real* w, std::int64_t rows, std::int64_t cols, Real* out) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < cols; ++j) out[j * rows + i] = w[i * cols + j];
}

/// LayerDef::params and macs of a layer with nothing to train and no work worth counting.
std::vector<ParamInfo> noParams(const Fields& fields, Shape in);
std::int64_t noMacs(const Fields& fields, Shape in);

/// For LayerDef::makeOp and makeOp64: the same class template in float and in double.
template <template <class> class OpTemplate, class Real>
std::unique_ptr<BasicOp<Real>> makeReferenceOp(const Site& site) {
  return std::make_unique<OpTemplate<Real>>(site);
}

}  // namespace strata

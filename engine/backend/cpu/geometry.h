// SPDX-License-Identifier: Apache-2.0
// The numbers of a layer's site, read from its fields once.
#pragma once
#include "engine/layers/common.h"

namespace strata {

/// A window that slides over an image: what convolution and pooling share.
struct WindowGeometry {
  Shape in, out;
  Slide y, x;
  Pair kernel() const { return {y.kernel, x.kernel}; }
  Pair stride() const { return {y.stride, x.stride}; }
  /// Padding below and on the right; negative where the window leaves some of the input unread.
  static int after(const Slide& slide) {
    return (slide.out - 1) * slide.stride + slide.reach() - slide.before - slide.in;
  }
};

inline WindowGeometry windowGeometry(const Site& site, Pair kernel, Pair stride) {
  const bool same = site.fields.text("padding") == "same";
  return {site.in, site.out, slide(site.in.h, kernel.h, stride.h, same), slide(site.in.w, kernel.w, stride.w, same)};
}

inline WindowGeometry convGeometry(const Site& site) {
  const Slides slides = slidesOf(site.fields, site.in);
  return {site.in, site.out, slides.y, slides.x};
}

/// A window of one pixel: a dense layer at each place of an image or a sequence.
inline WindowGeometry pointGeometry(const Site& site) {
  return {site.in, site.out, slide(site.in.h, 1, 1, false), slide(site.in.w, 1, 1, false)};
}

inline WindowGeometry poolGeometry(const Site& site) {
  const Pair window = site.fields.pair("pool_size"),
             stride = site.fields.pair("strides");  // a stride of 0 means: as the window
  return windowGeometry(site, window, {stride.h ? stride.h : window.h, stride.w ? stride.w : window.w});
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "datasets/digits/framing.h"

#include <algorithm>
#include <cmath>

namespace strata {

namespace {

/// Keeps `length` pixels from `start` inside `frame` pixels if they fit there.
int keepInside(int start, int length, int frame) {
  return length >= frame ? start : std::clamp(start, 0, frame - length);
}

}  // namespace

void placeByMass(const std::uint8_t* ink, int w, int h, std::uint8_t* frame, int frameW, int frameH) {
  std::int64_t mass = 0, momentX = 0, momentY = 0;
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      const std::int64_t value = ink[y * w + x];
      mass += value;
      momentX += value * x;
      momentY += value * y;
    }
  }
  if (mass == 0) return;
  const auto start = [mass](std::int64_t moment, int length, int frameLength) {
    const double centre = static_cast<double>(moment) / static_cast<double>(mass);
    return keepInside(static_cast<int>(std::lround(frameLength / 2 - centre)), length, frameLength);
  };
  placeAt(ink, w, h, frame, frameW, frameH, start(momentX, w, frameW), start(momentY, h, frameH));
}

void placeAt(const std::uint8_t* ink, int w, int h, std::uint8_t* frame, int frameW, int frameH, int left, int top) {
  const int x0 = std::max(0, -left), x1 = std::min(w, frameW - left);
  for (int y = std::max(0, -top); y < std::min(h, frameH - top); ++y)
    for (int x = x0; x < x1; ++x) frame[(y + top) * frameW + x + left] = ink[y * w + x];
}

}  // namespace strata

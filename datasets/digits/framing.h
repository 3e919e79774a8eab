// SPDX-License-Identifier: Apache-2.0
// How MNIST frames a digit: fitted into a box of 20 x 20 that keeps its aspect, laid on 28 x 28 so that the centre of
// mass falls on pixel (14, 14), to the nearest whole pixel. Other sizes in the same proportions.
#pragma once
#include <cstdint>

namespace strata {

inline constexpr int kFrame = 28, kBox = 20;

/// Copies `ink` [h,w] onto the black `frame` [frameH,frameW] by its centre of mass. Stays inside as far as it fits; ink
/// outside is cut off. `frame` must be zeros.
void placeByMass(const std::uint8_t* ink, int w, int h, std::uint8_t* frame, int frameW, int frameH);

/// The same at a given place of ink's upper left pixel.
void placeAt(const std::uint8_t* ink, int w, int h, std::uint8_t* frame, int frameW, int frameH, int left, int top);

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// From ink to what the net reads, the way MNIST was made: crop to the ink, fit into 20x20 keeping the aspect,
// antialiased, then place on 28x28 with the centre of mass in the middle. One code for the drawing canvas, photos and
// `strata predict`.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "engine/data/dataset.h"
#include "engine/file.h"

namespace strata {

/// A grey picture, row-major, 0 black to 255 white.
struct GreyImage {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
};

/// Which steps run; each has a tick in the studio.
struct PrepSteps {
  bool crop = true, fit = true, centre = true;
};

/// Every stage, for the strip "what the net sees". Ink is white on black in all of them.
struct PreparedDigit {
  GreyImage ink;  ///< the input as white ink on black; pictures above 512 pixels a side are made smaller first
  bool inverted = false;
  int cropX = 0, cropY = 0, cropW = 0, cropH = 0;  ///< the part of `ink` that is used: its bounding box
  GreyImage fitted;                                ///< 20x20 or smaller in one direction, for a net that reads 28x28
  GreyImage final;                                 ///< as large as the net's input
};

/// Nothing drawn, nothing to prepare: empty when the picture holds no ink.
std::optional<PreparedDigit> prepareDigit(const GreyImage& picture, Shape target, PrepSteps steps = {});

/// True for dark ink on light paper, judged by the border.
bool looksInverted(const GreyImage& picture);

/// PNG or JPEG by its magic, at most 64 MiB of pixels and 40 megapixels, as grey. Error::File, Error::Input.
GreyImage readImage(const Path& path);

/// Floats as the net reads them: value = byte * scale + offset.
std::vector<float> netInput(const GreyImage& final, const Preprocessing& preprocessing);

}  // namespace strata

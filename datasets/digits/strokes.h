// SPDX-License-Identifier: Apache-2.0
// How people write the ten digits: for each several ways, each a few strokes of the pen, each stroke a smooth curve
// through points.
#pragma once
#include <span>
#include <vector>

namespace strata {

/// x to the right, y down; a digit is about one unit high. A point given twice is a corner.
struct PenPoint {
  float x, y;
};
using PenStroke = std::vector<PenPoint>;

/// One way to write a digit.
struct DigitShape {
  int digit;
  float share;  ///< how often it is written this way, relative to the digit's other shapes
  std::vector<PenStroke> strokes;
};

/// The ways to write `digit` (0 to 9).
std::span<const DigitShape> digitShapes(int digit);

}  // namespace strata

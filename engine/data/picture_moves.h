// SPDX-License-Identifier: Apache-2.0
// Where each pixel of a changed picture comes from: a shift, a turn and what else is linear about the centre, a mirror,
// and a smooth warp. All of them together look each pixel up once.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/net/shape.h"

namespace strata {

struct PictureMoves {
  int down = 0, right = 0;  ///< whole pixels
  /// A pixel (x, y) off the centre, before the shift, shows what stands at (xx x + xy y, yx x + yy y) off it.
  double xx = 1, xy = 0, yx = 0, yy = 1;
  bool mirrored = false;  ///< left and right change places, before all else
  /// Displacements at the crossings of a grid of kWarpGrid by kWarpGrid over the picture, x and y of each, in pixels;
  /// between them they are blended. Empty: none.
  std::vector<float> warp;

  static constexpr int kWarpGrid = 4;
  bool linear() const { return xx == 1 && xy == 0 && yx == 0 && yy == 1; }
  /// Looks first through this, then through the matrix given.
  void then(double axx, double axy, double ayx, double ayy);
};

/// `to` is `from` moved, both [H,W,C]; what comes from outside is `ground`. A shift and a mirror alone copy pixels; all
/// else blends the four nearest, in fixed point so that every machine rounds alike.
void movePicture(const PictureMoves& moves, const Shape& shape, std::uint8_t ground, const std::uint8_t* from,
                 std::uint8_t* to);

}  // namespace strata

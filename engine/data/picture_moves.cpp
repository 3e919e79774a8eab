// SPDX-License-Identifier: Apache-2.0
#include "engine/data/picture_moves.h"

#include <algorithm>
#include <cmath>

namespace strata {
namespace {

constexpr double kOne = 65536;  // coordinates are 16.16 fixed point

void shiftPixels(const PictureMoves& moves, const Shape& shape, std::uint8_t ground, const std::uint8_t* from,
                 std::uint8_t* to) {
  const int dy = moves.down, dx = moves.right;
  std::fill_n(to, shape.size(), ground);
  const int x0 = std::max(0, dx), x1 = std::min(shape.w, shape.w + dx);  // the columns of `to` that come from inside
  if (x0 >= x1) return;
  for (int y = std::max(0, dy); y < std::min(shape.h, shape.h + dy); ++y) {
    const std::uint8_t* row = from + std::int64_t{y - dy} * shape.w * shape.c;
    std::uint8_t* out = to + (std::int64_t{y} * shape.w + x0) * shape.c;
    if (!moves.mirrored) {
      std::copy_n(row + std::int64_t{x0 - dx} * shape.c, std::int64_t{x1 - x0} * shape.c, out);
      continue;
    }
    for (int x = x0; x < x1; ++x, out += shape.c)
      std::copy_n(row + std::int64_t{shape.w - 1 - (x - dx)} * shape.c, shape.c, out);
  }
}

/// The warp's displacement at a pixel, blended between the crossings around it.
std::pair<double, double> warpAt(const PictureMoves& moves, const Shape& shape, int y, int x) {
  constexpr int kLast = PictureMoves::kWarpGrid - 1;
  const double v = double(y) * kLast / std::max(1, shape.h - 1), u = double(x) * kLast / std::max(1, shape.w - 1);
  const int row = std::min(int(v), kLast - 1), column = std::min(int(u), kLast - 1);
  const double fv = v - row, fu = u - column;
  const auto crossing = [&](int r, int c, int which) {
    return double(moves.warp[std::size_t(2 * (r * PictureMoves::kWarpGrid + c) + which)]);
  };
  const auto blended = [&](int which) {
    return (crossing(row, column, which) * (1 - fu) + crossing(row, column + 1, which) * fu) * (1 - fv) +
           (crossing(row + 1, column, which) * (1 - fu) + crossing(row + 1, column + 1, which) * fu) * fv;
  };
  return {blended(0), blended(1)};
}

void lookBack(const PictureMoves& moves, const Shape& shape, std::uint8_t ground, const std::uint8_t* from,
              std::uint8_t* to) {
  const double cy = (shape.h - 1) / 2.0, cx = (shape.w - 1) / 2.0;
  const auto stepX = std::llround(moves.xx * kOne), stepY = std::llround(moves.yx * kOne);
  const auto pixel = [&](std::int64_t y, std::int64_t x, int c) -> int {
    if (y < 0 || y >= shape.h || x < 0 || x >= shape.w) return ground;
    return from[(y * shape.w + (moves.mirrored ? shape.w - 1 - x : x)) * shape.c + c];
  };
  for (int y = 0; y < shape.h; ++y) {
    const double left = -cx - moves.right, down = y - cy - moves.down;
    std::int64_t sourceX = std::llround((cx + moves.xx * left + moves.xy * down) * kOne),
                 sourceY = std::llround((cy + moves.yx * left + moves.yy * down) * kOne);
    for (int x = 0; x < shape.w; ++x, sourceX += stepX, sourceY += stepY) {
      std::int64_t atX = sourceX, atY = sourceY;
      if (!moves.warp.empty()) {
        const auto [dx, dy] = warpAt(moves, shape, y, x);
        atX += std::llround(dx * kOne);
        atY += std::llround(dy * kOne);
      }
      const std::int64_t ix = atX >> 16, iy = atY >> 16;
      const int fx = static_cast<int>(atX >> 8 & 255), fy = static_cast<int>(atY >> 8 & 255);
      for (int c = 0; c < shape.c; ++c) {
        const int top = pixel(iy, ix, c) * (256 - fx) + pixel(iy, ix + 1, c) * fx;
        const int bottom = pixel(iy + 1, ix, c) * (256 - fx) + pixel(iy + 1, ix + 1, c) * fx;
        *to++ = static_cast<std::uint8_t>((top * (256 - fy) + bottom * fy + (1 << 15)) >> 16);
      }
    }
  }
}

}  // namespace

void PictureMoves::then(double axx, double axy, double ayx, double ayy) {
  if (linear()) {
    xx = axx, xy = axy, yx = ayx, yy = ayy;
    return;
  }
  const PictureMoves old = *this;
  xx = axx * old.xx + axy * old.yx, xy = axx * old.xy + axy * old.yy;
  yx = ayx * old.xx + ayy * old.yx, yy = ayx * old.xy + ayy * old.yy;
}

void movePicture(const PictureMoves& moves, const Shape& shape, std::uint8_t ground, const std::uint8_t* from,
                 std::uint8_t* to) {
  if (moves.linear() && moves.warp.empty()) shiftPixels(moves, shape, ground, from, to);
  else lookBack(moves, shape, ground, from, to);
}

}  // namespace strata

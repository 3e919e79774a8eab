// SPDX-License-Identifier: Apache-2.0
#include "engine/data/augment.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/base/json.h"

namespace strata {
namespace {

void shiftPixels(const Shape& shape, int dy, int dx, std::uint8_t ground, const std::uint8_t* from, std::uint8_t* to) {
  std::fill_n(to, shape.size(), ground);
  const int x0 = std::max(0, dx), x1 = std::min(shape.w, shape.w + dx);  // the columns of `to` that come from inside
  if (x0 >= x1) return;
  for (int y = std::max(0, dy); y < std::min(shape.h, shape.h + dy); ++y) {
    const std::uint8_t* row = from + (std::int64_t{y - dy} * shape.w + x0 - dx) * shape.c;
    std::copy_n(row, std::int64_t{x1 - x0} * shape.c, to + (std::int64_t{y} * shape.w + x0) * shape.c);
  }
}

/// Each pixel of `to` looks back to where it comes from, in 16.16 fixed point so that every machine rounds alike.
void rotatePixels(const Shape& shape, double angle, int dy, int dx, std::uint8_t ground, const std::uint8_t* from,
                  std::uint8_t* to) {
  constexpr double kOne = 65536;
  const double cosine = std::cos(angle), sine = std::sin(angle), cy = (shape.h - 1) / 2.0, cx = (shape.w - 1) / 2.0;
  const auto stepX = std::llround(cosine * kOne), stepY = std::llround(-sine * kOne);
  const auto pixel = [&](std::int64_t y, std::int64_t x, int c) -> int {
    return y < 0 || y >= shape.h || x < 0 || x >= shape.w ? ground : from[(y * shape.w + x) * shape.c + c];
  };
  for (int y = 0; y < shape.h; ++y) {
    const double left = -cx - dx, down = y - cy - dy;
    std::int64_t sourceX = std::llround((cx + cosine * left + sine * down) * kOne),
                 sourceY = std::llround((cy - sine * left + cosine * down) * kOne);
    for (int x = 0; x < shape.w; ++x, sourceX += stepX, sourceY += stepY) {
      const std::int64_t ix = sourceX >> 16, iy = sourceY >> 16;
      const int fx = static_cast<int>(sourceX >> 8 & 255), fy = static_cast<int>(sourceY >> 8 & 255);
      for (int c = 0; c < shape.c; ++c) {
        const int top = pixel(iy, ix, c) * (256 - fx) + pixel(iy, ix + 1, c) * fx;
        const int bottom = pixel(iy + 1, ix, c) * (256 - fx) + pixel(iy + 1, ix + 1, c) * fx;
        *to++ = static_cast<std::uint8_t>((top * (256 - fy) + bottom * fy + (1 << 15)) >> 16);
      }
    }
  }
}

}  // namespace

const std::vector<Field>& augmentationFields() {
  static const std::vector<Field> fields = [] {
    Field shift =
        intField("shift", "Shift", 0, 0, 64, "Moves each training sample by up to so many pixels in each direction.");
    Field rotate =
        realField("rotate", "Rotate", 0, 0, 180, "Turns each training sample by up to so many degrees either way.");
    shift.unit = "px";
    rotate.unit = "°";
    return std::vector<Field>{shift, rotate};
  }();
  return fields;
}

Json augmentationToJson(const Augmentation& augmentation) {
  return {{"shift", augmentation.shift}, {"rotate", augmentation.rotate}};
}

Fields fieldsOf(const Augmentation& augmentation) {
  Fields fields;
  fields.set("shift", std::int64_t{augmentation.shift});
  fields.set("rotate", augmentation.rotate);
  return fields;
}

Augmentation augmentationOf(const Fields& fields) { return {fields.integer("shift"), fields.real("rotate")}; }

Augmentation augmentationFromJson(const Json& json, const std::string& where) {
  return augmentationOf(fieldsFromJson(augmentationFields(), json, where, {}));
}

void augment(const Augmentation& augmentation, const Shape& shape, Rng rng, std::uint8_t ground,
             const std::uint8_t* from, std::uint8_t* to) {
  const auto range = static_cast<std::uint32_t>(2 * augmentation.shift + 1);
  const int dy = static_cast<int>(rng.below(range)) - augmentation.shift,
            dx = static_cast<int>(rng.below(range)) - augmentation.shift;
  if (augmentation.rotate == 0) return shiftPixels(shape, dy, dx, ground, from, to);
  const double degrees = augmentation.rotate * (2 * rng.uniform01() - 1);
  rotatePixels(shape, degrees * std::numbers::pi / 180, dy, dx, ground, from, to);
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/exif.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace strata {

namespace {

/// A TIFF block: numbers of either byte order; zero for what lies outside, which no tag of interest has.
struct Tiff {
  std::span<const unsigned char> bytes;
  bool bigEndian;

  std::uint32_t number(std::size_t at, std::size_t size) const {
    if (at > bytes.size() || size > bytes.size() - at) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes[at + (bigEndian ? i : size - 1 - i)];
    return value;
  }
};

}  // namespace

int exifOrientation(std::span<const unsigned char> segment) {
  constexpr char kMark[] = {'E', 'x', 'i', 'f', 0, 0};
  constexpr std::uint32_t kOrientationTag = 0x0112;
  constexpr std::size_t kEntrySize = 12;
  const bool marked = segment.size() >= sizeof kMark && std::memcmp(segment.data(), kMark, sizeof kMark) == 0;
  const auto block = segment.subspan(marked ? sizeof kMark : 0);
  if (block.size() < 8 || (std::memcmp(block.data(), "II*", 4) != 0 && std::memcmp(block.data(), "MM\0*", 4) != 0))
    return 1;
  const Tiff tiff{block, block[0] == 'M'};
  const std::size_t directory = tiff.number(4, 4), entries = tiff.number(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntrySize;
    if (tiff.number(entry, 2) != kOrientationTag) continue;
    const std::uint32_t orientation = tiff.number(entry + 8, 2);
    return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
  }
  return 1;
}

Picture turnedUpright(Picture picture, int orientation) {
  if (orientation <= 1 || orientation > 8) return picture;
  const int w = picture.width, h = picture.height;
  const bool swapped = orientation >= 5;
  Picture upright{swapped ? h : w, swapped ? w : h, std::vector<std::uint8_t>(picture.pixels.size()), picture.channels};
  // Where the stored picture's columns and rows are read backwards.
  const bool flipX = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flipY = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (int y = 0; y < upright.height; ++y) {
    for (int x = 0; x < upright.width; ++x) {
      const int fromX = swapped ? y : x, fromY = swapped ? x : y;
      const int column = flipX ? w - 1 - fromX : fromX, row = flipY ? h - 1 - fromY : fromY;
      const auto* from = picture.pixels.data() + (static_cast<std::size_t>(row) * w + column) * picture.channels;
      std::copy_n(from, picture.channels,
                  upright.pixels.data() + (static_cast<std::size_t>(y) * upright.width + x) * picture.channels);
    }
  }
  return upright;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/fit_picture.h"

#include <algorithm>
#include <cmath>

namespace strata {
namespace {

// Whole numbers, so that no rounding differs between machines.
constexpr int kWeightBits = 14, kBetweenBits = 6;
constexpr std::int64_t kWhole = std::int64_t{1} << kWeightBits;

/// What one pixel of the new row or column is made of.
struct Mix {
  int first = 0;
  std::vector<std::int32_t> weights;  ///< of the old pixels from `first` on; together kWhole
};

/// `from` pixels, of which those of [begin, begin + length) are used, become `to`.
std::vector<Mix> mixes(int from, int begin, int length, int to) {
  std::vector<Mix> all(static_cast<std::size_t>(to));
  const double scale = double(length) / to;
  for (int i = 0; i < to; ++i) {
    Mix& mix = all[static_cast<std::size_t>(i)];
    // A pixel covers [low, high) of the old ones; an enlarged one is blended from the two nearest centres.
    const double centre = begin + (i + 0.5) * scale, reach = std::max(scale, 1.0) / 2;
    const double low = std::max(centre - reach, double(begin)), high = std::min(centre + reach, double(begin + length));
    mix.first = std::clamp(static_cast<int>(std::floor(low)), 0, from - 1);
    const int last = std::clamp(static_cast<int>(std::ceil(high)) - 1, mix.first, from - 1);
    std::int64_t sum = 0;
    for (int p = mix.first; p <= last; ++p) {
      const double covered = std::max(0.0, std::min(high, p + 1.0) - std::max(low, double(p)));
      mix.weights.push_back(static_cast<std::int32_t>(std::lround(covered / (high - low) * kWhole)));
      sum += mix.weights.back();
    }
    *std::max_element(mix.weights.begin(), mix.weights.end()) += static_cast<std::int32_t>(kWhole - sum);
  }
  return all;
}

/// The part of the picture from (top, left), stretched.
Picture stretched(const Picture& picture, int top, int left, int partHeight, int partWidth, int height, int width) {
  const auto c = static_cast<std::size_t>(picture.channels), w = static_cast<std::size_t>(width);
  const std::vector<Mix> across = mixes(picture.width, left, partWidth, width),
                         down = mixes(picture.height, top, partHeight, height);
  const int firstRow = down.front().first, rows = picture.height - firstRow;
  std::vector<std::int32_t> between(static_cast<std::size_t>(rows) * w * c);
  for (int y = 0; y < rows; ++y) {
    const std::uint8_t* row =
        picture.pixels.data() + static_cast<std::size_t>(firstRow + y) * static_cast<std::size_t>(picture.width) * c;
    std::int32_t* to = between.data() + static_cast<std::size_t>(y) * w * c;
    for (const Mix& mix : across)
      for (std::size_t k = 0; k < c; ++k) {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < mix.weights.size(); ++i)
          sum += mix.weights[i] * row[(static_cast<std::size_t>(mix.first) + i) * c + k];
        *to++ = sum >> (kWeightBits - kBetweenBits);
      }
  }
  Picture out{width, height, {}, picture.channels};
  out.pixels.reserve(static_cast<std::size_t>(height) * w * c);
  for (const Mix& mix : down) {
    const std::int32_t* column = between.data() + static_cast<std::size_t>(mix.first - firstRow) * w * c;
    for (std::size_t x = 0; x < w * c; ++x) {
      std::int64_t sum = std::int64_t{1} << (kWeightBits + kBetweenBits - 1);
      for (std::size_t i = 0; i < mix.weights.size(); ++i) sum += std::int64_t{mix.weights[i]} * column[i * w * c + x];
      out.pixels.push_back(static_cast<std::uint8_t>(std::min<std::int64_t>(sum >> (kWeightBits + kBetweenBits), 255)));
    }
  }
  return out;
}

/// a * b / c to the nearest, from 1 to `most`.
int scaled(int a, int b, int c, int most) {
  return static_cast<int>(std::clamp<std::int64_t>((std::int64_t{a} * b + c / 2) / c, 1, most));
}

}  // namespace

Picture fitPicture(const Picture& picture, int height, int width, Fit fit) {
  const int h = picture.height, w = picture.width;
  if (h == height && w == width) return picture;
  const bool wide = std::int64_t{w} * height > std::int64_t{width} * h;  // by its proportions
  if (fit == Fit::Resize) return stretched(picture, 0, 0, h, w, height, width);
  if (fit == Fit::Crop) {
    const int partH = wide ? h : scaled(w, height, width, h), partW = wide ? scaled(h, width, height, w) : w;
    return stretched(picture, (h - partH) / 2, (w - partW) / 2, partH, partW, height, width);
  }
  const int innerH = wide ? scaled(h, width, w, height) : height, innerW = wide ? width : scaled(w, height, h, width);
  const Picture inner = stretched(picture, 0, 0, h, w, innerH, innerW);
  const auto c = static_cast<std::size_t>(picture.channels), line = static_cast<std::size_t>(innerW) * c;
  Picture out{width, height,
              std::vector<std::uint8_t>(static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * c),
              picture.channels};
  for (int y = 0; y < innerH; ++y)
    std::copy_n(inner.pixels.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(y) * line), line,
                out.pixels.begin() +
                    ((std::ptrdiff_t{height} - innerH) / 2 + y) * width * static_cast<std::ptrdiff_t>(c) +
                    (width - innerW) / 2 * static_cast<std::ptrdiff_t>(c));
  return out;
}

}  // namespace strata

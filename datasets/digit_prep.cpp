// SPDX-License-Identifier: Apache-2.0
#include "datasets/digit_prep.h"

#include <algorithm>
#include <cmath>

#include "datasets/framing.h"
#include "datasets/paper.h"

namespace strata {

namespace {

constexpr int kMaxSide = 512;   // larger pictures carry nothing more that 28 x 28 could show
constexpr int kLeastInk = 24;   // fainter pixels do not count as drawn
constexpr int kCleanBlack = 8;  // a border no lighter than this is a drawing's ground, not a photo's
// Thin lines fade when they are made smaller; the strongest pixel is brought up to full white.
constexpr int kFullInk = 200;

struct Rect {
  int x = 0, y = 0, w = 0, h = 0;
};

/// How much each source pixel counts for each output pixel along one axis: a window as wide as the scale, at least one
/// pixel. That is the area average when shrinking and linear interpolation when growing.
struct Taps {
  int first = 0;
  std::vector<float> weights;
};

std::vector<Taps> tapsFor(int from, int to) {
  const double scale = static_cast<double>(from) / to, half = std::max(scale, 1.0) / 2;
  std::vector<Taps> taps(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * scale;
    const double low = std::max(0.0, centre - half), high = std::min<double>(from, centre + half);
    Taps& tap = taps[static_cast<std::size_t>(i)];
    tap.first = static_cast<int>(low);
    for (int source = tap.first; source < high; ++source) {
      const double covered = std::min<double>(high, source + 1) - std::max<double>(low, source);
      tap.weights.push_back(static_cast<float>(covered / (high - low)));
    }
  }
  return taps;
}

GreyImage resampled(const GreyImage& image, Rect from, int width, int height) {
  const auto across = tapsFor(from.w, width), down = tapsFor(from.h, height);
  std::vector<float> rows(static_cast<std::size_t>(from.h) * width);
  for (int y = 0; y < from.h; ++y) {
    const std::uint8_t* line = image.pixels.data() + static_cast<std::size_t>(from.y + y) * image.width + from.x;
    for (int x = 0; x < width; ++x) {
      const Taps& tap = across[static_cast<std::size_t>(x)];
      float sum = 0;
      for (std::size_t i = 0; i < tap.weights.size(); ++i)
        sum += tap.weights[i] * line[tap.first + static_cast<int>(i)];
      rows[static_cast<std::size_t>(y) * width + x] = sum;
    }
  }
  GreyImage out{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height)};
  for (int y = 0; y < height; ++y) {
    const Taps& tap = down[static_cast<std::size_t>(y)];
    for (int x = 0; x < width; ++x) {
      float sum = 0;
      for (std::size_t i = 0; i < tap.weights.size(); ++i)
        sum += tap.weights[i] * rows[(static_cast<std::size_t>(tap.first) + i) * width + x];
      out.pixels[static_cast<std::size_t>(y) * width + x] =
          static_cast<std::uint8_t>(std::lround(std::min(sum, 255.f)));
    }
  }
  return out;
}

/// `w` x `h` scaled, at least one pixel each way.
Rect scaledSize(int w, int h, double scale) {
  return {0, 0, std::max(1, static_cast<int>(std::lround(w * scale))),
          std::max(1, static_cast<int>(std::lround(h * scale)))};
}

std::uint8_t borderGrey(const GreyImage& picture) {
  const int w = picture.width, h = picture.height;
  std::vector<std::uint8_t> border(picture.pixels.begin(), picture.pixels.begin() + w);
  border.insert(border.end(), picture.pixels.end() - w, picture.pixels.end());
  for (int y = 0; y < h; ++y) {
    border.push_back(picture.pixels[static_cast<std::size_t>(y) * w]);
    border.push_back(picture.pixels[static_cast<std::size_t>(y) * w + w - 1]);
  }
  return static_cast<std::uint8_t>(percentile(border, 0.5));
}

GreyImage negative(GreyImage picture) {
  for (std::uint8_t& pixel : picture.pixels) pixel = static_cast<std::uint8_t>(255 - pixel);
  return picture;
}

/// White ink on black, whatever it was: a clean drawing stays as it is, a photo (of paper or of a blackboard) is evened
/// out.
GreyImage inkOf(const GreyImage& picture, bool inverted) {
  if (inverted) return inkFromPaper(picture);
  return borderGrey(picture) <= kCleanBlack ? picture : inkFromPaper(negative(picture));
}

Rect inkBounds(const GreyImage& ink) {
  int left = ink.width, right = -1, top = ink.height, bottom = -1;
  for (int y = 0; y < ink.height; ++y)
    for (int x = 0; x < ink.width; ++x)
      if (ink.pixels[static_cast<std::size_t>(y) * ink.width + x] >= kLeastInk) {
        left = std::min(left, x);
        right = std::max(right, x);
        top = std::min(top, y);
        bottom = y;
      }
  return right < 0 ? Rect{} : Rect{left, top, right - left + 1, bottom - top + 1};
}

void strengthen(GreyImage& image) {
  const int strongest = *std::max_element(image.pixels.begin(), image.pixels.end());
  if (strongest == 0 || strongest >= kFullInk) return;
  for (std::uint8_t& pixel : image.pixels) pixel = static_cast<std::uint8_t>(pixel * 255 / strongest);
}

}  // namespace

bool looksInverted(const GreyImage& picture) {
  if (picture.pixels.empty()) return false;
  // The darkest and lightest two in a thousand may be dust and glare.
  const int dark = percentile(picture.pixels, 0.002), light = percentile(picture.pixels, 0.998);
  return borderGrey(picture) > (dark + light) / 2 || dark > 127;
}

std::optional<PreparedDigit> prepareDigit(const GreyImage& picture, Shape target, PrepSteps steps) {
  if (picture.width <= 0 || picture.height <= 0 ||
      picture.pixels.size() != static_cast<std::size_t>(picture.width) * picture.height)
    return std::nullopt;
  if (target.h <= 0 || target.w <= 0) return std::nullopt;
  PreparedDigit digit;
  const double shrink = static_cast<double>(kMaxSide) / std::max(picture.width, picture.height);
  const Rect size = scaledSize(picture.width, picture.height, std::min(shrink, 1.0));
  const GreyImage small =
      shrink < 1 ? resampled(picture, {0, 0, picture.width, picture.height}, size.w, size.h) : picture;
  digit.inverted = looksInverted(small);
  digit.ink = inkOf(small, digit.inverted);

  const Rect bounds = inkBounds(digit.ink);
  if (bounds.w == 0) return std::nullopt;
  const Rect used = steps.crop ? bounds : Rect{0, 0, digit.ink.width, digit.ink.height};
  digit.cropX = used.x;
  digit.cropY = used.y;
  digit.cropW = used.w;
  digit.cropH = used.h;

  const double box = std::round(std::min(target.h, target.w) * static_cast<double>(kBox) / kFrame);
  const double scale = steps.fit ? box / std::max(used.w, used.h)
                                 : std::min(static_cast<double>(target.w) / digit.ink.width,
                                            static_cast<double>(target.h) / digit.ink.height);
  const Rect fitted = scaledSize(used.w, used.h, scale);
  digit.fitted = resampled(digit.ink, used, fitted.w, fitted.h);
  strengthen(digit.fitted);

  digit.final = {target.w, target.h, std::vector<std::uint8_t>(static_cast<std::size_t>(target.w) * target.h)};
  const std::uint8_t* ink = digit.fitted.pixels.data();
  std::uint8_t* frame = digit.final.pixels.data();
  if (steps.centre) placeByMass(ink, fitted.w, fitted.h, frame, target.w, target.h);
  else
    placeAt(ink, fitted.w, fitted.h, frame, target.w, target.h, (target.w - fitted.w) / 2, (target.h - fitted.h) / 2);
  return digit;
}

std::vector<float> netInput(const GreyImage& final, const Preprocessing& preprocessing) {
  std::vector<float> values(final.pixels.size());
  std::transform(final.pixels.begin(), final.pixels.end(), values.begin(), [&](std::uint8_t pixel) {
    return static_cast<float>(pixel * preprocessing.scale + preprocessing.offset);
  });
  return values;
}

}  // namespace strata

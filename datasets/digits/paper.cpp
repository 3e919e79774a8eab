// SPDX-License-Identifier: Apache-2.0
#include "datasets/digits/paper.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace strata {

namespace {

constexpr int kCellsAcross = 16;     // the paper's lightness is estimated in cells of this part of the longer side
constexpr int kSmallestCell = 8;     // pixels
constexpr double kPaperShare = 0.8;  // a cell's paper is as light as this share of its pixels
constexpr int kLeastContrast = 32;   // ink that is less darker than its paper, in 255ths of it, is grain

using Histogram = std::array<std::int64_t, 256>;

Histogram histogramOf(const std::vector<std::uint8_t>& pixels) {
  Histogram histogram{};
  for (const std::uint8_t pixel : pixels) ++histogram[pixel];
  return histogram;
}

/// Two heaps of greys, parted where they differ most (Otsu 1979).
struct Heaps {
  int threshold = 0;
  double apart = -1;  ///< the variance between them, times the square of the number of pixels
};

Heaps heapsOf(const Histogram& histogram) {
  double total = 0, sum = 0;
  for (int i = 0; i < 256; ++i) {
    total += static_cast<double>(histogram[i]);
    sum += i * static_cast<double>(histogram[i]);
  }
  double below = 0, sumBelow = 0;
  Heaps heaps;
  for (int i = 0; i < 255; ++i) {
    below += static_cast<double>(histogram[i]);
    sumBelow += i * static_cast<double>(histogram[i]);
    if (below == 0 || below == total) continue;
    const double difference = sumBelow / below - (sum - sumBelow) / (total - below);
    const double between = below * (total - below) * difference * difference;
    if (between > heaps.apart) heaps = {i, between};
  }
  return heaps;
}

/// Lightness of the paper everywhere: by cells, smoothed, interpolated.
class Paper {
 public:
  explicit Paper(const Picture& photo)
      : m_cell(std::max(kSmallestCell, (std::max(photo.width, photo.height) + kCellsAcross - 1) / kCellsAcross)),
        m_columns((photo.width + m_cell - 1) / m_cell), m_rows((photo.height + m_cell - 1) / m_cell),
        m_light(static_cast<std::size_t>(m_columns) * m_rows) {
    std::vector<std::uint8_t> pixels;
    for (int row = 0; row < m_rows; ++row)
      for (int column = 0; column < m_columns; ++column) {
        pixels.clear();
        const int x0 = column * m_cell, x1 = std::min(x0 + m_cell, photo.width);
        for (int y = row * m_cell; y < std::min((row + 1) * m_cell, photo.height); ++y) {
          const auto line = photo.pixels.begin() + static_cast<std::ptrdiff_t>(y) * photo.width;
          pixels.insert(pixels.end(), line + x0, line + x1);
        }
        light(column, row) = static_cast<float>(percentile(pixels, kPaperShare));
      }
    // Cells full of ink take their neighbours' paper.
    overNeighbours([](float a, float b) { return std::max(a, b); }, false);
    overNeighbours([](float a, float b) { return a + b; }, true);
  }

  float at(int x, int y) const {
    const float column = std::clamp((x + 0.5f) / m_cell - 0.5f, 0.f, m_columns - 1.f),
                row = std::clamp((y + 0.5f) / m_cell - 0.5f, 0.f, m_rows - 1.f);
    const int c = static_cast<int>(column), r = static_cast<int>(row), c1 = std::min(c + 1, m_columns - 1),
              r1 = std::min(r + 1, m_rows - 1);
    return std::lerp(std::lerp(light(c, r), light(c1, r), column - c),
                     std::lerp(light(c, r1), light(c1, r1), column - c), row - r);
  }

 private:
  float& light(int column, int row) { return m_light[static_cast<std::size_t>(row) * m_columns + column]; }
  float light(int column, int row) const { return m_light[static_cast<std::size_t>(row) * m_columns + column]; }

  /// Folds every cell with its eight neighbours; `mean` divides by their number.
  template <class Fold>
  void overNeighbours(Fold fold, bool mean) {
    const Paper before = *this;
    for (int row = 0; row < m_rows; ++row)
      for (int column = 0; column < m_columns; ++column) {
        float value = 0;
        int count = 0;
        for (int r = std::max(0, row - 1); r <= std::min(m_rows - 1, row + 1); ++r)
          for (int c = std::max(0, column - 1); c <= std::min(m_columns - 1, column + 1); ++c, ++count)
            value = fold(value, before.light(c, r));
        light(column, row) = mean ? value / count : value;
      }
  }

  int m_cell, m_columns, m_rows;
  std::vector<float> m_light;
};

}  // namespace

int percentile(const std::vector<std::uint8_t>& pixels, double share) {
  const Histogram histogram = histogramOf(pixels);
  const auto wanted = static_cast<std::int64_t>(share * static_cast<double>(pixels.size() - 1));
  std::int64_t seen = 0;
  for (int grey = 0; grey < 256; ++grey)
    if ((seen += histogram[grey]) > wanted) return grey;
  return 255;
}

Picture negative(Picture picture) {
  for (std::uint8_t& pixel : picture.pixels) pixel = static_cast<std::uint8_t>(255 - pixel);
  return picture;
}

Picture strongestChannel(const Picture& picture) {
  constexpr double kClearly = 1.5;
  Picture best = toGrey(picture);
  if (picture.channels == 1) return best;
  double apart = kClearly * heapsOf(histogramOf(best.pixels)).apart;
  for (int c = 0; c < picture.channels; ++c) {
    Picture channel{picture.width, picture.height, {}, 1};
    for (std::size_t at = static_cast<std::size_t>(c); at < picture.pixels.size(); at += picture.channels)
      channel.pixels.push_back(picture.pixels[at]);
    const double here = heapsOf(histogramOf(channel.pixels)).apart;
    if (here <= apart) continue;
    apart = here;
    best = std::move(channel);
  }
  return best;
}

Ink cleanGround(const Picture& grey) {
  constexpr int kPlain = 8, kFaint = 60;
  const auto share = [&](auto test) {
    return static_cast<double>(std::count_if(grey.pixels.begin(), grey.pixels.end(), test)) /
           static_cast<double>(grey.pixels.size());
  };
  for (const int ground : {0, 255}) {
    const auto away = [ground](std::uint8_t pixel) { return std::abs(pixel - ground); };
    const double plain = share([&](std::uint8_t pixel) { return away(pixel) <= kPlain; }),
                 faint = share([&](std::uint8_t pixel) { return away(pixel) > kPlain && away(pixel) <= kFaint; });
    if (plain > 0.5 && faint < 0.1) return ground == 0 ? Ink::Light : Ink::Dark;
  }
  return Ink::None;
}

bool isDarkOnLight(const Picture& grey) {
  if (grey.pixels.empty()) return false;
  if (const Ink clean = cleanGround(grey); clean != Ink::None) return clean == Ink::Dark;
  // The darkest and lightest two in a thousand may be dust and glare.
  const int contrast = percentile(grey.pixels, 0.998) - percentile(grey.pixels, 0.002);
  const auto inkShare = [](const Picture& ink) {
    return std::count_if(ink.pixels.begin(), ink.pixels.end(), [](std::uint8_t pixel) { return pixel >= 128; });
  };
  const auto dark = inkShare(inkFromPaper(grey)), light = inkShare(inkFromPaper(negative(grey)));
  if (contrast < kLeastContrast || dark == light) return percentile(grey.pixels, 0.5) > 127;
  return light == 0 || (dark > 0 && dark < light);
}

Picture inkFromPaper(const Picture& photo) {
  const Paper paper(photo);
  Picture ink = photo;
  for (int y = 0; y < photo.height; ++y)
    for (int x = 0; x < photo.width; ++x) {
      const float light = std::max(paper.at(x, y), 1.f);
      std::uint8_t& pixel = ink.pixels[static_cast<std::size_t>(y) * photo.width + x];
      pixel = static_cast<std::uint8_t>(std::clamp((light - pixel) / light * 255, 0.f, 255.f));
    }
  const int threshold = heapsOf(histogramOf(ink.pixels)).threshold, floor = std::max(threshold / 2, kLeastContrast / 2);
  std::vector<std::uint8_t> strong;
  std::copy_if(ink.pixels.begin(), ink.pixels.end(), std::back_inserter(strong),
               [&](std::uint8_t pixel) { return pixel > threshold; });
  const int full = strong.empty() ? 0 : percentile(strong, 0.8);
  if (full < kLeastContrast) {
    std::fill(ink.pixels.begin(), ink.pixels.end(), 0);
    return ink;
  }
  for (std::uint8_t& pixel : ink.pixels)
    pixel = static_cast<std::uint8_t>(std::clamp((pixel - floor) * 255 / (full - floor), 0, 255));
  return ink;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "datasets/paper.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace strata {

namespace {

constexpr int kCellsAcross = 16;      // the paper's lightness is estimated in cells of this part of the longer side
constexpr int kSmallestCell = 8;      // pixels
constexpr double kPaperShare = 0.8;   // a cell's paper is as light as this share of its pixels
constexpr int kLeastContrast = 32;    // ink that is less darker than its paper, in 255ths of it, is grain
constexpr double kSpeckShare = 0.04;  // of the largest blot's ink

using Histogram = std::array<std::int64_t, 256>;

Histogram histogramOf(const std::vector<std::uint8_t>& pixels) {
  Histogram histogram{};
  for (const std::uint8_t pixel : pixels) ++histogram[pixel];
  return histogram;
}

/// The threshold that separates two heaps of greys best (Otsu 1979).
int otsuThreshold(const Histogram& histogram) {
  double total = 0, sum = 0;
  for (int i = 0; i < 256; ++i) {
    total += static_cast<double>(histogram[i]);
    sum += i * static_cast<double>(histogram[i]);
  }
  double below = 0, sumBelow = 0, best = -1;
  int threshold = 0;
  for (int i = 0; i < 255; ++i) {
    below += static_cast<double>(histogram[i]);
    sumBelow += i * static_cast<double>(histogram[i]);
    if (below == 0 || below == total) continue;
    const double difference = sumBelow / below - (sum - sumBelow) / (total - below);
    const double between = below * (total - below) * difference * difference;
    if (between > best) {
      best = between;
      threshold = i;
    }
  }
  return threshold;
}

/// Lightness of the paper everywhere: by cells, smoothed, interpolated.
class Paper {
 public:
  explicit Paper(const GreyImage& photo)
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

/// Blots of connected ink; those with little ink beside the largest are wiped out.
void removeSpecks(GreyImage& ink) {
  const int w = ink.width, h = ink.height;
  std::vector<int> blotOf(ink.pixels.size(), -1);
  std::vector<std::int64_t> masses;
  std::vector<int> stack;
  for (int start = 0; start < w * h; ++start) {
    if (ink.pixels[start] == 0 || blotOf[start] >= 0) continue;
    const int blot = static_cast<int>(masses.size());
    masses.push_back(0);
    blotOf[start] = blot;
    stack.push_back(start);
    while (!stack.empty()) {
      const int at = stack.back();
      stack.pop_back();
      masses[blot] += ink.pixels[at];
      for (int y = std::max(0, at / w - 1); y <= std::min(h - 1, at / w + 1); ++y)
        for (int x = std::max(0, at % w - 1); x <= std::min(w - 1, at % w + 1); ++x) {
          const int next = y * w + x;
          if (ink.pixels[next] == 0 || blotOf[next] >= 0) continue;
          blotOf[next] = blot;
          stack.push_back(next);
        }
    }
  }
  if (masses.empty()) return;
  const double least = kSpeckShare * static_cast<double>(*std::max_element(masses.begin(), masses.end()));
  for (std::size_t i = 0; i < ink.pixels.size(); ++i)
    if (blotOf[i] >= 0 && static_cast<double>(masses[blotOf[i]]) < least) ink.pixels[i] = 0;
}

}  // namespace

int percentile(const std::vector<std::uint8_t>& pixels, double share) {
  const Histogram histogram = histogramOf(pixels);
  const auto wanted = static_cast<std::int64_t>(share * static_cast<double>(pixels.size() - 1));
  std::int64_t seen = 0;
  for (int grey = 0; grey < 256; ++grey)
    if ((seen += histogram[grey]) > wanted) return grey;
  return 255;
}

GreyImage inkFromPaper(const GreyImage& photo) {
  const Paper paper(photo);
  GreyImage ink = photo;
  for (int y = 0; y < photo.height; ++y)
    for (int x = 0; x < photo.width; ++x) {
      const float light = std::max(paper.at(x, y), 1.f);
      std::uint8_t& pixel = ink.pixels[static_cast<std::size_t>(y) * photo.width + x];
      pixel = static_cast<std::uint8_t>(std::clamp((light - pixel) / light * 255, 0.f, 255.f));
    }
  const int threshold = otsuThreshold(histogramOf(ink.pixels)), floor = std::max(threshold / 2, kLeastContrast / 2);
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
  removeSpecks(ink);
  return ink;
}

}  // namespace strata

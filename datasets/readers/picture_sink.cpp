// SPDX-License-Identifier: Apache-2.0
#include "datasets/readers/picture_sink.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/error.h"

namespace strata {

namespace {

constexpr std::uint64_t kMaxPixels = 40'000'000;
constexpr std::uint64_t kMostKept = 4'000'000;  // pixels; no net reads more
constexpr int kOpaque = 128;                    // alpha from which a pixel counts as there

using Colour = std::array<int, 3>;

/// What the visible part of a picture with transparency is like.
struct Visible {
  double share = 0;  ///< of all pixels
  Colour median{};   ///< channel by channel
  int spread = 0;    ///< between the channel's 5th and 95th hundredth, of the channel where it is largest
  double light = 0;  ///< mean of the three channels
};

Visible lookAtVisible(const std::vector<std::uint8_t>& rgba) {
  std::array<std::array<std::int64_t, 256>, 3> counts{};
  std::int64_t seen = 0;
  Visible visible;
  for (std::size_t at = 0; at < rgba.size(); at += 4) {
    if (rgba[at + 3] < kOpaque) continue;
    ++seen;
    for (std::size_t c = 0; c < 3; ++c) ++counts[c][rgba[at + c]];
  }
  if (seen == 0) return visible;
  visible.share = static_cast<double>(seen) * 4 / static_cast<double>(rgba.size());
  for (std::size_t c = 0; c < 3; ++c) {
    const auto value = [&](double share) {
      std::int64_t sum = 0;
      int at = 0;
      while (at < 255 && static_cast<double>(sum += counts[c][static_cast<std::size_t>(at)]) <= share * (seen - 1))
        ++at;
      return at;
    };
    visible.median[c] = value(0.5);
    visible.spread = std::max(visible.spread, value(0.95) - value(0.05));
    for (int v = 0; v < 256; ++v) visible.light += static_cast<double>(v * counts[c][static_cast<std::size_t>(v)]);
  }
  visible.light /= 3.0 * static_cast<double>(seen);
  return visible;
}

/// The colour to lay under transparent parts. A sheet with something on it goes on past its edges; ink alone lies on
/// white or black, whichever it stands out from, so that white ink does not vanish.
Colour groundFor(const std::vector<std::uint8_t>& rgba) {
  constexpr int kPlain = 64;
  const Visible visible = lookAtVisible(rgba);
  if (visible.share > 0.5 && visible.spread > kPlain) return visible.median;
  return visible.light > 160 ? Colour{0, 0, 0} : Colour{255, 255, 255};
}

}  // namespace

void refusePicture(const std::string& where, const std::string& what, const std::string& wayOut) {
  throw Error(Error::Kind::Input, where, what, wayOut);
}

void checkPictureSize(std::uint64_t width, std::uint64_t height, const std::string& where) {
  if (width == 0 || height == 0) refusePicture(where, "has no pixels");
  if (width > kMaxPixels || height > kMaxPixels || width * height > kMaxPixels)
    refusePicture(
        where, "has " + std::to_string(width) + " x " + std::to_string(height) + " pixels, at most 40 million are read",
        "Save a smaller copy.");
}

void checkDecoderMemory(std::uint64_t bytes, const std::string& kind, const std::string& where) {
  if (bytes > kMaxDecoderBytes)
    refusePicture(where, "is " + kind + " too large to decode in 64 MiB", "Save a smaller copy, or save it as JPEG.");
}

PictureSink::PictureSink(std::uint64_t width, std::uint64_t height, const std::string& where) : m_where(where) {
  checkPictureSize(width, height, where);
  m_width = static_cast<int>(width);
  m_height = static_cast<int>(height);
  m_block = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(width * height) / kMostKept)));
  m_outWidth = (m_width + m_block - 1) / m_block;
  m_outHeight = (m_height + m_block - 1) / m_block;
  m_sums.resize(std::size_t{4} * static_cast<std::size_t>(m_outWidth));
  m_rgba.resize(m_sums.size() * static_cast<std::size_t>(m_outHeight));
}

void PictureSink::add(const std::uint8_t* rgba) noexcept {
  if (m_rows >= m_height) return;
  std::uint64_t* sum = m_sums.data();
  for (int x = 0; x < m_width; sum += 4)
    for (const int end = std::min(x + m_block, m_width); x < end; ++x, rgba += 4) {
      const std::uint32_t alpha = rgba[3];
      for (int c = 0; c < 3; ++c) sum[c] += rgba[c] * alpha;
      sum[3] += alpha;
    }
  ++m_rows;
  if (m_rows % m_block == 0 || m_rows == m_height) closeBlocks();
}

void PictureSink::closeBlocks() noexcept {
  const int row = (m_rows - 1) / m_block, rowsHere = m_rows - row * m_block;
  std::uint8_t* out = m_rgba.data() + m_sums.size() * static_cast<std::size_t>(row);
  std::uint64_t* sum = m_sums.data();
  for (int x = 0; x < m_outWidth; ++x, sum += 4, out += 4) {
    const std::uint64_t alpha = sum[3],
                        pixels = static_cast<std::uint64_t>(std::min(m_block, m_width - x * m_block)) * rowsHere;
    for (int c = 0; c < 3; ++c) out[c] = alpha ? static_cast<std::uint8_t>((sum[c] + alpha / 2) / alpha) : 0;
    out[3] = static_cast<std::uint8_t>((alpha + pixels / 2) / pixels);
    std::fill_n(sum, 4, 0);
  }
}

Picture PictureSink::onGround() const {
  const Colour ground = groundFor(m_rgba);
  Picture picture{m_outWidth, m_outHeight, {}, 3};
  picture.pixels.reserve(m_rgba.size() / 4 * 3);
  for (std::size_t at = 0; at < m_rgba.size(); at += 4) {
    const int alpha = m_rgba[at + 3];
    for (std::size_t c = 0; c < 3; ++c)
      picture.pixels.push_back(
          static_cast<std::uint8_t>((m_rgba[at + c] * alpha + ground[c] * (255 - alpha) + 127) / 255));
  }
  return picture;
}

PictureFile PictureSink::finish(const std::string& format, const std::string& reason) {
  if (m_rows * std::int64_t{2} < m_height)
    refusePicture(m_where, "is a damaged " + format + (reason.empty() ? "" : " (" + reason + ")"));
  PictureFile file;
  if (m_rows < m_height) {
    if (m_rows % m_block != 0) closeBlocks();
    file.remark = "is cut off: its last " + std::to_string(m_height - m_rows) + " of " + std::to_string(m_height) +
                  " rows are missing";
  } else if (!reason.empty()) {
    file.remark = "is damaged in places (" + reason + ")";
  }
  file.picture = onGround();
  return file;
}

}  // namespace strata

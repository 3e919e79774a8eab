// SPDX-License-Identifier: Apache-2.0
// What all decoders of pictures share: the limits, and the place where their rows go.
#pragma once
#include <span>

#include "datasets/readers/picture.h"

namespace strata {

/// A format that cannot be decoded row by row may take this much memory.
inline constexpr std::uint64_t kMaxDecoderBytes = std::uint64_t{64} << 20;

[[noreturn]] void refusePicture(const std::string& where, const std::string& what,
                                const std::string& wayOut = "Open it in an image editor and save it again.");
/// Error::Input when the header's size is nothing or too large; to be asked before anything is decoded.
void checkPictureSize(std::uint64_t width, std::uint64_t height, const std::string& where);
/// Error::Input when a decoder that needs `bytes` at once may not have them; `kind` as in "an interlaced PNG".
void checkDecoderMemory(std::uint64_t bytes, const std::string& kind, const std::string& where);

/// Takes a picture row by row, from the top. Large ones are averaged over square blocks on the way, so that memory
/// does not grow with the file's picture. Rows that never come count as transparent.
class PictureSink {
 public:
  PictureSink(std::uint64_t width, std::uint64_t height, const std::string& where);  ///< Error::Input: its size

  int width() const { return m_width; }    ///< of the rows that come in
  int height() const { return m_height; }  ///< how many are awaited
  int rows() const { return m_rows; }      ///< have come
  /// `width` pixels of red, green, blue, alpha; colours not multiplied by alpha. Never throws: decoders in C leave by
  /// longjmp.
  void add(const std::uint8_t* rgba) noexcept;
  /// The picture on its ground. Error::Input when fewer than half of the rows have come; `reason` says why they ended.
  PictureFile finish(const std::string& format, const std::string& reason);

 private:
  void closeBlocks() noexcept;
  Picture onGround() const;

  std::string m_where;
  int m_width, m_height, m_block;
  int m_rows = 0;
  int m_outWidth, m_outHeight;
  std::vector<std::uint64_t> m_sums;  ///< [outWidth,4] of the unfinished row of blocks; colours times alpha
  std::vector<std::uint8_t> m_rgba;   ///< [outHeight,outWidth,4]
};

// One decoder a file. `file` is the whole file; `where` its name for messages.
PictureFile decodePng(std::span<const unsigned char> file, const std::string& where);
PictureFile decodeJpeg(std::span<const unsigned char> file, const std::string& where);
PictureFile decodeGif(std::span<const unsigned char> file, const std::string& where);
PictureFile decodeBmp(std::span<const unsigned char> file, const std::string& where);
PictureFile decodeWebp(std::span<const unsigned char> file, const std::string& where);
PictureFile decodeTiff(std::span<const unsigned char> file, const std::string& where);

}  // namespace strata

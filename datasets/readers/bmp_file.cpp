// SPDX-License-Identifier: Apache-2.0
// Windows bitmaps, by the documents of BITMAPCOREHEADER to BITMAPV5HEADER: palettes of 1, 4 and 8 bits (also run-length
// encoded), 16, 24 and 32 bits with or without masks. No library of those that read the other formats knows them.
#include <algorithm>
#include <array>
#include <bit>

#include "datasets/readers/picture_sink.h"
#include "engine/base/error.h"

namespace strata {

namespace {

enum Compression : std::uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kMasks = 3, kAlphaMasks = 6 };

/// Little-endian numbers; zero behind the end.
struct Bytes {
  std::span<const unsigned char> bytes;
  std::uint32_t number(std::uint64_t at, int size) const {
    std::uint32_t value = 0;
    for (int i = 0; i < size; ++i)
      if (at + static_cast<std::uint64_t>(i) < bytes.size()) value |= std::uint32_t{bytes[at + i]} << 8 * i;
    return value;
  }
};

struct Header {
  std::uint64_t width = 0, height = 0, pixelsAt = 0, rowBytes = 0;
  int bits = 0;
  bool topDown = false;
  std::uint32_t compression = kPlain;
  std::array<std::uint32_t, 4> masks{};              ///< red, green, blue, alpha
  std::vector<std::array<std::uint8_t, 4>> palette;  ///< RGBA
};

void readPalette(const Bytes& file, std::uint32_t headerSize, std::uint64_t masksSize, Header& header) {
  const int entry = headerSize == 12 ? 3 : 4;
  const std::uint64_t at = 14 + headerSize + masksSize, most = std::uint64_t{1} << header.bits;
  const std::uint64_t used = headerSize == 12 ? 0 : file.number(14 + 32, 4);
  const std::uint64_t count = used == 0 ? most : std::min(used, most);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint32_t bgr = file.number(at + i * entry, 3);
    header.palette.push_back({static_cast<std::uint8_t>(bgr >> 16), static_cast<std::uint8_t>(bgr >> 8),
                              static_cast<std::uint8_t>(bgr), 255});
  }
}

void readMasks(const Bytes& file, std::uint32_t headerSize, Header& header) {
  if (header.compression == kPlain) {
    if (header.bits == 16) header.masks = {0x7c00, 0x03e0, 0x001f, 0};
    else header.masks = {0x00ff0000, 0x0000ff00, 0x000000ff, 0};
    return;
  }
  const std::size_t count = headerSize >= 56 || header.compression == kAlphaMasks ? 4 : 3;
  for (std::size_t i = 0; i < count; ++i) header.masks[i] = file.number(14 + 40 + 4 * i, 4);
}

Header readHeader(const Bytes& file, const std::string& where) {
  Header header;
  const std::uint32_t size = file.number(14, 4);
  if (file.bytes.size() < 14 + 12 || (size != 12 && (size < 40 || size > 1024)))
    refusePicture(where, "is a damaged BMP (its header is unknown)");
  if (size == 12) {
    header.width = file.number(18, 2);
    header.height = file.number(20, 2);
    header.bits = static_cast<int>(file.number(24, 2));
  } else {
    const auto width = static_cast<std::int32_t>(file.number(18, 4)),
               height = static_cast<std::int32_t>(file.number(22, 4));
    header.width = width < 0 ? 0 : static_cast<std::uint64_t>(width);
    header.topDown = height < 0;
    header.height = static_cast<std::uint64_t>(std::abs(std::int64_t{height}));
    header.bits = static_cast<int>(file.number(28, 2));
    header.compression = file.number(30, 4);
  }
  checkPictureSize(header.width, header.height, where);
  const int bits = header.bits;
  const std::uint32_t kind = header.compression;
  const bool masked = kind == kMasks || kind == kAlphaMasks;
  const bool known = kind == kPlain ? bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32
                     : masked       ? bits == 16 || bits == 32
                                    : (kind == kRle8 && bits == 8) || (kind == kRle4 && bits == 4);
  if (!known)
    refusePicture(where, "is a BMP of " + std::to_string(bits) + " bits a pixel and compression " +
                             std::to_string(kind) + ", which is not known");
  header.pixelsAt = file.number(10, 4);
  header.rowBytes = (header.width * static_cast<std::uint64_t>(bits) + 31) / 32 * 4;
  const std::uint64_t masksSize = size == 40 && masked ? (kind == kAlphaMasks ? 16 : 12) : 0;
  if (bits <= 8) readPalette(file, size, masksSize, header);
  else readMasks(file, size, header);
  return header;
}

/// A channel of a pixel, stretched to 0..255.
std::uint8_t channel(std::uint32_t pixel, std::uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  const std::uint64_t value = (pixel & mask) >> shift, most = mask >> shift;
  return static_cast<std::uint8_t>((value * 255 + most / 2) / most);
}

/// Rows of palette indices out of run-length encoded bytes, the lowest row first; what is skipped is index 0.
std::vector<std::uint8_t> unpackRuns(std::span<const unsigned char> bytes, const Header& header) {
  std::vector<std::uint8_t> indices(header.width * header.height, 0);
  std::uint64_t x = 0, y = 0;
  std::size_t at = 0;
  const auto put = [&](std::uint8_t index) {
    if (x < header.width && y < header.height) indices[y * header.width + x] = index;
    ++x;
  };
  const auto nibble = [&](std::uint8_t pair, std::uint64_t i) {
    return header.bits == 8 ? pair : static_cast<std::uint8_t>(i % 2 ? pair & 15 : pair >> 4);
  };
  while (at + 1 < bytes.size() && y < header.height) {
    const std::uint8_t count = bytes[at], value = bytes[at + 1];
    at += 2;
    if (count > 0) {
      for (std::uint64_t i = 0; i < count; ++i) put(nibble(value, i));
    } else if (value == 0) {
      x = 0;
      ++y;
    } else if (value == 1) {
      break;
    } else if (value == 2) {
      if (at + 1 >= bytes.size()) break;
      x += bytes[at];
      y += bytes[at + 1];
      at += 2;
    } else {  // so many indices as they are, padded to a whole number of 16 bits
      const std::size_t size = header.bits == 8 ? value : (std::size_t{value} + 1) / 2;
      if (size > bytes.size() - at) break;
      for (std::uint64_t i = 0; i < value; ++i) put(nibble(bytes[at + (header.bits == 8 ? i : i / 2)], i));
      at = std::min(bytes.size(), at + (size + 1) / 2 * 2);
    }
  }
  return indices;
}

/// One stored row as RGBA.
void convertRow(const Bytes& row, const Header& header, std::uint8_t* rgba) {
  const int bits = header.bits;
  for (std::uint64_t x = 0; x < header.width; ++x, rgba += 4) {
    if (bits <= 8) {
      const int shift = 8 - bits - static_cast<int>(x * bits % 8);
      const std::uint32_t index = row.bytes[x * bits / 8] >> shift & ((1u << bits) - 1);
      const auto colour =
          index < header.palette.size() ? header.palette[index] : std::array<std::uint8_t, 4>{0, 0, 0, 255};
      std::copy(colour.begin(), colour.end(), rgba);
      continue;
    }
    const std::uint32_t pixel = row.number(x * bits / 8, bits / 8);
    for (std::size_t c = 0; c < 3; ++c) rgba[c] = channel(pixel, header.masks[c]);
    rgba[3] = header.masks[3] ? channel(pixel, header.masks[3]) : 255;
  }
}

/// Many programs leave an alpha channel of zeros behind, and mean none.
bool alphaIsEmpty(std::span<const unsigned char> pixels, const Header& header) {
  if (header.masks[3] == 0) return true;
  const Bytes all{pixels};
  for (std::uint64_t y = 0; y < header.height; ++y)
    for (std::uint64_t x = 0; x < header.width; ++x)
      if (all.number(y * header.rowBytes + x * header.bits / 8, header.bits / 8) & header.masks[3]) return false;
  return true;
}

}  // namespace

PictureFile decodeBmp(std::span<const unsigned char> bytes, const std::string& where) {
  const Bytes file{bytes};
  Header header = readHeader(file, where);
  PictureSink sink(header.width, header.height, where);
  if (header.pixelsAt >= bytes.size()) refusePicture(where, "is a damaged BMP (its pixels are missing)");
  std::span<const unsigned char> pixels = bytes.subspan(header.pixelsAt);
  std::vector<std::uint8_t> unpacked;
  if (header.compression == kRle8 || header.compression == kRle4) {
    unpacked = unpackRuns(pixels, header);
    pixels = unpacked;
    header.bits = 8;
    header.rowBytes = header.width;
  }
  if (alphaIsEmpty(pixels, header)) header.masks[3] = 0;
  std::vector<std::uint8_t> row(4 * header.width);
  const std::uint64_t needed = (header.width * static_cast<std::uint64_t>(header.bits) + 7) / 8;
  for (std::uint64_t y = 0; y < header.height; ++y) {
    const std::uint64_t at = (header.topDown ? y : header.height - 1 - y) * header.rowBytes;
    const bool there = at + needed <= pixels.size();
    if (!there && header.topDown) break;
    if (!there) refusePicture(where, "is a damaged BMP (its first rows are missing)");
    convertRow({pixels.subspan(at, needed)}, header, row.data());
    sink.add(row.data());
  }
  return sink.finish("BMP", "");
}

}  // namespace strata

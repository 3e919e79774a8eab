// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures as files in memory, for the tests of what reads them: PNG, JPEG and BMP by Qt, the others by the libraries
// that also read them.
#pragma once
#include <gif_lib.h>
#include <tiffio.h>
#include <webp/encode.h>
#include <zlib.h>

#include <QBuffer>
#include <QImage>
#include <QImageWriter>
#include <string>
#include <vector>

/// A picture with a gradient, a hard edge and some colour.
inline QImage samplePicture(int width, int height, QImage::Format format) {
  QImage image(width, height, QImage::Format_RGB32);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      image.setPixel(
          x, y,
          x > width / 2 ? qRgb(255 * y / height, 40, 90) : qRgb(255 * x / width, 255 * x / width, 255 * x / width));
  return image.convertToFormat(format);
}

/// A stroke on white paper.
inline QImage drawnOne() {
  QImage picture(100, 120, QImage::Format_Grayscale8);
  picture.fill(Qt::white);
  for (int y = 20; y < 100; ++y)
    for (int x = 45; x < 57; ++x) picture.setPixel(x, y, 0);
  return picture;
}

inline std::string pictureFile(const QImage& image, const char* format, bool progressive = false) {
  QBuffer buffer;
  buffer.open(QIODevice::WriteOnly);
  QImageWriter writer(&buffer, format);
  writer.setProgressiveScanWrite(progressive);
  writer.write(image);
  return buffer.data().toStdString();
}

/// `value` in so many bytes, the highest or the lowest first.
inline std::string numberBytes(unsigned value, int size, bool bigEndian) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * (bigEndian ? size - 1 - i : i));
  return bytes;
}

/// EXIF data that say how the camera was held.
inline std::string exifData(int orientation, bool bigEndian) {
  const auto number = [bigEndian](unsigned value, int size) { return numberBytes(value, size, bigEndian); };
  return (bigEndian ? "MM" : "II") + number(42, 2) + number(8, 4) + number(1, 2) + number(0x0112, 2) + number(3, 2) +
         number(1, 4) + number(static_cast<unsigned>(orientation), 2) + number(0, 2) + number(0, 4);
}

/// The JPEG with an EXIF segment.
inline std::string withOrientation(const std::string& jpeg, int orientation, bool bigEndian) {
  const std::string body = std::string("Exif\0\0", 6) + exifData(orientation, bigEndian);
  return jpeg.substr(0, 2) + "\xff\xe1" + numberBytes(static_cast<unsigned>(body.size() + 2), 2, true) + body +
         jpeg.substr(2);
}

/// The PNG with an eXIf chunk, before its pixels or behind them.
inline std::string pngWithOrientation(const std::string& png, int orientation, bool behind) {
  const std::string body = "eXIf" + exifData(orientation, true);
  const auto crc = static_cast<unsigned>(crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size()));
  const std::string chunk =
      numberBytes(static_cast<unsigned>(body.size() - 4), 4, true) + body + numberBytes(crc, 4, true);
  const std::size_t at = behind ? png.size() - 12 : 33;
  return png.substr(0, at) + chunk + png.substr(at);
}

/// A GIF of the given frames, all with the first one's palette; index `transparent` of each is none, unless negative.
inline std::string gifFile(const std::vector<QImage>& frames, int transparent = -1, bool interlaced = false) {
  std::string bytes;
  int error = 0;
  GifFileType* gif = EGifOpen(
      &bytes,
      [](GifFileType* file, const GifByteType* from, int count) {
        static_cast<std::string*>(file->UserData)->append(reinterpret_cast<const char*>(from), std::size_t(count));
        return count;
      },
      &error);
  const QImage& first = frames.front();
  ColorMapObject* colours = GifMakeMapObject(256, nullptr);
  for (int i = 0; i < first.colorCount(); ++i) {
    const QRgb colour = first.color(i);
    colours->Colors[i] = {GifByteType(qRed(colour)), GifByteType(qGreen(colour)), GifByteType(qBlue(colour))};
  }
  EGifSetGifVersion(gif, true);
  EGifPutScreenDesc(gif, first.width(), first.height(), 8, 0, colours);
  for (const QImage& frame : frames) {
    const GraphicsControlBlock control{0, false, 10, transparent};
    GifByteType block[4];
    EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, int(EGifGCBToExtension(&control, block)), block);
    EGifPutImageDesc(gif, 0, 0, frame.width(), frame.height(), interlaced, nullptr);
    const auto put = [&](int y) { EGifPutLine(gif, const_cast<GifPixelType*>(frame.constScanLine(y)), frame.width()); };
    if (!interlaced)
      for (int y = 0; y < frame.height(); ++y) put(y);
    else
      for (const auto& [start, step] : {std::pair{0, 8}, {4, 8}, {2, 4}, {1, 2}})
        for (int y = start; y < frame.height(); y += step) put(y);
  }
  EGifCloseFile(gif, &error);
  GifFreeMapObject(colours);
  return bytes;
}

inline std::string webpFile(const QImage& image, bool lossless) {
  const QImage rgba = image.convertToFormat(QImage::Format_RGBA8888);
  std::uint8_t* out = nullptr;
  const std::size_t size =
      lossless ? WebPEncodeLosslessRGBA(rgba.constBits(), rgba.width(), rgba.height(), int(rgba.bytesPerLine()), &out)
               : WebPEncodeRGBA(rgba.constBits(), rgba.width(), rgba.height(), int(rgba.bytesPerLine()), 90, &out);
  const std::string bytes(reinterpret_cast<const char*>(out), size);
  WebPFree(out);
  return bytes;
}

inline std::string webpChunk(const std::string& name, const std::string& body) {
  return name + numberBytes(unsigned(body.size()), 4, false) + body + (body.size() % 2 ? std::string(1, '\0') : "");
}

/// A WebP with an extended header: an animation of the frames, or one frame with EXIF data.
inline std::string extendedWebp(const std::vector<QImage>& frames, const std::string& exif = {}) {
  const auto three = [](int value) { return numberBytes(unsigned(value), 3, false); };
  const bool animated = frames.size() > 1;
  const QSize size = frames.front().size();
  std::string body = webpChunk("VP8X", numberBytes((animated ? 2 : 0) | (exif.empty() ? 0 : 8) | 16, 4, false) +
                                           three(size.width() - 1) + three(size.height() - 1));
  if (animated) body += webpChunk("ANIM", std::string(6, '\0'));
  for (const QImage& frame : frames) {
    const std::string image = webpFile(frame, true).substr(12);
    body += animated ? webpChunk("ANMF", three(0) + three(0) + three(frame.width() - 1) + three(frame.height() - 1) +
                                             three(100) + std::string(1, '\0') + image)
                     : image;
  }
  if (!exif.empty()) body += webpChunk("EXIF", exif);
  return webpChunk("RIFF", "WEBP" + body);
}

/// How a TIFF is laid out.
struct TiffLayout {
  int compression = COMPRESSION_NONE;
  int orientation = ORIENTATION_TOPLEFT;
  int rowsPerStrip = 7;
  bool tiled = false, inks = false, sixteenBits = false;
  int pages = 1;
};

/// A TIFF in RGBA, or in CMYK where `inks` asks for it. Written to `path`, since libtiff seeks.
inline void writeTiff(const std::string& path, const QImage& image, const TiffLayout& layout) {
  const QImage rgba = image.convertToFormat(QImage::Format_RGBA8888);
  TIFF* tiff = TIFFOpen(path.c_str(), "w");
  for (int page = 0; page < layout.pages; ++page) {
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, rgba.width());
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, rgba.height());
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 4);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, layout.sixteenBits ? 16 : 8);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, layout.inks ? PHOTOMETRIC_SEPARATED : PHOTOMETRIC_RGB);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, layout.compression);
    TIFFSetField(tiff, TIFFTAG_ORIENTATION, layout.orientation);
    const std::uint16_t alpha = EXTRASAMPLE_UNASSALPHA;
    if (!layout.inks) TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 1, &alpha);
    constexpr int kTile = 16;
    const int bytes = layout.sixteenBits ? 2 : 1;
    const auto samples = [&](int x, int y) {
      std::string out;
      for (int c = 0; c < 4; ++c) {
        const uchar value = x < rgba.width() && y < rgba.height() ? rgba.constScanLine(y)[4 * x + c] : 0;
        const uchar stored = page > 0 ? 0 : layout.inks ? uchar(c == 3 ? 0 : 255 - value) : value;
        out.append(std::size_t(bytes), char(stored));
      }
      return out;
    };
    if (layout.tiled) {
      TIFFSetField(tiff, TIFFTAG_TILEWIDTH, kTile);
      TIFFSetField(tiff, TIFFTAG_TILELENGTH, kTile);
      for (int top = 0; top < rgba.height(); top += kTile)
        for (int left = 0; left < rgba.width(); left += kTile) {
          std::string tile;
          for (int i = 0; i < kTile * kTile; ++i) tile += samples(left + i % kTile, top + i / kTile);
          TIFFWriteTile(tiff, tile.data(), std::uint32_t(left), std::uint32_t(top), 0, 0);
        }
    } else {
      TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, layout.rowsPerStrip);
      for (int y = 0; y < rgba.height(); ++y) {
        std::string row;
        for (int x = 0; x < rgba.width(); ++x) row += samples(x, y);
        TIFFWriteScanline(tiff, row.data(), std::uint32_t(y), 0);
      }
    }
    TIFFWriteDirectory(tiff);
  }
  TIFFClose(tiff);
}

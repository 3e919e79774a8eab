// SPDX-License-Identifier: GPL-3.0-or-later
// PNG and JPEG files in memory, for the tests of what reads them.
#pragma once
#include <QBuffer>
#include <QImage>
#include <QImageWriter>
#include <string>

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

/// The JPEG with an EXIF segment that says how the camera was held.
inline std::string withOrientation(const std::string& jpeg, int orientation, bool bigEndian) {
  const auto number = [bigEndian](unsigned value, int size) {
    std::string bytes;
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * (bigEndian ? size - 1 - i : i));
    return bytes;
  };
  const std::string tiff = (bigEndian ? "MM" : "II") + number(42, 2) + number(8, 4) + number(1, 2) + number(0x0112, 2) +
                           number(3, 2) + number(1, 4) + number(static_cast<unsigned>(orientation), 2) + number(0, 2) +
                           number(0, 4);
  const std::string body = std::string("Exif\0\0", 6) + tiff;
  const auto length = static_cast<unsigned>(body.size() + 2);
  return jpeg.substr(0, 2) + "\xff\xe1" + static_cast<char>(length >> 8) + static_cast<char>(length) + body +
         jpeg.substr(2);
}

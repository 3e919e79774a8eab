// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures from files: every format in its variants, transparent parts, orientation, cut and damaged files, and sizes
// that are refused before anything is decoded.
#include <cstdio>

#include <jpeglib.h>

#include <QColor>
#include <QTemporaryDir>
#include <QtEndian>

#include "data_files.h"
#include "datasets/readers/picture.h"
#include "picture_files.h"

using namespace strata;

class TestImages : public QObject {
  Q_OBJECT

 private slots:
  void reads_data();
  void reads();
  void readsMonochrome_data();
  void readsMonochrome();
  void readsRunLengths();
  void readsInks_data();
  void readsInks();
  void keepsEveryValue_data();
  void keepsEveryValue();
  void readsTheFirstFrame_data();
  void readsTheFirstFrame();
  void laysOnAGround_data();
  void laysOnAGround();
  void turnsAsTheCameraSays_data();
  void turnsAsTheCameraSays();
  void passesOverJunk();
  void readsCutFiles_data();
  void readsCutFiles();
  void averagesLargePictures();
  void refusesHugeSizes_data();
  void refusesHugeSizes();
  void refusesOtherFiles();

 private:
  Path file(const std::string& bytes) {
    writeBytes(path(), bytes);
    return path();
  }
  Path path() const { return Path(m_folder.path().toStdString()) / "picture"; }
  std::string tiff(const QImage& image, const TiffLayout& layout = {}) {
    writeTiff(path().string(), image, layout);
    return readFile(path(), 1 << 20);
  }
  QTemporaryDir m_folder;
};

namespace {

QColor colourAt(const Picture& picture, int x, int y) {
  const auto* pixel = picture.pixels.data() + (std::size_t(y) * picture.width + x) * 3;
  return {pixel[0], pixel[1], pixel[2]};
}

int apart(const QColor& a, const QColor& b) {
  return std::max({std::abs(a.red() - b.red()), std::abs(a.green() - b.green()), std::abs(a.blue() - b.blue())});
}

/// A JPEG of one colour by libjpeg: as Adobe's programs write inks (how much paper is left) or as others do.
std::string inkJpeg(const std::array<int, 4>& inks, bool adobe, bool transformed) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &out, &size);
  info.image_width = info.image_height = 16;
  info.input_components = 4;
  info.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, transformed ? JCS_YCCK : JCS_CMYK);
  info.write_Adobe_marker = adobe;
  jpeg_set_quality(&info, 100, TRUE);
  jpeg_start_compress(&info, TRUE);
  std::vector<unsigned char> row;
  for (int x = 0; x < 16; ++x)
    for (const int ink : inks) row.push_back(static_cast<unsigned char>(adobe ? 255 - ink : ink));
  for (int y = 0; y < 16; ++y) {
    JSAMPROW line = row.data();
    jpeg_write_scanlines(&info, &line, 1);
  }
  jpeg_finish_compress(&info);
  const std::string bytes(reinterpret_cast<const char*>(out), size);
  jpeg_destroy_compress(&info);
  free(out);
  return bytes;
}

/// A BMP of 8 x 2 pixels by run-length encoding: a run, absolute indices, a jump, the ends of lines.
std::string runLengthBmp(bool nibbles) {
  const std::string runs =
      nibbles ? std::string("\x04\x11\x00\x03\x21\x20\x00\x00\x00\x02\x02\x00\x06\x22\x00\x01", 16)
              : std::string("\x04\x01\x00\x03\x02\x01\x02\x00\x00\x00\x00\x02\x02\x00\x06\x02\x00\x01", 18);
  const auto number = [](unsigned value, int size) { return numberBytes(value, size, false); };
  const std::string palette = std::string("\0\0\0\0", 4) + std::string("\0\0\xff\0", 4) + std::string("\xff\0\0\0", 4);
  const unsigned at = 14 + 40 + unsigned(palette.size());
  return "BM" + number(at + unsigned(runs.size()), 4) + number(0, 4) + number(at, 4) + number(40, 4) + number(8, 4) +
         number(2, 4) + number(1, 2) + number(nibbles ? 4 : 8, 2) + number(nibbles ? 2 : 1, 4) + number(0, 12) +
         number(3, 4) + number(0, 4) + palette + runs;
}

}  // namespace

void TestImages::reads_data() {
  QTest::addColumn<QByteArray>("bytes");
  QTest::addColumn<int>("tolerance");
  const auto add = [](const char* name, const std::string& bytes, int tolerance) {
    QTest::newRow(name) << QByteArray::fromStdString(bytes) << tolerance;
  };
  const auto qt = [&](const char* name, QImage::Format pixels, const char* format, bool progressive, int tolerance) {
    add(name, pictureFile(samplePicture(40, 30, pixels), format, progressive), tolerance);
  };
  qt("PNG, colour", QImage::Format_RGB32, "png", false, 0);
  qt("PNG, transparency that is not used", QImage::Format_ARGB32, "png", false, 0);
  qt("PNG, palette", QImage::Format_Indexed8, "png", false, 60);
  qt("PNG, interlaced", QImage::Format_RGB32, "png", true, 0);
  qt("PNG, 16 bits", QImage::Format_RGBX64, "png", false, 1);
  qt("JPEG, colour", QImage::Format_RGB32, "jpg", false, 110);
  qt("JPEG, progressive", QImage::Format_RGB32, "jpg", true, 110);
  qt("BMP, 24 bits", QImage::Format_RGB888, "bmp", false, 0);
  qt("BMP, 32 bits", QImage::Format_RGB32, "bmp", false, 0);
  qt("BMP, palette", QImage::Format_Indexed8, "bmp", false, 60);
  const QImage sample = samplePicture(40, 30, QImage::Format_RGB32),
               indexed = sample.convertToFormat(QImage::Format_Indexed8);
  add("GIF", gifFile({indexed}), 60);
  add("GIF, interlaced", gifFile({indexed}, -1, true), 60);
  add("WebP, lossless", webpFile(sample, true), 0);
  add("WebP, lossy", webpFile(sample, false), 90);
  add("TIFF", tiff(sample), 0);
  TiffLayout layout;
  layout.compression = COMPRESSION_LZW;
  add("TIFF, LZW", tiff(sample, layout), 0);
  layout.compression = COMPRESSION_ADOBE_DEFLATE;
  layout.tiled = true;
  add("TIFF, tiles", tiff(sample, layout), 0);
  layout.sixteenBits = true;
  add("TIFF, 16 bits", tiff(sample, layout), 1);
  TiffLayout inks;
  inks.inks = true;
  add("TIFF, CMYK", tiff(sample, inks), 1);
}

void TestImages::reads() {
  QFETCH(QByteArray, bytes);
  QFETCH(int, tolerance);
  const PictureFile read = readPicture(file(bytes.toStdString()));
  QCOMPARE(QString::fromStdString(read.remark), QString());
  const Picture& picture = read.picture;
  QCOMPARE(QSize(picture.width, picture.height), QSize(40, 30));
  QCOMPARE(picture.pixels.size(), std::size_t{3600});
  const QImage sample = samplePicture(40, 30, QImage::Format_RGB32);
  for (int y = 0; y < 30; ++y)
    for (int x = 0; x < 40; ++x) {
      const QColor got = colourAt(picture, x, y), needed = sample.pixelColor(x, y);
      QVERIFY2(apart(got, needed) <= tolerance,
               qPrintable(QString("pixel %1, %2: %3, needed %4").arg(x).arg(y).arg(got.name(), needed.name())));
    }
}

void TestImages::readsMonochrome_data() {
  QTest::addColumn<QByteArray>("bytes");
  QImage image(11, 3, QImage::Format_Mono);
  image.setColorTable({qRgb(0, 0, 0), qRgb(255, 255, 255)});
  image.fill(1);
  image.setPixel(9, 1, 0);
  for (const char* format : {"png", "bmp"})
    QTest::newRow(format) << QByteArray::fromStdString(pictureFile(image, format));
  QTest::newRow("tiff") << QByteArray::fromStdString(tiff(image));
}

void TestImages::readsMonochrome() {
  QFETCH(QByteArray, bytes);
  const Picture picture = readPicture(file(bytes.toStdString())).picture;
  for (int i = 0; i < 33; ++i)
    QCOMPARE(colourAt(picture, i % 11, i / 11), i == 20 ? QColor(0, 0, 0) : QColor(255, 255, 255));
}

void TestImages::readsInks_data() {
  QTest::addColumn<bool>("adobe");
  QTest::addColumn<bool>("transformed");
  QTest::newRow("Adobe's") << true << false;
  QTest::newRow("Adobe's, as luminance and colour") << true << true;
  QTest::newRow("others'") << false << false;
}

void TestImages::readsInks() {
  QFETCH(bool, adobe);
  QFETCH(bool, transformed);
  const struct {
    std::array<int, 4> inks;
    QColor colour;
  } cases[] = {{{0, 0, 0, 0}, {255, 255, 255}},
               {{0, 0, 0, 255}, {0, 0, 0}},
               {{0, 255, 255, 0}, {255, 0, 0}},
               {{255, 0, 0, 128}, {0, 127, 127}}};
  for (const auto& each : cases) {
    const Picture picture = readPicture(file(inkJpeg(each.inks, adobe, transformed))).picture;
    QVERIFY2(apart(colourAt(picture, 8, 8), each.colour) <= 3, qPrintable(colourAt(picture, 8, 8).name()));
  }
}

void TestImages::keepsEveryValue_data() {
  QTest::addColumn<QByteArray>("bytes");
  QImage ramp(256, 1, QImage::Format_Grayscale8);
  for (int x = 0; x < 256; ++x) ramp.scanLine(0)[x] = uchar(x);
  QTest::newRow("grey PNG") << QByteArray::fromStdString(pictureFile(ramp, "png"));
  std::string gamma = pictureFile(ramp, "png");  // as some editors mark them; viewers and data sets go by the bytes
  const std::string body = "gAMA" + bigEndian(100000);
  gamma.insert(
      33,
      bigEndian(4) + body +
          bigEndian(static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size()))));
  QTest::newRow("PNG with a gamma") << QByteArray::fromStdString(gamma);
  QTest::newRow("colour PNG") << QByteArray::fromStdString(
      pictureFile(ramp.convertToFormat(QImage::Format_RGB32), "png"));
  QTest::newRow("grey BMP") << QByteArray::fromStdString(pictureFile(ramp, "bmp"));
  QTest::newRow("TIFF") << QByteArray::fromStdString(tiff(ramp));
  QTest::newRow("WebP") << QByteArray::fromStdString(webpFile(ramp, true));
}

/// The values of a data set's sample come back from the picture that it was saved as.
void TestImages::keepsEveryValue() {
  QFETCH(QByteArray, bytes);
  const Picture grey = toGrey(readPicture(file(bytes.toStdString())).picture);
  QCOMPARE(grey.pixels.size(), std::size_t{256});
  for (int x = 0; x < 256; ++x) QCOMPARE(int{grey.pixels[std::size_t(x)]}, x);
}

void TestImages::readsTheFirstFrame_data() {
  QTest::addColumn<QByteArray>("bytes");
  QImage first(20, 10, QImage::Format_Indexed8), second = first;
  first.setColorTable({qRgb(255, 0, 0), qRgb(0, 0, 255)});
  second.setColorTable(first.colorTable());
  first.fill(0);
  second.fill(1);
  QTest::newRow("GIF") << QByteArray::fromStdString(gifFile({first, second}));
  QTest::newRow("WebP") << QByteArray::fromStdString(extendedWebp({first, second}));
  TiffLayout pages;
  pages.pages = 2;
  QTest::newRow("TIFF") << QByteArray::fromStdString(tiff(first, pages));
}

void TestImages::readsTheFirstFrame() {
  QFETCH(QByteArray, bytes);
  const Picture picture = readPicture(file(bytes.toStdString())).picture;
  QCOMPARE(QSize(picture.width, picture.height), QSize(20, 10));
  for (int i = 0; i < 200; ++i) QCOMPARE(colourAt(picture, i % 20, i / 20), QColor(255, 0, 0));
}

void TestImages::laysOnAGround_data() {
  QTest::addColumn<QColor>("ink");
  QTest::addColumn<QColor>("sheet");
  QTest::addColumn<QColor>("ground");  // what shows through
  QTest::newRow("black ink") << QColor(0, 0, 0) << QColor() << QColor(255, 255, 255);
  QTest::newRow("white ink") << QColor(255, 255, 255) << QColor() << QColor(0, 0, 0);
  QTest::newRow("yellow ink") << QColor(255, 255, 0) << QColor() << QColor(0, 0, 0);
  QTest::newRow("red ink") << QColor(255, 0, 0) << QColor() << QColor(255, 255, 255);
  QTest::newRow("a sheet with ink on it") << QColor(10, 10, 10) << QColor(240, 240, 240) << QColor(240, 240, 240);
  QTest::newRow("a board with chalk on it") << QColor(250, 250, 250) << QColor(20, 60, 20) << QColor(20, 60, 20);
}

void TestImages::laysOnAGround() {
  QFETCH(QColor, ink);
  QFETCH(QColor, sheet);
  QFETCH(QColor, ground);
  QImage image(20, 20, QImage::Format_ARGB32);
  image.fill(Qt::transparent);
  for (int y = 2; y < 18; ++y)
    for (int x = 2; x < 18; ++x)
      if (x >= 8 && x < 11) image.setPixelColor(x, y, ink);
      else if (sheet.isValid()) image.setPixelColor(x, y, sheet);
  for (const std::string& bytes : {pictureFile(image, "png"), webpFile(image, true), tiff(image)}) {
    const Picture picture = readPicture(file(bytes)).picture;
    QCOMPARE(colourAt(picture, 9, 9), ink);
    QCOMPARE(colourAt(picture, 0, 0), ground);
  }
}

void TestImages::turnsAsTheCameraSays_data() {
  QTest::addColumn<QString>("format");
  QTest::addColumn<int>("orientation");
  QTest::addColumn<QPoint>("dark");  // where the dark corner, stored in the upper left, belongs
  QTest::addColumn<QSize>("size");
  const QPoint corners[] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}, {1, 0}, {1, 1}, {0, 1}};
  for (const char* format : {"JPEG", "PNG", "PNG, behind", "WebP", "TIFF"})
    for (int orientation = 1; orientation <= 8; ++orientation)
      QTest::addRow("%s %d", format, orientation)
          << format << orientation << corners[orientation - 1] << (orientation < 5 ? QSize(32, 16) : QSize(16, 32));
  QTest::newRow("no such orientation") << "JPEG" << 9 << QPoint(0, 0) << QSize(32, 16);
}

void TestImages::turnsAsTheCameraSays() {
  QFETCH(QString, format);
  QFETCH(int, orientation);
  QFETCH(QPoint, dark);
  QFETCH(QSize, size);
  QImage image(32, 16, QImage::Format_Grayscale8);
  image.fill(Qt::white);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x) image.setPixel(x, y, qRgb(0, 0, 0));
  const bool bigEndian = orientation % 2 == 0;
  TiffLayout layout;
  layout.orientation = orientation;
  const std::string bytes = format == "JPEG"   ? withOrientation(pictureFile(image, "jpg"), orientation, bigEndian)
                            : format == "WebP" ? extendedWebp({image}, exifData(orientation, bigEndian))
                            : format == "TIFF"
                                ? tiff(image, layout)
                                : pngWithOrientation(pictureFile(image, "png"), orientation, format == "PNG, behind");
  const Picture picture = readPicture(file(bytes)).picture;
  QCOMPARE(QSize(picture.width, picture.height), size);
  for (const int right : {0, 1})
    for (const int bottom : {0, 1}) {
      const QColor corner = colourAt(picture, right ? picture.width - 1 : 0, bottom ? picture.height - 1 : 0);
      QCOMPARE(corner.red() < 128, QPoint(right, bottom) == dark);
    }
}

/// What other programs leave in a file and every viewer passes over.
void TestImages::passesOverJunk() {
  const QImage image = samplePicture(40, 30, QImage::Format_RGB32);
  const std::string jpeg = pictureFile(image, "jpg"), png = pictureFile(image, "png");
  const Picture whole = readPicture(file(jpeg)).picture;
  for (const std::string& bytes : {jpeg.substr(0, jpeg.size() - 2) + "junk" + jpeg.substr(jpeg.size() - 2),
                                   jpeg + "junk", jpeg.substr(0, jpeg.size() - 2)}) {
    const PictureFile read = readPicture(file(bytes));
    QCOMPARE(read.picture.pixels, whole.pixels);
    QCOMPARE(QString::fromStdString(read.remark), QString());
  }
  std::string badComment = png;  // its checksum is wrong
  badComment.insert(33, bigEndian(3) + "tEXta" + std::string("\0b", 2) + bigEndian(1));
  for (const std::string& bytes : {png + "junk", png.substr(0, png.size() - 12), badComment})
    QCOMPARE(readPicture(file(bytes)).picture.pixels, readPicture(file(png)).picture.pixels);
}

void TestImages::readsCutFiles_data() {
  QTest::addColumn<QByteArray>("bytes");
  const QImage grey = samplePicture(64, 160, QImage::Format_Grayscale8),
               colour = samplePicture(64, 160, QImage::Format_RGB32);
  const QImage indexed = colour.convertToFormat(QImage::Format_Indexed8);
  const auto row = [](const char* name, const std::string& bytes) {
    QTest::newRow(name) << QByteArray::fromStdString(bytes);
  };
  row("PNG", pictureFile(grey, "png"));
  row("PNG, palette", pictureFile(indexed, "png"));
  row("JPEG", pictureFile(colour, "jpg"));
  row("JPEG, progressive", pictureFile(colour, "jpg", true));
  row("GIF", gifFile({indexed}));
  row("WebP", webpFile(colour, true));
  row("TIFF", tiff(colour));
}

/// Cut anywhere: refused, or read as far as it goes with a remark, or whole. More of the file is never worse.
void TestImages::readsCutFiles() {
  QFETCH(QByteArray, bytes);
  const Picture whole = readPicture(file(bytes.toStdString())).picture;
  int remarks = 0, refusals = 0;
  for (int length = 0; length < bytes.size(); length += 1 + int(bytes.size()) / 300) {
    try {
      const PictureFile read = readPicture(file(bytes.left(length).toStdString()));
      QCOMPARE(QSize(read.picture.width, read.picture.height), QSize(whole.width, whole.height));
      QVERIFY2(!read.remark.empty() || read.picture.pixels == whole.pixels || bytes.startsWith("\xff\xd8"),
               qPrintable(QString("cut after %1 bytes of %2").arg(length).arg(bytes.size())));
      remarks += !read.remark.empty();
    } catch (const Error& error) {
      QCOMPARE(int(error.kind()), int(Error::Kind::Input));
      QVERIFY(QString(error.what()).startsWith(QString::fromStdString(path().string()) + ": "));
      ++refusals;
    }
  }
  QVERIFY(refusals > 0);
  QVERIFY2(remarks > 0 || bytes.startsWith("II"),
           qPrintable(QString::number(remarks)));  // a TIFF's directory is at its end
}

/// Above four million pixels a picture is read smaller, and looks the same.
void TestImages::averagesLargePictures() {
  QImage image(3000, 2000, QImage::Format_Grayscale8);
  image.fill(200);
  for (int y = 500; y < 1500; ++y) std::fill_n(image.scanLine(y) + 1000, 500, uchar(20));
  for (const char* format : {"png", "jpg", "bmp"}) {
    const Picture picture = readPicture(file(pictureFile(image, format))).picture;
    QCOMPARE(QSize(picture.width, picture.height), QSize(1500, 1000));
    QVERIFY(apart(colourAt(picture, 100, 100), QColor(200, 200, 200)) <= 2);
    QVERIFY(apart(colourAt(picture, 600, 500), QColor(20, 20, 20)) <= 2);
  }
}

void TestImages::refusesHugeSizes_data() {
  QTest::addColumn<QByteArray>("bytes");
  const QImage small = samplePicture(8, 8, QImage::Format_Grayscale8);
  const auto png = [&](std::uint32_t width, std::uint32_t height, bool interlaced = false) {
    QByteArray bytes = QByteArray::fromStdString(pictureFile(small, "png", interlaced));
    qToBigEndian(width, bytes.data() + 16);
    qToBigEndian(height, bytes.data() + 20);
    const auto checksum = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()) + 12, 17));
    qToBigEndian(checksum, bytes.data() + 29);
    return bytes;
  };
  const auto jpeg = [&](std::uint16_t width, std::uint16_t height, bool progressive = false) {
    QByteArray bytes = QByteArray::fromStdString(pictureFile(small, "jpg", progressive));
    const qsizetype frame = bytes.indexOf(progressive ? "\xff\xc2" : "\xff\xc0");
    qToBigEndian(height, bytes.data() + frame + 5);
    qToBigEndian(width, bytes.data() + frame + 7);
    return bytes;
  };
  QTest::newRow("PNG, 65535 x 65535") << png(65535, 65535);
  QTest::newRow("PNG, 1 x 2^31-1") << png(1, 0x7fffffff);
  QTest::newRow("PNG, 2^32-1 wide") << png(0xffffffff, 1);
  QTest::newRow("PNG, no width") << png(0, 8);
  QTest::newRow("PNG, more rows than there are") << png(8, 5000);
  QTest::newRow("PNG, interlaced, 6000 x 6000") << png(6000, 6000, true);
  QTest::newRow("JPEG, 65500 x 65500") << jpeg(65500, 65500);
  QTest::newRow("JPEG, no height") << jpeg(8, 0);
  QTest::newRow("JPEG, more rows than there are") << jpeg(8, 5000);
  QTest::newRow("JPEG, progressive, 6300 x 6300") << jpeg(6300, 6300, true);
  QByteArray gif = QByteArray::fromStdString(gifFile({small.convertToFormat(QImage::Format_Indexed8)}));
  for (const int at : {6, 7, 8, 9}) gif[at] = char(0xff);
  QTest::newRow("GIF, 65535 x 65535") << gif;
  QByteArray bmp = QByteArray::fromStdString(pictureFile(small, "bmp"));
  qToLittleEndian(40000, bmp.data() + 18);
  qToLittleEndian(40000, bmp.data() + 22);
  QTest::newRow("BMP, 40000 x 40000") << bmp;
  qToLittleEndian(0x80000000u, bmp.data() + 22);
  QTest::newRow("BMP, -2^31 high") << bmp;
  QByteArray webp = QByteArray::fromStdString(extendedWebp({small}, exifData(1, false)));
  std::fill_n(webp.data() + 24, 6, char(0x3f));
  QTest::newRow("WebP, 4 million x 4 million") << webp;
  QByteArray tif = QByteArray::fromStdString(tiff(small));
  for (const char tag : {char(0x00), char(0x01)}) {  // width, height
    const qsizetype at = tif.indexOf(QByteArray(1, tag) + QByteArray("\x01", 1));
    qToLittleEndian<std::uint16_t>(0xfff0, tif.data() + at + 8);
  }
  QTest::newRow("TIFF, 65520 x 65520") << tif;
}

void TestImages::refusesHugeSizes() {
  QFETCH(QByteArray, bytes);
  const Path where = file(bytes.toStdString());
  const QString sentence = refusal(Error::Kind::Input, [&] { readPicture(where); });
  QVERIFY2(sentence.startsWith(QString::fromStdString(where.string()) + ": "), qPrintable(sentence));
}

void TestImages::refusesOtherFiles() {
  for (const std::string& bytes : {std::string(), std::string("GIF89"), std::string("<svg/>"),
                                   std::string("\xff\xd8", 2), std::string(100, '\0'), std::string("RIFF....WAVE")})
    QVERIFY(refusal(Error::Kind::Input, [&] { readPicture(file(bytes)); }).contains("not a picture in a format"));
  QVERIFY(!refusal(Error::Kind::File, [&] { readPicture("/absent.png"); }).isEmpty());
  QVERIFY(!refusal(Error::Kind::File, [&] { readPicture(m_folder.path().toStdString()); }).isEmpty());
}

void TestImages::readsRunLengths() {
  for (const bool nibbles : {false, true}) {
    const Picture picture = readPicture(file(runLengthBmp(nibbles))).picture;
    QCOMPARE(colourAt(picture, 0, 1), QColor(255, 0, 0));
    QCOMPARE(colourAt(picture, 3, 1), QColor(255, 0, 0));
    QCOMPARE(colourAt(picture, 4, 1), QColor(0, 0, 255));
    QCOMPARE(colourAt(picture, 1, 0), QColor(0, 0, 0));
    QCOMPARE(colourAt(picture, 2, 0), QColor(0, 0, 255));
  }
}

QTEST_GUILESS_MAIN(TestImages)
#include "tst_images.moc"

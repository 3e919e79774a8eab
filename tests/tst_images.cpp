// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures from files: what is read as grey, and that damaged, cut and oversized ones are refused.
#include <QTemporaryDir>
#include <QtEndian>

#include "data_files.h"
#include "datasets/digit_prep.h"
#include "picture_files.h"

using namespace strata;

class TestImages : public QObject {
  Q_OBJECT

 private slots:
  void reads_data();
  void reads();
  void laysTransparentOnWhite();
  void turnsAsTheCameraSays_data();
  void turnsAsTheCameraSays();
  void refusesEveryPrefix_data();
  void refusesEveryPrefix();
  void refusesHugeSizes_data();
  void refusesHugeSizes();
  void refusesOtherFiles();

 private:
  Path file(const std::string& bytes) {
    const Path path = Path(m_folder.path().toStdString()) / "picture";
    writeBytes(path, bytes);
    return path;
  }
  QTemporaryDir m_folder;
};

void TestImages::reads_data() {
  QTest::addColumn<QByteArray>("bytes");
  QTest::addColumn<int>("tolerance");
  const auto row = [](const char* name, QImage::Format pixels, const char* format, bool progressive, int tolerance) {
    QTest::newRow(name) << QByteArray::fromStdString(pictureFile(samplePicture(40, 30, pixels), format, progressive))
                        << tolerance;
  };
  row("PNG, grey", QImage::Format_Grayscale8, "png", false, 0);
  // Libpng weighs colours in linear light, qGray as they are stored.
  row("PNG, colour", QImage::Format_RGB32, "png", false, 60);
  row("PNG, palette", QImage::Format_Indexed8, "png", false, 60);
  row("PNG, 16 bits", QImage::Format_Grayscale16, "png", false, 1);
  row("JPEG, grey", QImage::Format_Grayscale8, "jpg", false, 2);
  row("JPEG, colour", QImage::Format_RGB32, "jpg", false, 15);
  row("JPEG, progressive", QImage::Format_RGB32, "jpg", true, 15);
}

void TestImages::reads() {
  QFETCH(QByteArray, bytes);
  QFETCH(int, tolerance);
  const GreyImage picture = readImage(file(bytes.toStdString()));
  QCOMPARE(picture.width, 40);
  QCOMPARE(picture.height, 30);
  QCOMPARE(picture.pixels.size(), std::size_t{1200});
  const QImage sample = QImage::fromData(bytes).convertToFormat(QImage::Format_RGB32);
  for (int y = 0; y < 30; ++y)
    for (int x = 0; x < 40; ++x) {
      const int got = picture.pixels[std::size_t(y) * 40 + x], needed = qGray(sample.pixel(x, y));
      QVERIFY2(std::abs(got - needed) <= tolerance,
               qPrintable(QString("pixel %1, %2: %3, needed %4").arg(x).arg(y).arg(got).arg(needed)));
    }
}

void TestImages::laysTransparentOnWhite() {
  QImage image(8, 8, QImage::Format_ARGB32);
  image.fill(Qt::transparent);
  image.setPixel(3, 4, qRgba(0, 0, 0, 255));
  const GreyImage picture = readImage(file(pictureFile(image, "png")));
  for (int i = 0; i < 64; ++i) QCOMPARE(int{picture.pixels[i]}, i == 4 * 8 + 3 ? 0 : 255);
}

void TestImages::turnsAsTheCameraSays_data() {
  QTest::addColumn<int>("orientation");
  QTest::addColumn<bool>("bigEndian");
  QTest::addColumn<QPoint>("dark");  // where the dark corner, stored in the upper left, belongs
  QTest::addColumn<QSize>("size");
  const QPoint corners[] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}, {1, 0}, {1, 1}, {0, 1}};
  for (int orientation = 1; orientation <= 8; ++orientation)
    QTest::addRow("%d", orientation) << orientation << (orientation % 2 == 0) << corners[orientation - 1]
                                     << (orientation < 5 ? QSize(32, 16) : QSize(16, 32));
  QTest::newRow("no such orientation") << 9 << true << QPoint(0, 0) << QSize(32, 16);
}

void TestImages::turnsAsTheCameraSays() {
  QFETCH(int, orientation);
  QFETCH(bool, bigEndian);
  QFETCH(QPoint, dark);
  QFETCH(QSize, size);
  QImage image(32, 16, QImage::Format_Grayscale8);
  image.fill(Qt::white);
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x) image.setPixel(x, y, qRgb(0, 0, 0));
  const GreyImage picture = readImage(file(withOrientation(pictureFile(image, "jpg"), orientation, bigEndian)));
  QCOMPARE(QSize(picture.width, picture.height), size);
  const auto corner = [&](int right, int bottom) {
    return picture
        .pixels[std::size_t(bottom ? picture.height - 1 : 0) * picture.width + (right ? picture.width - 1 : 0)];
  };
  for (const int right : {0, 1})
    for (const int bottom : {0, 1}) QCOMPARE(corner(right, bottom) < 128, QPoint(right, bottom) == dark);
}

void TestImages::refusesEveryPrefix_data() {
  QTest::addColumn<QByteArray>("bytes");
  const QImage grey = samplePicture(24, 16, QImage::Format_Grayscale8),
               colour = samplePicture(24, 16, QImage::Format_RGB32);
  QTest::newRow("PNG") << QByteArray::fromStdString(pictureFile(grey, "png"));
  QTest::newRow("PNG, palette") << QByteArray::fromStdString(
      pictureFile(colour.convertToFormat(QImage::Format_Indexed8), "png"));
  QTest::newRow("JPEG") << QByteArray::fromStdString(pictureFile(colour, "jpg"));
  QTest::newRow("JPEG, progressive") << QByteArray::fromStdString(pictureFile(colour, "jpg", true));
}

/// Refused, or every pixel was there already (a PNG may lose its last chunk).
void TestImages::refusesEveryPrefix() {
  QFETCH(QByteArray, bytes);
  const auto whole = readImage(file(bytes.toStdString())).pixels;
  int complete = 0;
  for (int length = 0; length < bytes.size(); ++length) {
    std::vector<std::uint8_t> got;
    const QString sentence =
        refusal(Error::Kind::Input, [&] { got = readImage(file(bytes.left(length).toStdString())).pixels; });
    if (sentence.isEmpty()) ++complete;
    QVERIFY2(!sentence.isEmpty() || got == whole, qPrintable(QString("cut after %1 bytes").arg(length)));
  }
  QVERIFY2(complete < 25, qPrintable(QString::number(complete)));
}

void TestImages::refusesHugeSizes_data() {
  QTest::addColumn<QByteArray>("bytes");
  const auto png = [](std::uint32_t width, std::uint32_t height) {
    QByteArray bytes = QByteArray::fromStdString(pictureFile(samplePicture(8, 8, QImage::Format_Grayscale8), "png"));
    qToBigEndian(width, bytes.data() + 16);
    qToBigEndian(height, bytes.data() + 20);
    const auto checksum = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()) + 12, 17));
    qToBigEndian(checksum, bytes.data() + 29);
    return bytes;
  };
  const auto jpeg = [](std::uint16_t width, std::uint16_t height) {
    QByteArray bytes = QByteArray::fromStdString(pictureFile(samplePicture(8, 8, QImage::Format_Grayscale8), "jpg"));
    const qsizetype frame = bytes.indexOf("\xff\xc0");
    qToBigEndian(height, bytes.data() + frame + 5);
    qToBigEndian(width, bytes.data() + frame + 7);
    return bytes;
  };
  QTest::newRow("PNG, 65535 x 65535") << png(65535, 65535);
  QTest::newRow("PNG, 1 x 2^31-1") << png(1, 0x7fffffff);
  QTest::newRow("PNG, 2^32-1 wide") << png(0xffffffff, 1);
  QTest::newRow("PNG, no width") << png(0, 8);
  QTest::newRow("PNG, more rows than there are") << png(8, 5000);
  QTest::newRow("JPEG, 65500 x 65500") << jpeg(65500, 65500);
  QTest::newRow("JPEG, no height") << jpeg(8, 0);
  QTest::newRow("JPEG, more rows than there are") << jpeg(8, 5000);
}

void TestImages::refusesHugeSizes() {
  QFETCH(QByteArray, bytes);
  const Path path = file(bytes.toStdString());
  const QString sentence = refusal(Error::Kind::Input, [&] { readImage(path); });
  QVERIFY(sentence.startsWith(QString::fromStdString(path.string()) + ": "));
}

void TestImages::refusesOtherFiles() {
  for (const std::string& bytes : {std::string(), std::string("GIF89a"), std::string("<svg/>"),
                                   std::string("\xff\xd8", 2), std::string(100, '\0')})
    QVERIFY(refusal(Error::Kind::Input, [&] { readImage(file(bytes)); }).contains("neither a PNG nor a JPEG"));
  QVERIFY(!refusal(Error::Kind::File, [&] { readImage("/absent.png"); }).isEmpty());
  QVERIFY(!refusal(Error::Kind::File, [&] { readImage(m_folder.path().toStdString()); }).isEmpty());
}

QTEST_GUILESS_MAIN(TestImages)
#include "tst_images.moc"

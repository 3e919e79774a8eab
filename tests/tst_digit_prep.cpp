// SPDX-License-Identifier: GPL-3.0-or-later
// From ink to the net's input: framing as in MNIST, photos of paper, other sizes, and nothing drawn.
#include <QtTest>
#include <cmath>

#include "datasets/datasets.h"
#include "datasets/digit_prep.h"
#include "engine/rng.h"

using namespace strata;

namespace {

GreyImage blank(int width, int height, int grey = 0) {
  return {width, height, std::vector<std::uint8_t>(std::size_t(width) * height, std::uint8_t(grey))};
}

std::uint8_t& at(GreyImage& image, int x, int y) { return image.pixels[std::size_t(y) * image.width + x]; }

/// A line of round dots.
void drawLine(GreyImage& image, double x0, double y0, double x1, double y1, double radius, int grey) {
  const double length = std::hypot(x1 - x0, y1 - y0);
  for (double t = 0; t <= length; t += 0.5) {
    const double cx = x0 + (x1 - x0) * t / length, cy = y0 + (y1 - y0) * t / length;
    for (int y = std::max(0, int(cy - radius)); y <= std::min(image.height - 1, int(cy + radius) + 1); ++y)
      for (int x = std::max(0, int(cx - radius)); x <= std::min(image.width - 1, int(cx + radius) + 1); ++x)
        if (std::hypot(x - cx, y - cy) <= radius) at(image, x, y) = std::uint8_t(grey);
  }
}

/// A 7 that fills the given part of a picture.
void drawSeven(GreyImage& image, double x, double y, double size, double radius, int grey) {
  drawLine(image, x, y, x + 0.6 * size, y, radius, grey);
  drawLine(image, x + 0.6 * size, y, x + 0.2 * size, y + size, radius, grey);
}

struct Mass {
  double total = 0, x = 0, y = 0;
};

Mass massOf(const GreyImage& image) {
  Mass mass;
  for (std::size_t p = 0; p < image.pixels.size(); ++p) {
    mass.total += image.pixels[p];
    mass.x += double(image.pixels[p]) * (p % image.width);
    mass.y += double(image.pixels[p]) * (p / image.width);
  }
  return {mass.total, mass.x / mass.total, mass.y / mass.total};
}

/// Mean difference of two pictures' pixels.
double difference(const GreyImage& a, const GreyImage& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
  return sum / double(a.pixels.size());
}

const Shape kMnistShape = Shape::image(28, 28, 1);

/// White paper under a lamp on one side, with grain, and a 7 in grey pencil.
GreyImage photo(int width, int height, double darkest) {
  GreyImage picture = blank(width, height);
  drawSeven(picture, width * 0.4, height * 0.3, height * 0.4, height * 0.02, 1);
  Rng rng(1, Stream::Test);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const double light = 235 - (235 - darkest) * (x + y) / (width + height), ink = at(picture, x, y) ? 0.35 : 1;
      at(picture, x, y) = std::uint8_t(std::clamp(light * ink + rng.uniform(-6, 6), 0.0, 255.0));
    }
  return picture;
}

}  // namespace

class TestDigitPrep : public QObject {
  Q_OBJECT

 private slots:
  void framesADrawing_data();
  void framesADrawing();
  void doesNotCareWhereOrHowLarge();
  void leavesMnistAsItIs();
  void stepsCanBeLeftOut();
  void fitsOtherNets_data();
  void fitsOtherNets();
  void recognisesDarkInk_data();
  void recognisesDarkInk();
  void readsAPhoto_data();
  void readsAPhoto();
  void readsABlackboard();
  void nothingDrawn_data();
  void nothingDrawn();
  void scalesForTheNet();
};

void TestDigitPrep::framesADrawing_data() {
  QTest::addColumn<QRect>("stroke");
  QTest::newRow("tall") << QRect(40, 30, 20, 200);
  QTest::newRow("wide") << QRect(10, 100, 250, 30);
  QTest::newRow("square") << QRect(60, 60, 150, 150);
  QTest::newRow("a dot") << QRect(3, 5, 6, 6);
  QTest::newRow("at the edge") << QRect(250, 200, 30, 80);
}

void TestDigitPrep::framesADrawing() {
  QFETCH(QRect, stroke);
  GreyImage canvas = blank(280, 280);
  for (int y = stroke.top(); y <= stroke.bottom(); ++y)
    for (int x = stroke.left(); x <= stroke.right(); ++x) at(canvas, x, y) = 255;
  const auto digit = prepareDigit(canvas, kMnistShape);
  QVERIFY(digit);
  QVERIFY(!digit->inverted);
  QCOMPARE(QRect(digit->cropX, digit->cropY, digit->cropW, digit->cropH), stroke);
  QCOMPARE(std::max(digit->fitted.width, digit->fitted.height), 20);
  QVERIFY(std::abs(std::min(digit->fitted.width, digit->fitted.height) -
                   20.0 * std::min(stroke.width(), stroke.height()) / std::max(stroke.width(), stroke.height())) <=
          0.5);
  QCOMPARE(digit->final.width, 28);
  QCOMPARE(digit->final.height, 28);
  const Mass mass = massOf(digit->final);
  QVERIFY(std::abs(mass.x - 14) <= 0.5 && std::abs(mass.y - 14) <= 0.5);
  QCOMPARE(int(*std::max_element(digit->final.pixels.begin(), digit->final.pixels.end())), 255);
}

void TestDigitPrep::doesNotCareWhereOrHowLarge() {
  GreyImage first = blank(280, 280), moved = blank(400, 300);
  drawSeven(first, 60, 60, 160, 10, 255);
  drawSeven(moved, 137, 49, 160, 10, 255);
  const auto expected = prepareDigit(first, kMnistShape), digit = prepareDigit(moved, kMnistShape);
  QVERIFY(expected && digit);
  QCOMPARE(digit->final.pixels, expected->final.pixels);
  for (const double size : {80.0, 120.0, 200.0}) {
    GreyImage other = blank(400, 300);
    drawSeven(other, 37, 49, size, size / 16, 255);
    const auto scaled = prepareDigit(other, kMnistShape);
    QVERIFY(scaled);
    QCOMPARE(scaled->fitted.width, expected->fitted.width);
    // The frames may lie a pixel apart: the centre of mass is rounded.
    QVERIFY2(difference(scaled->fitted, expected->fitted) < 10,
             qPrintable(QString::number(difference(scaled->fitted, expected->fitted))));
  }
}

/// MNIST's digits are framed already: preparing them again must not change them much, most not at all.
void TestDigitPrep::leavesMnistAsItIs() {
  if (!findDataset("mnist", {})) QSKIP("MNIST is not on this computer");
  const auto mnist = loadDataset("mnist", {});
  int same = 0;
  constexpr int kCount = 500;
  for (int i = 0; i < kCount; ++i) {
    const auto first = mnist->test.pixels.begin() + i * 784;
    const GreyImage picture{28, 28, {first, first + 784}};
    const auto digit = prepareDigit(picture, kMnistShape);
    QVERIFY(digit);
    QVERIFY(!digit->inverted);
    same += difference(digit->final, picture) < 0.5;
  }
  QVERIFY2(same > kCount * 0.8, qPrintable(QString::number(same)));
}

void TestDigitPrep::stepsCanBeLeftOut() {
  GreyImage canvas = blank(280, 280);
  drawLine(canvas, 30, 30, 30, 100, 10, 255);
  const auto whole = prepareDigit(canvas, kMnistShape, {false, false, false});
  QVERIFY(whole);
  QCOMPARE(whole->cropW, 280);
  QCOMPARE(whole->fitted.width, 28);
  const Mass mass = massOf(whole->final);
  QVERIFY(std::abs(mass.x - 2.5) < 0.5 && std::abs(mass.y - 6) < 0.5);  // where it was drawn, at a tenth of the size

  const auto cropped = prepareDigit(canvas, kMnistShape, {true, false, false});
  QVERIFY(cropped);
  QCOMPARE(cropped->fitted.height, 9);
  QVERIFY(std::abs(massOf(cropped->final).y - 13.5) <= 1);

  const auto fitted = prepareDigit(canvas, kMnistShape, {false, true, true});
  QVERIFY(fitted);
  QCOMPARE(fitted->fitted.width, 20);
}

void TestDigitPrep::fitsOtherNets_data() {
  QTest::addColumn<int>("height");
  QTest::addColumn<int>("width");
  QTest::addColumn<int>("box");
  QTest::newRow("32 x 32") << 32 << 32 << 23;
  QTest::newRow("56 x 56") << 56 << 56 << 40;
  QTest::newRow("28 x 40") << 28 << 40 << 20;
  QTest::newRow("8 x 8") << 8 << 8 << 6;
  QTest::newRow("1 x 1") << 1 << 1 << 1;
}

void TestDigitPrep::fitsOtherNets() {
  QFETCH(int, height);
  QFETCH(int, width);
  QFETCH(int, box);
  GreyImage canvas = blank(280, 280);
  drawSeven(canvas, 60, 60, 160, 10, 255);
  const auto digit = prepareDigit(canvas, Shape::image(height, width, 1));
  QVERIFY(digit);
  QCOMPARE(digit->fitted.height, box);
  QCOMPARE(digit->final.width, width);
  QCOMPARE(digit->final.height, height);
  const Mass mass = massOf(digit->final);
  QVERIFY(std::abs(mass.x - width / 2) <= 1 && std::abs(mass.y - height / 2) <= 1);
}

void TestDigitPrep::recognisesDarkInk_data() {
  QTest::addColumn<int>("ground");
  QTest::addColumn<int>("ink");
  QTest::addColumn<bool>("inverted");
  QTest::newRow("a drawing") << 0 << 255 << false;
  QTest::newRow("black on white") << 255 << 0 << true;
  QTest::newRow("pencil") << 220 << 150 << true;
  QTest::newRow("in the dark") << 90 << 20 << true;
  QTest::newRow("chalk") << 60 << 200 << false;
}

void TestDigitPrep::recognisesDarkInk() {
  QFETCH(int, ground);
  QFETCH(int, ink);
  QFETCH(bool, inverted);
  GreyImage picture = blank(200, 200, ground), drawing = blank(200, 200);
  drawSeven(picture, 50, 50, 100, 6, ink);
  drawSeven(drawing, 50, 50, 100, 6, 255);
  QCOMPARE(looksInverted(picture), inverted);
  const auto digit = prepareDigit(picture, kMnistShape), expected = prepareDigit(drawing, kMnistShape);
  QVERIFY(digit && expected);
  QCOMPARE(digit->inverted, inverted);
  QVERIFY2(difference(digit->final, expected->final) < 2,
           qPrintable(QString::number(difference(digit->final, expected->final))));
}

void TestDigitPrep::readsAPhoto_data() {
  QTest::addColumn<int>("width");
  QTest::addColumn<int>("height");
  QTest::addColumn<double>("darkest");
  QTest::newRow("even light") << 640 << 480 << 235.0;
  QTest::newRow("a lamp on one side") << 640 << 480 << 140.0;
  QTest::newRow("half in shadow") << 640 << 480 << 90.0;
  QTest::newRow("upright and large") << 1200 << 1600 << 150.0;
  QTest::newRow("small") << 96 << 96 << 160.0;
}

void TestDigitPrep::readsAPhoto() {
  QFETCH(int, width);
  QFETCH(int, height);
  QFETCH(double, darkest);
  const auto digit = prepareDigit(photo(width, height, darkest), kMnistShape);
  GreyImage clean = blank(width, height);
  drawSeven(clean, width * 0.4, height * 0.3, height * 0.4, height * 0.02, 255);
  const auto expected = prepareDigit(clean, kMnistShape);
  QVERIFY(digit && expected);
  QVERIFY(digit->inverted);
  QVERIFY2(difference(digit->final, expected->final) < 6,
           qPrintable(QString::number(difference(digit->final, expected->final))));
}

void TestDigitPrep::readsABlackboard() {
  GreyImage board = photo(640, 480, 150);
  for (std::uint8_t& pixel : board.pixels) pixel = std::uint8_t(255 - pixel);
  const auto digit = prepareDigit(board, kMnistShape), paper = prepareDigit(photo(640, 480, 150), kMnistShape);
  QVERIFY(digit && paper);
  QVERIFY(!digit->inverted);
  QVERIFY(difference(digit->final, paper->final) < 2);
}

void TestDigitPrep::nothingDrawn_data() {
  QTest::addColumn<int>("width");
  QTest::addColumn<int>("height");
  QTest::addColumn<int>("ground");
  QTest::addColumn<int>("grain");
  QTest::newRow("an empty canvas") << 280 << 280 << 0 << 0;
  QTest::newRow("black with noise") << 280 << 280 << 0 << 10;
  QTest::newRow("white paper") << 280 << 280 << 255 << 0;
  QTest::newRow("grey paper with grain") << 280 << 280 << 190 << 16;
  QTest::newRow("one black pixel") << 1 << 1 << 0 << 0;
  QTest::newRow("one white pixel") << 1 << 1 << 255 << 0;
  QTest::newRow("no pixels") << 0 << 0 << 0 << 0;
}

void TestDigitPrep::nothingDrawn() {
  QFETCH(int, width);
  QFETCH(int, height);
  QFETCH(int, ground);
  QFETCH(int, grain);
  GreyImage picture = blank(width, height, ground);
  Rng rng(2, Stream::Test);
  for (std::uint8_t& pixel : picture.pixels)
    pixel = std::uint8_t(std::clamp(pixel + int(rng.below(unsigned(grain) + 1)) - grain / 2, 0, 255));
  QVERIFY(!prepareDigit(picture, kMnistShape));
}

void TestDigitPrep::scalesForTheNet() {
  Preprocessing preprocessing;
  preprocessing.scale = 1 / 127.5;
  preprocessing.offset = -1;
  preprocessing.invert = true;  // about the data's ink; ours is white already
  QCOMPARE(netInput({3, 1, {0, 51, 255}}, preprocessing), (std::vector<float>{-1, -0.6f, 1}));
}

QTEST_GUILESS_MAIN(TestDigitPrep)
#include "tst_digit_prep.moc"

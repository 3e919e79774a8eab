// SPDX-License-Identifier: GPL-3.0-or-later
// From a picture to the net's input: framing as in MNIST, polarity, frames and ruled lines around the ink, coloured
// ink, photos of paper, other sizes, nothing drawn; and pictures that go in as they are.
#include <QColor>
#include <QtTest>
#include <cmath>

#include "datasets/datasets.h"
#include "datasets/digits/paper.h"
#include "datasets/digits/prep.h"
#include "engine/base/rng.h"

using namespace strata;

namespace {

Picture blank(int width, int height, int grey = 0) {
  return {width, height, std::vector<std::uint8_t>(std::size_t(width) * height, std::uint8_t(grey))};
}

std::uint8_t& at(Picture& image, int x, int y) { return image.pixels[std::size_t(y) * image.width + x]; }

/// A line of round dots.
void drawLine(Picture& image, double x0, double y0, double x1, double y1, double radius, int grey) {
  const double length = std::hypot(x1 - x0, y1 - y0);
  for (double t = 0; t <= length; t += 0.5) {
    const double cx = x0 + (x1 - x0) * t / length, cy = y0 + (y1 - y0) * t / length;
    for (int y = std::max(0, int(cy - radius)); y <= std::min(image.height - 1, int(cy + radius) + 1); ++y)
      for (int x = std::max(0, int(cx - radius)); x <= std::min(image.width - 1, int(cx + radius) + 1); ++x)
        if (std::hypot(x - cx, y - cy) <= radius) at(image, x, y) = std::uint8_t(grey);
  }
}

/// A 7 that fills the given part of a picture.
void drawSeven(Picture& image, double x, double y, double size, double radius, int grey) {
  drawLine(image, x, y, x + 0.6 * size, y, radius, grey);
  drawLine(image, x + 0.6 * size, y, x + 0.2 * size, y + size, radius, grey);
}

struct Mass {
  double total = 0, x = 0, y = 0;
};

Mass massOf(const Picture& image) {
  Mass mass;
  for (std::size_t p = 0; p < image.pixels.size(); ++p) {
    mass.total += image.pixels[p];
    mass.x += double(image.pixels[p]) * (p % image.width);
    mass.y += double(image.pixels[p]) * (p / image.width);
  }
  return {mass.total, mass.x / mass.total, mass.y / mass.total};
}

/// Mean difference of two pictures' pixels.
double difference(const Picture& a, const Picture& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
  return sum / double(a.pixels.size());
}

const Shape kMnistShape = Shape::image(28, 28, 1);
const Preprocessing kDigits{1.0 / 255, 0, false, Framing::Mnist, Ink::Light};

/// Framed as a drawn digit, whatever the picture's size.
std::optional<PreparedPicture> prepareDigit(const Picture& picture, Shape target, PrepSteps steps = {}) {
  return preparePicture(picture, target, kDigits, {Framing::Mnist, Polarity::Auto, steps});
}

/// White paper under a lamp on one side, with grain, and a 7 in grey pencil.
Picture photo(int width, int height, double darkest) {
  Picture picture = blank(width, height);
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
  void frames_data();
  void frames();
  void framesOfTheGroundsOpposite();
  void ruledPaper_data();
  void ruledPaper();
  void colouredInk_data();
  void colouredInk();
  void countsShapes();
  void exactSizesGoInAsTheyAre();
  void otherDataGoInWhole();
  void polarityIsTheDatas();
  void judgesDataSets();
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
  Picture canvas = blank(280, 280);
  for (int y = stroke.top(); y <= stroke.bottom(); ++y)
    for (int x = stroke.left(); x <= stroke.right(); ++x) at(canvas, x, y) = 255;
  const auto digit = prepareDigit(canvas, kMnistShape);
  QVERIFY(digit);
  QVERIFY(!digit->inverted);
  QCOMPARE(QRect(digit->crop.x, digit->crop.y, digit->crop.w, digit->crop.h), stroke);
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
  Picture first = blank(280, 280), moved = blank(400, 300);
  drawSeven(first, 60, 60, 160, 10, 255);
  drawSeven(moved, 137, 49, 160, 10, 255);
  const auto expected = prepareDigit(first, kMnistShape), digit = prepareDigit(moved, kMnistShape);
  QVERIFY(expected && digit);
  QCOMPARE(digit->final.pixels, expected->final.pixels);
  for (const double size : {80.0, 120.0, 200.0}) {
    Picture other = blank(400, 300);
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
    const Picture picture{28, 28, {first, first + 784}};
    const auto digit = prepareDigit(picture, kMnistShape);
    QVERIFY(digit);
    QVERIFY(!digit->inverted);
    same += difference(digit->final, picture) < 0.5;
  }
  QVERIFY2(same > kCount * 0.8, qPrintable(QString::number(same)));
}

void TestDigitPrep::stepsCanBeLeftOut() {
  Picture canvas = blank(280, 280);
  drawLine(canvas, 30, 30, 30, 100, 10, 255);
  const auto whole = prepareDigit(canvas, kMnistShape, {false, false, false});
  QVERIFY(whole);
  QCOMPARE(whole->crop.w, 280);
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
  Picture canvas = blank(280, 280);
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
  Picture picture = blank(200, 200, ground), drawing = blank(200, 200);
  drawSeven(picture, 50, 50, 100, 6, ink);
  drawSeven(drawing, 50, 50, 100, 6, 255);
  QCOMPARE(isDarkOnLight(picture), inverted);
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
  Picture clean = blank(width, height);
  drawSeven(clean, width * 0.4, height * 0.3, height * 0.4, height * 0.02, 255);
  const auto expected = prepareDigit(clean, kMnistShape);
  QVERIFY(digit && expected);
  QVERIFY(digit->inverted);
  QVERIFY2(difference(digit->final, expected->final) < 6,
           qPrintable(QString::number(difference(digit->final, expected->final))));
}

void TestDigitPrep::readsABlackboard() {
  Picture board = photo(640, 480, 150);
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
  Picture picture = blank(width, height, ground);
  Rng rng(2, Stream::Test);
  for (std::uint8_t& pixel : picture.pixels)
    pixel = std::uint8_t(std::clamp(pixel + int(rng.below(unsigned(grain) + 1)) - grain / 2, 0, 255));
  QVERIFY(!prepareDigit(picture, kMnistShape));
}

/// 230 drawn digits with a border, dark and light: each reads as without it.
void TestDigitPrep::frames_data() {
  QTest::addColumn<bool>("dark");
  QTest::addColumn<int>("width");
  QTest::addColumn<int>("inset");
  QTest::addColumn<int>("scale");
  for (const bool dark : {true, false})
    for (const int scale : {3, 10})
      for (const int width : {1, 2, 3})
        for (const int inset : {0, 4})
          QTest::addRow("%s, %d times as large, %d px wide, %d px inside", dark ? "dark ink" : "light ink", scale,
                        width, inset)
              << dark << width << inset << scale;
}

void TestDigitPrep::frames() {
  QFETCH(bool, dark);
  QFETCH(int, width);
  QFETCH(int, inset);
  QFETCH(int, scale);
  static const auto digits = syntheticDigits(3, 230, 1);
  const int margin = 8, side = 28 * scale + 2 * margin, count = scale == 3 ? digits->train.count : 30;
  int turned = 0, other = 0;
  for (int i = 0; i < count; ++i) {
    Picture picture = blank(side, side);
    for (int y = 0; y < 28 * scale; ++y)
      for (int x = 0; x < 28 * scale; ++x)
        at(picture, x + margin, y + margin) =
            digits->train.pixels[std::size_t(i) * 784 + std::size_t(y / scale) * 28 + x / scale];
    if (dark) picture = negative(std::move(picture));
    const auto expected = prepareDigit(picture, kMnistShape);
    for (int y = inset; y < side - inset; ++y)
      for (int x = inset; x < side - inset; ++x)
        if (std::min({x - inset, y - inset, side - 1 - inset - x, side - 1 - inset - y}) < width)
          at(picture, x, y) = dark ? 0 : 255;
    const auto digit = prepareDigit(picture, kMnistShape);
    QVERIFY(expected && digit);
    QCOMPARE(expected->inverted, dark);
    turned += digit->inverted != dark;
    other += difference(digit->final, expected->final) > 3;
  }
  QCOMPARE(turned, 0);
  QVERIFY2(other * 100 <= count, qPrintable(QString::number(other)));
}

/// A frame of the other polarity than the ink: a dark edge around a blackboard, a white one around paper.
void TestDigitPrep::framesOfTheGroundsOpposite() {
  for (const bool dark : {true, false}) {
    Picture picture = blank(280, 280, dark ? 255 : 0);
    drawSeven(picture, 60, 60, 160, 10, dark ? 0 : 255);
    const auto expected = prepareDigit(picture, kMnistShape);
    for (int i = 0; i < 280; ++i)  // one side alone, and thick: a scanner's edge
      for (int thick = 0; thick < 12; ++thick) at(picture, thick, i) = dark ? 0 : 255;
    const auto digit = prepareDigit(picture, kMnistShape);
    QVERIFY(expected && digit);
    QCOMPARE(digit->inverted, dark);
    QVERIFY(difference(digit->final, expected->final) < 3);
  }
}

void TestDigitPrep::ruledPaper_data() {
  QTest::addColumn<bool>("squared");
  QTest::addColumn<int>("grey");
  QTest::newRow("lines") << false << 120;
  QTest::newRow("dark lines") << false << 40;
  QTest::newRow("squares") << true << 120;
}

void TestDigitPrep::ruledPaper() {
  QFETCH(bool, squared);
  QFETCH(int, grey);
  Picture picture = blank(400, 400, 245);
  drawSeven(picture, 130, 90, 220, 12, 20);
  const auto expected = prepareDigit(picture, kMnistShape);
  for (int line = 30; line < 400; line += 60)
    for (int i = 0; i < 400; ++i)
      for (int thick = 0; thick < 2; ++thick) {
        at(picture, i, line + thick) = std::min(at(picture, i, line + thick), std::uint8_t(grey));
        if (squared) at(picture, line + thick, i) = std::min(at(picture, line + thick, i), std::uint8_t(grey));
      }
  const auto digit = prepareDigit(picture, kMnistShape);
  QVERIFY(expected && digit);
  QVERIFY(digit->inverted);
  QVERIFY2(difference(digit->final, expected->final) < 6,
           qPrintable(QString::number(difference(digit->final, expected->final))));
}

void TestDigitPrep::colouredInk_data() {
  QTest::addColumn<QColor>("ground");
  QTest::addColumn<QColor>("ink");
  QTest::newRow("yellow on white") << QColor(255, 255, 255) << QColor(255, 255, 0);
  QTest::newRow("red on blue") << QColor(0, 0, 255) << QColor(255, 0, 0);
  QTest::newRow("blue on red") << QColor(255, 0, 0) << QColor(0, 0, 255);
  QTest::newRow("green on red, as light") << QColor(200, 0, 0) << QColor(0, 102, 0);
  QTest::newRow("blue on black") << QColor(0, 0, 0) << QColor(0, 0, 255);
  QTest::newRow("cyan on white") << QColor(255, 255, 255) << QColor(0, 255, 255);
  QTest::newRow("pink on yellow") << QColor(255, 240, 120) << QColor(255, 120, 200);
}

void TestDigitPrep::colouredInk() {
  QFETCH(QColor, ground);
  QFETCH(QColor, ink);
  Picture drawing = blank(200, 200), picture{200, 200, {}, 3};
  drawSeven(drawing, 50, 50, 100, 6, 255);
  for (const std::uint8_t pixel : drawing.pixels) {
    const QColor& colour = pixel ? ink : ground;
    for (const int value : {colour.red(), colour.green(), colour.blue()}) picture.pixels.push_back(std::uint8_t(value));
  }
  const auto digit = prepareDigit(picture, kMnistShape), expected = prepareDigit(drawing, kMnistShape);
  QVERIFY(digit && expected);
  QVERIFY2(difference(digit->final, expected->final) < 2,
           qPrintable(QString::number(difference(digit->final, expected->final))));
}

void TestDigitPrep::countsShapes() {
  Picture picture = blank(400, 280, 255);
  drawSeven(picture, 40, 60, 160, 10, 0);
  QCOMPARE(prepareDigit(picture, kMnistShape)->shapes, 1);
  drawLine(picture, 280, 60, 280, 220, 10, 0);
  QCOMPARE(prepareDigit(picture, kMnistShape)->shapes, 2);
  Picture five = blank(280, 280, 255);  // its bar apart from the rest
  drawLine(five, 100, 40, 180, 40, 8, 0);
  drawLine(five, 95, 70, 95, 130, 8, 0);
  drawLine(five, 95, 130, 180, 180, 8, 0);
  drawLine(five, 180, 180, 90, 230, 8, 0);
  QCOMPARE(prepareDigit(five, kMnistShape)->shapes, 1);
}

/// A sample of the data set, given as a picture, is read as the data set's.
void TestDigitPrep::exactSizesGoInAsTheyAre() {
  Rng rng(5, Stream::Test);
  for (const int channels : {1, 3}) {
    Picture picture{12, 10, {}, 3};
    for (int i = 0; i < 120; ++i) {
      const auto grey = std::uint8_t(rng.below(256));
      for (int c = 0; c < 3; ++c) picture.pixels.push_back(channels == 1 ? grey : std::uint8_t(rng.below(256)));
    }
    for (const Framing framing : {Framing::Mnist, Framing::None}) {
      Preprocessing data = kDigits;
      data.framing = framing;
      const auto prepared = preparePicture(picture, Shape::image(10, 12, channels), data);
      QVERIFY(prepared && prepared->asItIs && !prepared->inverted);
      QCOMPARE(prepared->final.channels, channels);
      QCOMPARE(prepared->final.pixels, channels == 1 ? toGrey(picture).pixels : picture.pixels);
    }
  }
}

/// Scaled with its aspect kept; the rest is the border's colour.
void TestDigitPrep::otherDataGoInWhole() {
  Preprocessing data = kDigits;
  data.framing = Framing::None;
  Picture picture{200, 100, {}, 3};
  for (int i = 0; i < 200 * 100; ++i) {
    const bool left = i % 200 < 100;
    for (const int value : {left ? 200 : 10, 60, 90}) picture.pixels.push_back(std::uint8_t(value));
  }
  const auto colour = preparePicture(picture, Shape::image(32, 32, 3), data);
  QVERIFY(colour && !colour->asItIs && colour->framing == Framing::None);
  const auto pixel = [&](int x, int y) {
    const auto* p = colour->final.pixels.data() + (y * 32 + x) * 3;
    return QColor(p[0], p[1], p[2]);
  };
  QCOMPARE(pixel(4, 16), QColor(200, 60, 90));
  QCOMPARE(pixel(27, 16), QColor(10, 60, 90));
  QCOMPARE(pixel(4, 2).green(), 60);
  const auto grey = preparePicture(picture, Shape::image(32, 32, 1), data);
  QCOMPARE(grey->final.channels, 1);
}

/// What the net has learned decides which way round ink comes out, and a person's word decides which way it went in.
void TestDigitPrep::polarityIsTheDatas() {
  Picture picture = blank(200, 200, 255);
  drawSeven(picture, 50, 50, 100, 6, 0);
  Preprocessing dark = kDigits;
  dark.ink = Ink::Dark;
  const auto light = preparePicture(picture, kMnistShape, kDigits),
             darkOne = preparePicture(picture, kMnistShape, dark);
  QVERIFY(light && darkOne);
  QCOMPARE(darkOne->final.pixels, negative(light->final).pixels);

  PrepChoice wrong;
  wrong.polarity = Polarity::LightOnDark;  // taken at its word: the paper is the ink
  const auto told = preparePicture(picture, kMnistShape, kDigits, wrong);
  QVERIFY(told && !told->inverted);
  QVERIFY(massOf(told->final).total > 2 * massOf(light->final).total);

  const auto again = preparePicture(negative(light->final), kMnistShape, kDigits);  // of the net's size, but inverted
  QVERIFY(again && again->asItIs && again->inverted);
  QCOMPARE(again->final.pixels, light->final.pixels);
  PrepChoice asItIs;
  asItIs.polarity = Polarity::LightOnDark;
  QCOMPARE(preparePicture(negative(light->final), kMnistShape, kDigits, asItIs)->final.pixels,
           negative(light->final).pixels);
}

void TestDigitPrep::judgesDataSets() {
  Dataset digits = *syntheticDigits(1, 300, 1);
  judgePictures(digits);
  QVERIFY(digits.framing == Framing::Mnist && digits.ink == Ink::Light);
  for (std::uint8_t& pixel : digits.train.pixels) pixel = std::uint8_t(255 - pixel);
  judgePictures(digits);
  QVERIFY(digits.framing == Framing::Mnist && digits.ink == Ink::Dark);
  Preprocessing prep = resolved({}, digits);
  QVERIFY(!polarityWarning(prep).empty());
  prep.invert = true;
  QVERIFY(polarityWarning(prep).empty());
  Rng rng(6, Stream::Test);
  for (std::uint8_t& pixel : digits.train.pixels) pixel = std::uint8_t(rng.below(256));
  judgePictures(digits);
  QVERIFY(digits.framing == Framing::None && digits.ink == Ink::None);
}

void TestDigitPrep::scalesForTheNet() {
  Preprocessing preprocessing;
  preprocessing.scale = 1 / 127.5;
  preprocessing.offset = -1;
  QCOMPARE(netInput({3, 1, {0, 51, 255}}, preprocessing), (std::vector<float>{-1, -0.6f, 1}));
  preprocessing.invert = true;
  QCOMPARE(netInput({3, 1, {255, 204, 0}}, preprocessing), (std::vector<float>{-1, -0.6f, 1}));
}

QTEST_GUILESS_MAIN(TestDigitPrep)
#include "tst_digit_prep.moc"

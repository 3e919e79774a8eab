// SPDX-License-Identifier: GPL-3.0-or-later
// The drawn digits: the same for the same seed, framed as MNIST frames its own, all ten, and told apart easily.
#include <QtTest>
#include <array>
#include <cmath>
#include <set>

#include "datasets/datasets.h"

using namespace strata;

namespace {

constexpr int kSide = 28, kPixels = kSide * kSide;

using Mean = std::array<double, kPixels>;

std::array<Mean, 10> meansOf(const Samples& samples) {
  std::array<Mean, 10> means{};
  std::array<int, 10> counts{};
  for (int i = 0; i < samples.count; ++i) {
    ++counts[samples.labels[i]];
    for (int p = 0; p < kPixels; ++p) means[samples.labels[i]][p] += samples.pixels[std::size_t(i) * kPixels + p];
  }
  for (int digit = 0; digit < 10; ++digit)
    for (double& value : means[digit]) value /= counts[digit];
  return means;
}

/// Share of samples that lie nearest to the mean picture of their own digit.
double nearestMeanAccuracy(const std::array<Mean, 10>& means, const Samples& samples) {
  int hits = 0;
  for (int i = 0; i < samples.count; ++i) {
    std::array<double, 10> distances{};
    for (int digit = 0; digit < 10; ++digit)
      for (int p = 0; p < kPixels; ++p) {
        const double difference = means[digit][p] - samples.pixels[std::size_t(i) * kPixels + p];
        distances[digit] += difference * difference;
      }
    hits += std::min_element(distances.begin(), distances.end()) - distances.begin() == samples.labels[i];
  }
  return double(hits) / samples.count;
}

}  // namespace

class TestSynthetic : public QObject {
  Q_OBJECT

 private slots:
  void saysWhatItIs();
  void isAFunctionOfSeedAndNumber();
  void framesLikeMnist();
  void drawsAllDigitsEvenly();
  void drawsNoneTwice();
  void drawsDistinctDigits();
  void resemblesMnist();
};

void TestSynthetic::saysWhatItIs() {
  const auto set = syntheticDigits(1, 30, 10);
  QVERIFY(set->synthetic);
  QCOMPARE(set->id, std::string("synthetic-digits"));
  QCOMPARE(set->title, std::string("Synthetic digits (drawn by Strata, not MNIST)"));
  QVERIFY(set->shape == Shape::image(28, 28, 1));
  QCOMPARE(set->train.count, 30);
  QCOMPARE(set->test.count, 10);
  QCOMPARE(set->train.pixels.size(), std::size_t{30 * kPixels});
  QCOMPARE(set->test.labels.size(), std::size_t{10});
  QCOMPARE(loadDataset("synthetic-digits", {})->train.count, 20000);
}

void TestSynthetic::isAFunctionOfSeedAndNumber() {
  const auto few = syntheticDigits(7, 50, 20), many = syntheticDigits(7, 400, 100), other = syntheticDigits(8, 50, 20);
  QVERIFY(std::equal(few->train.pixels.begin(), few->train.pixels.end(), many->train.pixels.begin()));
  QVERIFY(std::equal(few->train.labels.begin(), few->train.labels.end(), many->train.labels.begin()));
  QVERIFY(std::equal(few->test.pixels.begin(), few->test.pixels.end(), many->test.pixels.begin()));
  QVERIFY(few->train.pixels != other->train.pixels);
  QVERIFY(!std::equal(few->test.pixels.begin(), few->test.pixels.end(), few->train.pixels.begin()));
}

void TestSynthetic::framesLikeMnist() {
  const auto set = syntheticDigits(3, 2000, 1);
  for (int i = 0; i < 2000; ++i) {
    double mass = 0, x = 0, y = 0;
    int left = kSide, right = -1, top = kSide, bottom = -1, brightest = 0;
    for (int p = 0; p < kPixels; ++p) {
      const int ink = set->train.pixels[std::size_t(i) * kPixels + p];
      if (ink == 0) continue;
      mass += ink;
      x += ink * (p % kSide);
      y += ink * (p / kSide);
      left = std::min(left, p % kSide);
      right = std::max(right, p % kSide);
      top = std::min(top, p / kSide);
      bottom = std::max(bottom, p / kSide);
      brightest = std::max(brightest, ink);
    }
    QVERIFY2(std::abs(x / mass - 14) <= 0.5 && std::abs(y / mass - 14) <= 0.5, "the centre of mass is off");
    const int longer = std::max(right - left, bottom - top) + 1;
    QVERIFY2(longer >= 18 && longer <= 20, qPrintable(QString("the longer side is %1").arg(longer)));
    QVERIFY(brightest > 200);
  }
}

void TestSynthetic::drawsAllDigitsEvenly() {
  const auto set = syntheticDigits(1, 5000, 1000);
  std::array<int, 10> counts{};
  for (const int label : set->train.labels) ++counts.at(label);
  // 500, standard deviation 21.
  for (const int count : counts) QVERIFY2(count > 420 && count < 580, qPrintable(QString::number(count)));
}

void TestSynthetic::drawsNoneTwice() {
  const auto set = syntheticDigits(1, 2000, 1);
  std::set<std::vector<std::uint8_t>> seen;
  for (int i = 0; i < 2000; ++i) {
    const auto first = set->train.pixels.begin() + std::ptrdiff_t(i) * kPixels;
    seen.emplace(first, first + kPixels);
  }
  QCOMPARE(seen.size(), std::size_t{2000});
}

void TestSynthetic::drawsDistinctDigits() {
  const auto set = syntheticDigits(1, 4000, 1000);
  const double accuracy = nearestMeanAccuracy(meansOf(set->train), set->test);
  // MNIST itself: 0.82; all alike would be 1.
  QVERIFY2(accuracy > 0.75 && accuracy < 0.97, qPrintable(QString::number(accuracy)));
}

/// The mean pictures of the drawn digits tell real ones apart.
void TestSynthetic::resemblesMnist() {
  if (!findDataset("mnist", {})) QSKIP("MNIST is not on this computer");
  const double accuracy =
      nearestMeanAccuracy(meansOf(syntheticDigits(1, 4000, 1)->train), loadDataset("mnist", {})->test);
  QVERIFY2(accuracy > 0.6, qPrintable(QString::number(accuracy)));
}

QTEST_GUILESS_MAIN(TestSynthetic)
#include "tst_synthetic.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Softmax cross-entropy: closed forms, gradient, label smoothing, ties, extreme and non-finite logits.
#include <QTest>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/base/error.h"
#include "engine/learn/loss.h"

using namespace strata;

class TestLoss : public QObject {
  Q_OBJECT
 private slots:
  void equalLogitsCostLogK();
  void handComputed();
  void gradientIsTheSlope_data();
  void gradientIsTheSlope();
  void largeLogitsDoNotOverflow();
  void nonFiniteComesThrough_data();
  void nonFiniteComesThrough();
  void firstWinsATie();
  void labelOutsideIsRefused();
  void softmaxSumsToOne();
};

void TestLoss::equalLogitsCostLogK() {
  const std::vector<float> logits(20, 3.0f);
  const std::vector<std::int32_t> labels{4, 9};
  for (const double smoothing : {0.0, 0.1})
    QVERIFY(std::abs(softmaxCrossEntropy<float>(logits.data(), labels.data(), 2, 10, nullptr, smoothing).lossSum -
                     2 * std::log(10)) < 1e-12);
}

// logits 0 and log 3: probabilities 1/4 and 3/4.
void TestLoss::handComputed() {
  const double logits[] = {0, std::log(3)};
  const std::int32_t label = 0;
  double gradient[2];
  const LossResult plain = softmaxCrossEntropy(logits, &label, 1, 2, gradient);
  QVERIFY(std::abs(plain.lossSum - std::log(4)) < 1e-15);
  QCOMPARE(plain.hits, 0);
  QVERIFY(std::abs(gradient[0] + 0.75) < 1e-15 && std::abs(gradient[1] - 0.75) < 1e-15);
  const LossResult smooth = softmaxCrossEntropy(logits, &label, 1, 2, gradient, 0.2);  // target 0.9, 0.1
  QVERIFY(std::abs(smooth.lossSum - (0.9 * std::log(4) + 0.1 * std::log(4.0 / 3))) < 1e-15);
  QVERIFY(std::abs(gradient[0] - (0.25 - 0.9)) < 1e-15 && std::abs(gradient[1] - (0.75 - 0.1)) < 1e-15);
}

void TestLoss::gradientIsTheSlope_data() {
  QTest::addColumn<double>("smoothing");
  QTest::newRow("plain") << 0.0;
  QTest::newRow("smoothed") << 0.15;
}

void TestLoss::gradientIsTheSlope() {
  QFETCH(const double, smoothing);
  std::vector<double> logits{0.3, -1.2, 2.0, 0.1, 0.7, -0.4};
  const std::vector<std::int32_t> labels{2, 0};
  std::vector<double> gradient(6);
  softmaxCrossEntropy(logits.data(), labels.data(), 2, 3, gradient.data(), smoothing);
  const double h = 1e-6;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const auto lossAt = [&](double shift) {
      std::vector<double> moved = logits;
      moved[i] += shift;
      return softmaxCrossEntropy<double>(moved.data(), labels.data(), 2, 3, nullptr, smoothing).lossSum / 2;
    };
    QVERIFY(std::abs((lossAt(h) - lossAt(-h)) / (2 * h) - gradient[i]) < 1e-9);
  }
}

void TestLoss::largeLogitsDoNotOverflow() {
  const std::vector<float> logits{10000, -10000, 0};
  const std::vector<std::int32_t> labels{0};
  const LossResult loss = softmaxCrossEntropy<float>(logits.data(), labels.data(), 1, 3, nullptr);
  QCOMPARE(loss.lossSum, 0.0);
  QCOMPARE(loss.hits, 1);
}

void TestLoss::nonFiniteComesThrough_data() {
  QTest::addColumn<float>("value");
  QTest::addColumn<int>("place");
  const float infinity = std::numeric_limits<float>::infinity();
  for (int place = 0; place < 3; ++place) {
    QTest::addRow("NaN at %d", place) << std::nanf("") << place;
    QTest::addRow("infinity at %d", place) << infinity << place;
  }
  QTest::newRow("minus infinity at the label") << -infinity << 1;
}

void TestLoss::nonFiniteComesThrough() {
  QFETCH(const float, value);
  QFETCH(const int, place);
  std::vector<float> logits{1, 2, 3};
  logits[static_cast<std::size_t>(place)] = value;
  const std::int32_t label = 1;
  QVERIFY(!std::isfinite(softmaxCrossEntropy<float>(logits.data(), &label, 1, 3, nullptr).lossSum));
}

void TestLoss::firstWinsATie() {
  const std::vector<float> logits{1, 5, 5, 0};
  for (const std::int32_t label : {0, 1, 2})
    QCOMPARE(softmaxCrossEntropy<float>(logits.data(), &label, 1, 4, nullptr).hits, label == 1 ? 1 : 0);
}

void TestLoss::labelOutsideIsRefused() {
  const std::vector<float> logits(3);
  for (const std::int32_t label : {-1, 3})
    QVERIFY_THROWS_EXCEPTION(Error, softmaxCrossEntropy<float>(logits.data(), &label, 1, 3, nullptr));
}

void TestLoss::softmaxSumsToOne() {
  const std::vector<float> logits{1, 2, 3, 100, -100, 0};
  std::vector<float> probabilities(6);
  softmax(logits.data(), 2, 3, probabilities.data());
  QVERIFY(std::abs(probabilities[0] + probabilities[1] + probabilities[2] - 1) < 1e-6f);
  QVERIFY(std::abs(probabilities[2] / probabilities[1] - std::exp(1.0f)) < 1e-5f);
  QCOMPARE(probabilities[3], 1.0f);
}

QTEST_GUILESS_MAIN(TestLoss)
#include "tst_loss.moc"

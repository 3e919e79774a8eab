// SPDX-License-Identifier: GPL-3.0-or-later
// Philox against its published vectors (Random123, kat_vectors), and what is drawn from it.
#include <QTest>

#include "engine/base/rng.h"

using namespace strata;

class TestRng : public QObject {
  Q_OBJECT
 private slots:
  void philoxMatchesThePublishedVectors_data();
  void philoxMatchesThePublishedVectors();
  void streamsAreIndependent();
  void uniformStaysInside();
  void normalHasItsMoments();
  void belowIsUnbiased();
};

using Four = std::array<std::uint32_t, 4>;

void TestRng::philoxMatchesThePublishedVectors_data() {
  QTest::addColumn<quint64>("seed");
  QTest::addColumn<quint64>("stream");
  QTest::addColumn<quint64>("counter");
  QTest::addColumn<QList<quint32>>("expected");
  QTest::newRow("zeros") << quint64{0} << quint64{0} << quint64{0}
                         << QList<quint32>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  QTest::newRow("ones") << ~quint64{0} << ~quint64{0} << ~quint64{0}
                        << QList<quint32>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  QTest::newRow("pi") << quint64{0x299f31d0a4093822} << quint64{0x0370734413198a2e} << quint64{0x85a308d3243f6a88}
                      << QList<quint32>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
}

void TestRng::philoxMatchesThePublishedVectors() {
  QFETCH(const quint64, seed);
  QFETCH(const quint64, stream);
  QFETCH(const quint64, counter);
  QFETCH(const QList<quint32>, expected);
  const Four got = philox(seed, stream, counter);
  for (int i = 0; i < 4; ++i) QCOMPARE(got[static_cast<std::size_t>(i)], expected[i]);
}

void TestRng::streamsAreIndependent() {
  const auto first = [](std::uint64_t seed, Stream stream, std::uint64_t index) {
    return Rng(seed, stream, index).next();
  };
  const std::uint32_t base = first(1, Stream::Weights, 0);
  QCOMPARE(first(1, Stream::Weights, 0), base);
  QVERIFY(first(2, Stream::Weights, 0) != base);
  QVERIFY(first(1, Stream::Dropout, 0) != base);
  QVERIFY(first(1, Stream::Weights, 1) != base);
}

void TestRng::uniformStaysInside() {
  Rng rng(3, Stream::Test);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    const float value = rng.uniform(-0.1f, 0.3f);
    QVERIFY(value >= -0.1f && value < 0.3f);
    sum += value;
    const double unit = rng.uniform01();
    QVERIFY(unit >= 0 && unit < 1);
  }
  QVERIFY(std::abs(sum / 100000 - 0.1) < 0.002);  // five deviations of the mean
  Rng narrow(3, Stream::Test);
  // The end is excluded.
  for (int i = 0; i < 1000; ++i) QCOMPARE(narrow.uniform(1.0f, std::nextafter(1.0f, 2.0f)), 1.0f);
}

void TestRng::normalHasItsMoments() {
  Rng rng(4, Stream::Test);
  const int count = 200000;
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const double value = rng.normal();
    sum += value;
    squares += value * value;
  }
  QVERIFY(std::abs(sum / count) < 0.012);
  QVERIFY(std::abs(squares / count - 1) < 0.016);
}

void TestRng::belowIsUnbiased() {
  Rng rng(5, Stream::Test);
  std::array<int, 3> hits{};
  for (int i = 0; i < 90000; ++i) ++hits[rng.below(3)];
  for (const int hit : hits) QVERIFY(std::abs(hit - 30000) < 710);  // five deviations
  QCOMPARE(rng.below(1), 0u);
  for (int i = 0; i < 1000; ++i) QVERIFY(rng.below(0xF0000001u) < 0xF0000001u);
}

QTEST_GUILESS_MAIN(TestRng)
#include "tst_rng.moc"

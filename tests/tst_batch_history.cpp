// SPDX-License-Identifier: GPL-3.0-or-later
// The record of a run's batches: bounded in memory whatever the number of steps, no lowest and no highest value lost,
// and every single batch there again where one looks closely.
#include <QTest>
#include <cmath>
#include <fstream>

#include "engine/run/batch_history.h"
#include "tests/test_files.h"

using namespace strata;

namespace {

/// A falling loss with a spike and a dip of one batch each.
constexpr std::uint64_t kSpike = 700'001, kDip = 123'457;
BatchPoint pointAt(std::uint64_t step) {
  BatchPoint point{step, 2.0 / (1 + 1e-5 * double(step)), 0.5};
  if (step == kSpike) point.loss = 96;
  if (step == kDip) point.loss = 1.0 / 4096;
  return point;
}

void fill(BatchHistory& history, std::uint64_t from, std::uint64_t to) {
  std::vector<BatchPoint> points;
  for (std::uint64_t step = from; step <= to; ++step) {
    points.push_back(pointAt(step));
    if (points.size() < 1000 && step < to) continue;
    history.append(points);
    points.clear();
  }
}

double highest(const std::vector<BatchBucket>& buckets) {
  double high = 0;
  for (const BatchBucket& bucket : buckets) high = std::max(high, bucket.loss.high);
  return high;
}
double lowest(const std::vector<BatchBucket>& buckets) {
  double low = 1e9;
  for (const BatchBucket& bucket : buckets) low = std::min(low, bucket.loss.low);
  return low;
}

/// Every batch once and in order, and no more buckets than allowed.
void verifyWhole(const std::vector<BatchBucket>& buckets, std::uint64_t first, std::uint64_t last, std::size_t most) {
  QVERIFY(buckets.size() <= most);
  std::uint64_t next = first;
  for (const BatchBucket& bucket : buckets) {
    QCOMPARE(bucket.first, next);
    QCOMPARE(bucket.batches, bucket.last - bucket.first + 1);
    next = bucket.last + 1;
  }
  QCOMPARE(next, last + 1);
}

}  // namespace

class TestBatchHistory : public QObject {
  Q_OBJECT
 private slots:
  void aMillionStepsStayBounded_data();
  void aMillionStepsStayBounded();
  void aCloseUpShowsEveryBatch();
  void fallsBack_data();
  void fallsBack();
  void goesOnInAnotherSession();
  void aForeignFileIsLeftAlone_data();
  void aForeignFileIsLeftAlone();
  void valuesWithoutNumberAreCounted();
  void nothingYet();

 private:
  ScratchFolder m_folder;
};

void TestBatchHistory::aMillionStepsStayBounded_data() {
  QTest::addColumn<quint64>("steps");
  for (const quint64 steps : {1ull, 8192ull, 8193ull, 16384ull, 100'003ull, 1'100'000ull})
    QTest::addRow("%llu", steps) << steps;
}

void TestBatchHistory::aMillionStepsStayBounded() {
  QFETCH(const quint64, steps);
  BatchHistory history;
  fill(history, 1, steps);
  verifyWhole(history.overview(), 1, steps, BatchHistory::kTop);
  QCOMPARE(history.size(), steps);
  QCOMPARE(highest(history.overview()), steps >= kSpike ? 96.0 : pointAt(1).loss);
  QCOMPARE(lowest(history.overview()), steps >= kDip ? 1.0 / 4096 : pointAt(steps).loss);
}

void TestBatchHistory::aCloseUpShowsEveryBatch() {
  BatchHistory history;
  history.keepIn(m_folder / "million.bin");
  fill(history, 1, 1'100'000);
  const auto near = history.closeUp(kSpike - 500, kSpike + 500);
  verifyWhole(near, 1, 1'100'000, BatchHistory::kTop + BatchHistory::kDetail);
  int single = 0;
  for (const BatchBucket& bucket : near)
    if (bucket.first >= kSpike - 500 && bucket.last <= kSpike + 500) {
      QCOMPARE(bucket.batches, 1u);
      QCOMPARE(float(bucket.loss.low), float(pointAt(bucket.first).loss));
      ++single;
    }
  QCOMPARE(single, 1001);
  const auto half = history.closeUp(1, 500'000);
  verifyWhole(half, 1, 1'100'000, BatchHistory::kTop + BatchHistory::kDetail);
  QCOMPARE(lowest(half), 1.0 / 4096);
  QCOMPARE(history.closeUp(2'000'000, 3'000'000).size(), history.overview().size());
  BatchHistory inMemory;
  fill(inMemory, 1, 100'000);
  QCOMPARE(inMemory.closeUp(50, 60).size(), inMemory.overview().size());
}

void TestBatchHistory::fallsBack_data() {
  QTest::addColumn<bool>("kept");
  QTest::addColumn<quint64>("step");
  for (const bool kept : {false, true})
    for (const quint64 step : {0ull, 1ull, 8192ull, 30'001ull, 99'999ull, 100'000ull, 200'000ull})
      QTest::addRow("%s to %llu", kept ? "file" : "memory", step) << kept << step;
}

void TestBatchHistory::fallsBack() {
  QFETCH(const bool, kept);
  QFETCH(const quint64, step);
  BatchHistory history;
  const Path file = m_folder / ("back-" + std::to_string(step));
  if (kept) history.keepIn(file);
  fill(history, 1, 100'000);
  history.dropAfter(step);
  const quint64 left = std::min<quint64>(step, 100'000);
  QCOMPARE(history.size(), left);
  QCOMPARE(history.lastStep(), left);
  fill(history, left + 1, 120'000);
  verifyWhole(history.overview(), 1, 120'000, BatchHistory::kTop);
  if (!kept) return;
  history.flush();
  QCOMPARE(std::filesystem::file_size(file), 120'000u * 16);
  BatchHistory straight;
  fill(straight, 1, 120'000);
  QVERIFY(std::abs(history.overview().back().loss.sum - straight.overview().back().loss.sum) < 1e-4);
  fill(history, 60'000, 60'010);  // steps that come again replace all after them
  QCOMPARE(history.lastStep(), 60'010u);
  verifyWhole(history.closeUp(59'000, 61'000), 1, 60'010, BatchHistory::kTop + BatchHistory::kDetail);
}

void TestBatchHistory::goesOnInAnotherSession() {
  const Path file = m_folder / "sessions.bin";
  {
    BatchHistory first;
    first.keepIn(file);
    fill(first, 1, 20'000);
    first.keepIn(file);  // the same again changes nothing
    QCOMPARE(first.size(), 20'000u);
  }
  BatchHistory second;
  second.keepIn(file);
  verifyWhole(second.overview(), 1, 20'000, BatchHistory::kTop);
  second.dropAfter(15'000);
  fill(second, 15'001, 30'000);
  verifyWhole(second.closeUp(100, 200), 1, 30'000, BatchHistory::kTop + BatchHistory::kDetail);
}

void TestBatchHistory::aForeignFileIsLeftAlone_data() {
  QTest::addColumn<QByteArray>("bytes");
  QTest::newRow("another length") << QByteArray(17, 'x');
  QTest::newRow("steps that stand still") << QByteArray(64, 'x');
  QTest::newRow("step 0") << QByteArray(16, '\0');
}

void TestBatchHistory::aForeignFileIsLeftAlone() {
  QFETCH(const QByteArray, bytes);
  const Path file = m_folder / "foreign.bin";
  std::ofstream(file, std::ios::binary).write(bytes.data(), bytes.size());
  BatchHistory history;
  history.keepIn(file);
  QVERIFY(history.empty());
  fill(history, 1, 10'000);
  history.flush();
  verifyWhole(history.closeUp(1, 100), 1, 10'000, BatchHistory::kTop);
  QCOMPARE(std::filesystem::file_size(file), std::uintmax_t(bytes.size()));
}

void TestBatchHistory::valuesWithoutNumberAreCounted() {
  BatchHistory history;
  const BatchPoint points[] = {{1, 2, 0.5}, {2, std::nan(""), 0.5}, {3, std::numeric_limits<double>::infinity(), 0.5}};
  history.append(points);
  std::uint64_t numbers = 0;
  for (const BatchBucket& bucket : history.overview()) numbers += bucket.loss.numbers;
  QCOMPARE(numbers, 1u);
  QCOMPARE(history.size(), 3u);
  QCOMPARE(highest(history.overview()), 2.0);
}

void TestBatchHistory::nothingYet() {
  BatchHistory history;
  history.dropAfter(5);
  history.flush();
  QVERIFY(history.empty());
  QVERIFY(history.closeUp(0, 10).empty());
  history.keepIn("/nowhere/at/all/batches.bin");
  fill(history, 1, 10);
  QCOMPARE(history.size(), 10u);
}

QTEST_GUILESS_MAIN(TestBatchHistory)
#include "tst_batch_history.moc"

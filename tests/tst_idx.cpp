// SPDX-License-Identifier: GPL-3.0-or-later
// IDX files: what is read, and that everything else is refused in one sentence, before memory is spent on it.
#include <sys/resource.h>
#include <sys/stat.h>

#include <QTemporaryDir>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "data_files.h"
#include "datasets/readers/idx.h"
#include "engine/base/rng.h"

using namespace strata;

namespace {
/// The largest block of memory asked for since it was set to 0.
std::atomic<std::size_t> largestRequest{0};
}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  if (size > largestRequest) largestRequest = size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

class TestIdx : public QObject {
  Q_OBJECT

 private slots:
  void reads_data();
  void reads();
  void readsSeveralMembers();
  void readsAcrossChunks();
  void verifiesWithoutKeeping();
  void refusesEveryPrefix_data();
  void refusesEveryPrefix();
  void refusesImpossibleDimensions();
  void refusesWrongLengths();
  void refusesOtherMagic();
  void refusesDamagedGzip_data();
  void refusesDamagedGzip();
  void refusesBombs_data();
  void refusesBombs();
  void refusesWhatIsNoFile();

 private:
  Path file(const std::string& bytes) {
    const Path path = Path(m_folder.path().toStdString()) / "sample-idx";
    writeBytes(path, bytes);
    return path;
  }
  /// The sentence; checks that it names the file and that no block larger than contract K allows was asked for.
  QString refused(const std::string& bytes) {
    const Path path = file(bytes);
    largestRequest = 0;
    const QString sentence = refusal(Error::Kind::Input, [&] { IdxReader(path).read(); });
    const std::size_t largest = largestRequest, allowed = 2 * bytes.size() + (std::size_t{64} << 20);
    if (largest > allowed) return {};
    return sentence.startsWith(QString::fromStdString(path.string()) + ": ") ? sentence : QString();
  }
  QTemporaryDir m_folder;
};

void TestIdx::reads_data() {
  QTest::addColumn<QByteArray>("bytes");
  QTest::addColumn<QList<int>>("dims");
  const auto row = [](const char* name, const std::string& bytes, const QList<int>& dims) {
    QTest::newRow(name) << QByteArray::fromStdString(bytes) << dims;
    QTest::addRow("%s, packed", name) << QByteArray::fromStdString(packed(bytes)) << dims;
  };
  row("labels", idxFile(7, 0), {7});
  row("images", idxFile(5, 4), {5, 4, 4});
  row("images with channels", idxHeader({2, 2, 1, 3}) + std::string("\0\1\2\3\4\5\6\7\10\11\0\1", 12), {2, 2, 1, 3});
  row("one byte", idxHeader({1}) + std::string(1, '\0'), {1});
}

void TestIdx::reads() {
  QFETCH(QByteArray, bytes);
  QFETCH(QList<int>, dims);
  const IdxReader idx(file(bytes.toStdString()));
  QCOMPARE(QList<int>(idx.dims().begin(), idx.dims().end()), dims);
  QCOMPARE(idx.packed(), bytes.startsWith('\x1f'));
  std::size_t count = 1;
  for (const int dim : dims) count *= static_cast<std::size_t>(dim);
  idx.verify();
  const std::vector<std::uint8_t> samples = idx.read();
  QCOMPARE(samples.size(), count);
  for (std::size_t i = 0; i < count; ++i) QCOMPARE(int{samples[i]}, static_cast<int>(i % 10));
}

void TestIdx::readsSeveralMembers() {
  const std::string bytes = idxFile(50, 4);
  const IdxReader idx(
      file(packed(bytes.substr(0, 9)) + packed("") + packed(bytes.substr(9, 300)) + packed(bytes.substr(309))));
  QCOMPARE(idx.dims(), (std::vector<int>{50, 4, 4}));
  const std::vector<std::uint8_t> samples = idx.read();
  QVERIFY(std::equal(samples.begin(), samples.end(), bytes.begin() + 16,
                     [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }));
}

/// Packed files are read in chunks of 256 KiB: here the second member's first two bytes lie in different ones.
void TestIdx::readsAcrossChunks() {
  constexpr std::uint32_t kCount = 600'000;
  std::string bytes = idxHeader({kCount});
  Rng rng(3, Stream::Test);
  for (std::uint32_t i = 0; i < kCount; ++i) bytes += static_cast<char>(rng.next());  // noise cannot be packed
  std::size_t cut = (1 << 18) - 200;
  while (packed(bytes.substr(0, cut)).size() < (1 << 18) - 1) ++cut;
  QCOMPARE(packed(bytes.substr(0, cut)).size(), std::size_t{(1 << 18) - 1});
  const std::vector<std::uint8_t> samples =
      IdxReader(file(packed(bytes.substr(0, cut)) + packed(bytes.substr(cut)))).read();
  QCOMPARE(samples.size(), std::size_t{kCount});
  QVERIFY(std::memcmp(samples.data(), bytes.data() + 8, samples.size()) == 0);
}

/// What a header promises honestly is verified without being kept.
void TestIdx::verifiesWithoutKeeping() {
  const IdxReader idx(file(packed(idxHeader({200, 1024, 1024}) + std::string(std::size_t{200} << 20, '\0'))));
  largestRequest = 0;
  idx.verify();
  QVERIFY2(largestRequest <= 1 << 20, qPrintable(QString::number(largestRequest)));
}

void TestIdx::refusesEveryPrefix_data() {
  QTest::addColumn<QByteArray>("bytes");
  QTest::newRow("images") << QByteArray::fromStdString(idxFile(12, 4));
  QTest::newRow("labels") << QByteArray::fromStdString(idxFile(64, 0));
  QTest::newRow("images, packed") << QByteArray::fromStdString(packed(idxFile(12, 4)));
  QTest::newRow("labels, packed") << QByteArray::fromStdString(packed(idxFile(64, 0)));
}

void TestIdx::refusesEveryPrefix() {
  QFETCH(QByteArray, bytes);
  for (int length = 0; length < bytes.size(); ++length)
    QVERIFY2(!refused(bytes.left(length).toStdString()).isEmpty(),
             qPrintable(QString("cut after %1 bytes").arg(length)));
}

void TestIdx::refusesImpossibleDimensions() {
  // All that 32 bits can say; products of three wrap 64 bits.
  const std::uint32_t values[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 4194305};
  for (const std::uint32_t a : values)
    for (const std::uint32_t b : values)
      for (const std::uint32_t c : values) {
        const std::string bytes = idxHeader({a, b, c}) + std::string(16, 'x');
        const QByteArray name = QString("%1 x %2 x %3").arg(a).arg(b).arg(c).toUtf8();
        QVERIFY2(!refused(bytes).isEmpty(), name);
        QVERIFY2(!refused(packed(bytes)).isEmpty(), name);
      }
  // Four dimensions whose product is 4 modulo 2^64.
  QVERIFY(!refused(idxHeader({0x80000001, 0x80000000, 4, 1}) + "1234").isEmpty());
}

void TestIdx::refusesWrongLengths() {
  const std::string images = idxFile(100, 4);
  for (std::size_t by = 1; by <= 60; ++by) {
    const std::string cut = images.substr(0, images.size() - by), longer = images + std::string(by, '\0');
    for (const bool gzip : {false, true}) {
      const QString tooShort = refused(gzip ? packed(cut) : cut), tooLong = refused(gzip ? packed(longer) : longer);
      QVERIFY2(tooShort.contains("1600") && tooShort.contains(QString::number(1600 - by)), qPrintable(tooShort));
      QVERIFY2(tooLong.contains("goes on after the 1600 bytes"), qPrintable(tooLong));
    }
  }
}

void TestIdx::refusesOtherMagic() {
  int cases = 0;
  for (const int type : {0x00, 0x01, 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e, 0x80, 0xff})
    for (const int rank : {0, 1, 2, 3, 4, 5, 255})
      for (const int first : {0, 1}) {
        if (type >= 8 && type <= 0x0e && rank >= 1 && rank <= 4 && first == 0) continue;
        std::string bytes = bigEndian(static_cast<std::uint32_t>(first << 24 | type << 8 | rank));
        for (int i = 0; i < 5; ++i) bytes += bigEndian(1);
        QVERIFY(refused(bytes).contains("is not an IDX file"));
        ++cases;
      }
  QCOMPARE(cases, 116);
  QVERIFY(refused("\x89PNG\r\n\x1a\n").contains("0x89504E47"));
}

void TestIdx::refusesDamagedGzip_data() {
  QTest::addColumn<QByteArray>("bytes");
  const std::string good = packed(idxFile(30, 4));
  const auto row = [](const char* name, const std::string& bytes) {
    QTest::newRow(name) << QByteArray::fromStdString(bytes);
  };
  row("stray bytes behind", good + "x");
  row("zeros behind", good + std::string(512, '\0'));
  row("half a second member", good + good.substr(0, 11));
  row("a whole second file", good + good);
  std::string damaged = good;
  damaged[damaged.size() - 1] ^= 1;
  row("wrong size at the end", damaged);
  damaged = good;
  damaged[damaged.size() - 6] ^= 1;
  row("wrong checksum", damaged);
  damaged = good;
  damaged[2] = 7;
  row("unknown method", damaged);
  row("gzip in gzip", packed(good));
}

void TestIdx::refusesDamagedGzip() {
  QFETCH(QByteArray, bytes);
  QVERIFY(!refused(bytes.toStdString()).isEmpty());
}

void TestIdx::refusesBombs_data() {
  QTest::addColumn<QByteArray>("bytes");
  const auto row = [](const char* name, const std::string& bytes) {
    QTest::newRow(name) << QByteArray::fromStdString(bytes);
  };
  // 64 MiB of zeros, packed once and repeated as members: 10 GB in 10 MB.
  const std::string zeros = packed(std::string(std::size_t{64} << 20, '\0'));
  std::string tenGigabytes;
  for (int i = 0; i < 160; ++i) tenGigabytes += zeros;
  row("zeros alone", tenGigabytes);
  row("claims MNIST", packed(idxHeader({60000, 28, 28})) + tenGigabytes);
  row("claims 10 GB", packed(idxHeader({160, 8192, 8192})) + tenGigabytes);
  row("claims more than deflate can pack", packed(idxHeader({100, 1000, 1000})));
  row("claims 90 MB, holds 64 MiB", packed(idxHeader({90, 1000, 1000})) + zeros + std::string(1, '\0'));
  row("claims 90 MB, holds 128 MiB", packed(idxHeader({90, 1000, 1000})) + zeros + zeros);
  std::string empty;
  const std::string member = packed("");
  for (int i = 0; i < 1'000'000; ++i) empty += member;
  row("a million empty members", empty);
}

void TestIdx::refusesBombs() {
  QFETCH(QByteArray, bytes);
  const std::string content = bytes.toStdString();
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  QVERIFY(!refused(content).isEmpty());
  getrusage(RUSAGE_SELF, &after);
  QVERIFY2(after.ru_maxrss - before.ru_maxrss < 128 * 1024, "more than 128 MiB of memory");  // in KiB
}

void TestIdx::refusesWhatIsNoFile() {
  const Path folder = m_folder.path().toStdString(), pipe = folder / "pipe";
  QCOMPARE(mkfifo(pipe.c_str(), 0600), 0);
  for (const Path& path : {folder / "absent", folder, pipe, Path("/dev/zero")})
    QVERIFY2(!refusal(Error::Kind::File, [&] { IdxReader(path).read(); }).isEmpty(), path.c_str());
}

QTEST_GUILESS_MAIN(TestIdx)
#include "tst_idx.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// safetensors: what is written comes back, and no damaged file is read as something else.
#include <QTest>

#include "engine/base/json.h"
#include "engine/base/safetensors.h"
#include "test_files.h"

using namespace strata;

namespace {

SafeTensorsFile example() {
  SafeTensorsFile file;
  file.metadata = {{"made", "for a test"}};
  file.tensors["a"] = {"F32", {2, 3}, std::string(24, 'a')};
  file.tensors["b"] = {"U8", {5}, std::string(5, 'b')};
  file.tensors["c"] = {"I64", {}, std::string(8, 'c')};
  file.tensors["none"] = {"F32", {0, 7}, ""};
  return file;
}

std::string withHeader(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + header + data;
}

std::string entry(const std::string& shape, quint64 begin, quint64 end) {
  return "{\"dtype\":\"F32\",\"shape\":" + shape + ",\"data_offsets\":[" + std::to_string(begin) + "," +
         std::to_string(end) + "]}";
}

/// The header of a file that holds these bytes.
SafeTensorsHeader prove(const std::string& bytes, const std::string& where) {
  return parseSafeTensorsHeader(bytes, bytes.size(), where);
}

}  // namespace

class TestSafeTensors : public QObject {
  Q_OBJECT
 private slots:
  void comesBack();
  void readsTheGoldenFile();
  void everyCutIsRefused();
  void moreBytesAreRefused();
  void headerBitFlipsNeverCrash();
  void refuses_data();
  void refuses();
  void sizesThatWrapAreRefused_data();
  void sizesThatWrapAreRefused();
  void whatTheHeaderDoesNotAccountForIsNotRead_data();
  void whatTheHeaderDoesNotAccountForIsNotRead();
  void messagesStayShort();
};

void TestSafeTensors::comesBack() {
  const ScratchFolder folder;
  const SafeTensorsFile file = example();
  durableReplace(folder / "x.safetensors", safeTensorsBytes(file));
  const SafeTensorsFile back = readSafeTensors(folder / "x.safetensors");
  QVERIFY(back.metadata == file.metadata);
  QCOMPARE(back.tensors.size(), file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    QCOMPARE(back.tensors.at(name).dtype, tensor.dtype);
    QVERIFY(back.tensors.at(name).shape == tensor.shape);
    QCOMPARE(back.tensors.at(name).bytes, tensor.bytes);
  }
  QCOMPARE(safeTensorsBytes(back), safeTensorsBytes(file));
}

void TestSafeTensors::readsTheGoldenFile() {
  const SafeTensorsFile file = readSafeTensors(STRATA_SOURCE_DIR "/tests/golden/seed_init.safetensors");
  QCOMPARE(file.tensors.size(), std::size_t{8});
  QVERIFY((file.tensors.at("conv2.kernel").shape == std::vector<std::int64_t>{5, 5, 24, 48}));
}

void TestSafeTensors::everyCutIsRefused() {
  const std::string bytes = safeTensorsBytes(example());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const QString message = refusedWith(Error::Kind::Input, [&] { prove(bytes.substr(0, size), "cut"); });
    QVERIFY2(message.startsWith("cut"), qPrintable(QString::number(size) + ": " + message));
  }
}

void TestSafeTensors::moreBytesAreRefused() {
  const QString message = refusedWith(Error::Kind::Input, [] { prove(safeTensorsBytes(example()) + "x", "long"); });
  QVERIFY2(message.contains("1 bytes after the last tensor"), qPrintable(message));
}

/// A flip may make another sound header (a letter of a name); then every tensor still lies inside the file.
void TestSafeTensors::headerBitFlipsNeverCrash() {
  const std::string bytes = safeTensorsBytes(example());
  const std::size_t headerEnd = bytes.find('}', bytes.rfind("data_offsets")) + 2;
  int refused = 0;
  for (std::size_t bit = 0; bit < headerEnd * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    try {
      const SafeTensorsHeader header = prove(flipped, "flipped");
      for (const auto& [name, place] : header.tensors)
        QVERIFY(place.begin <= place.end && header.end + place.end <= flipped.size());
    } catch (const Error& error) {
      QCOMPARE(error.kind(), Error::Kind::Input);
      ++refused;
    }
  }
  QVERIFY2(refused > static_cast<int>(headerEnd) * 4, qPrintable(QString::number(refused)));
}

void TestSafeTensors::refuses_data() {
  QTest::addColumn<QByteArray>("bytes");
  QTest::addColumn<QString>("says");
  const std::string eight(8, '\0');
  const auto add = [](const char* name, const std::string& bytes, const char* says) {
    QTest::newRow(name) << QByteArray::fromStdString(bytes) << says;
  };
  add("empty", "", "ends too early");
  add("huge header", std::string(8, '\xff') + "{}", "the header claims");
  add("header past the end", std::string(1, 64) + std::string(7, 0) + "{}", "the header claims 64 bytes, at most 2");
  add("no object", withHeader("[1]", ""), "must begin with {");
  add("spaces first", withHeader(" {}", ""), "must begin with {");
  add("duplicate", withHeader("{\"a\":" + entry("[1]", 0, 4) + ",\"a\":" + entry("[1]", 4, 8) + "}", eight),
      "appears twice");
  add("hole", withHeader("{\"a\":" + entry("[1]", 4, 8) + "}", eight), "(hole)");
  add("overlap", withHeader("{\"a\":" + entry("[1]", 0, 4) + ",\"b\":" + entry("[1]", 0, 4) + "}", "1234"),
      "(overlap)");
  add("past the end", withHeader("{\"a\":" + entry("[4]", 0, 16) + "}", eight), "ends at 16, the file holds 8");
  add("wrong size", withHeader("{\"a\":" + entry("[2]", 0, 4) + "}", eight), "needs 8 bytes");
  add("backwards", withHeader("{\"a\":" + entry("[1]", 8, 4) + "}", eight), "its offsets are 8 and 4");
  add("negative", withHeader("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", eight),
      "must be a whole number");
  add("fraction", withHeader("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", eight),
      "must be a whole number");
  add("unknown type", withHeader("{\"a\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]}}", eight),
      "needed F32, I64 or U8");
  add("no shape", withHeader("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", eight), "must have dtype, shape");
  add("another key",
      withHeader("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"path\":\"/etc\"}}", eight),
      "and nothing else");
  add("metadata no text", withHeader("{\"__metadata__\":{\"a\":1}}", ""), "must be text");
  add("too many axes", withHeader("{\"a\":" + entry("[1,1,1,1,1,1,1,1,2]", 0, 8) + "}", eight), "at most 8");
  add("deep", withHeader("{\"a\":" + std::string(5000, '[') + "}", ""), "nested deeper");
}

void TestSafeTensors::refuses() {
  QFETCH(QByteArray, bytes);
  QFETCH(QString, says);
  const QString message = refusedWith(Error::Kind::Input, [&] { prove(bytes.toStdString(), "file"); });
  QVERIFY2(message.startsWith("file") && message.contains(says), qPrintable(message));
}

void TestSafeTensors::sizesThatWrapAreRefused_data() {
  QTest::addColumn<QString>("shape");
  QTest::newRow("known to wrap to 4") << "[4194305,4194305,211106198978564]";
  for (const char* a :
       {"2147483648", "4294967296", "4611686018427387904", "9223372036854775808", "18446744073709551615"})
    for (const char* b : {"2", "2147483648", "4294967296", "18446744073709551615"})
      QTest::addRow("%s x %s", a, b) << QString("[%1,%2]").arg(a, b);
}

void TestSafeTensors::sizesThatWrapAreRefused() {
  QFETCH(QString, shape);
  for (const quint64 claimed : {0ull, 4ull, 8ull, 16ull}) {
    const std::string bytes =
        withHeader("{\"a\":" + entry(shape.toStdString(), 0, claimed) + "}", std::string(claimed, '\0'));
    QVERIFY(refusedWith(Error::Kind::Input, [&] { prove(bytes, "file"); }).startsWith("file"));
  }
}

void TestSafeTensors::whatTheHeaderDoesNotAccountForIsNotRead_data() {
  QTest::addColumn<QByteArray>("header");
  QTest::newRow("no tensor") << QByteArray("{}");
  QTest::newRow("a small tensor") << QByteArray::fromStdString("{\"a\":" + entry("[4]", 0, 16) + "}");
  QTest::newRow("all but a byte") << QByteArray::fromStdString(
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[8589934591],\"data_offsets\":[0,8589934591]}}");
}

/// Eight gibibytes that take no room on the disk, behind a header: no time and no memory are spent on them.
void TestSafeTensors::whatTheHeaderDoesNotAccountForIsNotRead() {
  QFETCH(QByteArray, header);
  const ScratchFolder folder;
  const Path path = folder / "sparse.safetensors";
  const std::string start = withHeader(header.toStdString(), "");
  writeText(path, start);
  std::filesystem::resize_file(path, start.size() + (std::uintmax_t{8} << 30));
  RegularFile file(path);
  std::string read;
  const QString message = refusedWith(Error::Kind::Input, [&] { readSafeTensorsHeader(file, &read); });
  QVERIFY2(message.contains("bytes after the last tensor belong to nothing"), qPrintable(message));
  QCOMPARE(QString::fromStdString(file.read(4)), QString(4, QChar(0)));  // it had stopped behind the header
}

void TestSafeTensors::messagesStayShort() {
  const std::string name(5000, 'n'), esc = "\\u001b[2J\\u001b[31m\\r\\nstrata: all is well";
  for (const std::string& header :
       {"{\"" + name + "\":" + entry("[2]", 0, 4) + "}", "{\"" + name + "\":1}", "{\"" + esc + "\":1}",
        "{\"a\":{\"dtype\":\"" + name + "\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[\"" + name + "\"],\"data_offsets\":[0,8]}}",
        "{\"__metadata__\":{\"" + name + "\":1}}", "{\"" + name + "\":1,\"" + name + "\":1}", "{" + name}) {
    const QString message = refusedWith(Error::Kind::Input, [&] { prove(withHeader(header, "12345678"), "file"); });
    QVERIFY2(message.startsWith("file") && message.size() < 400, qPrintable(message));
    QVERIFY2(std::none_of(message.begin(), message.end(), [](QChar c) { return c.unicode() < 0x20; }),
             qPrintable(message));
  }
}

QTEST_APPLESS_MAIN(TestSafeTensors)
#include "tst_safetensors.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Bad files given to the program: each is refused with one sentence and its exit code, without a crash, and without
// taking more memory than 64 MiB and twice the file.
#include <sys/stat.h>

#include <QTest>

#include "cli_run.h"
#include "engine/json.h"
#include "engine/train/checkpoint.h"
#include "tiny_run.h"

using namespace strata;

namespace {

std::string safetensors(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + header + data;
}

std::string g_data;  ///< a sound data set's folder

std::string project(const std::string& layers) {
  return R"({"version": 1, "data": {"source": ")" + g_data +
         R"("}, "network": {"input": [28, 28, 1], "classes": 10, "layers": [)" + layers + "]}}";
}

std::string repeated(const std::string& text, int times) {
  return QByteArray::fromStdString(text).repeated(times).toStdString();
}

std::string checkpoint() {
  Checkpoint checkpoint;
  checkpoint.network = tinyProject().network;
  checkpoint.classes = {"a", "b", "c"};
  checkpoint.weights = initialWeights(checkpoint.network, 1);
  return checkpointBytes(checkpoint);
}

std::string flipped(std::string bytes, std::size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 4);
  return bytes;
}

/// A PNG's signature and header that claims a size.
std::string pngHead(std::uint32_t width, std::uint32_t height) {
  std::string chunk = "IHDR" + bigEndian(width) + bigEndian(height) + std::string("\x08\0\0\0\0", 5);
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(chunk.data()), static_cast<uInt>(chunk.size()));
  return "\x89PNG\r\n\x1a\n" + bigEndian(13) + chunk + bigEndian(static_cast<std::uint32_t>(crc));
}

}  // namespace

class TestHostile : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void files_data();
  void files();
  void pipesAreNotWaitedFor();

 private:
  static constexpr long kUsual = 16 << 10;  ///< kilobytes that looking at a good file takes at most
  ScratchFolder m_folder;
};

void TestHostile::initTestCase() {
  g_data = (m_folder / "data").string();
  writeTinyData(g_data);
  const std::string lesson = STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata";
  const CliResult good = runStrata({"info", lesson}, kUsual);
  QVERIFY2(good.exitCode == 0, good.err.c_str());
  QCOMPARE(runStrata({"info", lesson}, 1 << 10).exitCode != 0, true);  // the limit is a limit
}

void TestHostile::files_data() {
  QTest::addColumn<QByteArray>("bytes");
  QTest::addColumn<QString>("command");
  const auto add = [](const char* name, const std::string& bytes, const char* command = "info") {
    QTest::newRow(name) << QByteArray::fromStdString(bytes) << command;
  };
  const std::string conv = R"({"type": "conv2d", "name": "c", "filters": 8, "kernel_size": 5})",
                    flatten = R"({"type": "flatten", "name": "f"})";
  const auto dense = [](const std::string& name, const std::string& units) {
    return R"({"type": "dense", "name": ")" + name + R"(", "units": )" + units + "}";
  };

  add("empty", "");
  add("rubbish", std::string(5000, '\x5a'));
  add("IDX cut in the header", idxHeader({60000, 28, 28}).substr(0, 9));
  add("IDX cut in the data", idxFile(100, 28).substr(0, 70000));
  add("IDX too long", idxFile(10, 28) + "x");
  add("IDX claims 2^96", idxHeader({0xffffffff, 0xffffffff, 0xffffffff}) + "1234");
  add("IDX wraps to 0", idxHeader({0x80000000, 0x80000000, 4}));
  add("IDX of floats", std::string("\0\0\x0d\x01", 4) + bigEndian(1) + "1234");
  add("IDX with 0 dimensions", std::string("\0\0\x08\0", 4));
  add("IDX.gz that is cut", packed(idxFile(100, 28)).substr(0, 200));
  add("IDX.gz damaged", flipped(packed(idxFile(100, 28)), 60));
  add("gzip bomb behind a small header", packed(idxHeader({10, 28, 28}) + std::string(200 << 20, '\0')));
  add("gzip bomb that claims its size",
      packed(idxHeader({200 << 10, 32, 32}) + std::string(200 << 20, '\0')).substr(0, 100000));
  add("gzip of nothing", packed(""));
  add("gzip, 20,000 empty members", repeated(packed(""), 20000));

  add("project cut", project(conv).substr(0, 60));
  add("project of a newer version", R"({"version": 99})");
  add("project, duplicate key", R"({"version": 1, "version": 1})");
  add("project, very deep", repeated(R"({"a":)", 100000));
  add("project, a megabyte of numbers", R"({"version": 1, "x": [)" + repeated("0,", 500000) + "0]}");
  add("project, two megabytes", R"({"version": 1, "name": ")" + std::string(2 << 20, 'x') + "\"}");
  add("project, unknown layer", project(R"({"type": "lambda", "name": "x"})"));
  add("project, unknown field", project(R"({"type": "dense", "name": "x", "units": 10, "code": "exit"})"));
  add("project, field of a wrong type", project(R"({"type": "dense", "name": "x", "units": "ten"})"));
  add("project, two layers of a name", project(flatten + "," + dense("d", "10") + "," + dense("d", "10")));
  add("project, kernel too large", project(R"({"type": "conv2d", "name": "c", "filters": 8, "kernel_size": 29},)" +
                                           flatten + "," + dense("d", "10")));
  add("project, kernel too large, trained",
      project(R"({"type": "conv2d", "name": "c", "filters": 8, "kernel_size": 29},)" + flatten + "," +
              dense("d", "10")),
      "train");
  add("project, dense on a picture", project(dense("d", "10")));
  add("project, wrong number of classes", project(flatten + "," + dense("d", "11")));
  add("project, absurd units", project(flatten + "," + dense("a", "1000000000") + "," + dense("d", "10")));
  add("project, too many layers", project(repeated(R"({"type": "activation", "name": "x"},)", 5000) + flatten));
  add("project, input too large",
      R"({"version": 1, "network": {"input": [2147483647, 2147483647, 2147483647], "classes": 10, "layers": [)" +
          flatten + "]}}");
  add("project, input wraps",
      R"({"version": 1, "network": {"input": [4294967297, 1, 1], "classes": 10, "layers": []}}")");

  add("safetensors cut", safetensors(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}})", "12345678"));
  add("safetensors, endless header", std::string(7, '\xff') + std::string("\x7f", 1) + "{}");
  add("safetensors, sizes wrap to 4",
      safetensors(R"({"a":{"dtype":"F32","shape":[4194305,4194305,211106198978564],"data_offsets":[0,16]}})",
                  std::string(16, '\0')));
  add("safetensors, 20 MB of lists", safetensors(R"({"a":[)" + repeated("[],", 6'600'000) + "[]]}", ""));
  add("safetensors, 300,000 names", [] {
    std::string header = "{";
    for (int i = 0; i < 300000; ++i) header.append("\"").append(std::to_string(i)).append("\":{},");
    return safetensors(header + "\"x\":{}}", "");
  }());
  add("checkpoint, weight flipped", flipped(checkpoint(), checkpoint().size() - 20));
  add("checkpoint, header flipped", flipped(checkpoint(), 500));
  add("checkpoint cut", checkpoint().substr(0, checkpoint().size() - 1));

  add("PNG, 65,535 x 65,535", pngHead(65535, 65535));
  add("PNG, nothing follows", pngHead(28, 28));
  add("PNG, size 0", pngHead(0, 28));
  add("JPEG, nothing follows", "\xff\xd8\xff\xe0");
}

void TestHostile::files() {
  QFETCH(QByteArray, bytes);
  QFETCH(QString, command);
  const Path path = m_folder / "file";
  writeText(path, bytes.toStdString());
  const CliResult result =
      runStrata({command.toStdString(), path.string()}, kUsual + (64 << 10) + 2 * (bytes.size() >> 10));
  QVERIFY2(result.exitCode == 3,
           (std::to_string(result.exitCode) + ": " + result.err + result.out.substr(0, 300)).c_str());
  QCOMPARE(std::count(result.err.begin(), result.err.end(), '\n'), 1);
  QVERIFY2(result.err.starts_with("strata: ") && result.err.ends_with(".\n") && result.err.size() < 1000,
           result.err.c_str());
}

void TestHostile::pipesAreNotWaitedFor() {
  QCOMPARE(::mkfifo((m_folder / "pipe").c_str(), 0600), 0);
  for (const char* command : {"info", "train"}) {
    const CliResult result = runStrata({command, (m_folder / "pipe").string()});
    QCOMPARE(result.exitCode, 4);
    QVERIFY2(result.err.find("is not a regular file") != std::string::npos, result.err.c_str());
  }
}

QTEST_GUILESS_MAIN(TestHostile)
#include "tst_hostile.moc"

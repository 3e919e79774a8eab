// SPDX-License-Identifier: GPL-3.0-or-later
// Bad files given to the program: each is refused with one sentence and its exit code, without a crash, and without
// taking more memory than 64 MiB and twice the file.
#include <sys/stat.h>

#include <QTest>

#include <functional>

#include "engine/base/json.h"

#include "checkpoint_file.h"
#include "cli_run.h"
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

/// A grey picture of that side with a bright bar in it.
std::string pngBar(std::uint32_t side) {
  const auto chunk = [](const std::string& body) {  // type and data
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
    return bigEndian(static_cast<std::uint32_t>(body.size() - 4)) + body + bigEndian(static_cast<std::uint32_t>(crc));
  };
  std::string rows;
  for (std::uint32_t y = 0; y < side; ++y) {
    std::string row(side + 1, '\0');  // the first byte: no filter
    if (y > side / 4 && y < side / 2) std::fill(row.begin() + side / 4, row.end() - side / 4, '\xff');
    rows += row;
  }
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR" + bigEndian(side) + bigEndian(side) + std::string("\x08\0\0\0\0", 5)) +
         chunk("IDAT" + packed(rows, 15)) + chunk("IEND");
}

/// Two layers of windows bring the largest picture down to a number: few weights, gibibytes of outputs.
NetworkSpec vastNetwork() {
  NetworkSpec network;
  network.input = Shape::image(16384, 16384, 1);
  network.classes = 3;
  const Pair window{128, 128};
  network.layers.push_back(tinyLayer(network, "conv2d", {{"filters", std::int64_t{6}}, {"kernel_size", Pair{1, 1}}}));
  for (int i = 0; i < 2; ++i)
    network.layers.push_back(tinyLayer(network, "max_pool2d", {{"pool_size", window}, {"strides", window}}));
  network.layers.push_back(tinyLayer(network, "flatten"));
  network.layers.push_back(tinyLayer(network, "dense", {{"units", std::int64_t{3}}}));
  return network;
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
  void runs_data();
  void runs();
  void descriptionsAreOptional_data();
  void descriptionsAreOptional();
  void aVastNetIsRefusedBeforeItIsMade();
  void onePictureTakesRoomForOne();
  void foreignTextIsShownHarmless();
  void honestBombsAreVerified();

 private:
  Path copyOfRun();

  static constexpr long kUsual = 16 << 10;  ///< kilobytes that looking at a good file takes at most
  ScratchFolder m_folder;
  int m_copies = 0;
};

namespace {

/// One sentence that begins with the program's name, and nothing a library says.
bool isSentence(const std::string& err) {
  for (const char* word : {"json.exception", "std::", "filesystem error"})
    if (err.find(word) != std::string::npos) return false;
  return std::count(err.begin(), err.end(), '\n') == 1 && err.starts_with("strata: ") && err.ends_with(".\n") &&
         err.size() < 1000;
}

std::string said(const CliResult& result) {
  return std::to_string(result.exitCode) + ": " + result.err + result.out.substr(0, 500);
}

}  // namespace

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
  add("IDX of an unknown type", std::string("\0\0\x07\x01", 4) + bigEndian(1) + "1234");
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
  QVERIFY2(result.exitCode == 3 && isSentence(result.err), said(result).c_str());
}

void TestHostile::pipesAreNotWaitedFor() {
  QCOMPARE(::mkfifo((m_folder / "pipe").c_str(), 0600), 0);
  for (const char* command : {"info", "train"}) {
    const CliResult result = runStrata({command, (m_folder / "pipe").string()});
    QCOMPARE(result.exitCode, 4);
    QVERIFY2(result.err.find("is not a regular file") != std::string::npos, result.err.c_str());
  }
}

/// A run of two epochs, made once, in a folder of its own.
Path TestHostile::copyOfRun() {
  const Path good = m_folder / "good";
  if (!std::filesystem::exists(good)) {
    writeText(m_folder / "tiny.strata", tinyProjectText(g_data));
    runStrata({"train", (m_folder / "tiny.strata").string(), "--out", good.string(), "--threads", "1"});
  }
  const Path copy = m_folder / ("copy" + std::to_string(m_copies++));
  std::filesystem::copy(good, copy, std::filesystem::copy_options::recursive);
  return copy;
}

using Change = std::function<void(CheckpointFile&)>;
Q_DECLARE_METATYPE(Change)

void TestHostile::runs_data() {
  QTest::addColumn<Change>("change");
  const auto number = [](const char* key, const char* value) {
    QTest::addRow("%s %s", key, value) << Change(
        [=](CheckpointFile& file) { file.state[key] = parseJson(value, "the value"); });
  };
  for (const char* value : {"18446744073709551104", "18446744073709549056", "9223372036854775808",
                            "9223372036854776064", "18446741874686296064", "-256"})
    number("epoch_samples", value);
  for (const char* value : {"4294967295", "2147483648", "2147483647", "4294967297", "-1"}) number("epoch", value);
  for (const char* value : {"18446744073709551615", "9223372036854775808", "9007199254740991"}) number("step", value);
  for (const char* value : {"0", "4294967297", "-1"}) number("version", value);
  number("epoch_seconds", "-1e308");
  number("epoch_loss_sum", "1e308");
  number("epoch_hits", "18446744073709551615");  // as version 2 had it
  for (const char* value : {"{\"accuracy\": 1e300}", "{\"accuracy\": -1}", "{\"accuracy\": \"1\"}", "[]"})
    number("epoch_metrics", value);
  for (const char* value : {"{}", "5", "{\"type\": \"no such\"}", "{\"type\": \"softmax_cross_entropy\", \"x\": 1}"})
    number("loss", value);
  QTest::newRow("more classes than the net has") << Change([](CheckpointFile& file) {
    for (int i = 0; i < 200000; ++i) file.state["classes"].push_back(std::to_string(i));
  });
  QTest::newRow("weights that are not numbers")
      << Change([](CheckpointFile& file) { file.setFloats("dense1.bias", std::vector<float>(10, std::nanf(""))); });
}

/// Every checkpoint of a run says something impossible, with a right checksum: whoever reads them says so.
void TestHostile::runs() {
  QFETCH(Change, change);
  const Path run = copyOfRun(), checkpoints = run / "checkpoints";
  CheckpointFile file(readCheckpoint(checkpoints / "last.safetensors"));
  change(file);
  for (const char* name : {"last", "previous", "best", "epoch-0001", "epoch-0002"})
    writeText(checkpoints / (std::string(name) + ".safetensors"), file.bytes());
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"info", (checkpoints / "last.safetensors").string()},
        {"info", run.string()},
        {"predict", run.string(), "digit.png"},
        {"train", "--resume", run.string(), "--epochs", "4"}}) {
    const CliResult result = runStrata(command);
    QVERIFY2(result.exitCode == 3 && isSentence(result.err), said(result).c_str());
  }
}

void TestHostile::descriptionsAreOptional_data() {
  QTest::addColumn<QString>("file");
  QTest::addColumn<QByteArray>("content");
  for (const char* file : {"summary.json", "environment.json"}) {
    QTest::addRow("%s, empty", file) << file << QByteArray();
    QTest::addRow("%s, cut", file) << file << QByteArray("{\"name\": \"x");
    QTest::addRow("%s, a list", file) << file << QByteArray("[]");
    QTest::addRow("%s, a number too large", file) << file << QByteArray("{\"threads\": 1e308, \"name\": 7}");
    QTest::addRow("%s, a loop of links", file) << file << QByteArray("loop");
  }
}

/// What only describes a run does not keep its checkpoints from being used.
void TestHostile::descriptionsAreOptional() {
  QFETCH(QString, file);
  QFETCH(QByteArray, content);
  const Path run = copyOfRun(), path = run / file.toStdString();
  std::filesystem::remove(path);
  if (content == "loop") std::filesystem::create_symlink(path.filename(), path);
  else writeText(path, content.toStdString());
  const CliResult info = runStrata({"info", run.string()});
  QVERIFY2(info.exitCode == 0 && info.out.find("Checkpoints: all sound") != std::string::npos, said(info).c_str());
  if (content != "loop") {
    const CliResult more = runStrata({"train", "--resume", run.string(), "--epochs", "3"});
    QVERIFY2(more.exitCode == 0 && more.err.empty(), said(more).c_str());
  }
}

void TestHostile::aVastNetIsRefusedBeforeItIsMade() {
  Checkpoint vast;
  vast.network = vastNetwork();
  vast.weights = initialWeights(vast.network, 1);
  const Path path = m_folder / "vast.safetensors";
  writeText(path, checkpointBytes(vast));
  const CliResult info = runStrata({"info", path.string()}, kUsual);
  QVERIFY2(info.exitCode == 0, said(info).c_str());
  const CliResult predict = runStrata({"predict", path.string(), "digit.png"}, 64 << 10);
  QVERIFY2(predict.exitCode == 3 && isSentence(predict.err), said(predict).c_str());
  QVERIFY2(predict.err.find("MiB of memory") != std::string::npos, predict.err.c_str());
  Project project;
  project.network = vast.network;
  writeProject(m_folder / "vast.strata", project);
  const CliResult bench = runStrata({"bench", (m_folder / "vast.strata").string(), "--batch", "1"}, 64 << 10);
  QVERIFY2(bench.exitCode == 3 && isSentence(bench.err), said(bench).c_str());
}

/// A net whose outputs take 10 MiB a sample answers for one picture where there is no room for many.
void TestHostile::onePictureTakesRoomForOne() {
  Checkpoint large;
  large.network = vastNetwork();
  large.network.input = Shape::image(512, 512, 1);
  for (const std::size_t pool : {1, 2}) large.network.layers[pool].fields.set("pool_size", Pair{22, 22});
  for (const std::size_t pool : {1, 2}) large.network.layers[pool].fields.set("strides", Pair{22, 22});
  large.weights = initialWeights(large.network, 1);
  writeText(m_folder / "large.safetensors", checkpointBytes(large));
  writeText(m_folder / "bar.png", pngBar(100));
  const CliResult result =
      runStrata({"predict", (m_folder / "large.safetensors").string(), (m_folder / "bar.png").string()}, 128 << 10);
  QVERIFY2(result.exitCode == 0 && result.out.find("bar.png: ") != std::string::npos, said(result).c_str());
}

/// Names out of files command no terminal, forge no line and flood no screen.
void TestHostile::foreignTextIsShownHarmless() {
  const std::string evil = "evil\x1b[2J\r\nstrata: all is well\xC2\x9b\xE2\x80\xAE" + std::string(5000, 'n');
  const Path run = copyOfRun();
  Project project = readProject(run / "project.json");
  project.name = evil;
  project.data.source = evil;
  writeProject(run / "project.json", project);
  for (const char* file : {"summary.json", "environment.json"}) {
    Json json = parseJson(readText(run / file), file);
    for (auto& [key, value] : json.items())
      if (value.is_string()) value = evil;
    writeText(run / file, prettyJson(json));
  }
  const Path plain = m_folder / "evil.safetensors";
  writeText(plain, safeTensorsBytes({{}, {{evil, {"F32", {1}, "1234"}}}}));
  const Path data = m_folder / evil.substr(0, 120);
  writeTinyData(data);
  for (const Path& path : {run, run / "project.json", plain, data}) {
    const CliResult result = runStrata({"info", path.string()});
    QVERIFY2(result.exitCode == 0, said(result).c_str());
    const QString shown = QString::fromStdString(result.out);
    QVERIFY2(shown.contains("evil") && shown.size() < 3000, result.out.c_str());
    for (const QChar c : shown)
      if (c != '\n') QVERIFY2(c.category() != QChar::Other_Control && c.unicode() != 0x202E, result.out.c_str());
    QVERIFY2(!shown.contains("\nstrata: all is well"), result.out.c_str());
  }
}

/// A header may honestly promise a thousand times what its file takes on the disk.
void TestHostile::honestBombsAreVerified() {
  const Path path = m_folder / "honest.gz";
  writeText(path, packed(idxHeader({200, 1024, 1024}) + std::string(std::size_t{200} << 20, '\0')));
  const CliResult packedOne = runStrata({"info", path.string()}, kUsual);
  QVERIFY2(packedOne.exitCode == 0, said(packedOne).c_str());
  writeText(path, idxFile(3, 4));
  const CliResult plain = runStrata({"info", path.string()}, kUsual);
  QVERIFY2(plain.out.find("not packed although its name ends in .gz") != std::string::npos, said(plain).c_str());
}

QTEST_GUILESS_MAIN(TestHostile)
#include "tst_hostile.moc"

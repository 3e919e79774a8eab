// SPDX-License-Identifier: GPL-3.0-or-later
// Checkpoints: all of it comes back, and not one flipped bit goes unnoticed.
#include <QTest>
#include <random>

#include "checkpoint_file.h"
#include "test_files.h"
#include "tiny_run.h"

using namespace strata;

namespace {

Checkpoint example() {
  Checkpoint checkpoint;
  checkpoint.network = tinyProject().network;
  checkpoint.preprocessing = {0.1, -0.3, true};
  checkpoint.classes = {"left", "mïddle", "right"};
  checkpoint.weights = initialWeights(checkpoint.network, 5);
  checkpoint.optimizerSlots = {"m", "v"};
  for (std::size_t i = 0; i < 2 * checkpoint.weights.values.size(); ++i)
    checkpoint.optimizerState.push_back(static_cast<float>(i));
  checkpoint.step = 12345678901;
  checkpoint.epoch = 9;
  checkpoint.epochLossSum = 1.0 / 3;
  checkpoint.epochMetrics = {{"accuracy", 17}, {"top_5", 30}};
  checkpoint.epochSamples = 32;
  checkpoint.epochSeconds = 0.1 + 0.2;
  checkpoint.averageStart = 700;
  checkpoint.plateau = PlateauState{1.0 / 7, 3, 0.1 * 0.1 * 0.1};
  return checkpoint;
}

}  // namespace

class TestCheckpoint : public QObject {
  Q_OBJECT
 private slots:
  void comesBack();
  void bitFlipsAreDetected();
  void cutsAreRefused();
  void plainFilesAreNoCheckpoints();
  void newerOnesAreRefused();
  void weightsAloneAreRead();
  void wrongWeightsAreRefused_data();
  void wrongWeightsAreRefused();
  void anAbsurdNetworkAllocatesNothing();
  void aLargeFileIsRefusedByItsHeader();

 private:
  ScratchFolder m_folder;
  const Path m_path = m_folder / "c.safetensors";
};

void TestCheckpoint::comesBack() {
  const Checkpoint checkpoint = example();
  durableReplace(m_path, checkpointBytes(checkpoint));
  const Checkpoint back = readCheckpoint(m_path);
  QVERIFY(back.network == checkpoint.network);
  QVERIFY(back.preprocessing == checkpoint.preprocessing);
  QVERIFY(back.classes == checkpoint.classes);
  QVERIFY(back.weights == checkpoint.weights);
  QVERIFY(back.optimizerState == checkpoint.optimizerState);
  QVERIFY(back.optimizerSlots == checkpoint.optimizerSlots);
  QCOMPARE(back.step, checkpoint.step);
  QCOMPARE(back.epoch, checkpoint.epoch);
  QVERIFY(back.epochLossSum == checkpoint.epochLossSum);  // the very same bits
  QVERIFY(back.epochMetrics == checkpoint.epochMetrics);
  QVERIFY(back.loss == checkpoint.loss);
  QCOMPARE(back.epochSamples, checkpoint.epochSamples);
  QVERIFY(back.epochSeconds == checkpoint.epochSeconds);
  QVERIFY(back.averageStart == checkpoint.averageStart);
  QVERIFY(back.plateau == checkpoint.plateau);
}

/// All bits of the start, where lengths and checksum stand, and of the rest every eleventh: each position in a byte in
/// turn.
void TestCheckpoint::bitFlipsAreDetected() {
  const std::string bytes = checkpointBytes(example());
  for (std::size_t bit = 0; bit < bytes.size() * 8; bit += bit < 400 ? 1 : 11) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    writeText(m_path, flipped);
    const QString message = refusedWith(Error::Kind::Input, [&] { readCheckpoint(m_path); });
    if (!message.startsWith(QString::fromStdString(m_path.string())))
      QFAIL(qPrintable(QString("bit %1: %2").arg(bit).arg(message)));
  }
}

void TestCheckpoint::cutsAreRefused() {
  const std::string bytes = checkpointBytes(example());
  for (std::size_t size = 0; size < bytes.size(); size += size < 100 ? 1 : 7) {
    writeText(m_path, bytes.substr(0, size));
    if (!refusedWith(Error::Kind::Input, [&] { readCheckpoint(m_path); }).contains("c.safetensors"))
      QFAIL(qPrintable(QString::number(size)));
  }
}

void TestCheckpoint::plainFilesAreNoCheckpoints() {
  const QString message =
      refusedWith(Error::Kind::Input, [] { readCheckpoint(STRATA_SOURCE_DIR "/tests/golden/seed_init.safetensors"); });
  QVERIFY2(message.contains("is not a Strata checkpoint"), qPrintable(message));
}

void TestCheckpoint::newerOnesAreRefused() {
  CheckpointFile file(example());
  file.state["version"] = 4;
  writeText(m_path, file.bytes());
  const QString message = refusedWith(Error::Kind::Input, [&] { readCheckpoint(m_path); });
  QVERIFY2(message.contains("newer Strata (checkpoint version 4"), qPrintable(message));
}

void TestCheckpoint::weightsAloneAreRead() {
  const Checkpoint checkpoint = example();
  durableReplace(m_path, checkpointBytes(checkpoint));
  QVERIFY(readWeights(m_path, checkpoint.network) == checkpoint.weights);
}

void TestCheckpoint::wrongWeightsAreRefused_data() {
  QTest::addColumn<int>("change");
  QTest::addColumn<QString>("says");
  QTest::newRow("missing") << 0 << "has no tensor \"dense1.bias\"";
  QTest::newRow("shape") << 1 << "tensor \"dense1.bias\" is 1 × 3, the network needs 3";
  QTest::newRow("type") << 2 << "tensor \"dense1.bias\" has type U8, needed F32";
  QTest::newRow("another") << 3 << "tensor \"extra\" belongs to no layer";
}

void TestCheckpoint::wrongWeightsAreRefused() {
  QFETCH(int, change);
  QFETCH(QString, says);
  writeText(m_path, checkpointBytes(example()));
  SafeTensorsFile file = readSafeTensors(m_path);
  file.metadata.clear();
  SafeTensor& bias = file.tensors.at("dense1.bias");
  if (change == 0) file.tensors.erase("dense1.bias");
  if (change == 1) bias.shape = {1, 3};
  if (change == 2) bias = {"U8", {12}, bias.bytes};
  if (change == 3) file.tensors["extra"] = {"F32", {1}, "1234"};
  writeText(m_path, safeTensorsBytes(file));
  const QString message = refusedWith(Error::Kind::Input, [&] { readWeights(m_path, tinyProject().network); });
  QVERIFY2(message.contains(says), qPrintable(message));
}

void TestCheckpoint::anAbsurdNetworkAllocatesNothing() {
  NetworkSpec network = tinyProject().network;
  network.layers.insert(network.layers.end() - 1, tinyLayer(network, "dense", {{"units", std::int64_t{60000}}}));
  network.layers.insert(network.layers.end() - 1, tinyLayer(network, "dense", {{"units", std::int64_t{30000}}}));
  writeText(m_path, checkpointBytes(example()));
  const QString message = refusedWith(Error::Kind::Input, [&] { readWeights(m_path, network); });
  QVERIFY2(message.startsWith(QString::fromStdString(m_path.string())), qPrintable(message));
}

/// A file of fifteen gibibytes that takes no room on the disk, whose one tensor is as large as it, and a network that
/// has no such tensor.
void TestCheckpoint::aLargeFileIsRefusedByItsHeader() {
  constexpr std::int64_t kFloats = std::int64_t{15} << 28;
  CheckpointFile file(example());
  file.tensors.clear();
  file.tensors["big"] = {"F32", {1}, "1234"};
  std::string bytes = file.bytes();
  const auto replace = [&](const std::string& from, std::string to) {
    bytes.replace(bytes.find(from), from.size(), to);
  };
  replace("\"shape\":[1],\"data_offsets\":[0,4]",
          "\"shape\":[" + std::to_string(kFloats) + "],\"data_offsets\":[0," + std::to_string(4 * kFloats) + "]");
  const std::size_t header = bytes.size() - 4 - 8;
  bytes.resize(8 + header);
  for (int i = 0; i < 8; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<char>(header >> 8 * i & 0xff);
  writeText(m_path, bytes);
  std::filesystem::resize_file(m_path, bytes.size() + 4 * kFloats);
  const QString message = refusedWith(Error::Kind::Input, [&] { readCheckpoint(m_path); });
  QVERIFY2(message.contains("has no tensor \"conv1.kernel\""), qPrintable(message));
}

QTEST_APPLESS_MAIN(TestCheckpoint)
#include "tst_checkpoint.moc"

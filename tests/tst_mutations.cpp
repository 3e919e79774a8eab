// SPDX-License-Identifier: GPL-3.0-or-later
// Thousands of damaged files for every reader of outside data, the same ones each time: each is read or refused with an
// Error, nothing else. Meant to be run with sanitizers, too.
#include <QTemporaryDir>
#include <functional>

#include "checkpoint_file.h"
#include "datasets/datasets.h"
#include "datasets/readers/idx.h"
#include "datasets/readers/inflate.h"
#include "datasets/readers/picture.h"
#include "datasets/readers/zip.h"
#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "engine/run/project.h"
#include "own_data_files.h"
#include "picture_files.h"
#include "tiny_run.h"

using namespace strata;

class TestMutations : public QObject {
  Q_OBJECT

 private slots:
  void readOrRefused_data();
  void readOrRefused();

 private:
  QTemporaryDir m_folder;
};

namespace {

using Parse = std::function<void(const Path&)>;

constexpr int kCases = 600, kMost = kCases / 4;

void readZip(const Path& path) {
  const std::string bytes = readFile(path, 1 << 20);
  const ZipReader zip(asBytes(bytes), path.string());
  for (const ZipMember& member : zip.members()) zip.read(member, 1 << 20);
}

/// As a person's own data: a file of that ending, or in a folder under that name.
Parse ownData(const std::string& ending) {
  return [ending](const Path& path) {
    const Path place = path.string() + ending;
    std::filesystem::create_directories(place.parent_path());
    std::filesystem::rename(path, place);
    const auto inFolder = ending.find('/');
    const auto dataset = loadDataset(path.string() + ending.substr(0, inFolder), {});
    const std::size_t size = static_cast<std::size_t>(dataset->shape.size());
    for (const Samples* part : {&dataset->train, &dataset->test})
      if (part->pixels.size() + part->floats.size() != size * static_cast<std::size_t>(part->count) ||
          part->labels.size() != static_cast<std::size_t>(part->count))
        qFatal("a data set that is not whole");
  };
}

/// One to eight changes: bits, bytes, telling numbers, pieces cut out, doubled or moved.
std::string mutated(std::string bytes, Rng& rng) {
  constexpr std::uint32_t kTelling[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 0xffff};
  for (std::uint32_t change = rng.below(8) + 1; change > 0 && !bytes.empty(); --change) {
    const std::size_t at = rng.below(static_cast<std::uint32_t>(bytes.size()));
    const std::size_t length = std::min<std::size_t>(rng.below(16) + 1, bytes.size() - at);
    switch (rng.below(6)) {
      case 0:
        bytes[at] ^= static_cast<char>(1 << rng.below(8));
        break;
      case 1:
        bytes[at] = static_cast<char>(rng.next());
        break;
      case 2:
        bytes.replace(at, std::min<std::size_t>(4, length),
                      bigEndian(kTelling[rng.below(10)]).substr(0, std::min<std::size_t>(4, length)));
        break;
      case 3:
        bytes.erase(at, length);
        break;
      case 4:
        bytes.insert(at, bytes.substr(at, length));
        break;
      default:
        bytes.insert(rng.below(static_cast<std::uint32_t>(bytes.size())), bytes.substr(at, length));
        break;
    }
  }
  return bytes;
}

}  // namespace

Q_DECLARE_METATYPE(Parse)

void TestMutations::readOrRefused_data() {
  QTest::addColumn<QByteArray>("seed");
  QTest::addColumn<Parse>("parse");
  QTest::addColumn<int>("least");  // refusals
  const Parse idx = [](const Path&path) { IdxReader(path).read(); },
              picture = [](const Path&path) { readPicture(path); };
  const QImage colour = samplePicture(24, 16, QImage::Format_RGB32);
  const auto row = [](const char* name, const std::string& seed, const Parse& parse, int least = kMost) {
    QTest::newRow(name) << QByteArray::fromStdString(seed) << parse << least;
  };
  row("IDX", idxFile(8, 3), idx);
  row("IDX, packed", packed(idxFile(20, 5)), idx);
  row("IDX, packed, two members", packed(idxFile(20, 5).substr(0, 100)) + packed(idxFile(20, 5).substr(100)), idx);
  const Parse checkpoint = [](const Path& path) {
    writeBytes(path, withChecksum(readFile(path, 1 << 20)));
    readCheckpoint(path);
  };
  Checkpoint sound;
  sound.network = tinyProject().network;
  sound.weights = initialWeights(sound.network, 1);
  sound.optimizerState.assign(sound.weights.values.size(), 0.5f);
  sound.optimizerSlots = {"momentum"};
  row("checkpoint with a right checksum", checkpointBytes(sound), checkpoint);
  row("safetensors", safeTensorsBytes({{{"made", "for a test"}}, {{"a", {"F32", {2, 3}, std::string(24, 'a')}}}}),
      [](const Path& path) { readSafeTensors(path); });
  row("project", prettyJson(projectToJson(tinyProject())), [](const Path& path) { readProject(path); });
  row("zip, deflated", zipFile({{"a/b", idxFile(9, 3)}, {"c", "text"}}, true), readZip);
  row("zip, stored", zipFile({{"a/b", "some text"}, {"c", ""}}, false), readZip);
  row("PNG, grey", pictureFile(colour.convertToFormat(QImage::Format_Grayscale8), "png"), picture);
  row("PNG, transparent", pictureFile(colour.convertToFormat(QImage::Format_ARGB32), "png"), picture);
  row("PNG, palette", pictureFile(colour.convertToFormat(QImage::Format_Indexed8), "png"), picture);
  row("JPEG", withOrientation(pictureFile(colour, "jpg"), 6, true), picture);
  row("JPEG, progressive", withOrientation(pictureFile(colour, "jpg", true), 3, false), picture);
  const QImage indexed = colour.convertToFormat(QImage::Format_Indexed8);
  row("GIF", gifFile({indexed, indexed}, 3), picture);
  row("BMP", pictureFile(indexed, "bmp"), picture);
  row("WebP, lossy", webpFile(colour, false), picture);
  row("WebP, animated", extendedWebp({colour, colour}, exifData(6, false)), picture);
  // Damage to a text mostly leaves a text, and damage to a record's pixels a record.
  constexpr int kFew = 5;
  row("table", "a,b,\"c \"\"d\"\"\",label\n1,2.5,-3e1,x\n4,5,6,\"y\"\n7,8,9,x\n", ownData(".csv"), kFew);
  row("table, decimal commas", "a;b;label\r\n1,5;2;x\r\n3;4,25;y\r\n;;\r\n", ownData(".csv"), kFew);
  row("table, packed", packed("a,b,label\n1,2,x\n3,4,y\n"), ownData(".csv.gz"));
  const std::string samples = npyFile("<f4", "(2, 3)", numbersAs<float>({1, 2, 3, 4, 5, 6})),
                    labels = npyFile("<i8", "(2,)", numbersAs<std::int64_t>({0, 1}));
  for (const bool deflated : {true, false})
    row(deflated ? "npz, deflated" : "npz, stored", zipFile({{"x.npy", samples}, {"y.npy", labels}}, deflated),
        ownData(".npz"));
  row("npy", samples, [labels](const Path& path) {
    std::filesystem::create_directories(path.string() + ".d");
    writeBytes(path.string() + ".d/y.npy", labels);
    ownData(".d/x.npy")(path);
  });
  const std::string records = cifarRecord("\1", 0) + cifarRecord("\2", 9);
  row("CIFAR", records, ownData(".d2/data_batch_1.bin"), kMost);
  const std::string archive = tarFile({{"a/data_batch_1.bin", records}, {"a/batches.meta.txt", "a\nb\n"}});
  row("CIFAR, archive", archive, ownData(".tar"), kMost);
  row("CIFAR, packed archive", packed(archive), ownData(".tar.gz"));
  row("picture in a folder", pictureFile(colour.convertToFormat(QImage::Format_Grayscale8), "png"),
      ownData(".d3/class/picture.png"));
  row("IDX in a folder", idxFile(8, 3), [](const Path& path) {
    std::filesystem::create_directories(path.string() + ".d4");
    writeBytes(path.string() + ".d4/train-labels-idx1-ubyte", idxFile(8, 0));
    ownData(".d4/train-images-idx3-ubyte")(path);
  });
  const std::string tiff = m_folder.filePath("picture.tif").toStdString();
  TiffLayout layout;
  layout.compression = COMPRESSION_LZW;
  for (const bool tiled : {false, true}) {
    layout.tiled = tiled;
    writeTiff(tiff, colour, layout);
    row(tiled ? "TIFF, tiles" : "TIFF, strips", readFile(tiff, 1 << 20), picture);
  }
}

void TestMutations::readOrRefused() {
  QFETCH(QByteArray, seed);
  QFETCH(Parse, parse);
  QFETCH(int, least);
  const Path path = Path(m_folder.path().toStdString()) / "mutated";
  writeBytes(path, seed.toStdString());
  parse(path);  // the seed itself is sound
  int refusals = 0;
  for (int i = 0; i < kCases; ++i) {
    Rng rng(20261123, Stream::Test, static_cast<std::uint64_t>(i));
    writeBytes(path, mutated(seed.toStdString(), rng));
    try {
      parse(path);
    } catch (const Error& error) {
      QVERIFY2(error.kind() == Error::Kind::Input && std::string(error.what()).find(path.string()) == 0, error.what());
      ++refusals;
    }
  }
  QVERIFY2(refusals > least, qPrintable(QString::number(refusals)));
}

QTEST_GUILESS_MAIN(TestMutations)
#include "tst_mutations.moc"

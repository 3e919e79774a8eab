// SPDX-License-Identifier: GPL-3.0-or-later
// Where data sets are searched, under which names, and that files which do not belong together are refused.
#include <QTemporaryDir>
#include <numeric>

#include "data_files.h"
#include "datasets/datasets.h"

using namespace strata;

class TestDatasets : public QObject {
  Q_OBJECT

 private slots:
  void init();
  void cleanup();
  void knowsItsCatalogue();
  void searchesInOrder();
  void findsEveryLayout_data();
  void findsEveryLayout();
  void skipsIncompleteFolders();
  void loadsById();
  void loadsAFolder();
  void saysWhereItLooked();
  void refusesMismatches();
  void refusesWrongLabels();
  void refusesSwappedFiles();
  void readsTheRealOnes_data();
  void readsTheRealOnes();

 private:
  Path root() const { return m_folder->path().toStdString(); }
  std::unique_ptr<QTemporaryDir> m_folder;
  QByteArray m_dataDir = qgetenv("STRATA_DATA_DIR"),
             m_dataHome = qgetenv("XDG_DATA_HOME");  ///< of whoever runs the tests
};

void TestDatasets::init() {
  m_folder = std::make_unique<QTemporaryDir>();
  qputenv("XDG_DATA_HOME", (m_folder->path() + "/home").toUtf8());
  qputenv("STRATA_DATA_DIR", (m_folder->path() + "/environment").toUtf8());
}

void TestDatasets::cleanup() {
  m_dataDir.isNull() ? qunsetenv("STRATA_DATA_DIR") : qputenv("STRATA_DATA_DIR", m_dataDir);
  m_dataHome.isNull() ? qunsetenv("XDG_DATA_HOME") : qputenv("XDG_DATA_HOME", m_dataHome);
}

void TestDatasets::knowsItsCatalogue() {
  QStringList ids;
  for (const CatalogueEntry& entry : catalogue()) {
    ids << QString::fromStdString(entry.id);
    QVERIFY(!entry.title.empty() && !entry.source.empty() && !entry.licence.empty());
    QCOMPARE(entry.classes.size(), std::size_t{10});
    QCOMPARE(entry.files.size(), std::size_t{entry.generated ? 0u : 4u});
    QCOMPARE(entry.canFetch, !entry.generated);
    for (const CatalogueFile& file : entry.files) QCOMPARE(file.sha256.size(), std::size_t{64});
    for (const std::string& mirror : entry.mirrors) QVERIFY(mirror.starts_with("http") && mirror.ends_with("/"));
  }
  QCOMPARE(ids, QStringList({"mnist", "fashion-mnist", "synthetic-digits"}));
}

void TestDatasets::searchesInOrder() {
  const std::vector<Path> expected = {"/explicit", root() / "environment", root() / "home/strata/datasets",
                                      "/usr/share/datasets"};
  QCOMPARE(dataDirectories("/explicit"), expected);
  QCOMPARE(dataDirectories({}), std::vector<Path>(expected.begin() + 1, expected.end()));
  qputenv("STRATA_DATA_DIR", "");
  QCOMPARE(dataDirectories({}), std::vector<Path>(expected.begin() + 2, expected.end()));
  qputenv("STRATA_DATA_DIR", (root() / "environment").c_str());

  for (const char* place : {"home/strata/datasets", "environment", "explicit"}) {
    writeDataset(root() / place / "mnist");
    QCOMPARE(findDataset("mnist", root() / "explicit").value_or("").string(), (root() / place / "mnist").string());
  }
  QVERIFY(!findDataset("synthetic-digits", {}));
  QVERIFY(!findDataset("unknown", {}));
}

void TestDatasets::findsEveryLayout_data() {
  QTest::addColumn<QString>("folder");
  QTest::addColumn<QString>("naming");
  for (const char* naming : {"dash", "dot", "dash.gz", "dot.gz"})
    for (const char* folder : {"mnist", "mnist/raw", "MNIST/raw", "mnist/MNIST/raw"})
      QTest::addRow("%s, %s", folder, naming) << folder << naming;
}

void TestDatasets::findsEveryLayout() {
  QFETCH(QString, folder);
  QFETCH(QString, naming);
  const Path place = root() / "explicit" / folder.toStdString();
  writeDataset(place);
  for (const auto& item :
       std::vector<std::filesystem::directory_entry>(std::filesystem::directory_iterator(place), {})) {
    QString name = QString::fromStdString(item.path().filename().string());
    if (naming.startsWith("dot")) name.replace("-idx", ".idx");
    std::string bytes = readFile(item.path(), 10000);
    if (naming.endsWith("gz")) {
      bytes = packed(bytes);
      name += ".gz";
    }
    std::filesystem::remove(item.path());
    writeBytes(place / name.toStdString(), bytes);
  }
  QCOMPARE(findDataset("mnist", root() / "explicit").value_or("").string(), place.string());
  const auto dataset = loadDataset("mnist", root() / "explicit");
  QCOMPARE(dataset->train.count, 20);
  QCOMPARE(dataset->origin, place.string());
}

void TestDatasets::skipsIncompleteFolders() {
  writeDataset(root() / "explicit/mnist");
  writeDataset(root() / "environment/mnist");
  std::filesystem::remove(root() / "explicit/mnist/t10k-labels-idx1-ubyte");
  QCOMPARE(findDataset("mnist", root() / "explicit").value_or("").string(), (root() / "environment/mnist").string());
}

void TestDatasets::loadsById() {
  writeDataset(root() / "environment/fashion-mnist", 30, 20, 5);
  const auto dataset = loadDataset("fashion-mnist", {});
  QCOMPARE(dataset->id, std::string("fashion-mnist"));
  QCOMPARE(dataset->title, std::string("Fashion-MNIST"));
  QCOMPARE(dataset->classes[9], std::string("Ankle boot"));
  QVERIFY(!dataset->synthetic);
  QVERIFY(dataset->shape == Shape::image(5, 5, 1));
  QCOMPARE(dataset->train.count, 30);
  QCOMPARE(dataset->test.count, 20);
  QCOMPARE(dataset->train.pixels.size(), std::size_t{750});
  QCOMPARE(dataset->train.labels[13], 3);
}

void TestDatasets::loadsAFolder() {
  writeDataset(root() / "my digits");
  const auto dataset = loadDataset((root() / "my digits").string(), {});
  QCOMPARE(dataset->title, std::string("my digits"));
  QCOMPARE(dataset->classes.size(), std::size_t{10});
  QCOMPARE(dataset->test.count, 10);

  std::filesystem::create_directory(root() / "empty");
  QVERIFY(refusal(Error::Kind::Input, [&] {
            loadDataset((root() / "empty").string(), {});
          }).contains("train-images-idx3-ubyte"));
  QVERIFY(refusal(Error::Kind::File, [&] {
            loadDataset((root() / "absent").string(), {});
          }).contains("mnist, fashion-mnist, synthetic-digits"));
  QVERIFY(refusal(Error::Kind::Input, [&] {
            loadDataset((root() / "my digits/train-labels-idx1-ubyte").string(), {});
          }).contains("is a file"));
}

void TestDatasets::saysWhereItLooked() {
  const QString sentence = refusal(Error::Kind::File, [&] { loadDataset("mnist", root() / "explicit"); });
  for (const char* part :
       {"MNIST", "/explicit", "/environment", "/home/strata/datasets", "/usr/share/datasets", "strata data get mnist"})
    QVERIFY2(sentence.contains(part), qPrintable(sentence));
}

void TestDatasets::refusesMismatches() {
  const Path folder = root() / "set";
  int cases = 0;
  for (std::uint32_t images = 1; images <= 15; ++images)
    for (std::uint32_t labels = 1; labels <= 15; ++labels) {
      if (images == labels) continue;
      writeDataset(folder, images, images, 2);
      const bool inTest = (images + labels) % 2 == 0;
      writeBytes(folder / (inTest ? "t10k-labels-idx1-ubyte" : "train-labels-idx1-ubyte"), idxFile(labels, 0));
      const QString sentence = refusal(Error::Kind::Input, [&] { loadDataset(folder.string(), {}); });
      QVERIFY2(
          sentence.contains(QString("holds %1 labels, needed one for each of the %2 images").arg(labels).arg(images)),
          qPrintable(sentence));
      ++cases;
    }
  QCOMPARE(cases, 210);

  writeDataset(folder, 10, 10, 4);
  writeBytes(folder / "t10k-images-idx3-ubyte", idxFile(10, 5));
  QVERIFY(refusal(Error::Kind::Input, [&] { loadDataset(folder.string(), {}); }).contains("as in the training set"));
}

void TestDatasets::refusesWrongLabels() {
  const Path folder = root() / "set";
  for (const int label : {10, 11, 128, 255}) {
    writeDataset(folder);
    std::string labels = idxFile(20, 0);
    labels[8 + 17] = static_cast<char>(label);
    writeBytes(folder / "train-labels-idx1-ubyte", labels);
    const QString sentence = refusal(Error::Kind::Input, [&] { loadDataset(folder.string(), {}); });
    QVERIFY2(sentence.contains(QString("the label %1 for sample 17, needed 0 to 9").arg(label)), qPrintable(sentence));
  }
}

void TestDatasets::refusesSwappedFiles() {
  const Path folder = root() / "set";
  writeDataset(folder);
  writeBytes(folder / "train-images-idx3-ubyte", idxFile(20, 0));
  QVERIFY(
      refusal(Error::Kind::Input, [&] { loadDataset(folder.string(), {}); }).contains("holds labels, needed images"));
  writeDataset(folder);
  writeBytes(folder / "t10k-labels-idx1-ubyte", idxFile(10, 4));
  QVERIFY(
      refusal(Error::Kind::Input, [&] { loadDataset(folder.string(), {}); }).contains("holds images, needed labels"));
}

void TestDatasets::readsTheRealOnes_data() {
  QTest::addColumn<QString>("id");
  QTest::addColumn<int>("firstLabel");
  QTest::addColumn<qint64>("ink");  // sum of the first training picture's pixels
  QTest::newRow("MNIST") << "mnist" << 5 << qint64{27525};
  QTest::newRow("Fashion-MNIST") << "fashion-mnist" << 9 << qint64{76247};
}

void TestDatasets::readsTheRealOnes() {
  QFETCH(QString, id);
  QFETCH(int, firstLabel);
  QFETCH(qint64, ink);
  cleanup();  // the data directories of whoever runs the tests
  const auto folder = findDataset(id.toStdString(), {});
  if (!folder) QSKIP("this data set is not on this computer");
  const auto dataset = loadDataset(id.toStdString(), {});
  QCOMPARE(dataset->train.count, 60000);
  QCOMPARE(dataset->test.count, 10000);
  QCOMPARE(dataset->train.labels[0], firstLabel);
  QCOMPARE(std::accumulate(dataset->train.pixels.begin(), dataset->train.pixels.begin() + 784, qint64{0}), ink);
}

QTEST_GUILESS_MAIN(TestDatasets)
#include "tst_datasets.moc"

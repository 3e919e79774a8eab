// SPDX-License-Identifier: GPL-3.0-or-later
// Where data sets are searched, under which names, and that files which do not belong together are refused.
#include <QTemporaryDir>
#include <numeric>

#include "datasets/datasets.h"
#include "datasets/readers/idx_names.h"
#include "datasets/source.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/run/suitability.h"
#include "own_data_files.h"

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
  void loadsWhatIsKeptPacked();
  void saysWhereItLooked();
  void refusesMismatches();
  void refusesLabelsThatWereNotPublished();
  void takesClassesFromLabels_data();
  void takesClassesFromLabels();
  void needsNoTestFiles();
  void readsEmnist();
  void proposesWhatWasMeant_data();
  void proposesWhatWasMeant();
  void resolvesSources_data();
  void resolvesSources();
  void holdsAnyFolderAsText();
  void needsNoHome();
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
    QVERIFY(entry.classes.size() >= 10);
    QCOMPARE(entry.files.empty(), entry.generated);
    QCOMPARE(entry.canFetch, !entry.generated);
    if (entry.archive) QVERIFY(entry.archive->sha256.size() == 64 && entry.archive->bytes > 0);
    for (const CatalogueFile& file : entry.files) QCOMPARE(file.sha256.size(), std::size_t{entry.archive ? 0u : 64u});
    for (const std::string& mirror : entry.mirrors) QVERIFY(mirror.starts_with("http") && mirror.ends_with("/"));
  }
  QCOMPARE(ids, QStringList({"mnist", "fashion-mnist", "kmnist", "emnist-balanced", "emnist-letters", "emnist-digits",
                             "cifar-10", "cifar-100", "synthetic-digits"}));
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
          }).contains("is a folder without data of a kind that is read"));
  QVERIFY(refusal(Error::Kind::File, [&] { loadDataset((root() / "absent").string(), {}); })
              .contains("mnist, fashion-mnist, kmnist, emnist-balanced, emnist-letters, emnist-digits, cifar-10, "
                        "cifar-100, synthetic-digits"));
  QVERIFY(refusal(Error::Kind::Input, [&] {
            loadDataset((root() / "my digits/train-labels-idx1-ubyte").string(), {});
          }).contains("is a file"));
}

// Kept as they were published: packed files, and an archive.
void TestDatasets::loadsWhatIsKeptPacked() {
  const Path kuzushiji = root() / "environment/kmnist", cifar = root() / "environment/cifar-10";
  writeDataset(kuzushiji);
  QVERIFY(!findDataset("kmnist", {}));  // which are of another hash when they are unpacked
  for (const char* name : kIdxNames) {
    writeBytes(kuzushiji / (std::string(name) + ".gz"), packed(readFile(kuzushiji / name, 10000)));
    std::filesystem::remove(kuzushiji / name);
  }
  QCOMPARE(loadDataset("kmnist", {})->classes[1], std::string("き (ki)"));
  QCOMPARE(loadDataset("kmnist", {})->test.count, 10);
  std::filesystem::create_directories(cifar);
  writeBytes(
      cifar / "cifar-10-binary.tar.gz",
      packed(tarFile({{"c/data_batch_1.bin", cifarRecord("\3", 0)}, {"c/test_batch.bin", cifarRecord("\2", 0)}})));
  const auto dataset = loadDataset("cifar-10", {});
  QCOMPARE(dataset->title, std::string("CIFAR-10"));
  QCOMPARE(dataset->classes[3], std::string("cat"));
  QCOMPARE(dataset->train.labels, std::vector<std::int32_t>{3});
  QVERIFY(dataset->shape == Shape::image(32, 32, 3));
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
      const std::string says =
          "holds " + counted(labels, "label") + ", needed one for each of the " + counted(images, "image") + " in ";
      QVERIFY2(sentence.contains(QString::fromStdString(says)), qPrintable(sentence));
      ++cases;
    }
  QCOMPARE(cases, 210);

  writeDataset(folder, 10, 10, 4);
  writeBytes(folder / "t10k-images-idx3-ubyte", idxFile(10, 5));
  QVERIFY(refusal(Error::Kind::Input, [&] { loadDataset(folder.string(), {}); }).contains("as in the training set"));
}

// What was published has its classes; in a folder of one's own the labels say what they are.
void TestDatasets::refusesLabelsThatWereNotPublished() {
  const Path folder = root() / "environment/mnist";
  for (const int label : {10, 11, 128, 255}) {
    writeDataset(folder);
    std::string labels = idxFile(20, 0);
    labels[8 + 17] = static_cast<char>(label);
    writeBytes(folder / "train-labels-idx1-ubyte", labels);
    const QString sentence = refusal(Error::Kind::Input, [&] { loadDataset("mnist", {}); });
    QVERIFY2(sentence.contains(QString("sample 17 has the label %1, needed 0 to 9").arg(label)), qPrintable(sentence));
    QVERIFY2(!sentence.contains("damaged"), qPrintable(sentence));
  }
}

void TestDatasets::takesClassesFromLabels_data() {
  QTest::addColumn<QList<int>>("train");
  QTest::addColumn<QList<int>>("test");
  QTest::addColumn<QStringList>("classes");
  QTest::addColumn<int>("firstLabel");  // of the first training sample, as the net learns it
  QTest::addColumn<QString>("says");
  const auto counted = [](int from, int to) {
    QList<int> labels;
    for (int label = from; label <= to; ++label) labels << label;
    return labels;
  };
  const auto names = [&](int from, int to) {
    QStringList list;
    for (const int label : counted(from, to)) list << QString::number(label);
    return list;
  };
  QTest::newRow("ten") << counted(0, 9) << counted(0, 9) << names(0, 9) << 0 << "";
  QTest::newRow("twenty-six from 1") << counted(1, 26) << counted(1, 26) << names(1, 26) << 0
                                     << "The labels count from 1 to 26, not from 0.";
  QTest::newRow("forty-seven") << counted(0, 46) << counted(0, 46) << names(0, 46) << 0 << "";
  QTest::newRow("all that a byte can say") << counted(0, 255) << counted(0, 255) << names(0, 255) << 0 << "";
  QTest::newRow("one has no training samples") << counted(0, 8) << counted(0, 9) << names(0, 9) << 0 << "";
  QTest::newRow("0 in the test set alone") << counted(1, 9) << counted(0, 9) << names(0, 9) << 1 << "";
  QTest::newRow("gaps") << QList<int>{3, 5} << QList<int>{3, 5} << names(0, 5) << 3 << "";
  QTest::newRow("one class") << QList<int>{0, 0, 0} << QList<int>{0} << names(0, 0) << 0
                             << "All training samples are of one class, 0: an accuracy of 1 means nothing.";
  QTest::newRow("one class, 1") << QList<int>{1, 1} << QList<int>{1} << names(1, 1) << 0
                                << "All training samples are of one class, 1: an accuracy of 1 means nothing.";
  QTest::newRow("one class, 7") << QList<int>{7, 7} << QList<int>{7, 2} << names(0, 7) << 7
                                << "All training samples are of one class, 7: an accuracy of 1 means nothing.";
}

void TestDatasets::takesClassesFromLabels() {
  QFETCH(QList<int>, train);
  QFETCH(QList<int>, test);
  QFETCH(QStringList, classes);
  QFETCH(int, firstLabel);
  QFETCH(QString, says);
  const auto labelFile = [](const QList<int>& labels) {
    std::string bytes = idxHeader({static_cast<std::uint32_t>(labels.size())});
    for (const int label : labels) bytes += static_cast<char>(label);
    return bytes;
  };
  const Path folder = root() / "own";
  writeDataset(folder, static_cast<std::uint32_t>(train.size()), static_cast<std::uint32_t>(test.size()), 4);
  writeBytes(folder / "train-labels-idx1-ubyte", labelFile(train));
  writeBytes(folder / "t10k-labels-idx1-ubyte", labelFile(test));
  auto dataset = std::make_shared<Dataset>(*loadDataset(folder.string(), {}));
  QStringList found;
  for (const std::string& name : dataset->classes) found << QString::fromStdString(name);
  QCOMPARE(found, classes);
  QCOMPARE(dataset->train.labels[0], firstLabel);
  QStringList notes;
  dataset->warnings.clear();  // of the pictures, which are the same in both parts
  for (const std::string& note : remarks(*dataset)) notes << QString::fromStdString(note);
  QCOMPARE(notes.isEmpty(), says.isEmpty());
  QVERIFY2(notes.join(' ').contains(says), qPrintable(notes.join(' ')));
}

void TestDatasets::needsNoTestFiles() {
  const Path folder = root() / "own";
  writeDataset(folder, 30, 10);
  std::filesystem::remove(folder / "t10k-images-idx3-ubyte");
  QVERIFY(refusal(Error::Kind::Input, [&] { loadDataset(folder.string(), {}); }).contains("has no t10k-images"));
  std::filesystem::remove(folder / "t10k-labels-idx1-ubyte");
  const auto dataset = loadDataset(folder.string(), {});
  QCOMPARE(dataset->train.count, 30);
  QCOMPARE(dataset->test.count, 0);
  QCOMPARE(remarks(*dataset).size(), std::size_t{1});
  QVERIFY(remarks(*dataset)[0].starts_with("There is no test set"));
  const DataView view = makeDataView(dataset, validationSource(ValidationSource::TestSet, *dataset), 0.1, 1);
  QVERIFY(view.validationSource == ValidationSource::Split);
  QCOMPARE(view.train.size(), std::size_t{27});
  QCOMPARE(view.validation.size(), std::size_t{3});
  QVERIFY(!findDataset("mnist", folder));  // a published one is whole or not there
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

// EMNIST's files as they are published: more in their names, pictures that lie on their side.
void TestDatasets::readsEmnist() {
  const Path folder = root() / "letters";
  const auto write = [&](const std::string& prefix) {
    for (const std::string part : {"train", prefix == "mine-" ? "t10k" : "test"}) {
      std::string pictures = idxHeader({2, 2, 3});
      for (char c = 0; c < 12; ++c) pictures += c;
      writeBytes(folder / (prefix + part + "-images-idx3-ubyte.gz"), packed(pictures));
      writeBytes(folder / (prefix + part + "-labels-idx1-ubyte.gz"), packed(idxHeader({2}) + "\1\2"));
    }
  };
  std::filesystem::create_directories(folder);
  write("mine-");
  QVERIFY(loadDataset(folder.string(), {})->shape == Shape::image(2, 3, 1));
  write("emnist-letters-");
  QVERIFY(refusal(Error::Kind::Input, [&] {
            loadDataset(folder.string(), {});
          }).contains("holds the files of 2 data sets"));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  write("emnist-letters-");
  const auto dataset = loadDataset(folder.string(), {});
  QVERIFY(dataset->shape == Shape::image(3, 2, 1));
  QCOMPARE(dataset->train.pixels, (std::vector<std::uint8_t>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
  QCOMPARE(dataset->title, std::string("letters, turned upright"));
  QCOMPARE(dataset->classes, (std::vector<std::string>{"1", "2"}));
  QCOMPARE(dataset->test.count, 2);
  QVERIFY(dataset->understood.back().starts_with("The files are called as EMNIST's"));
  std::filesystem::create_directories(root() / "environment");
  std::filesystem::rename(folder, root() / "environment/emnist-letters");
  QCOMPARE(loadDataset("emnist-letters", {})->classes[1], std::string("B"));
  QCOMPARE(loadDataset("emnist-letters", {})->train.labels, (std::vector<std::int32_t>{0, 1}));
}

void TestDatasets::proposesWhatWasMeant_data() {
  QTest::addColumn<QString>("source");
  QTest::addColumn<QString>("meant");
  QTest::newRow("letters exchanged") << "mnits"
                                     << "mnist";
  QTest::newRow("capitals") << "MNIST"
                            << "mnist";
  QTest::newRow("underscore") << "fashion_mnist"
                              << "fashion-mnist";
  QTest::newRow("plural") << "synthetic-digit"
                          << "synthetic-digits";
  QTest::newRow("something else") << "cifar"
                                  << "";
}

void TestDatasets::proposesWhatWasMeant() {
  QFETCH(QString, source);
  QFETCH(QString, meant);
  const QString sentence = refusal(Error::Kind::Usage, [&] { loadDataset(source.toStdString(), {}); });
  QVERIFY2(sentence.contains("Known data sets: mnist, fashion-mnist, kmnist, emnist-balanced, emnist-letters, "
                             "emnist-digits, cifar-10, cifar-100, synthetic-digits."),
           qPrintable(sentence));
  QCOMPARE(sentence.contains("Did you mean"), !meant.isEmpty());
  QVERIFY2(meant.isEmpty() || sentence.contains("Did you mean " + meant + "?"), qPrintable(sentence));
}

// Of the folders below "project" is the project file's, "here" the one that the program was started in.
void TestDatasets::resolvesSources_data() {
  QTest::addColumn<QString>("source");
  QTest::addColumn<QString>("means");  // %1 stands for the scratch folder
  QTest::newRow("known") << "mnist"
                         << "mnist";
  QTest::newRow("known, though a folder beside is called so") << "fashion-mnist"
                                                              << "fashion-mnist";
  QTest::newRow("that folder") << "./fashion-mnist"
                               << "%1/project/fashion-mnist";
  QTest::newRow("beside") << "./digits"
                          << "%1/project/digits";
  QTest::newRow("beside, bare") << "digits"
                                << "%1/project/digits";
  QTest::newRow("beside, with a slash") << "digits/"
                                        << "%1/project/digits";
  QTest::newRow("above") << "../shared/letters"
                         << "%1/shared/letters";
  QTest::newRow("the project's own folder") << "."
                                            << "%1/project";
  QTest::newRow("the one above") << ".."
                                 << "%1";
  QTest::newRow("through a link") << "link"
                                  << "%1/project/link";
  QTest::newRow("spaces and quotes") << "my \"digits\"\n'two'"
                                     << "%1/project/my \"digits\"\n'two'";
  QTest::newRow("here alone") << "others"
                              << "%1/here/others";
  QTest::newRow("here alone, with a dot") << "./others"
                                          << "%1/here/others";
  QTest::newRow("absolute") << "%1/shared/./letters/"
                            << "%1/shared/letters";
  QTest::newRow("absolute, not there") << "/no/such/folder"
                                       << "/no/such/folder";
  QTest::newRow("from home") << "~/pictures"
                             << "%1/home/pictures";
  QTest::newRow("home") << "~"
                        << "%1/home";
  QTest::newRow("nowhere") << "./nowhere"
                           << "%1/project/nowhere";
  QTest::newRow("nowhere, perhaps an id") << "mnits"
                                          << "mnits";
  QTest::newRow("an address") << "file://%1/shared/let%74ers"
                              << "%1/shared/letters";
  QTest::newRow("empty") << ""
                         << "";
}

void TestDatasets::resolvesSources() {
  QFETCH(QString, source);
  QFETCH(QString, means);
  for (const char* folder : {"project/digits", "project/fashion-mnist", "project/my \"digits\"\n'two'", "here/others",
                             "here/digits", "shared/letters", "home/pictures"})
    std::filesystem::create_directories(root() / folder);
  std::filesystem::create_directory_symlink("digits", root() / "project/link");
  const Path before = std::filesystem::current_path();
  const QByteArray home = qgetenv("HOME"), place = QByteArray::fromStdString(root().string());
  std::filesystem::current_path(root() / "here");
  qputenv("HOME", place + "/home");
  const auto placed = [&](QString text) { return text.replace("%1", place).toStdString(); };
  const std::string resolved = resolveSource(placed(source), root() / "project/p.strata"),
                    again = resolveSource(resolved, "/elsewhere/p.strata");
  std::filesystem::current_path("..");
  const std::string fromAbove = resolveSource(placed(source), "project/p.strata");
  std::filesystem::current_path(before);
  qputenv("HOME", home);
  QCOMPARE(resolved, placed(means));
  QCOMPARE(again, resolved);
  if (!means.contains("/here/")) QCOMPARE(fromAbove, resolved);
}

// JSON is UTF-8; names of files are any bytes.
void TestDatasets::holdsAnyFolderAsText() {
  for (const char* name : {"plain", "\xC3\xA9t\xC3\xA9 % 1", "\xE9t\xE9 100%", "\xFF\xFE", "a\nb"}) {
    const Path folder = root() / name;
    writeDataset(folder);
    const std::string text = resolveSource(name, root() / "p.strata");
    QCOMPARE(parseJson(compactJson(Json(text)), "text").get<std::string>(), text);
    QCOMPARE(sourceFolder(text).string(), folder.string());
    QCOMPARE(loadDataset(text, {})->train.count, 20);
    std::filesystem::remove_all(folder);  // QTemporaryDir cannot remove such names
  }
}

void TestDatasets::needsNoHome() {
  const QByteArray home = qgetenv("HOME");
  writeDataset(root() / "given/mnist");
  for (const bool empty : {false, true}) {
    empty ? qputenv("HOME", "") : qunsetenv("HOME");
    qunsetenv("XDG_DATA_HOME");
    const std::vector<Path> folders = dataDirectories("/explicit");
    const auto found = findDataset("mnist", root() / "given");
    const QString fetching = refusal(Error::Kind::File, [] { fetchDataset("mnist", {}, {}); });
    qputenv("HOME", home);
    QCOMPARE(folders, (std::vector<Path>{"/explicit", root() / "environment", "/usr/share/datasets"}));
    QVERIFY(found.has_value());
    QVERIFY2(fetching.contains("--data-dir"), qPrintable(fetching));
  }
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

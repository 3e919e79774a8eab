// SPDX-License-Identifier: GPL-3.0-or-later
// A person's own data: that each reader makes of them what they are, says what it judged, and refuses all else in one
// sentence, before memory is spent on it.
#include <sys/stat.h>

#include <QTemporaryDir>
#include <algorithm>
#include <cmath>

#include "datasets/datasets.h"
#include "datasets/readers.h"
#include "datasets/readers/delimited.h"
#include "datasets/readers/fit_picture.h"
#include "engine/base/json.h"
#include "engine/run/suitability.h"
#include "own_data_files.h"
#include "picture_files.h"

using namespace strata;
namespace fs = std::filesystem;

class TestReaders : public QObject {
  Q_OBJECT

 private slots:
  void init() { m_folder = std::make_unique<QTemporaryDir>(); }
  void isATable();
  void refusesWhatIsNoData();
  void warnsOfWhatItFinds();
  void keepsNamesOfClassesApart();
  // IDX
  void readsIdxOfEveryType_data();
  void readsIdxOfEveryType();
  void readsIdxOfAnyName();
  void refusesIdxThatDoesNotPair();
  // Pictures
  void fitsPictures();
  void readsFoldersOfPictures();
  void readsEveryLayoutOfPictures_data();
  void readsEveryLayoutOfPictures();
  void passesOverWhatIsNoPicture();
  void givesPicturesOneSize();
  void stopsWhenTold();
  // Tables
  void findsTheDialect_data();
  void findsTheDialect();
  void readsQuotes();
  void choosesTheLabels_data();
  void choosesTheLabels();
  void dropsRowsWithoutValues();
  void readsTablesOfPixels();
  void readsATestTable();
  void refusesTables_data();
  void refusesTables();
  // NumPy
  void readsEveryNumber_data();
  void readsEveryNumber();
  void readsArraysByAnyName_data();
  void readsArraysByAnyName();
  void judgesLayouts();
  void refusesArrays_data();
  void refusesArrays();
  // CIFAR
  void readsCifar_data();
  void readsCifar();
  void refusesCifar();

 private:
  Path root() const { return m_folder->path().toStdString(); }
  std::shared_ptr<const Dataset> load(const Path& path, const Reading& reading = {}) {
    return loadDataset(path.string(), {}, reading);
  }
  /// Writes it and reads it.
  std::shared_ptr<const Dataset> table(const std::string& text, const Reading& reading = {}) {
    writeBytes(root() / "t.csv", text);
    return load(root() / "t.csv", reading);
  }
  QString refused(const Path& path, const Reading& reading = {}) {
    const QString sentence = refusal(Error::Kind::Input, [&] { load(path, reading); });
    return sentence.startsWith(QString::fromStdString(path.string())) ? sentence : "elsewhere: " + sentence;
  }
  std::unique_ptr<QTemporaryDir> m_folder;
};

namespace {

QStringList listOf(const std::vector<std::string>& texts) {
  QStringList list;
  for (const std::string& text : texts) list << QString::fromStdString(text);
  return list;
}

QString warningsOf(const Dataset& dataset) { return listOf(dataset.warnings).join(' '); }
QString understoodOf(const Dataset& dataset) { return listOf(dataset.understood).join(' '); }

Reading labelled(const std::string& column) {
  Reading reading;
  reading.label = column;
  return reading;
}

Reading pictured(const char* fit, Pair size, const char* colour = "auto") {
  Reading reading;
  reading.fields.set("fit", std::string(fit));
  reading.fields.set("size", size);
  reading.fields.set("colour", std::string(colour));
  return reading;
}

void writePicture(const Path& path, QColor colour, int width = 8, int height = 8, const char* format = "png") {
  fs::create_directories(path.parent_path());
  QImage image(width, height, QImage::Format_RGB32);
  image.fill(colour);
  writeBytes(path, pictureFile(image, format));
}

}  // namespace

void TestReaders::isATable() {
  QStringList ids;
  for (const ReaderDef* reader : allReaders()) {
    ids << QString::fromStdString(reader->id);
    QVERIFY2(!reader->title.empty() && !reader->help.empty() && reader->recognises && reader->read, reader->id.c_str());
  }
  QCOMPARE(ids.removeDuplicates(), 0);
  QVERIFY(!readerFor(root()));
  QVERIFY(!readerFor(root() / "absent"));
}

void TestReaders::refusesWhatIsNoData() {
  QVERIFY(
      refused(root()).contains("is a folder without data of a kind that is read. What is read: folders of IDX files"));
  writeBytes(root() / "note.doc", "words");
  QVERIFY(refused(root() / "note.doc").contains("is a file without data of a kind that is read"));
  const Path pipe = root() / "pipe";
  QCOMPARE(mkfifo(pipe.c_str(), 0600), 0);
  QVERIFY(refused(pipe).contains("is a file without data"));
}

void TestReaders::warnsOfWhatItFinds() {
  std::string text = "a,b,kind\n";
  for (int i = 0; i < 33; ++i) text += std::to_string(i) + ",1,many\n";
  text += "100,1,few\n101,1,few\n102,1,few\n";
  QVERIFY(warningsOf(*table(text)).isEmpty() == false);
  QVERIFY2(warningsOf(*table(text)).contains("\"many\" has 33 training samples, \"few\" has 3"),
           qPrintable(warningsOf(*table(text))));
  QVERIFY(warningsOf(*table(text + "103,1,few\n")).isEmpty());
  fs::create_directory(root() / "two");
  writeBytes(root() / "two/train.csv", "a,kind\n1,x\n2,x\n3,y\n");
  writeBytes(root() / "two/test.csv", "a,kind\n9,x\n2,x\n2,y\n8,z\n");
  const auto dataset = load(root() / "two");
  QVERIFY2(warningsOf(*dataset).contains("2 test samples are in the training set as well"),
           qPrintable(warningsOf(*dataset)));
  QVERIFY2(warningsOf(*dataset).contains("1 class has no training samples (\"z\")"), qPrintable(warningsOf(*dataset)));
  QVERIFY(listOf(remarks(*table("a,kind\n1,x\n2,x\n"))).join(' ').contains("All training samples are of one class, x"));
}

void TestReaders::keepsNamesOfClassesApart() {
  const auto dataset = table("a,kind\n1,10\n2,9\n3,-1\n");
  QCOMPARE(listOf(dataset->classes), QStringList({"-1", "9", "10"}));
  QCOMPARE(dataset->train.labels, (std::vector<std::int32_t>{2, 1, 0}));
  QCOMPARE(listOf(table("a,kind\n1,b\n2,10\n3,a\n")->classes), QStringList({"10", "a", "b"}));
}

// ---- IDX

void TestReaders::readsIdxOfEveryType_data() {
  QTest::addColumn<int>("type");
  QTest::addColumn<QByteArray>("numbers");
  QTest::addColumn<bool>("bytes");
  const auto row = [](const char* name, int type, const std::string& numbers, bool bytes) {
    QTest::newRow(name) << type << QByteArray::fromStdString(numbers) << bytes;
  };
  const std::vector<double> whole{0, 1, 2, 3, 100, 50, 7, 8};
  row("bytes", 0x08, numbersAs<std::uint8_t>(whole), true);
  row("signed bytes", 0x09, numbersAs<std::int8_t>(whole), true);
  row("short", 0x0B, numbersAs<std::int16_t>(whole, true), true);
  row("int", 0x0C, numbersAs<std::int32_t>(whole, true), true);
  row("float", 0x0D, numbersAs<float>(whole, true), true);
  row("double", 0x0E, numbersAs<double>(whole, true), true);
  row("negative", 0x0B, numbersAs<std::int16_t>({0, 1, -2, 3, 100, 50, 7, 8}, true), false);
  row("fractions", 0x0D, numbersAs<float>({0, 0.5, 0.25, 1, 0, 0, 0, 0}, true), false);
}

void TestReaders::readsIdxOfEveryType() {
  QFETCH(int, type);
  QFETCH(QByteArray, numbers);
  QFETCH(bool, bytes);
  const auto header = [&](int rank) { return bigEndian(static_cast<std::uint32_t>(type << 8 | rank)); };
  writeBytes(root() / "pictures.idx", header(3) + bigEndian(2) + bigEndian(2) + bigEndian(2) + numbers.toStdString());
  writeBytes(root() / "kinds.idx", bigEndian(0x0C01) + bigEndian(2) + bigEndian(0) + bigEndian(1));
  const auto dataset = load(root());
  QCOMPARE(dataset->train.count, 2);
  QCOMPARE(dataset->train.areFloats(), !bytes);
  QCOMPARE(listOf(dataset->classes), QStringList({"0", "1"}));
  if (bytes) QCOMPARE(dataset->train.pixels, (std::vector<std::uint8_t>{0, 1, 2, 3, 100, 50, 7, 8}));
  QCOMPARE(dataset->shape.isImage(), !numbers.contains('\xfe') || bytes);
}

void TestReaders::readsIdxOfAnyName() {
  writeBytes(root() / "a-samples", idxFile(20, 4));
  writeBytes(root() / "b-answers.gz", packed(idxFile(20, 0)));
  QCOMPARE(load(root())->train.count, 20);
  QCOMPARE(load(root())->test.count, 0);
  writeBytes(root() / "test-a", idxFile(10, 4));
  writeBytes(root() / "test-b", idxFile(10, 0));
  QCOMPARE(load(root())->test.count, 10);
  writeBytes(root() / "test-a", idxHeader({10, 8}) + std::string(80, '\1'));
  QVERIFY2(refusal(Error::Kind::Input, [&] { load(root()); }).contains("as in the training set"),
           qPrintable(refusal(Error::Kind::Input, [&] { load(root()); })));
  fs::remove(root() / "test-a");
  QVERIFY(refusal(Error::Kind::Input, [&] { load(root()); }).contains("has none of samples to go with it"));
}

void TestReaders::refusesIdxThatDoesNotPair() {
  writeBytes(root() / "one", idxFile(20, 4));
  writeBytes(root() / "two", idxFile(20, 4));
  writeBytes(root() / "three", idxFile(20, 0));
  QVERIFY(refused(root()).contains("holds several IDX files of samples, one and two"));
  QVERIFY(refused(root() / "three").contains("is a file of samples or labels alone"));
  fs::remove(root() / "two");
  writeBytes(root() / "three",
             bigEndian(0x0D01) + bigEndian(20) + numbersAs<float>(std::vector<double>(20, 0.5), true));
  QVERIFY(
      refusal(Error::Kind::Input, [&] { load(root()); }).contains("has a label that is no whole number in sample 0"));
}

// ---- pictures

void TestReaders::fitsPictures() {
  Picture picture{4, 2, {0, 80, 160, 240, 0, 80, 160, 240}, 1};
  QCOMPARE(fitPicture(picture, 2, 4, Fit::Resize).pixels, picture.pixels);
  QCOMPARE(fitPicture(picture, 1, 2, Fit::Resize).pixels, (std::vector<std::uint8_t>{40, 200}));
  QCOMPARE(fitPicture(picture, 2, 2, Fit::Crop).pixels, (std::vector<std::uint8_t>{80, 160, 80, 160}));
  QCOMPARE(fitPicture(picture, 4, 4, Fit::Pad).pixels,
           (std::vector<std::uint8_t>{0, 0, 0, 0, 0, 80, 160, 240, 0, 80, 160, 240, 0, 0, 0, 0}));
  // What is all alike stays so, whatever the sizes.
  for (const int from : {1, 3, 7, 31, 100})
    for (const int to : {1, 2, 5, 32, 64})
      for (const Fit fit : {Fit::Resize, Fit::Crop}) {
        const Picture plain{from, from + 2, std::vector<std::uint8_t>(std::size_t(from * (from + 2) * 3), 255), 3};
        const Picture fitted = fitPicture(plain, to, to + 1, fit);
        QCOMPARE(fitted.pixels, std::vector<std::uint8_t>(std::size_t(to * (to + 1) * 3), 255));
      }
}

void TestReaders::readsFoldersOfPictures() {
  const Path folder = root() / "flowers";
  for (int i = 0; i < 5; ++i) {
    writePicture(folder / "rose" / (std::to_string(i) + ".png"), QColor(200, i, 0));
    writePicture(folder / "lily" / (std::to_string(i) + ".bmp"), QColor(0, i, 200), 8, 8, "bmp");
  }
  const auto dataset = load(folder);
  QCOMPARE(dataset->title, std::string("flowers"));
  QCOMPARE(listOf(dataset->classes), QStringList({"lily", "rose"}));
  QVERIFY(dataset->shape == Shape::image(8, 8, 3));
  QCOMPARE(dataset->train.count, 10);
  QCOMPARE(dataset->train.labels, (std::vector<std::int32_t>{0, 0, 0, 0, 0, 1, 1, 1, 1, 1}));
  QCOMPARE(int{dataset->train.pixels[2]}, 200);
  QCOMPARE(int{dataset->train.pixels[6 * 192 + 1]}, 1);
  QVERIFY(dataset->warnings.empty() && dataset->understood.empty());
  for (int i = 0; i < 2; ++i) QVERIFY(load(folder)->train.pixels == dataset->train.pixels);
}

void TestReaders::readsEveryLayoutOfPictures_data() {
  QTest::addColumn<QString>("train");
  QTest::addColumn<QString>("test");
  QTest::newRow("alone") << ""
                         << "";
  QTest::newRow("train and test") << "train/"
                                  << "test/";
  QTest::newRow("capitals") << "Training/"
                            << "Testing/";
  QTest::newRow("val") << "train/"
                       << "val/";
  QTest::newRow("wrapped") << "inner/"
                           << "";
  QTest::newRow("wrapped, parts") << "inner/train/"
                                  << "inner/test/";
}

void TestReaders::readsEveryLayoutOfPictures() {
  QFETCH(QString, train);
  QFETCH(QString, test);
  for (const char* kind : {"a", "b"}) {
    writePicture(root() / "p" / (train + kind).toStdString() / "1.png", Qt::black);
    writePicture(root() / "p" / (train + kind).toStdString() / "deep/er/2.png", Qt::white);
    if (!test.isEmpty()) writePicture(root() / "p" / (test + kind).toStdString() / "3.png", QColor(90, 90, 90));
  }
  const auto dataset = load(root() / "p");
  QCOMPARE(dataset->train.count, 4);
  QCOMPARE(dataset->test.count, test.isEmpty() ? 0 : 2);
  QCOMPARE(listOf(dataset->classes), QStringList({"a", "b"}));
  QVERIFY2(dataset->shape == Shape::image(8, 8, 1), "all of them are grey");
}

void TestReaders::passesOverWhatIsNoPicture() {
  const Path folder = root() / "p";
  writePicture(folder / "a/1.png", Qt::red);
  writePicture(folder / "b\xE9/1.png", Qt::green);  // no UTF-8
  writePicture(folder / ".hidden/1.png", Qt::green);
  writePicture(folder / "a/.1.png", Qt::green);
  writePicture(folder / "beside.png", Qt::green);
  fs::create_directories(folder / "none");
  writeBytes(folder / "a/words.png", "no picture");
  writeBytes(folder / "a/cut.jpg", pictureFile(samplePicture(40, 40, QImage::Format_RGB32), "jpg").substr(0, 60));
  writeBytes(folder / "a/notes.txt", "words");
  QCOMPARE(mkfifo((folder / "a/pipe.png").c_str(), 0600), 0);
  fs::create_symlink("/dev/zero", folder / "a/link.png");
  fs::create_directory_symlink(folder, folder / "a/loop");
  const auto dataset = load(folder);
  const QString warnings = warningsOf(*dataset), understood = understoodOf(*dataset);
  fs::remove_all(folder);  // QTemporaryDir cannot remove such names
  QCOMPARE(dataset->train.count, 2);
  QCOMPARE(dataset->classes.size(), std::size_t{2});
  QCOMPARE(dataset->classes[1], std::string("b\xEF\xBF\xBD"));
  QVERIFY2(warnings.contains("2 files could not be read and were left out: a/cut.jpg ("), qPrintable(warnings));
  QVERIFY2(warnings.contains("a/words.png (is not a picture in a format that is read)"), qPrintable(warnings));
  QVERIFY2(warnings.contains("2 links were passed over"), qPrintable(warnings));
  QVERIFY2(warnings.contains("1 folder holds no pictures and makes no class: none"), qPrintable(warnings));
  QVERIFY2(understood.contains("3 files that are no picture of a class were passed over"), qPrintable(understood));
  fs::create_directories(folder / "a");
  writeBytes(folder / "a/1.png", pictureFile(samplePicture(9, 9, QImage::Format_RGB32), "png").substr(0, 40));
  QVERIFY2(refusal(Error::Kind::Input, [&] { load(folder); }).contains("holds no picture that can be read: a/1.png"),
           qPrintable(refusal(Error::Kind::Input, [&] { load(folder); })));
}

void TestReaders::givesPicturesOneSize() {
  const Path folder = root() / "p";
  for (int i = 0; i < 6; ++i) writePicture(folder / "a" / (std::to_string(i) + ".png"), Qt::red, 20, 10);
  for (int i = 0; i < 3; ++i) writePicture(folder / "b" / (std::to_string(i) + ".png"), Qt::blue, 12 + i, 12);
  auto dataset = load(folder);
  QVERIFY2(dataset->shape == Shape::image(10, 20, 3), dataset->shape.text().c_str());
  QVERIFY2(understoodOf(*dataset).contains("3 pictures of another size were resized to 10 × 20"),
           qPrintable(understoodOf(*dataset)));
  dataset = load(folder, pictured("pad", {16, 16}, "grey"));
  QVERIFY(dataset->shape == Shape::image(16, 16, 1));
  QCOMPARE(int{dataset->train.pixels[0]}, 0);
  QCOMPARE(int{dataset->train.pixels[8 * 16 + 8]}, 76);
  QVERIFY(understoodOf(*dataset).contains("padded to 16 × 16"));
  QVERIFY(load(folder, pictured("crop", {100, 30}))->shape == Shape::image(100, 30, 3));
  for (int i = 0; i < 9; ++i) writePicture(folder / "c" / (std::to_string(i) + ".png"), Qt::green, 200, 100);
  QVERIFY(load(folder)->shape == Shape::image(32, 64, 3));
  writePicture(root() / "g/a/1.png", Qt::gray);
  QVERIFY(load(root() / "g", pictured("resize", {4, 4}, "rgb"))->shape == Shape::image(4, 4, 3));
}

void TestReaders::stopsWhenTold() {
  for (int i = 0; i < 20; ++i) writePicture(root() / "p/a" / (std::to_string(i) + ".png"), Qt::red);
  // Other threads tell nothing, so how often it is told depends on who is quicker.
  for (int allowed = 0; allowed < 8; ++allowed) {
    int calls = 0;
    const auto dataset =
        loadDataset((root() / "p").string(), {}, {}, [&](const std::string&, double) { return ++calls <= allowed; });
    QCOMPARE(!dataset, calls > allowed);
    QVERIFY(dataset || calls == allowed + 1);
    QVERIFY(!dataset || allowed > 0);
  }
  double last = 0;
  QVERIFY(loadDataset((root() / "p").string(), {}, {}, [&](const std::string&, double part) {
    last = part;
    return part < 1;
  }));
}

// ---- tables

void TestReaders::findsTheDialect_data() {
  QTest::addColumn<QByteArray>("text");
  QTest::addColumn<QString>("says");
  const auto row = [](const char* name, const char* text, const char* says) {
    QTest::newRow(name) << QByteArray(text) << QString(says);
  };
  row("commas", "a,b,label\n1,2.5,x\n3,4,y\n", "separated by commas, the first line names them.");
  row("no header", "1,2.5,x\n3,4,y\n", "separated by commas, no line names them.");
  row("numbers alone", "1,2.5,0\n3,4,1\n", "separated by commas, no line names them.");
  row("semicolons", "a;b;label\n1;2.5;x\n3;4;y\n", "separated by semicolons, the first line names them.");
  row("decimal commas", "a;b;label\n1;2,5;x\n3;4;y\n",
      "separated by semicolons, the first line names them, and numbers have a decimal comma.");
  row("tabs", "a\tb\tlabel\n1\t2.5\tx\n3\t4\ty\n", "separated by tabs");
  row("bars", "a|b|label\n1|2.5|x\n3|4|y\n", "separated by bars");
  row("CRLF", "a,b,label\r\n1,2.5,x\r\n3,4,y\r\n", "separated by commas");
  row("no end", "a,b,label\n1,2.5,x\n3,4,y", "separated by commas");
  row("mark",
      "\xEF\xBB\xBF"
      "a,b,label\n1,2.5,x\n3,4,y\n",
      "separated by commas");
  row("blank lines", "\n\na,b,label\n\n1,2.5,x\n\n3,4,y\n\n", "separated by commas");
  row("blanks", "a, b, label\n1, 2.5, x\n3, 4, y\n", "separated by commas");
  row("quotes", "\"a\",\"b\",\"label\"\n\"1\",\"2.5\",\"x\"\n3,\"4\",\"y\"\n", "separated by commas");
  row("exponents", "a,b,label\n1e0,+2.5,x\n3E0,4,y\n", "separated by commas");
}

void TestReaders::findsTheDialect() {
  QFETCH(QByteArray, text);
  QFETCH(QString, says);
  const auto dataset = table(text.toStdString());
  QVERIFY2(understoodOf(*dataset).contains(says), qPrintable(understoodOf(*dataset)));
  QCOMPARE(dataset->train.floats, (std::vector<float>{1, 2.5, 3, 4}));
  QVERIFY(dataset->shape == Shape::vector(2));
  QCOMPARE(dataset->classes.size(), std::size_t{2});
  QCOMPARE(dataset->train.labels, (std::vector<std::int32_t>{0, 1}));
  writeBytes(root() / "packed.csv.gz", packed(text.toStdString()));
  QCOMPARE(load(root() / "packed.csv.gz")->train.floats, dataset->train.floats);
  QCOMPARE(load(root() / "packed.csv.gz")->title, std::string("packed"));
}

void TestReaders::readsQuotes() {
  const std::string text = "a,\"b \"\"c\"\"\nd\",label\n1,2,\"x,\n\"\"y\"\"\"\n3,4,z\n";
  Records records(text, ',', "text");
  std::vector<std::string_view> fields;
  QVERIFY(records.next(fields));
  QCOMPARE(std::string(fields[1]), std::string("b \"c\"\nd"));
  QVERIFY(records.next(fields));
  QCOMPARE(records.line(), std::size_t{3});
  QCOMPARE(std::string(fields[2]), std::string("x,\n\"y\""));
  QVERIFY(records.next(fields));
  QCOMPARE(records.line(), std::size_t{5});
  QVERIFY(!records.next(fields));
  QCOMPARE(table(text)->train.count, 2);
}

void TestReaders::choosesTheLabels_data() {
  QTest::addColumn<QString>("text");
  QTest::addColumn<QString>("asked");
  QTest::addColumn<QStringList>("classes");
  QTest::addColumn<QList<float>>("values");
  QTest::newRow("called so") << "Class,a,b\nx,1,2\ny,3,4\n"
                             << "" << QStringList{"x", "y"} << QList<float>{1, 2, 3, 4};
  QTest::newRow("numbers called so") << "label,a,b\n7,1,2\n5,3,4\n"
                                     << "" << QStringList{"5", "7"} << QList<float>{1, 2, 3, 4};
  QTest::newRow("last text") << "name,kind,a\nn,x,1\nm,y,2\n"
                             << "" << QStringList{"x", "y"} << QList<float>{1, 2};
  QTest::newRow("last") << "a,b,c\n1,2,0\n3,4,1\n"
                        << "" << QStringList{"0", "1"} << QList<float>{1, 2, 3, 4};
  QTest::newRow("asked for") << "a,b,label\n1,2,0\n3,4,1\n"
                             << "A" << QStringList{"1", "3"} << QList<float>{2, 0, 4, 1};
  QTest::newRow("by number") << "1,2,0\n3,4,1\n"
                             << "2" << QStringList{"2", "4"} << QList<float>{1, 0, 3, 1};
}

void TestReaders::choosesTheLabels() {
  QFETCH(QString, text);
  QFETCH(QString, asked);
  QFETCH(QStringList, classes);
  QFETCH(QList<float>, values);
  const auto dataset = table(text.toStdString(), labelled(asked.toStdString()));
  QCOMPARE(listOf(dataset->classes), classes);
  QCOMPARE(QList<float>(dataset->train.floats.begin(), dataset->train.floats.end()), values);
}

void TestReaders::dropsRowsWithoutValues() {
  std::string text = "a,b,kind\n";
  for (int i = 0; i < 40; ++i) text += std::to_string(i) + "," + std::to_string(2 * i) + (i % 2 ? ",x\n" : ",y\n");
  const auto dataset = table(text + "NA,1,x\n1,,x\n1,2,?\n1,wrong,x\n1,inf,x\n1,2\n1,2,3,4\n1,1e999,y\n");
  QCOMPARE(dataset->train.count, 40);
  QVERIFY2(warningsOf(*dataset).contains("6 rows of t.csv were left out: a value is missing"),
           qPrintable(warningsOf(*dataset)));
  QVERIFY2(warningsOf(*dataset).contains("2 rows of t.csv were left out: they have another number of columns"),
           qPrintable(warningsOf(*dataset)));
}

void TestReaders::readsTablesOfPixels() {
  const auto pixels = [](int count, int rows, bool named, int brightest) {
    std::string text = named ? "label" : "";
    for (int c = 0; named && c < count; ++c) text += ",pixel" + std::to_string(c);
    for (int r = 0; r < rows; ++r) {
      text += (r || named ? "\n" : "") + std::to_string(r % 2);
      for (int c = 0; c < count; ++c) text += "," + std::to_string((c * 7 + r) % brightest);
    }
    return text + "\n";
  };
  auto dataset = table(pixels(784, 4, true, 256));
  QVERIFY(dataset->shape == Shape::image(28, 28, 1));
  QCOMPARE(int{dataset->train.pixels[2]}, 14);
  QVERIFY(understoodOf(*dataset).contains("pixels of pictures, 28 × 28 × 1."));
  dataset = table(pixels(64, 4, true, 17));  // no bytes of a picture: too faint
  QVERIFY(dataset->shape == Shape::image(8, 8, 1) && dataset->train.areFloats());
  QVERIFY(table(pixels(4, 4, false, 256), labelled("1"))->shape == Shape::vector(4));
  QVERIFY(table(pixels(100, 4, false, 256), labelled("1"))->shape == Shape::image(10, 10, 1));
  // In planes of one colour each, or colours side by side.
  for (const bool planes : {true, false}) {
    std::string text;
    for (int r = 0; r < 3; ++r) {
      text += std::to_string(r % 2);
      for (int i = 0; i < 192; ++i)
        text += "," + std::to_string(planes ? i / 64 * 100 + i % 64 % 5 : i % 3 * 100 + i / 3 % 5);
      text += "\n";
    }
    dataset = table(text, labelled("1"));
    QVERIFY(dataset->shape == Shape::image(8, 8, 3));
    QCOMPARE(understoodOf(*dataset).contains("colour after colour"), planes);
    QCOMPARE(std::vector<int>(dataset->train.pixels.begin() + 3, dataset->train.pixels.begin() + 6),
             (std::vector<int>{1, 101, 201}));
  }
}

void TestReaders::readsATestTable() {
  writeBytes(root() / "train.csv", "a,b,label\n1,2,x\n3,4,y\n");
  writeBytes(root() / "test.csv", "label,b,a\ny,6,5\n");
  auto dataset = load(root());
  QCOMPARE(dataset->test.count, 1);
  QCOMPARE(dataset->test.floats, (std::vector<float>{5, 6}));
  QCOMPARE(dataset->test.labels, std::vector<std::int32_t>{1});
  writeBytes(root() / "test.csv", "a,b\n5,6\n");
  dataset = load(root());
  QCOMPARE(dataset->test.count, 0);
  QVERIFY2(warningsOf(*dataset).contains("test.csv has no labels (\"label\")"), qPrintable(warningsOf(*dataset)));
  writeBytes(root() / "test.csv", "a,label\n5,x\n");
  QVERIFY(refused(root() / "test.csv").startsWith("elsewhere"));
  QVERIFY(
      refusal(Error::Kind::Input, [&] { load(root()); }).contains("has no \"b\", needed the columns of the training"));
  writeBytes(root() / "other.csv", "a,label\n5,x\n");
  QVERIFY(refused(root()).contains("holds 2 tables to train on"));
}

void TestReaders::refusesTables_data() {
  QTest::addColumn<QByteArray>("text");
  QTest::addColumn<QString>("says");
  const auto row = [](const char* name, const QByteArray& text, const char* says) {
    QTest::newRow(name) << text << QString(says);
  };
  row("empty", "", "holds no table");
  row("words", "some words\nand others\n", "holds no table");
  row("header alone", "a,b,label\n", "has no column of numbers");
  row("UTF-16",
      QByteArray("\xFF\xFE"
                 "a\0,\0b\0\n\0",
                 10),
      "is text in UTF-16");
  row("zeros", QByteArray("a,b\n1,\0\n", 8), "is no text: byte 6 is 0");
  row("open quote", "a,b\n1,2\n3,\"4\n5,6\n", "has a quote in line 3 that is never closed");
  row("text alone", "name,kind\nn,x\nm,y\n", "has no column of numbers beside its labels");
  row("nothing whole", "a,b,kind\n1,,x\n,2,y\n", "has a missing value in every row");
  QByteArray many = "a,label\n";
  for (int i = 0; i < 1200; ++i) many += "1," + QByteArray::number(i) + "\n";
  row("no classes", many, "has more than 1,000 different labels in \"label\"");
  row("too wide", QByteArray("1,").repeated(70000) + "1\n" + QByteArray("1,").repeated(70000) + "1\n",
      "columns in line 1");
}

void TestReaders::refusesTables() {
  QFETCH(QByteArray, text);
  QFETCH(QString, says);
  writeBytes(root() / "t.csv", text.toStdString());
  QVERIFY2(refused(root() / "t.csv").contains(says), qPrintable(refused(root() / "t.csv")));
  writeBytes(root() / "t.csv", "a,b,label\n1,2,x\n3,4,y\n");
  QVERIFY(refused(root() / "t.csv", labelled("colour"))
              .contains("has no column \"colour\" for the labels; it has \"a\", \"b\""));
}

// ---- NumPy

void TestReaders::readsEveryNumber_data() {
  QTest::addColumn<QString>("type");
  QTest::addColumn<QByteArray>("numbers");
  const auto row = [](const char* type, const std::string& numbers) {
    QTest::newRow(type) << QString(type) << QByteArray::fromStdString(numbers);
  };
  const std::vector<double> v{0, 1, 2, 3, 4, 120};
  row("|u1", numbersAs<std::uint8_t>(v));
  row("|i1", numbersAs<std::int8_t>(v));
  row("<u2", numbersAs<std::uint16_t>(v));
  row(">u2", numbersAs<std::uint16_t>(v, true));
  row("<i2", numbersAs<std::int16_t>(v));
  row(">i2", numbersAs<std::int16_t>(v, true));
  row("<u4", numbersAs<std::uint32_t>(v));
  row(">i4", numbersAs<std::int32_t>(v, true));
  row("<i8", numbersAs<std::int64_t>(v));
  row(">u8", numbersAs<std::uint64_t>(v, true));
  row("<f4", numbersAs<float>(v));
  row(">f4", numbersAs<float>(v, true));
  row("<f8", numbersAs<double>(v));
  row(">f8", numbersAs<double>(v, true));
  row("<f2", numbersAs<std::uint16_t>({0x0000, 0x3c00, 0x4000, 0x4200, 0x4400, 0x5780}));
}

void TestReaders::readsEveryNumber() {
  QFETCH(QString, type);
  QFETCH(QByteArray, numbers);
  const std::string y = npyFile("<i8", "(2,)", numbersAs<std::int64_t>({0, 1}));
  for (const bool deflated : {false, true}) {
    writeBytes(
        root() / "d.npz",
        zipFile({{"x.npy", npyFile(type.toStdString(), "(2, 3)", numbers.toStdString())}, {"y.npy", y}}, deflated));
    QCOMPARE(load(root() / "d.npz")->train.floats, (std::vector<float>{0, 1, 2, 3, 4, 120}));
  }
  // Fortran's order: the first dimension runs fastest.
  writeBytes(
      root() / "d.npz",
      zipFile({{"x.npy", npyFile(type.toStdString(), "(2, 3)", numbers.toStdString(), true)}, {"y.npy", y}}, true));
  QCOMPARE(load(root() / "d.npz")->train.floats, (std::vector<float>{0, 2, 4, 1, 3, 120}));
  // As labels, and as one dimension more.
  writeBytes(root() / "d.npz", zipFile({{"x.npy", npyFile("<f4", "(6, 1)", numbersAs<float>({1, 2, 3, 4, 5, 6}))},
                                        {"y.npy", npyFile(type.toStdString(), "(6, 1)", numbers.toStdString())}},
                                       true));
  QCOMPARE(load(root() / "d.npz")->train.labels, (std::vector<std::int32_t>{0, 1, 2, 3, 4, 120}));
}

void TestReaders::readsArraysByAnyName_data() {
  QTest::addColumn<QStringList>("names");
  const auto row = [](const QStringList& names) { QTest::newRow(qPrintable(names.join(' '))) << names; };
  row({"x_train", "y_train", "x_test", "y_test"});
  row({"X_train", "Y_train", "X_test", "Y_test"});
  row({"train_images", "train_labels", "test_images", "test_labels"});
  row({"X", "y"});
  row({"images", "labels"});
  row({"data", "target"});
  row({"arr_0", "arr_1"});
  row({"arr_0", "arr_1", "arr_2", "arr_3"});
  row({"arr_0", "arr_2", "arr_1", "arr_3"});
}

void TestReaders::readsArraysByAnyName() {
  QFETCH(QStringList, names);
  const std::vector<std::string> arrays{npyFile("|u1", "(3, 2, 2)", "0123456789ab"),
                                        npyFile("|u1", "(3,)", std::string("\0\1\2", 3)),
                                        npyFile("|u1", "(1, 2, 2)", "wxyz"), npyFile("|u1", "(1,)", "\1")};
  std::vector<std::pair<std::string, std::string>> members;
  const Path folder = root() / "arrays";
  fs::create_directory(folder);
  for (qsizetype i = 0; i < names.size(); ++i) {
    members.emplace_back(names[i].toStdString() + ".npy", arrays[std::size_t(i)]);
    writeBytes(folder / members.back().first, members.back().second);
  }
  writeBytes(root() / "d.npz", zipFile(members, true));
  for (const Path& path : {root() / "d.npz", folder}) {
    const auto dataset = load(path);
    QVERIFY(dataset->shape == Shape::image(2, 2, 1));
    QCOMPARE(dataset->train.count, 3);
    QCOMPARE(dataset->test.count, names.size() == 4 ? 1 : 0);
    QCOMPARE(dataset->train.labels, (std::vector<std::int32_t>{0, 1, 2}));
    QCOMPARE(dataset->title, std::string(path == folder ? "arrays" : "d"));
  }
}

void TestReaders::judgesLayouts() {
  const auto shapeOf = [&](const std::string& shape, int count, double step, std::string* said = nullptr) {
    std::vector<double> values;
    for (int i = 0; i < count; ++i) values.push_back(i % 200 * step);
    writeBytes(root() / "d.npz", zipFile({{"x.npy", npyFile("<f4", "(2, " + shape + ")", numbersAs<float>(values))},
                                          {"y.npy", npyFile("|u1", "(2,)", std::string("\0\1", 2))}},
                                         true));
    const auto dataset = load(root() / "d.npz");
    if (said) *said = understoodOf(*dataset).toStdString();
    return dataset->shape;
  };
  std::string said;
  QVERIFY(shapeOf("4, 5, 3", 120, 1) == Shape::image(4, 5, 3));
  QVERIFY(shapeOf("3, 4, 5", 120, 1, &said) == Shape::image(4, 5, 3));
  QVERIFY2(said.find("channels first") != std::string::npos, said.c_str());
  QVERIFY(shapeOf("1, 4, 5", 40, 1) == Shape::image(4, 5, 1));
  QVERIFY(shapeOf("4, 5", 40, 1) == Shape::image(4, 5, 1));
  QVERIFY(shapeOf("4, 5", 40, 0.025) == Shape::image(4, 5, 1));
  QVERIFY(shapeOf("4, 5", 40, -0.3, &said) == Shape::sequence(4, 5));
  QVERIFY2(said.find("sequences of 4 steps of 5 numbers") != std::string::npos, said.c_str());
  QVERIFY(shapeOf("7", 14, 1) == Shape::vector(7));
  // Channels first means that the values are moved.
  writeBytes(root() / "d.npz", zipFile({{"x.npy", npyFile("|u1", "(1, 3, 2, 2)", "rstuGHIJbcde")},
                                        {"y.npy", npyFile("|u1", "(1, 2)", std::string("\0\1", 2))}},
                                       false));
  const auto dataset = load(root() / "d.npz");
  QCOMPARE(std::string(dataset->train.pixels.begin(), dataset->train.pixels.end()), std::string("rGbsHctIduJe"));
  QCOMPARE(dataset->train.labels, std::vector<std::int32_t>{0});  // there is none before it
}

void TestReaders::refusesArrays_data() {
  QTest::addColumn<QByteArray>("x");
  QTest::addColumn<QByteArray>("y");
  QTest::addColumn<QString>("says");
  const std::string good = npyFile("<f4", "(2, 1)", numbersAs<float>({1, 2})),
                    labels = npyFile("|u1", "(2,)", std::string("\0\1", 2));
  const auto row = [](const char* name, const std::string& x, const std::string& y, const char* says) {
    QTest::newRow(name) << QByteArray::fromStdString(x) << QByteArray::fromStdString(y) << QString(says);
  };
  row("pickle inside", npyFile("|O", "(2,)", "whatever"), labels, "Python objects (a pickle), which is never opened");
  row("a pickle", "\x80\x04\x95whatever", labels, "is a pickle, which is never opened");
  row("nothing behind the header", npyFile("<f4", "(2, 1)", ""), labels, "is cut off");
  row("text", npyFile("<U3", "(2, 1)", std::string(24, 'a')), labels, "holds values of the type \"<U3\"");
  row("complex", npyFile("<c8", "(2, 1)", std::string(16, 'a')), labels, "holds values of the type");
  row("no array", "something else altogether", labels, "is no NumPy array");
  row("empty", npyFile("<f4", "(0, 5)", ""), labels, "is empty");
  row("cut", npyFile("<f4", "(2, 1)", "1234"), labels, "is cut off: its header promises 8 bytes of numbers, got 4");
  row("too long", npyFile("<f4", "(2, 1)", "123456789"), labels, "goes on after");
  row("huge", npyFile("<f4", "(2, 100000000)", "1234"), labels, "promises 800000000 bytes of numbers");
  row("wraps", npyFile("<f8", "(4294967296, 4294967296, 8)", "1234"), labels, "needed");
  row("wraps small", npyFile("<f8", "(2147483647, 2147483647, 8)", "1234"), labels, "");
  row("a dimension too many", npyFile("<f4", "(1, 1, 1, 1, 1)", "1234"), npyFile("|u1", "(1,)", "\1"),
      "needed two to four dimensions");
  row("no samples", npyFile("<f4", "()", "1234"), labels, "");
  row("NaN", npyFile("<f4", "(2, 1)", numbersAs<float>({1, NAN})), labels, "is not a finite number in sample 1");
  row("infinite as a float", npyFile("<f8", "(2, 1)", numbersAs<double>({1, 1e300})), labels, "is not a finite number");
  row("counts", good, npyFile("|u1", "(3,)", std::string("\0\1\2", 3)),
      "holds 3 labels, needed one for each of the 2 samples");
  row("swapped", good, npyFile("<f4", "(2, 1, 1)", numbersAs<float>({1, 2})), "needed one label a sample");
  row("fractions", good, npyFile("<f4", "(2,)", numbersAs<float>({1, 2.5})),
      "has a label that is no whole number in sample 1");
  row("two classes", good, npyFile("|u1", "(2, 2)", std::string("\1\1\0\1", 4)), "rows with a single 1; sample 0");
  row("unknown key", "\x93NUMPY" + std::string("\1\0\x10\0", 4) + "{'evil': 1     }", labels, "has a damaged header");
  row("version", "\x93NUMPY" + std::string("\7\0\x10\0", 4) + "{'evil': 1     }", labels, "is of NumPy's format 7");
  row("long header", "\x93NUMPY" + std::string("\2\0\xff\xff\xff\x7f", 6), labels, "has a header of 2147483647 bytes");
}

void TestReaders::refusesArrays() {
  QFETCH(QByteArray, x);
  QFETCH(QByteArray, y);
  QFETCH(QString, says);
  for (const bool deflated : {true, false}) {
    writeBytes(root() / "d.npz", zipFile({{"x.npy", x.toStdString()}, {"y.npy", y.toStdString()}}, deflated));
    const QString sentence = refused(root() / "d.npz");
    if (says == "promises 800000000 bytes of numbers") QVERIFY2(!sentence.isEmpty(), qPrintable(sentence));
    QVERIFY2(!sentence.startsWith("elsewhere") && sentence.contains(says), qPrintable(sentence));
  }
  writeBytes(root() / "d.npz", zipFile({{"x.npy", x.toStdString()}}, true));
  QVERIFY(!refused(root() / "d.npz").startsWith("elsewhere"));
  writeBytes(root() / "alone.npy", npyFile("<f4", "(2, 1)", "12345678"));
  QVERIFY(refused(root() / "alone.npy").contains("is a single array, needed samples and labels"));
  writeBytes(root() / "none.npz", zipFile({{"a.npy", npyFile("|u1", "(1,)", "a")}}, true));
  QVERIFY(refused(root() / "none.npz").contains("holds the arrays a, needed samples and their labels"));
  std::string damaged =
      zipFile({{"x.npy", npyFile("|u1", "(2, 2)", "abcd")}, {"y.npy", npyFile("|u1", "(2,)", "\1\1")}}, false);
  damaged[damaged.find("abcd")] = 'x';
  writeBytes(root() / "none.npz", damaged);
  QVERIFY(refused(root() / "none.npz").contains("has a wrong checksum for x.npy"));
}

// ---- CIFAR

void TestReaders::readsCifar_data() {
  QTest::addColumn<bool>("hundred");
  QTest::addColumn<int>("way");
  const char* ways[] = {"in a folder", "in its folder", "in an archive", "in a folder with its archive"};
  for (const bool hundred : {false, true})
    for (int way = 0; way < 4; ++way) QTest::addRow("%d %s", hundred ? 100 : 10, ways[way]) << hundred << way;
}

void TestReaders::readsCifar() {
  QFETCH(bool, hundred);
  QFETCH(int, way);
  std::vector<std::pair<std::string, std::string>> files;
  if (hundred) {
    files = {{"train.bin", cifarRecord("\3\77", 0) + cifarRecord(std::string("\0\1", 2), 9)},
             {"test.bin", cifarRecord("\1\2", 0)}};
  } else {
    for (char batch = 1; batch <= 5; ++batch)
      files.emplace_back(std::string("data_batch_") + char('0' + batch) + ".bin", cifarRecord({batch}, batch));
    files.emplace_back("test_batch.bin", cifarRecord("\7", 0));
    files.emplace_back("batches.meta.txt", "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
  }
  files.emplace_back("readme.html", "<html>");
  const Path folder = root() / "cifar",
             inner = folder / (way == 1 ? hundred ? "cifar-100-binary" : "cifar-10-batches-bin" : "");
  fs::create_directories(inner);
  std::vector<std::pair<std::string, std::string>> archived;
  for (const auto& [name, content] : files) {
    if (way < 2) writeBytes(inner / name, content);
    archived.emplace_back("cifar/" + name, content);
  }
  const std::string archive = packed(tarFile(archived));
  if (way == 2) writeBytes(root() / "any name.tgz", archive);
  if (way == 3) writeBytes(folder / (hundred ? "cifar-100-binary.tar.gz" : "cifar-10-binary.tar.gz"), archive);
  const auto dataset = load(way == 2 ? root() / "any name.tgz" : folder);
  QVERIFY(dataset->shape == Shape::image(32, 32, 3));
  QCOMPARE(dataset->train.count, hundred ? 2 : 5);
  QCOMPARE(dataset->test.count, 1);
  QCOMPARE(dataset->train.labels[0], hundred ? 63 : 1);
  QCOMPARE(dataset->classes.size(), std::size_t(hundred ? 100 : 10));
  QCOMPARE(dataset->classes[3], std::string(hundred ? "3" : "cat"));
  const int first = hundred ? 0 : 1;
  QCOMPARE(std::vector<int>(dataset->train.pixels.begin() + 3, dataset->train.pixels.begin() + 6),
           (std::vector<int>{first + 1, first + 51, first + 101}));
}

void TestReaders::refusesCifar() {
  const auto batches = [](const std::string& first) {
    return std::vector<std::pair<std::string, std::string>>{{"data_batch_1.bin", first}};
  };
  const Path path = root() / "c.tar.gz";
  const auto says = [&](const std::string& bytes) {
    writeBytes(path, bytes);
    return refused(path);
  };
  QVERIFY(
      says(packed(tarFile(batches(cifarRecord("\12", 0))))).contains("has the class 10 in record 0, needed 0 to 9"));
  QVERIFY(says(packed(tarFile(batches("short")))).contains("is 5 bytes, needed records of 3073 bytes each"));
  QVERIFY(says(packed(tarFile(batches("")))).contains("is 0 bytes"));
  QVERIFY(says(packed(tarFile({{"data_batch_1", "pickle"}}))).contains("whose files are pickles"));
  QVERIFY(says(packed(tarFile({{"other", "x"}}))).contains("holds neither data_batch_1.bin nor train.bin"));
  QVERIFY(says(packed(tarFile(batches(cifarRecord("\1", 0)), '2'))).contains("holds neither"));  // a link
  const std::string good = tarFile(batches(cifarRecord("\1", 0)));
  for (const std::size_t cut : {520u, 700u, 2000u, 3500u})
    QVERIFY2(says(good.substr(0, cut)).contains("ends inside a file"), qPrintable(says(good.substr(0, cut))));
  std::string damaged = good;
  damaged[5] ^= 1;
  QVERIFY(says(damaged).contains("is no sound tar archive"));
  writeBytes(path, good);
  QCOMPARE(load(path)->train.count, 1);
  QVERIFY(warningsOf(*load(path)).contains("test_batch.bin is missing"));
}

QTEST_GUILESS_MAIN(TestReaders)
#include "tst_readers.moc"

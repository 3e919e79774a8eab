// SPDX-License-Identifier: GPL-3.0-or-later
// What `strata predict` says of a data set's own test pictures, saved as PNG files, is what the validation said of the
// same samples; and of pictures as people make them.
#include <QImage>
#include <QPainter>
#include <QtTest>

#include "cli_run.h"
#include "datasets/datasets.h"
#include "datasets/digits/prep.h"
#include "engine/base/json.h"
#include "engine/run/checkpoint.h"
#include "engine/run/predictor.h"
#include "engine/run/run_record.h"
#include "tiny_run.h"

using namespace strata;

class TestPredict : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithTheTestSet_data();
  void agreesWithTheTestSet();
  void warnsOfTheOtherPolarity();
  void oldCheckpoints_data();
  void oldCheckpoints();
  void obeysByHand();
  void tellsWhatItNoticed();

 private:
  std::string path(const std::string& name) const { return (m_folder / name).string(); }
  /// Some steps of a linear net on the first samples; the run's folder.
  Path trained(std::shared_ptr<const Dataset> data, const std::string& name, bool invert = false);
  std::string saved(const Picture& picture, const std::string& name) const {
    const QImage image(picture.pixels.data(), picture.width, picture.height, picture.width * picture.channels,
                       picture.channels == 3 ? QImage::Format_RGB888 : QImage::Format_Grayscale8);
    return image.save(QString::fromStdString(path(name))) ? path(name) : std::string();
  }
  ScratchFolder m_folder;
};

namespace {

enum class Source { Mnist, Fashion, Synthetic, DarkSynthetic, Colour };

std::shared_ptr<const Dataset> darkDigits() {
  auto data = std::make_shared<Dataset>(*syntheticDigits(1, 3000, 600));
  for (Samples* part : {&data->train, &data->test})
    for (std::uint8_t& pixel : part->pixels) pixel = std::uint8_t(255 - pixel);
  judgePictures(*data);
  return data;
}

/// The tiny bars, each class in a colour of its own.
std::shared_ptr<const Dataset> colourBars() {
  const auto grey = tinyDataset(400, 200);
  auto data = std::make_shared<Dataset>(*grey);
  data->shape = Shape::image(8, 8, 3);
  for (Samples* part : {&data->train, &data->test}) {
    std::vector<std::uint8_t> pixels;
    for (std::size_t i = 0; i < part->pixels.size(); ++i)
      for (int c = 0; c < 3; ++c) pixels.push_back(c == part->labels[i / 64] ? 255 : part->pixels[i]);
    part->pixels = std::move(pixels);
  }
  judgePictures(*data);
  return data;
}

std::shared_ptr<const Dataset> dataOf(Source source) {
  switch (source) {
    case Source::Mnist:
      return findDataset("mnist", {}) ? loadDataset("mnist", {}) : nullptr;
    case Source::Fashion:
      return findDataset("fashion-mnist", {}) ? loadDataset("fashion-mnist", {}) : nullptr;
    case Source::Synthetic:
      return syntheticDigits(1, 3000, 600);
    case Source::DarkSynthetic:
      return darkDigits();
    case Source::Colour:
      return colourBars();
  }
  return nullptr;
}

Picture sampleOf(const Dataset& data, int index) {
  const auto size = std::ptrdiff_t(data.shape.size());
  const auto first = data.test.pixels.begin() + size * index;
  return {data.shape.w, data.shape.h, {first, first + size}, data.shape.c};
}

}  // namespace

Path TestPredict::trained(std::shared_ptr<const Dataset> data, const std::string& name, bool invert) {
  TrainJob job;
  Project& project = job.project;
  project.network.input = data->shape;
  project.network.classes = int(data->classes.size());
  project.network.layers.push_back(tinyLayer(project.network, "flatten"));
  project.network.layers.push_back(
      tinyLayer(project.network, "dense", {{"units", std::int64_t{project.network.classes}}}));
  project.data.preprocessing.invert = invert;
  project.training.optimizer.fields.set("learning_rate", 0.1);
  project.training.batchSize = 64;
  project.training.epochs = 1;
  job.data = makeDataView(data, ValidationSource::TestSet, 0.1, 1);
  job.data.train.resize(std::min<std::size_t>(job.data.train.size(), 12800));
  job.threads = 1;
  job.runFolder = path(name);
  runToEnd(std::move(job));
  return path(name);
}

void TestPredict::agreesWithTheTestSet_data() {
  QTest::addColumn<int>("source");
  QTest::addColumn<bool>("invert");
  QTest::newRow("MNIST") << int(Source::Mnist) << false;
  QTest::newRow("Fashion-MNIST") << int(Source::Fashion) << false;
  QTest::newRow("synthetic digits") << int(Source::Synthetic) << false;
  QTest::newRow("dark digits on light ground") << int(Source::DarkSynthetic) << false;
  QTest::newRow("the same, turned for training") << int(Source::DarkSynthetic) << true;
  QTest::newRow("colour") << int(Source::Colour) << false;
}

/// Every test sample through the code of `predict`, and some through the program and PNG files.
void TestPredict::agreesWithTheTestSet() {
  QFETCH(int, source);
  QFETCH(bool, invert);
  const auto data = dataOf(Source(source));
  if (!data) QSKIP("the data set is not on this computer");
  const Path run = trained(data, QTest::currentDataTag(), invert);
  const RunRecord record = readRun(run);
  QCOMPARE(record.epochs.size(), std::size_t{1});
  const Checkpoint model = readCheckpoint(run / "checkpoints/best.safetensors");
  QVERIFY(model.preprocessing.framing == data->framing && model.preprocessing.ink == data->ink);
  Predictor predictor(model.network);
  predictor.setWeights(model.weights);
  int right = 0;
  std::vector<int> answers;
  for (int i = 0; i < data->test.count; ++i) {
    const auto prepared = preparePicture(sampleOf(*data, i), data->shape, model.preprocessing);
    QVERIFY2(prepared && prepared->asItIs && !prepared->inverted, qPrintable(QString("sample %1").arg(i)));
    const auto probabilities = predictor.predict(netInput(prepared->final, model.preprocessing));
    answers.push_back(int(std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin()));
    right += answers.back() == data->test.labels[std::size_t(i)];
  }
  QVERIFY2(std::abs(right / double(data->test.count) - record.epochs[0].value("val_accuracy")) < 1e-4,
           qPrintable(QString("%1 of %2, validated %3")
                          .arg(right)
                          .arg(data->test.count)
                          .arg(record.epochs[0].value("val_accuracy"))));
  const double guessing = 1.0 / double(data->classes.size());
  QVERIFY2(record.epochs[0].value("val_accuracy") > guessing + 0.2,
           "it has learned too little for the comparison to tell");

  std::vector<std::string> arguments{"predict", run.string(), "--json"};
  for (int i = 0; i < 60; ++i) arguments.push_back(saved(sampleOf(*data, i), std::to_string(i) + ".png"));
  const CliResult result = runStrata(arguments);
  QVERIFY2(result.exitCode == 0 && result.err.empty(), result.err.c_str());
  const QList<QByteArray> lines = QByteArray::fromStdString(result.out).trimmed().split('\n');
  QCOMPARE(lines.size(), 60);
  for (int i = 0; i < 60; ++i)
    QCOMPARE(parseJson(lines[i].toStdString(), "line")["index"].get<int>(), answers[std::size_t(i)]);
}

void TestPredict::warnsOfTheOtherPolarity() {
  const auto warnings = [&](bool invert) {
    TrainJob job = tinyJob();
    auto data = std::make_shared<Dataset>(*job.data.dataset);
    data->framing = Framing::Mnist;
    data->ink = Ink::Dark;
    job.data.dataset = data;
    job.project.data.preprocessing.invert = invert;
    job.project.training.epochs = 1;
    int count = 0;
    for (const NoteEvent& note : runToEnd(std::move(job)).of<NoteEvent>())
      count +=
          note.level == NoteEvent::Level::Warning && note.text.find("dark ink on light ground") != std::string::npos;
    return count;
  };
  QCOMPARE(warnings(false), 1);
  QCOMPARE(warnings(true), 0);
}

void TestPredict::oldCheckpoints_data() {
  QTest::addColumn<bool>("digits");
  QTest::addColumn<bool>("invert");
  QTest::newRow("digits") << true << false;
  QTest::newRow("digits, turned") << true << true;
  QTest::newRow("clothing") << false << false;
}

/// Checkpoints from before framing and ink were remembered.
void TestPredict::oldCheckpoints() {
  QFETCH(bool, digits);
  QFETCH(bool, invert);
  const Preprocessing old = preprocessingFromJson(Json{{"scale", 0.1}, {"offset", 0}, {"invert", invert}}, "old");
  const auto classes = syntheticDigits(1, 1, 1)->classes;
  const Preprocessing now =
      resolved(old, Shape::image(28, 28, 1), digits ? classes : std::vector<std::string>{"Shirt", "Bag"});
  QVERIFY(now.framing == (digits ? Framing::Mnist : Framing::None));
  QVERIFY(now.ink == (invert ? Ink::Dark : Ink::Light));
}

/// A large dark 7 in a frame: --framing and --polarity change what the net is given.
void TestPredict::obeysByHand() {
  const Path run = trained(syntheticDigits(1, 3000, 600), "by hand");
  QImage picture(280, 280, QImage::Format_RGB32);
  picture.fill(Qt::white);
  QPainter painter(&picture);
  painter.setPen(QPen(Qt::black, 22, Qt::SolidLine, Qt::RoundCap));
  painter.drawLine(70, 70, 200, 70);
  painter.drawLine(200, 70, 120, 230);
  painter.end();
  QVERIFY(picture.save(QString::fromStdString(path("7.png"))));
  const auto answer = [&](const std::vector<std::string>& options) {
    std::vector<std::string> arguments{"predict", run.string(), path("7.png"), "--json"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const CliResult result = runStrata(arguments);
    return result.exitCode == 0 ? parseJson(result.out, "answer") : Json();
  };
  const Json judged = answer({});
  QCOMPARE(judged["class"].get<std::string>(), std::string("7"));
  QCOMPARE(answer({"--polarity", "dark-on-light"})["probabilities"], judged["probabilities"]);
  QVERIFY(answer({"--polarity", "light-on-dark"})["probabilities"] != judged["probabilities"]);
  QCOMPARE(answer({"--framing", "mnist"})["probabilities"], judged["probabilities"]);
  QVERIFY(answer({"--framing", "none"})["probabilities"] != judged["probabilities"]);
  QCOMPARE(runStrata({"predict", run.string(), path("7.png"), "--framing", "golden"}).exitCode, 2);
}

void TestPredict::tellsWhatItNoticed() {
  const Path run = trained(syntheticDigits(1, 3000, 600), "noticing");
  QImage picture(400, 280, QImage::Format_RGB32);
  picture.fill(Qt::white);
  QPainter painter(&picture);
  painter.fillRect(100, 60, 22, 160, Qt::black);
  painter.fillRect(280, 60, 22, 160, Qt::black);
  painter.end();
  QVERIFY(picture.save(QString::fromStdString(path("11.png"))));
  const CliResult plain = runStrata({"predict", run.string(), path("11.png")});
  QCOMPARE(plain.exitCode, 0);
  QVERIFY2(plain.err.find("seems to hold 2 separate shapes") != std::string::npos, plain.err.c_str());
  const CliResult json = runStrata({"predict", run.string(), path("11.png"), "--json"});
  QVERIFY(json.err.empty());
  QCOMPARE(parseJson(json.out, "answer")["remarks"].size(), std::size_t{1});
}

QTEST_GUILESS_MAIN(TestPredict)
#include "tst_predict.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Losses and metrics: closed forms, gradients, label smoothing, ties, extreme and non-finite outputs, parts of a batch.
#include <QTest>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "engine/learn/scorer.h"
#include "test_files.h"

using namespace strata;

class TestLoss : public QObject {
  Q_OBJECT
 private slots:
  void equalLogitsCostLogK();
  void handComputed();
  void squaresByHand();
  void asPyTorch_data();
  void asPyTorch();
  void gradientIsTheSlope_data();
  void gradientIsTheSlope();
  void largeLogitsDoNotOverflow();
  void farOutputsStayFinite_data();
  void farOutputsStayFinite();
  void nonFiniteComesThrough_data();
  void nonFiniteComesThrough();
  void firstWinsATie();
  void ranksByHand();
  void labelOutsideIsRefused();
  void predictions();
  void partsAddUp_data();
  void partsAddUp();
  void scoresByClassByHand();
  void calibrationByHand();
  void validationsAddUp_data();
  void validationsAddUp();
  void whatDoesNotFitIsPassedOver();
  void theOutputIsAskedFor();
};

namespace {

LossSpec lossOf(const std::string& type, double smoothing = 0) {
  LossSpec loss{type, Fields(findChoice(allLosses(), type)->fields)};
  if (smoothing > 0) loss.fields.set("label_smoothing", smoothing);
  return loss;
}

/// tests/golden/losses.json, which losses.py has made.
const Json& goldenLosses() {
  static const Json golden = parseJson(readText(STRATA_SOURCE_DIR "/tests/golden/losses.json"), "losses.json");
  return golden;
}

template <class Number>
std::vector<Number> flat(const Json& rows) {
  std::vector<Number> values;
  for (const Json& row : rows)
    for (const Json& value : row) values.push_back(value.get<Number>());
  return values;
}

LossSpec crossEntropy(double smoothing = 0) { return lossOf("softmax_cross_entropy", smoothing); }

/// Loss and metrics of logits [N,K] with labels [N].
LossResult score(const std::vector<float>& logits, const std::vector<std::int32_t>& labels,
                 const MetricIds& metrics = {"accuracy"}, double smoothing = 0) {
  Batch batch;
  batch.size = static_cast<int>(labels.size());
  batch.labels = labels.data();
  return Scorer(crossEntropy(smoothing), metrics)(
      batch, 0, batch.size, static_cast<std::int64_t>(logits.size() / labels.size()), logits.data());
}

}  // namespace

void TestLoss::equalLogitsCostLogK() {
  for (const double smoothing : {0.0, 0.1})
    QVERIFY(std::abs(score(std::vector<float>(20, 3.0f), {4, 9}, {}, smoothing).lossSum - 2 * std::log(10)) < 1e-12);
}

// logits 0 and log 3: probabilities 1/4 and 3/4.
void TestLoss::handComputed() {
  const double logits[] = {0, std::log(3)};
  const std::int32_t label = 0;
  double gradient[2];
  BasicLossIo<double> io;
  io.count = 1;
  io.size = 2;
  io.outputs = logits;
  io.labels = &label;
  io.gradients = gradient;
  const auto lossWith = [&](double smoothing) {
    const LossSpec loss = crossEntropy(smoothing);
    return loss.def().compute64(loss.fields, io);
  };
  QVERIFY(std::abs(lossWith(0) - std::log(4)) < 1e-15);
  QVERIFY(std::abs(gradient[0] + 0.75) < 1e-15 && std::abs(gradient[1] - 0.75) < 1e-15);
  QVERIFY(std::abs(lossWith(0.2) - (0.9 * std::log(4) + 0.1 * std::log(4.0 / 3))) < 1e-15);  // target 0.9, 0.1
  QVERIFY(std::abs(gradient[0] - (0.25 - 0.9)) < 1e-15 && std::abs(gradient[1] - (0.75 - 0.1)) < 1e-15);
}

// Two samples of two values, off by 1, 2, 0 and -4: squares 21 / 4 values; gradient 2 * off / 4.
void TestLoss::squaresByHand() {
  const double outputs[] = {2, 5, 1, -1}, targets[] = {1, 3, 1, 3};
  double gradient[4];
  BasicLossIo<double> io;
  io.count = 2;
  io.size = 2;
  io.outputs = outputs;
  io.targets = targets;
  io.gradients = gradient;
  const LossSpec loss = lossOf("mean_squared_error");
  QCOMPARE(loss.def().compute64(loss.fields, io) / 2, 21.0 / 4);
  const double expected[] = {0.5, 1, 0, -2};
  QVERIFY(std::equal(gradient, gradient + 4, expected));
}

void TestLoss::asPyTorch_data() {
  QTest::addColumn<int>("number");
  const Json& cases = goldenLosses()["cases"];
  for (std::size_t i = 0; i < cases.size(); ++i)
    QTest::addRow("%s %s", cases[i]["type"].get<std::string>().c_str(), cases[i]["fields"].dump().c_str()) << int(i);
  for (const LossDef& def : allLosses())
    QVERIFY2(std::ranges::any_of(cases, [&](const Json& each) { return each["type"] == def.type; }), def.type.c_str());
}

template <class Real>
static void compareWithGolden(const Json& golden, double tolerance) {
  const Json& all = goldenLosses();
  const auto outputs = flat<Real>(all["outputs"]), targets = flat<Real>(all["targets"]);
  const auto labels = all["labels"].get<std::vector<std::int32_t>>();
  std::vector<Real> gradient(outputs.size());
  LossSpec loss = lossOf(golden["type"]);
  loss.fields = fieldsFromJson(loss.def().fields, golden["fields"], "losses.json", {});
  BasicLossIo<Real> io;
  io.count = static_cast<int>(labels.size());
  io.size = static_cast<std::int64_t>(outputs.size() / labels.size());
  io.outputs = outputs.data();
  io.labels = labels.data();
  io.targets = targets.data();
  io.gradients = gradient.data();
  double value = 0;
  if constexpr (std::is_same_v<Real, double>) value = loss.def().compute64(loss.fields, io) / io.count;
  else value = loss.def().compute(loss.fields, io) / io.count;
  const double expected = golden["loss"];
  QVERIFY2(std::abs(value - expected) <= tolerance * expected, qPrintable(QString::number(value, 'g', 17)));
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    const double slope = golden["gradient"][i];
    QVERIFY2(std::abs(double(gradient[i]) - slope) <= tolerance * std::abs(slope) + 1e-13,
             qPrintable(QString("%1: %2, expected %3").arg(i).arg(double(gradient[i]), 0, 'g', 17).arg(slope)));
  }
}

void TestLoss::asPyTorch() {
  QFETCH(int, number);
  const Json& golden = goldenLosses()["cases"][static_cast<std::size_t>(number)];
  compareWithGolden<double>(golden, 1e-10);
  compareWithGolden<float>(golden, 1e-5);
}

void TestLoss::gradientIsTheSlope_data() {
  QTest::addColumn<QString>("type");
  QTest::addColumn<QString>("field");
  QTest::addColumn<double>("value");
  for (const LossDef& def : allLosses())
    QTest::newRow(def.type.c_str()) << QString::fromStdString(def.type) << QString() << 0.0;
  QTest::newRow("smoothed") << "softmax_cross_entropy"
                            << "label_smoothing" << 0.15;
  for (const double gamma : {0.0, 0.5, 1.0, 5.0})
    QTest::addRow("focal, gamma %g", gamma) << "focal"
                                            << "gamma" << gamma;
  for (const double delta : {0.1, 0.6})
    QTest::addRow("huber, delta %g", delta) << "huber"
                                            << "delta" << delta;
}

void TestLoss::gradientIsTheSlope() {
  QFETCH(QString, type);
  QFETCH(QString, field);
  QFETCH(double, value);
  LossSpec loss = lossOf(type.toStdString());
  if (!field.isEmpty()) loss.fields.set(field.toStdString(), value);
  std::vector<double> outputs{0.3, -1.2, 2.0, 0.1, 0.7, -0.4}, gradient(6);
  const std::vector<double> targets{0.1, -0.4, 1.2, 0.6, 0.5, -0.9};
  const std::vector<std::int32_t> labels{2, 0};
  BasicLossIo<double> io;
  io.count = 2;
  io.size = 3;
  io.outputs = outputs.data();
  io.labels = labels.data();
  io.targets = targets.data();
  io.gradients = gradient.data();
  loss.def().compute64(loss.fields, io);
  io.gradients = nullptr;
  const double h = 1e-6;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto lossAt = [&](double shift) {
      const double before = std::exchange(outputs[i], outputs[i] + shift);
      const double found = loss.def().compute64(loss.fields, io) / io.count;
      outputs[i] = before;
      return found;
    };
    QVERIFY(std::abs((lossAt(h) - lossAt(-h)) / (2 * h) - gradient[i]) < 1e-9);
  }
}

void TestLoss::largeLogitsDoNotOverflow() {
  const LossResult loss = score({10000, -10000, 0}, {0});
  QCOMPARE(loss.lossSum, 0.0);
  QCOMPARE(loss.metrics[0], 1.0);
}

void TestLoss::farOutputsStayFinite_data() {
  QTest::addColumn<QString>("type");
  for (const LossDef& def : allLosses()) QTest::newRow(def.type.c_str()) << QString::fromStdString(def.type);
}

// Outputs as far out as a run may come to: loss and slopes are numbers, and the loss of a right answer is none.
void TestLoss::farOutputsStayFinite() {
  QFETCH(QString, type);
  const LossSpec loss = lossOf(type.toStdString());
  for (const float far : {80.0f, 1e4f, 1e15f})
    for (const std::int32_t label : {0, 1, 2}) {
      const float outputs[] = {far, -far, 0}, targets[] = {far, -far, 0};
      float gradients[3];
      LossIo io;
      io.count = 1;
      io.size = 3;
      io.outputs = outputs;
      io.labels = &label;
      io.targets = targets;
      io.gradients = gradients;
      const double value = loss.def().compute(loss.fields, io);
      QVERIFY(std::isfinite(value) && value >= 0);
      QVERIFY(std::ranges::all_of(gradients, [](float slope) { return std::isfinite(slope); }));
      if (label == 0 && type != "sigmoid_cross_entropy") QVERIFY(value < 1e-30);  // its third class is undecided
      float predictions[3];
      loss.def().predict(outputs, 1, 3, predictions);
      QVERIFY(std::ranges::all_of(predictions, [](float share) { return std::isfinite(share); }));
    }
}

void TestLoss::nonFiniteComesThrough_data() {
  QTest::addColumn<float>("value");
  QTest::addColumn<int>("place");
  const float infinity = std::numeric_limits<float>::infinity();
  for (int place = 0; place < 3; ++place) {
    QTest::addRow("NaN at %d", place) << std::nanf("") << place;
    QTest::addRow("infinity at %d", place) << infinity << place;
  }
  QTest::newRow("minus infinity at the label") << -infinity << 1;
}

void TestLoss::nonFiniteComesThrough() {
  QFETCH(const float, value);
  QFETCH(const int, place);
  std::vector<float> logits{1, 2, 3};
  logits[static_cast<std::size_t>(place)] = value;
  QVERIFY(!std::isfinite(score(logits, {1}).lossSum));
  if (std::isnan(value)) QCOMPARE(score(logits, {1}).metrics[0], 0.0);  // what is not a number is never right
}

void TestLoss::firstWinsATie() {
  for (const std::int32_t label : {0, 1, 2}) QCOMPARE(score({1, 5, 5, 0}, {label}).metrics[0], label == 1 ? 1.0 : 0.0);
}

void TestLoss::ranksByHand() {
  const std::vector<float> outputs{3, 9, 9, 1, 7, 3, 8};
  const int ranks[] = {4, 0, 1, 6, 3, 5, 2};
  for (std::int32_t label = 0; label < 7; ++label) QCOMPARE(rankOf(outputs.data(), 7, label), ranks[label]);
  const LossResult result = score({3, 9, 9, 1, 7, 3, 8, 3, 9, 9, 1, 7, 3, 8}, {0, 5}, {"accuracy", "top_5"});
  QCOMPARE(result.metrics[0], 0.0);
  QCOMPARE(result.metrics[1], 1.0);  // rank 4 is among the five, rank 5 is not
}

void TestLoss::labelOutsideIsRefused() {
  for (const std::int32_t label : {-1, 3}) {
    QVERIFY_THROWS_EXCEPTION(Error, score({0, 0, 0}, {label}));
    Batch batch;
    batch.size = 1;
    batch.labels = &label;
    QVERIFY_THROWS_EXCEPTION(Error, Scorer(crossEntropy(), {}).checkTargets(batch, 3));
  }
}

void TestLoss::predictions() {
  std::vector<float> values{1, 2, 3, 100, -100, 0};
  const std::vector<float> outputs = values;
  crossEntropy().def().predict(values.data(), 2, 3, values.data());
  QVERIFY(std::abs(values[0] + values[1] + values[2] - 1) < 1e-6f);
  QVERIFY(std::abs(values[2] / values[1] - std::exp(1.0f)) < 1e-5f);
  QCOMPARE(values[3], 1.0f);
  lossOf("mean_squared_error").def().predict(outputs.data(), 2, 3, values.data());
  QCOMPARE(values, outputs);
}

void TestLoss::partsAddUp_data() {
  QTest::addColumn<QString>("type");
  QTest::addColumn<bool>("bytes");
  for (const LossDef& def : allLosses())
    for (const bool bytes : {false, true})
      QTest::addRow("%s, %s", def.type.c_str(), bytes ? "bytes" : "floats")
          << QString::fromStdString(def.type) << bytes;
}

// Any cut of a batch gives the same sums, and gradients that differ by the part's share.
void TestLoss::partsAddUp() {
  QFETCH(QString, type);
  QFETCH(bool, bytes);
  constexpr int kCount = 7, kSize = 6;
  Rng rng(3, Stream::Test);
  std::vector<float> outputs(kCount * kSize), samples(outputs.size()), gradients(outputs.size()), part(outputs.size());
  std::vector<std::uint8_t> pixels(outputs.size());
  for (float& value : outputs) value = rng.uniform(-2, 2);
  for (float& value : samples) value = rng.uniform(-2, 2);
  for (auto& value : pixels) value = static_cast<std::uint8_t>(rng.below(256));
  const std::vector<std::int32_t> labels{0, 5, 2, 2, 1, 4, 3};
  Batch batch;
  batch.size = kCount;
  if (bytes) batch.bytes = pixels.data();
  else batch.floats = samples.data();
  batch.scale = 1.0f / 255;
  batch.labels = labels.data();
  const Scorer scorer(lossOf(type.toStdString()), {"accuracy", "top_5"});
  const LossResult whole = scorer(batch, 0, kCount, kSize, outputs.data(), gradients.data());
  LossResult sum;
  for (const auto& [begin, count] : {std::pair{0, 3}, std::pair{3, 1}, std::pair{4, 3}}) {
    sum += scorer(batch, begin, count, kSize, outputs.data() + begin * kSize, part.data());
    for (int i = 0; i < count * kSize; ++i)
      QVERIFY(std::abs(part[std::size_t(i)] * float(count) / kCount - gradients[std::size_t(begin * kSize + i)]) <
              1e-6);
  }
  QVERIFY(std::abs(sum.lossSum - whole.lossSum) < 1e-9);
  QCOMPARE(sum.metrics, whole.metrics);
}

/// What a validation of logits [N,K] with labels [N] finds.
static std::map<std::string, double> validated(const std::vector<float>& logits,
                                               const std::vector<std::int32_t>& labels,
                                               const LossSpec& loss = crossEntropy()) {
  Batch batch;
  batch.size = static_cast<int>(labels.size());
  batch.labels = labels.data();
  const Scorer scorer(loss, {"accuracy", "precision", "recall", "f1_score", "calibration_error"});
  Validation validation(scorer, static_cast<std::int64_t>(logits.size() / labels.size()));
  validation.add(batch, logits.data());
  return validation.metrics();
}

// Labels 0 0 0 1 1 2, given 0 0 1 1 0 0; class 3 does not occur and class 2 is never given. By class: precision 2/4,
// 1/2, 0; recall 2/3, 1/2, 0; F1 4/7, 1/2, 0.
void TestLoss::scoresByClassByHand() {
  const std::vector<std::int32_t> labels{0, 0, 0, 1, 1, 2}, given{0, 0, 1, 1, 0, 0};
  std::vector<float> logits(24);
  for (std::size_t i = 0; i < given.size(); ++i) logits[i * 4 + static_cast<std::size_t>(given[i])] = 1;
  const auto found = validated(logits, labels);
  QCOMPARE(found.at("precision"), (0.5 + 0.5) / 3);
  QCOMPARE(found.at("recall"), (2.0 / 3 + 0.5) / 3);
  QCOMPARE(found.at("f1_score"), (4.0 / 7 + 0.5) / 3);
  QCOMPARE(found.at("accuracy"), 0.5);
  const ClassScores none = classScores(0, 0, 0);
  QVERIFY(none.precision == 0 && none.recall == 0 && none.f1 == 0);
}

// Two of three samples given with 0.75 are right, and the one given with 0.6: bins 11 and 8.
void TestLoss::calibrationByHand() {
  const float sure = std::log(3.0f), less = std::log(1.5f);
  const auto found = validated({sure, 0, 0, sure, sure, 0, less, 0}, {0, 1, 1, 0});
  QVERIFY(std::abs(found.at("calibration_error") - (std::abs(2 - 3 * 0.75) + std::abs(1 - 0.6)) / 4) < 1e-6);
  // Always right and certain, and certain and always wrong.
  QVERIFY(validated({100, -100, -100, 100}, {0, 1}).at("calibration_error") < 1e-12);
  QVERIFY(validated({100, -100, -100, 100}, {1, 0}).at("calibration_error") > 1 - 1e-12);
  // A sigmoid's confidence is its own.
  QVERIFY(std::abs(validated({sure, -9}, {0}, lossOf("sigmoid_cross_entropy")).at("calibration_error") - 0.25) < 1e-6);
}

void TestLoss::validationsAddUp_data() {
  QTest::addColumn<QString>("type");
  for (const LossDef& def : allLosses()) QTest::newRow(def.type.c_str()) << QString::fromStdString(def.type);
}

// Any cut of the samples into batches gives the same figures, for every metric that fits.
void TestLoss::validationsAddUp() {
  QFETCH(QString, type);
  constexpr int kCount = 40, kSize = 6;
  Rng rng(9, Stream::Test);
  std::vector<float> outputs(kCount * kSize), samples(outputs.size());
  for (float& value : outputs) value = rng.uniform(-3, 3);
  for (float& value : samples) value = rng.uniform(-2, 2);
  std::vector<std::int32_t> labels;
  for (int i = 0; i < kCount; ++i) labels.push_back(static_cast<std::int32_t>(rng.below(kSize)));
  MetricIds all;
  for (const MetricDef& def : allMetrics()) all.push_back(def.id);
  const Scorer scorer(lossOf(type.toStdString()), all);
  const auto found = [&](const std::vector<int>& sizes) {
    Validation validation(scorer, kSize);
    int first = 0;
    for (const int size : sizes) {
      Batch batch;
      batch.size = size;
      batch.labels = labels.data() + first;
      batch.floats = samples.data() + first * kSize;
      validation.add(batch, outputs.data() + first * kSize);
      first += size;
    }
    auto values = validation.metrics();
    values["loss"] = validation.loss();
    return values;
  };
  const auto whole = found({kCount}), parts = found({16, 16, 8}), ones = found(std::vector<int>(kCount, 1));
  QCOMPARE(whole.size(), fittingMetrics(all, lossOf(type.toStdString())).size() + 1);
  for (const auto& [id, value] : whole) {
    QVERIFY(std::isfinite(value));
    QVERIFY2(std::abs(parts.at(id) - value) < 1e-12 && std::abs(ones.at(id) - value) < 1e-12, id.c_str());
  }
  const auto nothing = found({});
  for (const auto& [id, value] : nothing) QVERIFY2(std::isnan(value), id.c_str());
}

void TestLoss::whatDoesNotFitIsPassedOver() {
  QVERIFY(fittingMetrics({"accuracy", "top_5"}, lossOf("mean_squared_error")).empty());
  QCOMPARE(fittingMetrics({"top_5", "no such", "top_5", "accuracy"}, crossEntropy()), (MetricIds{"top_5", "accuracy"}));
  QVERIFY(higherIsBetter("val_accuracy") && higherIsBetter("top_5"));
  QVERIFY(!higherIsBetter("val_loss") && !higherIsBetter("loss"));
  NetworkSpec ten;
  QCOMPARE(guessingLoss(crossEntropy(), ten), std::log(10));
  QVERIFY(std::isnan(guessingLoss(lossOf("mean_squared_error"), ten)));
  QVERIFY(std::abs(guessingLoss(lossOf("focal"), ten) - 0.81 * std::log(10)) < 1e-12);
  QVERIFY(std::abs(guessingLoss(lossOf("sigmoid_cross_entropy"), ten) + 0.1 * std::log(0.1) + 0.9 * std::log(0.9)) <
          1e-12);
  QVERIFY_THROWS_EXCEPTION(Error, (LossSpec{"no such", {}}.def()));
}

// An autoencoder ends with as many values as its input has; the fix says how many.
void TestLoss::theOutputIsAskedFor() {
  NetworkSpec net;
  net.input = Shape::image(4, 4, 1);
  net.layers = {newLayer(net, *findLayer("flatten"))};
  net.layers.push_back(newLayer(net, *findLayer("dense")));
  net.layers[1].fields.set("units", std::int64_t{10});
  const OutputRule rule = lossOf("mean_squared_error").def().outputRule;
  QVERIFY(analyse(net).ok());
  const Analysis found = analyse(net, rule);
  QVERIFY(!found.ok());
  QCOMPARE(found.issues.at(0).fixes.at(0).title, std::string("Use 16 units"));
  applyFix(net, found.issues[0], found.issues[0].fixes[0]);
  QVERIFY(analyse(net, rule).ok() && !analyse(net).ok());
}

QTEST_GUILESS_MAIN(TestLoss)
#include "tst_loss.moc"

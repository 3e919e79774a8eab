// SPDX-License-Identifier: GPL-3.0-or-later
// Layers against Keras: output, loss and every gradient of the small nets in tests/golden/layers.json, by the reference
// ops in double and by the backends in float.
#include <QFile>
#include <QTest>

#include "engine/base/json.h"
#include "reference_chain.h"

using namespace strata;
using namespace strata::test;

class TestGoldenLayers : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void reference_data() { addRows(); }
  void reference();
  void cpu_data() { addRows(); }
  void cpu();

 private:
  /// What Keras said of one net.
  struct Case {
    NetworkSpec spec;
    std::vector<float> x;
    std::vector<std::int32_t> labels;
    Weights weights;
    std::vector<double> outputs, gradients;  ///< gradients in the layout of weights, 0 of running variables
    double loss = 0;                         ///< mean

    Batch batch() const {
      Batch batch;
      batch.size = int(labels.size());
      batch.floats = x.data();
      batch.labels = labels.data();
      return batch;
    }
  };

  void addRows();
  Case current() const;
  /// Each tensor beside its own largest value, below which rounding counts for nothing.
  static void compare(const Case& wanted, std::span<const double> gradients, double loss, double tolerance);

  Json m_file;
};

void TestGoldenLayers::initTestCase() {
  QFile file(STRATA_SOURCE_DIR "/tests/golden/layers.json");
  QVERIFY(file.open(QIODevice::ReadOnly));
  m_file = Json::parse(file.readAll().toStdString());
}

void TestGoldenLayers::addRows() {
  QTest::addColumn<int>("number");
  int number = 0;
  for (const Json& each : m_file["cases"]) {
    QTest::addRow("%d %s", number, each["layer"].dump().c_str()) << number;
    ++number;
  }
}

TestGoldenLayers::Case TestGoldenLayers::current() const {
  QFETCH(const int, number);
  const Json& json = m_file["cases"][std::size_t(number)];
  Case made;
  const auto sides = json["input"].get<std::vector<int>>();
  Json middle = json["layer"];
  const std::string type = middle["type"];
  middle.erase("type");
  made.spec.input = sides.size() == 1 ? Shape::vector(sides[0]) : Shape::image(sides[0], sides[1], sides[2]);
  made.spec.classes = 3;
  made.spec.layers = {layer("dense", "before", {{"units", sides.back()}}), layer(type, "layer", middle),
                      layer("flatten", "flatten"), layer("dense", "after", {{"units", 3}})};
  made.x = json["x"].get<std::vector<float>>();
  made.labels = json["labels"].get<std::vector<std::int32_t>>();
  made.outputs = json["outputs"].get<std::vector<double>>();
  made.loss = json["loss"];
  const Graph graph = lower(made.spec);
  made.weights = layoutFor(graph);
  made.gradients.resize(made.weights.values.size());
  std::size_t at = 0, read = 0, tensor = 0;
  for (const Node& node : graph.nodes)
    for (const ParamInfo& param : node.params) {
      const auto size = std::size_t(param.size());
      if (param.role == ParamInfo::Role::Trained) {
        for (std::size_t i = 0; i < size; ++i) made.weights.values[at + i] = json["weights"][read + i].get<float>();
        const auto gradient = json["gradients"][tensor++].get<std::vector<double>>();
        std::copy(gradient.begin(), gradient.end(), made.gradients.begin() + std::ptrdiff_t(at));
        read += size;
      } else if (param.name == "moving_variance") {
        std::fill_n(made.weights.values.begin() + std::ptrdiff_t(at), size, 1.f);
      }
      at += size;
    }
  return made;
}

void TestGoldenLayers::compare(const Case& wanted, std::span<const double> gradients, double loss, double tolerance) {
  QVERIFY2(std::abs(loss - wanted.loss) <= tolerance * wanted.loss,
           qPrintable(QString("loss %1, expected %2").arg(loss).arg(wanted.loss)));
  for (const TensorPlace& place : wanted.weights.places) {
    if (place.name.ends_with("moving_mean") || place.name.ends_with("moving_variance")) continue;
    double largest = 1e-2, error = 0;
    for (auto i = std::size_t(place.offset); i < std::size_t(place.offset + place.size); ++i) {
      largest = std::max(largest, std::abs(wanted.gradients[i]));
      error = std::max(error, std::abs(gradients[i] - wanted.gradients[i]));
    }
    QVERIFY2(error <= tolerance * largest, qPrintable(QString("gradient of %1: off by %2, largest %3")
                                                          .arg(QString::fromStdString(place.name))
                                                          .arg(error)
                                                          .arg(largest)));
  }
}

void TestGoldenLayers::reference() {
  const Case wanted = current();
  const ChainResult got = runChain(wanted.spec, wanted.weights, wanted.batch());
  compare(wanted, got.gradients, got.lossSum / double(wanted.labels.size()), 1e-5);
}

void TestGoldenLayers::cpu() {
  const Case wanted = current();
  CompileRequest request;
  request.network = wanted.spec;
  request.optimizer = {"sgd", Fields(allOptimizers().front().fields)};
  request.optimizer.fields.set("momentum", 0.9);  // its state after the first step is minus the gradients
  request.maxBatch = 4;
  request.precision = Precision::Float32;
  const auto net = createBackend("cpu", 2)->compile(request);
  net->setWeights(wanted.weights);
  std::vector<float> outputs(wanted.outputs.size());
  bool normalizes = false;  // forward() takes batch norm's moving statistics
  for (const LayerSpec& layer : wanted.spec.layers) normalizes |= layer.type == "batch_norm";
  net->forward(wanted.batch(), outputs.data());
  for (std::size_t i = 0; i < outputs.size() && !normalizes; ++i)
    QVERIFY2(std::abs(double(outputs[i]) - wanted.outputs[i]) <= 1e-4 * std::max(1.0, std::abs(wanted.outputs[i])),
             qPrintable(QString("output %1: %2, expected %3").arg(i).arg(double(outputs[i])).arg(wanted.outputs[i])));
  const double loss = net->trainBatch(wanted.batch(), 1, 0).lossSum / double(wanted.labels.size());
  std::vector<double> gradients;
  for (const float velocity : net->optimizerState()) gradients.push_back(-double(velocity));
  compare(wanted, gradients, loss, 1e-4);
}

QTEST_GUILESS_MAIN(TestGoldenLayers)
#include "tst_golden_layers.moc"

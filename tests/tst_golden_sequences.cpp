// SPDX-License-Identifier: GPL-3.0-or-later
// The sequence layers against Keras (golden/sequences.py): output, loss and every gradient, by the reference ops in
// double and by every backend in float.
#include <QFile>
#include <QTest>
#include <cmath>

#include "engine/backend/compare_tensors.h"
#include "reference_chain.h"

using namespace strata;
using namespace strata::test;

class TestGoldenSequences : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void everyLayerIsThere();
  void referenceInDouble_data() { addRows(); }
  void referenceInDouble();
  void backends_data();
  void backends();

 private:
  void addRows() const {
    QTest::addColumn<int>("number");
    for (int i = 0; i < int(m_cases.size()); ++i)
      QTest::addRow("%d %s", i, m_cases[std::size_t(i)]["name"].get<std::string>().c_str()) << i;
  }
  const Json& current() const {
    QFETCH(const int, number);
    return m_cases[std::size_t(number)];
  }

  Json m_cases;
};

namespace {

std::vector<double> numbers(const Json& json) { return json.get<std::vector<double>>(); }

/// The case's layer, and its output laid out flat, as the loss wants it.
NetworkSpec netOf(const Json& found) {
  NetworkSpec spec = networkFromJson({{"input", found["input"]}, {"layers", Json::array({found["layer"]})}}, "golden");
  spec.classes = int(found["y"].size() / (found["x"].size() / std::size_t(spec.input.size())));
  spec.layers.push_back(layer("flatten", "flatten"));
  return spec;
}

/// The case's arrays in the forms that nets take them.
struct Case {
  NetworkSpec spec;
  Weights weights;
  std::vector<double> gradients;  ///< of the weights, canonical
  std::vector<float> x;
  std::vector<std::int32_t> labels;
  Batch batch;

  explicit Case(const Json& found) : spec(netOf(found)), weights(layoutFor(spec)), gradients(weights.values.size()) {
    const std::vector<double> values = numbers(found["x"]);
    x.assign(values.begin(), values.end());
    batch.size = int(std::ssize(x) / spec.input.size());
    for (int n = 0; n < batch.size; ++n) labels.push_back(n % spec.classes);
    batch.floats = x.data();
    batch.labels = labels.data();
    if (found["variables"].size() != weights.places.size())
      throw Error(Error::Kind::Input, "golden", "another number of variables");
    for (std::size_t i = 0; i < weights.places.size(); ++i) {
      const TensorPlace& place = weights.places[i];
      const Json& variable = found["variables"][i];
      if (variable["name"] != place.name || variable["shape"].get<std::vector<int>>() != place.shape)
        throw Error(Error::Kind::Input, place.name, "Keras has " + variable["name"].dump() + variable["shape"].dump());
      const std::vector<double> start = numbers(variable["value"]), slope = numbers(variable["gradient"]);
      std::copy(start.begin(), start.end(), weights.values.begin() + place.offset);
      std::copy(slope.begin(), slope.end(), gradients.begin() + place.offset);
    }
  }
};

/// Largest difference beside the largest value, or a twentieth where all are smaller: the gradient of the keys' bias is
/// zero, for it moves all scores of a step alike, and of Keras there is left what its softmax rounds in float.
template <class Real>
double farthest(const std::vector<Real>& got, const std::vector<double>& expected) {
  double most = 0.05, off = got.size() == expected.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    most = std::max(most, std::abs(expected[i]));
    const double here = std::abs(double(got[i]) - expected[i]);
    off = here <= off ? off : here;  // NaN counts
  }
  return off / most;
}

}  // namespace

#define QVERIFY_NEAR(what, got, expected, limit)                     \
  if (const double off = farthest(got, expected); !(off <= (limit))) \
  QFAIL(qPrintable(QString("%1 is off by %2 of its largest value").arg(what).arg(off)))

void TestGoldenSequences::initTestCase() {
  QFile file(STRATA_SOURCE_DIR "/tests/golden/sequences.json");
  QVERIFY(file.open(QIODevice::ReadOnly));
  m_cases = parseJson(file.readAll().toStdString(), "sequences.json")["cases"];
  QVERIFY(m_cases.size() >= 12);
}

void TestGoldenSequences::everyLayerIsThere() {
  for (const LayerDef& def : allLayers())
    if (def.category == "seq")
      QVERIFY2(std::count_if(m_cases.begin(), m_cases.end(),
                             [&](const Json& found) { return found["layer"]["type"] == def.type; }) >= 2,
               def.type.c_str());
}

void TestGoldenSequences::referenceInDouble() {
  const Json& found = current();
  const Case made(found);
  const ChainResult result = runChain(made.spec, made.weights, made.batch);
  QVERIFY_NEAR("output", result.outputs, numbers(found["y"]), 1e-5);
  QVERIFY(std::abs(result.lossSum / made.batch.size - found["loss"].get<double>()) < 1e-6);
  QVERIFY_NEAR("gradient of the input", result.inputGradient, numbers(found["dx"]), 1e-5);
  for (const TensorPlace& place : made.weights.places) {
    const auto part = [&](const std::vector<double>& of) {
      return std::vector<double>(of.begin() + place.offset, of.begin() + place.offset + place.size);
    };
    QVERIFY_NEAR(QString::fromStdString(place.name), part(result.gradients), part(made.gradients), 1e-5);
  }
}

void TestGoldenSequences::backends_data() {
  QTest::addColumn<int>("number");
  QTest::addColumn<QString>("backend");
  QTest::addColumn<QByteArray>("isa");
  const auto add = [&](const std::string& backend, const char* isa) {
    for (int i = 0; i < int(m_cases.size()); ++i)
      QTest::addRow("%s %s %d %s", backend.c_str(), isa, i, m_cases[std::size_t(i)]["name"].get<std::string>().c_str())
          << i << QString::fromStdString(backend) << QByteArray(isa);
  };
  for (const BackendDef& def : allBackends()) {
    if (def.id != "cpu") add(def.id, "");
    else
      for (const Isa isa : isasHere()) add(def.id, isaName(isa));
  }
}

// A step of momentum from rest leaves the gradients in the optimizer's state, times the rate.
void TestGoldenSequences::backends() {
  QFETCH(const QString, backend);
  QFETCH(const QByteArray, isa);
  for (const BackendDef& def : allBackends())
    if (def.id == backend.toStdString() && !def.unavailableReason().empty()) QSKIP(def.unavailableReason().c_str());
  if (!isa.isEmpty()) qputenv("STRATA_ISA", isa);
  const Json& found = current();
  const Case made(found);
  CompileRequest request;
  request.network = made.spec;
  request.optimizer = {"sgd", Fields(allOptimizers().front().fields)};
  request.optimizer.fields.set("momentum", 0.9);
  request.maxBatch = made.batch.size;
  request.precision = Precision::Float32;
  const auto maker = createBackend(backend.toStdString(), 2);
  const auto net = maker->compile(request);
  qunsetenv("STRATA_ISA");
  net->setWeights(made.weights);
  std::vector<float> outputs(found["y"].size());
  net->forward(made.batch, outputs.data());
  QVERIFY_NEAR("output", outputs, numbers(found["y"]), 1e-4);
  const double loss = net->trainBatch(made.batch, 1, 0).lossSum / made.batch.size;
  QVERIFY(std::abs(loss - found["loss"].get<double>()) < 1e-4);
  const std::vector<float> state = net->optimizerState();
  for (const TensorPlace& place : made.weights.places) {
    std::vector<float> got(state.begin() + place.offset, state.begin() + place.offset + place.size);
    for (float& value : got) value = -value;
    const std::vector<double> expected(made.gradients.begin() + place.offset,
                                       made.gradients.begin() + place.offset + place.size);
    QVERIFY_NEAR(QString::fromStdString(place.name), got, expected, 1e-4);
  }
}

QTEST_GUILESS_MAIN(TestGoldenSequences)
#include "tst_golden_sequences.moc"

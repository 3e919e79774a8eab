// SPDX-License-Identifier: GPL-3.0-or-later
// The lesson's net from fixed weights on real MNIST, step by step as PyTorch trains it in float64 (tests/golden/).
#include <QFile>
#include <QTest>
#include <cmath>
#include <cstring>

#include "datasets/datasets.h"
#include "engine/backend/backend.h"
#include "engine/backend/compare_tensors.h"
#include "engine/base/error.h"
#include "engine/base/safetensors.h"
#include "engine/data/batches.h"
#include "engine/learn/schedule.h"
#include "engine/run/project.h"

using namespace strata;

class TestGolden : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void lossesFollowTheTrace_data();
  void lossesFollowTheTrace();

 private:
  Project m_lesson;
  std::shared_ptr<const Dataset> m_mnist;
  std::vector<double> m_trace[2];  ///< losses at rate 0.5 and 0.05, float64
};

static Path golden(const char* name) { return Path(STRATA_SOURCE_DIR) / "tests/golden" / name; }

static Weights goldenWeights(const char* name, const NetworkSpec& network) {
  const SafeTensorsFile file = readSafeTensors(golden(name));
  Weights weights = layoutFor(network);
  for (const TensorPlace& place : weights.places) {
    const std::string& bytes = file.tensors.at(place.name).bytes;
    if (bytes.size() != static_cast<std::size_t>(place.size) * sizeof(float))
      throw Error(Error::Kind::Input, name, place.name + " has another size");
    std::memcpy(weights.values.data() + place.offset, bytes.data(), bytes.size());
  }
  return weights;
}

void TestGolden::initTestCase() {
  m_lesson = readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata");
  try {
    m_mnist = loadDataset("mnist", {});
  } catch (const Error& error) {
    QSKIP(error.what());
  }
  QFile file(QString::fromStdString(golden("seed_trace.csv").string()));
  QVERIFY(file.open(QIODevice::ReadOnly));
  QCOMPARE(file.readLine().trimmed(), QByteArray("step,lr0.5_float64,lr0.5_float32,lr0.05_float64,lr0.05_float32"));
  while (!file.atEnd()) {
    const QList<QByteArray> cells = file.readLine().trimmed().split(',');
    m_trace[0].push_back(cells[1].toDouble());
    m_trace[1].push_back(cells[3].toDouble());
  }
  QCOMPARE(m_trace[0].size(), 200u);
}

void TestGolden::lossesFollowTheTrace_data() {
  QTest::addColumn<QString>("backend");
  QTest::addColumn<int>("column");
  QTest::addColumn<double>("rate");
  QTest::addColumn<int>("steps");
  QTest::addColumn<double>("tolerance");
  for (const BackendDef& def : allBackends()) {
    const QString id = QString::fromStdString(def.id);
    QTest::newRow(qPrintable(id + ", rate 0.5")) << id << 0 << 0.5 << 20 << 1e-3;
    QTest::newRow(qPrintable(id + ", rate 0.05")) << id << 1 << 0.05 << 100 << 1e-4;
  }
}

void TestGolden::lossesFollowTheTrace() {
  QFETCH(const QString, backend);
  QFETCH(const int, column);
  QFETCH(const double, rate);
  QFETCH(const int, steps);
  QFETCH(const double, tolerance);
  for (const BackendDef& def : allBackends())
    if (def.id == backend.toStdString() && !def.unavailableReason().empty()) QSKIP(def.unavailableReason().c_str());

  const auto made = createBackend(backend.toStdString(), 2);
  CompileRequest request;
  request.network = m_lesson.network;
  request.optimizer = m_lesson.training.optimizer;
  const auto net = made->compile(request);
  net->setWeights(goldenWeights("seed_init.safetensors", m_lesson.network));
  const DataView view = makeDataView(m_mnist, m_lesson.data.validation, 0, 1);
  Batches batches(m_mnist->train, view.train, m_mnist->shape, m_lesson.data.preprocessing, 128);
  batches.startEpoch(0, false, 1);
  for (int i = 0; i < steps; ++i) {
    const auto step = static_cast<std::uint64_t>(i);
    const Batch batch = batches.at(i);
    const double loss =
        net->trainBatch(batch, learningRateAt(m_lesson.training.schedule, rate, {step}), step).lossSum / batch.size;
    const double expected = m_trace[column][step];
    QVERIFY2(
        std::abs(loss - expected) < tolerance,
        qPrintable(QString("step %1: got %2, expected %3").arg(i + 1).arg(loss, 0, 'f', 9).arg(expected, 0, 'f', 9)));
  }
  if (rate != 0.5) return;
  const Weights after = goldenWeights("seed_step20.safetensors", m_lesson.network), got = net->weights();
  for (const TensorPlace& place : after.places) {
    const auto slice = [&](const Weights& weights) {
      return std::span<const float>(weights.values)
          .subspan(static_cast<std::size_t>(place.offset), static_cast<std::size_t>(place.size));
    };
    const auto difference = compareTensors(slice(got), slice(after), place.shape, {0, 2e-3});
    QVERIFY2(!difference, (place.name + " " + difference.value_or("")).c_str());
  }
}

QTEST_GUILESS_MAIN(TestGolden)
#include "tst_golden.moc"

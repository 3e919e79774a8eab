// SPDX-License-Identifier: GPL-3.0-or-later
// Optimizers and schedules against numbers computed by hand, in closed form or by PyTorch.
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>
#include <cmath>

#include "engine/learn/optimizer.h"
#include "engine/learn/schedule.h"

using namespace strata;

class TestOptimizer : public QObject {
  Q_OBJECT
 private slots:
  void handComputed_data();
  void handComputed();
  void momentumReachesItsClosedForm();
  void adamsFirstStepIsTheRate();
  void asPyTorch_data();
  void asPyTorch();
  void weightDecayZeroChangesNothing();
  void ruleAndTableAgree();
  void schedules_data();
  void schedules();
  void stateForEachWeight();
};

static OptimizerSpec sgdSpec(double momentum, bool nesterov) {
  OptimizerSpec spec;
  spec.fields.set("momentum", momentum);
  spec.fields.set("nesterov", nesterov);
  return spec;
}

static OptimizerSpec specOf(const std::string& type) {
  return {type, Fields(findChoice(allOptimizers(), type)->fields)};
}
static OptimizerSpec adamSpec() { return specOf("adam"); }

/// tests/golden/optimizers.json, which optimizers.py has made.
static QJsonObject goldenCases() {
  QFile file(QStringLiteral(STRATA_SOURCE_DIR "/tests/golden/optimizers.json"));
  if (!file.open(QIODevice::ReadOnly)) return {};
  return QJsonDocument::fromJson(file.readAll()).object();
}

static std::vector<float> floatsOf(const QJsonValue& json) {
  std::vector<float> values;
  for (const QJsonValue& value : json.toArray()) values.push_back(static_cast<float>(value.toDouble()));
  return values;
}

void TestOptimizer::handComputed_data() {
  QTest::addColumn<double>("momentum");
  QTest::addColumn<bool>("nesterov");
  QTest::addColumn<QList<double>>("expected");
  // From w = 1, rate 0.1, gradients 2 then -1. Momentum 0.5: v = -0.2, then -0.1 + 0.1 = 0.
  QTest::newRow("plain") << 0.0 << false << QList<double>{0.8, 0.9};
  QTest::newRow("plain, Nesterov without momentum") << 0.0 << true << QList<double>{0.8, 0.9};
  QTest::newRow("momentum") << 0.5 << false << QList<double>{0.8, 0.8};
  QTest::newRow("Nesterov") << 0.5 << true << QList<double>{0.7, 0.8};  // 1 - 0.1 - 0.2, then + 0 + 0.1
}

void TestOptimizer::handComputed() {
  QFETCH(const double, momentum);
  QFETCH(const bool, nesterov);
  QFETCH(const QList<double>, expected);
  const OptimizerSpec spec = sgdSpec(momentum, nesterov);
  std::vector<float> weights{1}, state(static_cast<std::size_t>(spec.slotsPerWeight()));
  const std::vector<float> gradients{2, -1};
  for (std::size_t step = 0; step < 2; ++step) {
    updateWeights(spec, 0.1, step, weights, std::span(gradients).subspan(step, 1), state);
    QVERIFY(std::abs(weights[0] - expected[static_cast<int>(step)]) < 1e-6);
  }
}

// A constant gradient g: v after n steps is -rate g (1 - m^n) / (1 - m).
void TestOptimizer::momentumReachesItsClosedForm() {
  const OptimizerSpec spec = sgdSpec(0.9, false);
  std::vector<float> weights{0}, state{0};
  const std::vector<float> gradient{3};
  for (std::uint64_t step = 0; step < 50; ++step) updateWeights(spec, 0.01, step, weights, gradient, state);
  QVERIFY(std::abs(state[0] + 0.03 * (1 - std::pow(0.9, 50)) / 0.1) < 1e-5);
}

// The corrections cancel while the gradient is constant: every step is rate * sign(g), whatever its size.
void TestOptimizer::adamsFirstStepIsTheRate() {
  const OptimizerSpec spec = adamSpec();
  std::vector<float> weights{1, 1, 1}, state(6);
  const std::vector<float> gradients{100, -0.01f, 0};
  for (std::uint64_t step = 0; step < 10; ++step) updateWeights(spec, 0.001, step, weights, gradients, state);
  QVERIFY(std::abs(weights[0] - 0.99) < 1e-5);
  QVERIFY(std::abs(weights[1] - 1.01) < 1e-5);  // epsilon takes a little off
  QCOMPARE(weights[2], 1.0f);
  QVERIFY(std::abs(state[0] - 100 * (1 - std::pow(0.9, 10))) < 1e-3);
  QVERIFY(std::abs(state[3] - 10000 * (1 - std::pow(0.999, 10))) < 1e-2);
}

void TestOptimizer::asPyTorch_data() {
  QTest::addColumn<QJsonObject>("found");
  const QJsonObject golden = goldenCases();
  QVERIFY(golden["cases"].toArray().size() >= 8);
  for (const QJsonValue& each : golden["cases"].toArray())
    QTest::newRow(qPrintable(each["name"].toString())) << each.toObject();
}

// PyTorch adds epsilon to the corrected root, Keras to the root itself: the cases' epsilon is too small to tell.
void TestOptimizer::asPyTorch() {
  QFETCH(const QJsonObject, found);
  OptimizerSpec spec = specOf(found["type"].toString().toStdString());
  const QJsonObject fields = found["fields"].toObject();
  for (const QString& id : fields.keys())
    spec.fields.set(id.toStdString(), fields[id].isBool() ? Value(fields[id].toBool()) : Value(fields[id].toDouble()));
  std::vector<float> weights = floatsOf(found["start"]);
  std::vector<float> state(weights.size() * static_cast<std::size_t>(spec.slotsPerWeight()));
  const QJsonArray gradients = found["gradients"].toArray(), after = found["weights"].toArray();
  QVERIFY(after.size() >= 4 && gradients.size() == after.size());
  for (int step = 0; step < after.size(); ++step) {
    updateWeights(spec, spec.learningRate(), static_cast<std::uint64_t>(step), weights, floatsOf(gradients[step]),
                  state);
    const std::vector<float> expected = floatsOf(after[step]);
    for (std::size_t i = 0; i < weights.size(); ++i)
      QVERIFY2(std::abs(weights[i] - expected[i]) < 2e-6, qPrintable(QString("step %1, weight %2: %3, expected %4")
                                                                         .arg(step)
                                                                         .arg(i)
                                                                         .arg(weights[i], 0, 'g', 9)
                                                                         .arg(expected[i], 0, 'g', 9)));
  }
}

// The same bits as without the field, also for a gradient of -0 and a weight that is infinite.
void TestOptimizer::weightDecayZeroChangesNothing() {
  for (const OptimizerDef& def : allOptimizers()) {
    OptimizerSpec spec = specOf(def.type);
    spec.fields.set("weight_decay", 0.0);
    const UpdateRule rule = makeUpdateRule(spec, 0.1, 3);
    QVERIFY(rule.decay == 0 && rule.shrink == 0);
    std::vector<float> weights{std::numeric_limits<float>::infinity(), -0.0f}, state(4);
    updateWeights(spec, 0.1, 0, weights, std::vector<float>{0.5f, -0.0f}, state);
    QVERIFY2(std::isinf(weights[0]), def.type.c_str());
  }
}

// What the table says of slots is what the rule uses, whatever the fields; and the room for them is enough.
void TestOptimizer::ruleAndTableAgree() {
  int most = 0;
  for (const OptimizerDef& def : allOptimizers())
    for (const bool high : {false, true}) {
      OptimizerSpec spec = specOf(def.type);
      for (const Field& field : def.fields) {
        if (field.kind == Field::Kind::Bool) spec.fields.set(field.id, high);
        if (field.kind == Field::Kind::Real) spec.fields.set(field.id, high ? field.high : field.low);
      }
      QCOMPARE(makeUpdateRule(spec, 0.1, 0).slotCount(), spec.slotsPerWeight());
      most = std::max(most, spec.slotsPerWeight());
    }
  QCOMPARE(most, kMostSlots);
  const OptimizerSpec unknown{"no such", {}};
  QCOMPARE(unknown.slotsPerWeight(), 0);
}

void TestOptimizer::schedules_data() {
  QTest::addColumn<QString>("type");
  QTest::addColumn<int>("step");
  QTest::addColumn<double>("expected");
  QTest::newRow("constant") << "constant" << 500 << 0.5;
  QTest::newRow("inverse time, first") << "inverse_time" << 0 << 0.5;
  QTest::newRow("inverse time, halved") << "inverse_time" << 1000000 << 0.25;
  QTest::newRow("one cycle, first") << "one_cycle" << 0 << 0.02;
  QTest::newRow("one cycle, half way up") << "one_cycle" << 15 << 0.26;
  QTest::newRow("one cycle, peak") << "one_cycle" << 30 << 0.5;
  QTest::newRow("one cycle, half way down") << "one_cycle" << 65 << 0.250025;
  QTest::newRow("one cycle, last") << "one_cycle" << 100 << 0.00005;
  QTest::newRow("one cycle, past the end") << "one_cycle" << 5000 << 0.00005;
}

void TestOptimizer::schedules() {
  QFETCH(const QString, type);
  QFETCH(const int, step);
  QFETCH(const double, expected);
  for (const ChoiceDef& def : allSchedules()) {
    if (def.type != type.toStdString()) continue;
    const double rate = learningRateAt({def.type, Fields(def.fields)}, 0.5, static_cast<std::uint64_t>(step), 101);
    QVERIFY2(std::abs(rate - expected) < 1e-12, qPrintable(QString::number(rate, 'g', 17)));
    QVERIFY(std::isfinite(learningRateAt({def.type, Fields(def.fields)}, 0.5, 0, 0)));
    QVERIFY(std::isfinite(learningRateAt({def.type, Fields(def.fields)}, 0.5, 0, 1)));
    return;
  }
  QFAIL("no such schedule");
}

void TestOptimizer::stateForEachWeight() {
  QCOMPARE(sgdSpec(0, true).slotsPerWeight(), 0);
  QCOMPARE(sgdSpec(0.9, false).slotsPerWeight(), 1);
  QCOMPARE(adamSpec().slotsPerWeight(), 2);
}

QTEST_GUILESS_MAIN(TestOptimizer)
#include "tst_optimizer.moc"

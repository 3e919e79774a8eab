// SPDX-License-Identifier: GPL-3.0-or-later
// Optimizers and schedules against numbers computed by hand, in closed form or by PyTorch.
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTest>
#include <cmath>
#include <numbers>

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
  void clipsAllGradientsTogether();
  void averages();
  void muonEvensOutAllDirections();
  void schedules_data();
  void schedules();
  void warmUp();
  void plateau_data();
  void plateau();
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
  for (const OptimizerDef& def : allOptimizers())
    QVERIFY2(
        std::ranges::any_of(golden["cases"].toArray(),
                            [&](const QJsonValue& each) { return each["type"].toString().toStdString() == def.type; }),
        def.type.c_str());
  for (const QJsonValue& each : golden["cases"].toArray())
    QTest::newRow(qPrintable(each["name"].toString())) << each.toObject();
}

/// The fields of a row, with what the case sets of them.
static Fields fieldsOf(const ChoiceDef& def, const QJsonObject& set) {
  Fields fields(def.fields);
  for (const Field& field : def.fields)
    if (const QJsonValue value = set[QString::fromStdString(field.id)]; !value.isUndefined())
      fields.set(field.id, field.kind == Field::Kind::Bool  ? Value(value.toBool())
                           : field.kind == Field::Kind::Int ? Value(std::int64_t(value.toInt()))
                                                            : Value(value.toDouble()));
  return fields;
}

/// One variable of that shape, as a net of a single node.
static Graph graphOf(const QJsonArray& shape) {
  Graph graph;
  Node& node = graph.nodes.emplace_back();
  ParamInfo& param = node.params.emplace_back();
  for (const QJsonValue& side : shape) param.shape.push_back(side.toInt());
  node.parameters = param.size();
  return graph;
}

// Adam: PyTorch adds epsilon to the corrected root, Keras to the root itself: the cases' epsilon is too small to tell.
void TestOptimizer::asPyTorch() {
  QFETCH(const QJsonObject, found);
  const QJsonObject golden = goldenCases(), of = golden["kinds"].toObject()[found["of"].toString()].toObject();
  OptimizerSpec spec = specOf(found["type"].toString().toStdString());
  spec.fields = fieldsOf(*findChoice(allOptimizers(), spec.type), found["fields"].toObject());
  ScheduleSpec schedule;
  if (const QJsonObject set = found["schedule"].toObject(); !set.isEmpty()) {
    schedule.type = set["type"].toString().toStdString();
    schedule.fields = fieldsOf(*findChoice(allSchedules(), schedule.type), set["fields"].toObject());
  }
  const Graph graph = graphOf(of["shape"].toArray());
  std::vector<float> weights = floatsOf(of["start"]);
  std::vector<float> state(weights.size() * static_cast<std::size_t>(spec.slotsPerWeight()));
  const QJsonArray gradients = of["gradients"].toArray(), after = found["weights"].toArray(),
                   rates = found["rates"].toArray();
  QVERIFY(after.size() >= 5 && gradients.size() == after.size() && rates.size() == after.size());
  PlateauState plateau;
  for (int step = 0; step < after.size(); ++step) {
    const auto at = static_cast<std::uint64_t>(step);
    const double rate = learningRateAt(schedule, spec.learningRate(), {at, 6, 1}, plateau);
    QVERIFY2(std::abs(rate - rates[step].toDouble()) <= 1e-12, qPrintable(QString::number(rate, 'g', 17)));
    std::vector<float> slopes = floatsOf(gradients[step]);
    updateVariables(graph, spec, rate, at, weights, slopes, state);
    seeValue(schedule, spec.learningRate(), golden["values"].toArray()[step].toDouble(), false, plateau);
    const std::vector<float> expected = floatsOf(after[step]);
    for (std::size_t i = 0; i < weights.size(); ++i)
      QVERIFY2(std::abs(weights[i] - expected[i]) < 2e-6 * std::max(1.0f, std::abs(expected[i])),
               qPrintable(QString("step %1, weight %2: %3, expected %4")
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
    QVERIFY(rule.decay == 0 && rule.shrink == 0 && rule.clipNorm == 0 && rule.clipValue == 0 && rule.average == 0);
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
      if (high) spec.average.type = "ema", spec.average.fields = Fields(findChoice(allAverages(), "ema")->fields);
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

// Two variables, one of them frozen, one of what runs: the norm is of what is trained, all together.
void TestOptimizer::clipsAllGradientsTogether() {
  Graph graph;
  const auto add = [&](int size, bool trainable, ParamInfo::Role role) {
    Node& node = graph.nodes.emplace_back();
    ParamInfo& param = node.params.emplace_back();
    param.shape = {size};
    param.role = role;
    node.trainable = trainable;
    node.parameters = size;
    node.weightsOffset = graph.nodes.size() < 2 ? 0 : graph.nodes[graph.nodes.size() - 2].weightsOffset + 1;
  };
  add(1, true, ParamInfo::Role::Trained);
  add(1, false, ParamInfo::Role::Trained);
  add(1, true, ParamInfo::Role::Running);
  add(1, true, ParamInfo::Role::Trained);
  OptimizerSpec spec;
  spec.fields.set("clip_norm", 1.0);
  std::vector<float> weights(4), gradients{3, 100, 7, 4};
  updateVariables(graph, spec, 1, 0, weights, gradients, {});
  QVERIFY(std::abs(weights[0] + 0.6f) < 1e-6f && std::abs(weights[3] + 0.8f) < 1e-6f);  // 3 and 4: the norm is 5
  QCOMPARE(weights[1], 0.0f);
  QCOMPARE(weights[2], 7.0f);
  gradients = {0.3f, 100, 7, 0.4f};  // short enough
  weights = {0, 0, 0, 0};
  updateVariables(graph, spec, 1, 0, weights, gradients, {});
  QCOMPARE(weights[0], -0.3f);
  QCOMPARE(weights[3], -0.4f);
}

// A mean of the weights that follows each step of plain SGD, against its definition; and the weights are those of a run
// without it.
void TestOptimizer::averages() {
  for (const char* type : {"ema", "swa"}) {
    OptimizerSpec spec, plain;
    spec.average.type = type;
    spec.average.fields = Fields(findChoice(allAverages(), type)->fields);
    spec.average.start = spec.average.type == "swa" ? 3 : 0;
    if (spec.average.type == "ema") spec.average.fields.set("decay", 0.75);
    QCOMPARE(spec.average.startIn(1001), spec.average.type == "swa" ? std::uint64_t{751} : std::uint64_t{0});
    std::vector<float> weights{1, -2}, same = weights, state(2);
    std::vector<double> kept;
    for (std::uint64_t step = 0; step < 8; ++step) {
      const std::vector<float> gradients{0.5f - static_cast<float>(step), 1};
      updateWeights(spec, 0.1, step, weights, gradients, state);
      updateWeights(plain, 0.1, step, same, gradients, {});
      QCOMPARE(weights, same);
      QCOMPARE(spec.average.begunAfter(step + 1), step >= spec.average.start);
      if (step >= spec.average.start) kept.push_back(static_cast<double>(weights[0]));
      double sum = 0, shares = 0;
      for (std::size_t i = 0; i < kept.size(); ++i) {
        const double share = spec.average.type == "ema" ? std::pow(0.75, static_cast<double>(kept.size() - i)) : 1;
        sum += share * kept[i];
        shares += share;
      }
      if (!kept.empty()) QVERIFY(std::abs(static_cast<double>(state[0]) - sum / shares) < 1e-6);
    }
  }
}

// The singular values of what Muon makes of any gradient lie near 1, whichever side is longer; of none it makes none.
void TestOptimizer::muonEvensOutAllDirections() {
  for (const auto& [rows, cols] : {std::pair{2, 2}, std::pair{2, 5}, std::pair{5, 2}}) {
    std::vector<float> gradient, momentum(static_cast<std::size_t>(rows * cols));
    for (int i = 0; i < rows * cols; ++i) gradient.push_back(std::sin(1.7f * static_cast<float>(i)) * 100);
    orthogonalise({0.95f, true}, rows, cols, gradient, momentum);
    const double size = 0.2 * std::sqrt(std::max(rows, cols));
    double squares[3] = {};  // of the shorter side's two vectors, and their product
    for (int i = 0; i < rows * cols; ++i) {
      const int line = rows <= cols ? i / cols : i % cols, other = rows <= cols ? i + cols : i + 1;
      const double value = gradient[static_cast<std::size_t>(i)] / size;
      squares[line] += value * value;
      if (line == 0) squares[2] += value * gradient[static_cast<std::size_t>(other)] / size;
    }
    // Eigenvalues of the two by two matrix of these, the squares of the singular values.
    const double mean = (squares[0] + squares[1]) / 2,
                 off = std::sqrt(std::pow((squares[0] - squares[1]) / 2, 2) + squares[2] * squares[2]);
    QVERIFY2(mean - off > 0.45 && mean + off < 1.5, qPrintable(QString("%1 %2").arg(mean).arg(off)));
  }
  std::vector<float> zeros(6), momentum(6);
  orthogonalise({0.95f, true}, 2, 3, zeros, momentum);
  QCOMPARE(zeros, std::vector<float>(6));
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
  // Ten steps an epoch.
  QTest::newRow("step, before the fall") << "step" << 99 << 0.5;
  QTest::newRow("step, after it") << "step" << 100 << 0.05;
  QTest::newRow("exponential, first epoch") << "exponential" << 9 << 0.5;
  QTest::newRow("exponential, third epoch") << "exponential" << 20 << 0.5 * 0.95 * 0.95;
  QTest::newRow("cosine, first") << "cosine" << 0 << 0.5;
  QTest::newRow("cosine, nearly last") << "cosine" << 100 << 0.25 * (1 + std::cos(100 * std::numbers::pi / 101));
  QTest::newRow("cosine, past the end") << "cosine" << 5000 << 0.0;
  QTest::newRow("on a plateau, nothing seen") << "reduce_on_plateau" << 500 << 0.5;
}

void TestOptimizer::schedules() {
  QFETCH(const QString, type);
  QFETCH(const int, step);
  QFETCH(const double, expected);
  for (const ScheduleDef& def : allSchedules()) {
    if (def.type != type.toStdString()) continue;
    const double rate =
        learningRateAt({def.type, Fields(def.fields)}, 0.5, {static_cast<std::uint64_t>(step), 101, 10});
    QVERIFY2(std::abs(rate - expected) < 1e-12, qPrintable(QString::number(rate, 'g', 17)));
    QVERIFY(std::isfinite(learningRateAt({def.type, Fields(def.fields)}, 0.5, {})));
    QVERIFY(std::isfinite(learningRateAt({def.type, Fields(def.fields)}, 0.5, {0, 1, 1})));
    return;
  }
  QFAIL("no such schedule");
}

// From 0 in equal steps, whatever the schedule, and from the last of them on as without.
void TestOptimizer::warmUp() {
  for (const ScheduleDef& def : allSchedules()) {
    ScheduleSpec plain{def.type, Fields(def.fields)}, warmed = plain;
    warmed.fields.set("warmup_steps", std::int64_t{8});
    for (std::uint64_t step = 0; step < 20; ++step) {
      const RunPosition at{step, 40, 5};
      const double expected = learningRateAt(plain, 0.5, at) * std::min(1.0, static_cast<double>(step) / 8);
      QCOMPARE(learningRateAt(warmed, 0.5, at), expected);
    }
  }
}

void TestOptimizer::plateau_data() {
  QTest::addColumn<bool>("higherIsBetter");
  QTest::addColumn<QList<double>>("values");
  QTest::addColumn<QList<double>>("factors");
  const double none = std::nan("");
  // Patience 1, factor 0.5, least gain 0.1: the second epoch in a row without a gain halves the rate.
  QTest::newRow("loss") << false << QList<double>{1, 0.85, 0.8, 0.76, 0.5, 0.5, 0.45, 0.45, 0.45}
                        << QList<double>{1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125};
  QTest::newRow("accuracy") << true << QList<double>{0.1, 0.3, 0.35, 0.39, 0.41, 0.6}
                            << QList<double>{1, 1, 1, 0.5, 0.5, 0.5};
  QTest::newRow("nothing measured") << true << QList<double>{none, none, none, none}
                                    << QList<double>{1, 0.5, 0.5, 0.25};
}

void TestOptimizer::plateau() {
  QFETCH(const bool, higherIsBetter);
  QFETCH(const QList<double>, values);
  QFETCH(const QList<double>, factors);
  ScheduleSpec spec{"reduce_on_plateau", Fields(findChoice(allSchedules(), "reduce_on_plateau")->fields)};
  spec.fields.set("patience", std::int64_t{1});
  spec.fields.set("factor", 0.5);
  spec.fields.set("min_delta", 0.1);
  PlateauState state;
  for (int i = 0; i < values.size(); ++i) {
    seeValue(spec, 0.1, values[i], higherIsBetter, state);
    QCOMPARE(state.factor, factors[i]);
    QCOMPARE(learningRateAt(spec, 0.1, {}, state), 0.1 * factors[i]);
  }
  PlateauState untouched;
  seeValue(ScheduleSpec(), 0.1, 1, true, untouched);
  QVERIFY(std::isnan(untouched.best) && untouched.waited == 0);
}

void TestOptimizer::stateForEachWeight() {
  QCOMPARE(sgdSpec(0, true).slotsPerWeight(), 0);
  QCOMPARE(sgdSpec(0.9, false).slotsPerWeight(), 1);
  QCOMPARE(adamSpec().slotsPerWeight(), 2);
}

QTEST_GUILESS_MAIN(TestOptimizer)
#include "tst_optimizer.moc"

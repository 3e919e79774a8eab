// SPDX-License-Identifier: GPL-3.0-or-later
// The tests that every layer gets for its examples alone: shape rule, gradients, JSON, the same results on every
// backend, complete metadata. A new layer needs no line here.
#include <QFile>
#include <QTest>

#include "engine/backend/compare_tensors.h"
#include "engine/base/json.h"
#include "layer_cases.h"
#include "one_step.h"
#include "reference_chain.h"

using namespace strata;
using namespace strata::test;

class TestLayers : public QObject {
  Q_OBJECT

  struct Case {
    const LayerDef* def;
    const Example* example;
  };
  std::vector<Case> m_cases;

  /// Containers, and layers that are computed as several others, have no op of their own.
  void addRows(bool withoutOps = false) {
    QTest::addColumn<int>("index");
    m_cases.clear();
    forEachExample([&](const QString& name, const LayerDef& def, const Example& example) {
      if (!def.makeOp && !withoutOps) return;
      QTest::newRow(qPrintable(name)) << static_cast<int>(m_cases.size());
      m_cases.push_back({&def, &example});
    });
  }
  Case current() const {
    QFETCH(const int, index);
    return m_cases[static_cast<std::size_t>(index)];
  }

 private slots:
  void shapeRuleIsTheOpsOutput_data() { addRows(); }
  void shapeRuleIsTheOpsOutput();
  void gradientIsTheSlope_data() { addRows(); }
  void gradientIsTheSlope();
  void jsonComesBack_data() { addRows(true); }
  void jsonComesBack();
  void backendsAgree_data();
  void backendsAgree();
  void metadataIsComplete_data();
  void metadataIsComplete();
  void cleanup() { qunsetenv("STRATA_ISA"); }
};

// Every output value is written, and none behind the last.
void TestLayers::shapeRuleIsTheOpsOutput() {
  const auto [def, example] = current();
  const int batch = 2;
  const Site site = siteOf(*def, *example, batch);
  OpTensors<float> tensors(*def, site, batch);
  const std::size_t size = tensors.y.size();
  const float guard = -123.5f;
  tensors.y.resize(size + 64, guard);
  def->makeOp(site)->forward(tensors.io());
  for (std::size_t i = 0; i < size; ++i)
    QVERIFY2(std::isfinite(tensors.y[i]), qPrintable(QString("output %1 was not written").arg(i)));
  for (std::size_t i = size; i < size + 64; ++i) QCOMPARE(tensors.y[i], guard);
}

// The slope of sum(dy * y) at every input and weight, by central differences in double.
void TestLayers::gradientIsTheSlope() {
  const auto [def, example] = current();
  const int batch = 2;
  const Site site = siteOf(*def, *example, batch);
  OpTensors<double> tensors(*def, site, batch);
  const auto op = def->makeOp64(site);
  op->forward(tensors.io());
  op->backward(tensors.io());

  const auto value = [&] {
    op->forward(tensors.io());
    double sum = 0;
    for (std::size_t i = 0; i < tensors.y.size(); ++i) sum += tensors.dy[i] * tensors.y[i];
    return sum;
  };
  const auto slopes = [&](std::vector<double>& variables) {
    const double h = 1e-5;
    std::vector<double> result;
    for (double& variable : variables) {
      const double middle = variable;
      variable = middle + h;
      const double above = value();
      variable = middle - h;
      const double below = value();
      variable = middle;
      result.push_back((above - below) / (2 * h));
    }
    return result;
  };
  const auto check = [&](const char* what, std::vector<double>& variables, const std::vector<double>& gradient) {
    const std::vector<double> expected = slopes(variables);
    const auto difference =
        compareTensors<double>(gradient, expected, {static_cast<int>(gradient.size())}, {1e-7, 1e-8});
    QVERIFY2(!difference, qPrintable(QString("%1 %2").arg(what, QString::fromStdString(difference.value_or("")))));
  };
  for (std::size_t i = 0; i < tensors.xs.size(); ++i)
    check(qPrintable(QString("input %1").arg(i)), tensors.xs[i], tensors.dxs[i]);
  std::vector<double> expected = slopes(tensors.weights);
  std::size_t at = 0;
  for (const ParamInfo& param : def->params(site.fields, site.in)) {
    const auto size = static_cast<std::size_t>(param.size());
    // Where a running variable's gradient would lie, backward() leaves its next value.
    if (param.role == ParamInfo::Role::Running)
      std::copy_n(tensors.gradients.begin() + at, size, expected.begin() + at);
    at += size;
  }
  const auto difference =
      compareTensors<double>(tensors.gradients, expected, {static_cast<int>(expected.size())}, {1e-7, 1e-8});
  QVERIFY2(!difference, qPrintable(QString("weights %1").arg(QString::fromStdString(difference.value_or("")))));
}

void TestLayers::jsonComesBack() {
  const auto [def, example] = current();
  if (def->hidden) QSKIP("No file holds one by itself.");
  NetworkSpec spec;
  spec.input = example->in;
  spec.layers = {layerOf(*def, *example, "a")};
  spec.layers.front().trainable = false;
  const std::string text = networkToJson(spec).dump();
  QCOMPARE(networkFromJson(parseJson(text, "test"), "test"), spec);
}

void TestLayers::backendsAgree_data() {
  QTest::addColumn<QString>("backend");
  QTest::addColumn<int>("index");
  QTest::addColumn<QByteArray>("isa");  // of the cpu backend's kernels
  m_cases.clear();
  for (const BackendDef& backend : allBackends()) {
    const QString id = QString::fromStdString(backend.id);
    if (backend.id == "reference") continue;
    if (!backend.unavailableReason().empty()) {
      QTest::newRow(qPrintable(id)) << id << -1 << QByteArray();
      continue;
    }
    forEachExample([&](const QString& name, const LayerDef& def, const Example& example) {
      for (const Isa isa : backend.id == "cpu" ? isasHere() : std::vector{Isa::Plain}) {
        const QString kernels = backend.id == "cpu" ? QString(", ") + isaName(isa) : QString();
        QTest::newRow(qPrintable(id + kernels + " " + name))
            << id << static_cast<int>(m_cases.size()) << QByteArray(isaName(isa));
      }
      m_cases.push_back({&def, &example});
    });
  }
}

// A net around the one layer, compiled as production compiles it, against the reference: full, partial and single
// batches by the same net.
void TestLayers::backendsAgree() {
  QFETCH(const QString, backend);
  QFETCH(const int, index);
  if (index < 0)
    for (const BackendDef& def : allBackends())
      if (def.id == backend.toStdString())
        QSKIP(qPrintable(backend + ": " + QString::fromStdString(def.unavailableReason())));
  QFETCH(const QByteArray, isa);
  if (backend == "cpu") qputenv("STRATA_ISA", isa);
  const auto [def, example] = m_cases[static_cast<std::size_t>(index)];
  const auto reference = createBackend("reference", 1), made = createBackend(backend.toStdString(), 2);
  for (const NetworkSpec& spec : netsAround(*def, *example)) {
    const OneStep step(spec, 5);
    const auto expected = reference->compile(step.request), got = made->compile(step.request);
    for (const int batch : {5, 3, 1}) {
      const auto difference = step.difference(*got, *expected, batch, example->tolerance);
      QVERIFY2(!difference, qPrintable(QString("%1 layers, batch %2: %3")
                                           .arg(spec.layers.size())
                                           .arg(batch)
                                           .arg(QString::fromStdString(difference.value_or("")))));
    }
  }
}

void TestLayers::metadataIsComplete_data() {
  QTest::addColumn<int>("layer");
  for (std::size_t i = 0; i < allLayers().size(); ++i)
    QTest::newRow(allLayers()[i].type.c_str()) << static_cast<int>(i);
}

void TestLayers::metadataIsComplete() {
  QFETCH(const int, layer);
  const LayerDef& def = allLayers()[static_cast<std::size_t>(layer)];
  QCOMPARE(findLayer(def.type), &def);
  QVERIFY(!def.title.empty() && !def.stem.empty() && !def.help.empty() && !def.examples.empty());
  QVERIFY(QStringList({"conv", "pool", "norm", "dense", "seq", "act", "shape", "reg"})
              .contains(QString::fromStdString(def.category)));
  QVERIFY2(QFile::exists(QString(STRATA_SOURCE_DIR "/resources/icons/%1.svg").arg(QString::fromStdString(def.icon))),
           def.icon.c_str());
  QVERIFY(!def.summary(Fields(def.fields)).empty());
  for (const Field& field : def.fields) {
    QVERIFY2(!field.id.empty() && !field.title.empty() && field.help.ends_with('.'), field.id.c_str());
    QVERIFY2(!problemWith(field, field.initial), problemWith(field, field.initial).value_or("").c_str());
    QVERIFY2(field.kind != Field::Kind::Choice || field.choices.size() >= 2, field.id.c_str());
    QVERIFY2(field.kind == Field::Kind::Bool || field.kind == Field::Kind::Choice ||
                 field.kind == Field::Kind::Initializer || field.low < field.high,
             field.id.c_str());
  }
}

QTEST_GUILESS_MAIN(TestLayers)
#include "tst_layers.moc"

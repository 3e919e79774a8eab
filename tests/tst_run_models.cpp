// SPDX-License-Identifier: GPL-3.0-or-later
// The item models of the Train, Test and Runs pages: what they show, and that they keep the rules of item models.
#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>

#include "gui/models/confusion_model.h"
#include "gui/models/diff_model.h"
#include "gui/models/events_model.h"
#include "gui/models/metrics_model.h"
#include "gui/models/runs_model.h"
#include "gui/models/samples_model.h"
#include "gui/words.h"
#include "nested_nets.h"

using namespace strata;
using namespace strata::gui;

namespace {

EpochRecord epoch(int number, double valAccuracy) {
  EpochRecord e;
  e.epoch = number;
  e.loss = 0.5 / number;
  e.valLoss = 0.6 / number;
  e.metrics = {{"accuracy", valAccuracy}, {"val_accuracy", valAccuracy}};
  e.epochSeconds = 4;
  e.valSeconds = 1;
  return e;
}

RunRecord run(const char* folder, std::vector<double> accuracies) {
  RunRecord r;
  r.folder = folder;
  r.name = r.folder.filename().string();
  r.project.name = "Lesson";
  r.state = "finished";
  r.backend = "cpu";
  for (const double accuracy : accuracies) r.epochs.push_back(epoch(int(r.epochs.size()) + 1, accuracy));
  return r;
}

LayerSpec layer(const char* type, const char* name, const char* field = nullptr, int value = 0) {
  const auto* def = findLayer(type);
  LayerSpec spec{type, name, Fields(def->fields)};
  if (field) spec.fields.set(field, std::int64_t{value});
  return spec;
}

std::shared_ptr<const Dataset> tinyDataset() {
  auto data = std::make_shared<Dataset>();
  data->shape = Shape::image(2, 2, 1);
  data->classes = {"zero", "one"};
  data->test = {3, {0, 255, 0, 0, 1, 2, 3, 4, 9, 9, 9, 9}, {0, 1, 1}};
  return data;
}

}  // namespace

class TestRunModels : public QObject {
  Q_OBJECT
 private slots:
  void metricsSmoothAndMerge();
  void valuesThatAreNoNumbersAreGaps();
  void numbersInWords_data();
  void numbersInWords();
  void elapsedFollowsEpochs();
  void metricsRows();
  void events();
  void samples();
  void confusion();
  void runs();
  void whatIsMonitoredIsNamed();
  void runsRename();
  void aRunOfAnotherProcessIsTold();
  void whatOfARunCannotBeReadIsTold();
  void differences();
  void differencesInContainers();
};

void TestRunModels::metricsSmoothAndMerge() {
  MetricsModel model;
  QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
  model.setSmoothing(0.5);
  BatchHistory history;
  history.append(std::vector<BatchPoint>{{1, 4, 0}, {2, 2, 1}});
  model.setBatches(history.overview(), 10);
  QCOMPARE(model.batchX(), (QVector<double>{0.1, 0.2}));
  QCOMPARE(model.loss().rawX, model.batchX());
  QCOMPARE(model.loss().raw, (QVector<double>{4, 2}));
  QCOMPARE(model.loss().smooth, (QVector<double>{4, 3}));
  std::vector<BatchPoint> many;
  for (std::uint64_t step = 3; step <= 40000; ++step) many.push_back({step, step == 20000 ? 50.0 : 1.0, 0.5});
  history.append(many);
  model.setBatches(history.overview(), 10);
  QVERIFY(model.batchX().size() <= qsizetype(BatchHistory::kTop));
  QVERIFY(std::is_sorted(model.batchX().begin(), model.batchX().end()));
  QCOMPARE(model.loss().raw.size(), model.loss().rawX.size());
  QCOMPARE(*std::max_element(model.loss().raw.begin(), model.loss().raw.end()), 50.0);  // one batch in 40,000
  QCOMPARE(model.metric().smooth.size(), model.batchX().size());
  QVERIFY(std::abs(model.loss().smooth.last() - 1) < 1e-6);
  model.clear();
  QVERIFY(model.batchX().isEmpty());
}

void TestRunModels::valuesThatAreNoNumbersAreGaps() {
  MetricsModel model;
  model.setSmoothing(0);
  BatchHistory history;
  history.append(std::vector<BatchPoint>{{1, 4, 0}, {2, std::nan(""), 0}, {3, 2, 1}});
  model.setBatches(history.overview(), 1);
  QCOMPARE(model.lossesWithoutNumber(), quint64(1));
  QVERIFY(std::isnan(model.loss().raw[1]) && std::isnan(model.loss().smooth[1]));
  QCOMPARE(model.loss().smooth[2], 2.0);
  QCOMPARE(model.metric().raw, (QVector<double>{0, 0, 1}));
}

void TestRunModels::elapsedFollowsEpochs() {
  const ElapsedTime elapsed({epoch(1, 0.9), epoch(2, 0.95)});
  QCOMPARE(elapsed.at(0.5), 2.5);
  QCOMPARE(elapsed.at(2), 10.0);
  QCOMPARE(elapsed.at(4), 20.0);
  QCOMPARE(ElapsedTime({}, 3).at(2), 6.0);
  for (const double position : {0.0, 0.5, 1.75, 2.0, 7.0}) QCOMPARE(elapsed.positionAt(elapsed.at(position)), position);
}

void TestRunModels::numbersInWords_data() {
  QTest::addColumn<double>("value");
  QTest::addColumn<int>("digits");
  QTest::addColumn<QString>("text");
  const auto row = [](double value, int digits, const char* text) {
    QTest::addRow("%s", text) << value << digits << QString::fromUtf8(text);
  };
  row(10, 1, "10");
  row(30, 1, "30");
  row(1000, 1, "1000");
  row(0.3, 1, "0.3");
  row(0.0001, 1, "0.0001");
  row(1e-5, 1, "1e−5");
  row(1e7, 1, "1e7");
  row(-2.5, 4, "−2.5");
  row(0, 4, "0");
  row(100, 4, "100");
  row(12.3456, 3, "12.3");
  row(0.12345, 3, "0.123");
  row(3.4e38, 4, "3.4e38");
  row(std::numeric_limits<double>::infinity(), 4, "not a number");
}

void TestRunModels::numbersInWords() {
  QFETCH(const double, value);
  QFETCH(const int, digits);
  QFETCH(const QString, text);
  QCOMPARE(plainNumber(value, digits), text);
}

void TestRunModels::metricsRows() {
  MetricsModel model;
  QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
  model.appendEpoch(epoch(1, 0.9), true);
  model.appendEpoch(epoch(2, 0.95), true);
  model.appendEpoch(epoch(3, 0.94), false);
  QCOMPARE(model.rowCount(), 3);
  QCOMPARE(model.bestEpoch(), 2);
  QCOMPARE(model.index(1, MetricsModel::ValMetric).data().toString(), QString("95.00 %"));
  QVERIFY(model.index(1, MetricsModel::Epoch).data().toString().contains("★"));
  QVERIFY(!model.index(0, MetricsModel::Epoch).data().toString().contains("★"));
}

void TestRunModels::events() {
  EventsModel model;
  QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
  model.add(EventsModel::Kind::Info, "first", QTime(1, 2, 3));
  model.add(EventsModel::Kind::Warning, "second");
  QCOMPARE(model.rowCount(), 2);
  QCOMPARE(model.warnings(), 1);
  QCOMPARE(model.index(0, EventsModel::Text).data().toString(), QString("second"));
  QCOMPARE(model.index(1, EventsModel::Time).data().toString(), QString("01:02:03"));
  for (int i = 0; i < 600; ++i) model.add(EventsModel::Kind::Info, "more");
  QCOMPARE(model.rowCount(), EventsModel::kMaxRows);
  model.clear();
  QCOMPARE(model.warnings(), 0);
}

void TestRunModels::samples() {
  SamplesModel model;
  QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
  model.setSamples(tinyDataset(), true);
  model.setVerdicts({{0, 0, 0, 0.9f}, {2, 1, 0, 0.6f}});
  QCOMPARE(model.rowCount(), 2);
  const auto text = model.index(1).data(Qt::AccessibleTextRole).toString();
  QVERIFY2(text.contains("says zero, is one"), qPrintable(text));
  const auto image = model.index(0).data(SamplesModel::ImageRole).value<QImage>();
  QCOMPARE(image.size(), QSize(2, 2));
  QCOMPARE(qGray(image.pixel(1, 0)), 255);
  QSignalSpy resets(&model, &QAbstractItemModel::modelReset), changes(&model, &QAbstractItemModel::dataChanged);
  model.setVerdicts({{0, 0, 0, 0.9001f}, {2, 1, 1, 0.7f}});
  QCOMPARE(resets.count(), 0);   // the same tiles, other answers
  QCOMPARE(changes.count(), 1);  // only of the one that looks different
  QCOMPARE(changes[0][0].toModelIndex().row(), 1);
  QCOMPARE(model.verdicts()[0].sure, 0.9001f);
}

void TestRunModels::confusion() {
  ConfusionModel model;
  QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
  model.setMatrix({{8, 2}, {1, 9}}, {"zero", "one"});
  QCOMPARE(model.rowCount(), 3);
  QCOMPARE(model.index(0, 1).data().toString(), QString("2"));
  QCOMPARE(model.index(2, 2).data().toString(), QString("85.00 %"));
  QCOMPARE(model.index(0, 2).data().toString(), QString("80.0 %"));
  QCOMPARE(model.index(2, 0).data().toString(), QString("9"));
  QCOMPARE(model.wrong(), 3);
  QCOMPARE(model.index(0, 1).data(ConfusionModel::TintRole).toDouble(), 1.0);
  QCOMPARE(model.index(0, 0).data(ConfusionModel::TintRole).toDouble(), -1.0);
  const auto confused = model.mostConfused(5);
  QCOMPARE(confused.size(), std::size_t(2));
  QCOMPARE(confused[0].predicted, 1);
  model.setMode(ConfusionModel::Mode::ShareOfTrue);
  QCOMPARE(model.index(0, 1).data().toString(), QString("20.0"));
  model.setMode(ConfusionModel::Mode::ShareOfPredicted);
  QCOMPARE(model.index(1, 0).data().toString(), QString("11.1"));
  model.setMatrix({}, {});
  QCOMPARE(model.rowCount(), 0);
}

void TestRunModels::runs() {
  RunsModel model;
  QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
  auto reference = run("", {0.97, 0.99});
  reference.reference = true;
  reference.name = "Keras CPU";
  model.setRuns({run("/runs/b", {0.9, 0.98}), run("/runs/a", {0.8}), reference});
  QCOMPARE(model.rowCount(), 3);
  QCOMPARE(model.index(0, RunsModel::Best).data().toString(), QString("98.00 %"));
  QCOMPARE(model.index(0, RunsModel::BestEpoch).data().toString(), QString("2"));
  QCOMPARE(model.shownCount(), 3);
  QVERIFY(model.style(0).token != model.style(1).token);
  QCOMPARE(model.style(2).token, QString("ref"));
  QVERIFY(!(model.flags(model.index(2, RunsModel::Name)) & Qt::ItemIsEditable));
  QVERIFY(model.setData(model.index(1, RunsModel::Show), Qt::Unchecked, Qt::CheckStateRole));
  QCOMPARE(model.shownCount(), 2);
  model.toggleCompared(0);
  model.toggleCompared(1);
  QCOMPARE(model.rowA(), 0);
  QCOMPARE(model.rowB(), 1);
  model.swapCompared();
  QCOMPARE(model.rowA(), 1);
  model.toggleCompared(1);  // A leaves, B moves up
  QCOMPARE(model.rowA(), 0);
  QCOMPARE(model.rowB(), -1);
  model.update(run("/runs/c", {0.5}));
  QCOMPARE(model.rowCount(), 4);
  model.update(run("/runs/c", {0.5, 0.6}));
  QCOMPARE(model.rowCount(), 4);
  QCOMPARE(model.index(0, RunsModel::Best).data().toString(), QString("60.00 %"));
}

/// In the header where all runs go by the same figure, else in each row; with the format of the figure.
void TestRunModels::whatIsMonitoredIsNamed() {
  RunsModel model;
  QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
  const auto header = [&] {
    return model.headerData(RunsModel::Monitored, Qt::Horizontal, Qt::DisplayRole).toString();
  };
  const auto cell = [&](int row, int role = Qt::DisplayRole) {
    return model.index(row, RunsModel::Monitored).data(role).toString();
  };
  model.setRuns({run("/runs/a", {0.9, 0.98})});
  QCOMPARE(header(), QString("Accuracy"));
  QCOMPARE(cell(0), QString());
  QCOMPARE(cell(0, Qt::AccessibleTextRole), QString("Accuracy"));
  QCOMPARE(model.newestMonitor(), std::string("val_accuracy"));
  auto encoder = run("/runs/b", {0, 0});
  encoder.started = "2030-01-01T00:00:00Z";
  encoder.project.training.loss.type = "mean_squared_error";
  for (auto& epoch : encoder.epochs) epoch.metrics.clear();
  model.update(encoder);
  QCOMPARE(header(), QString("Best by"));
  QCOMPARE(cell(0), QString("Loss"));
  QCOMPARE(cell(1), QString("Accuracy"));
  QCOMPARE(model.index(0, RunsModel::Best).data().toString(), QString("0.3000"));
  QCOMPARE(model.index(0, RunsModel::Best).data(Qt::ToolTipRole).toString(), QString("Loss 0.3000 at epoch 2"));
  QCOMPARE(model.newestMonitor(), std::string("val_loss"));
  QCOMPARE(model.figures(), (std::vector<std::string>{"val_accuracy", "val_loss"}));
  model.setRuns({encoder});
  QCOMPARE(header(), QString("Loss"));
  QCOMPARE(model.figures(), std::vector<std::string>{"val_loss"});
}

void TestRunModels::runsRename() {
  RunsModel model;
  model.setRuns({run("/runs/a", {0.9})});
  QCOMPARE(runTitle(model.run(0)), QString("Lesson"));
  QSignalSpy renamed(&model, &RunsModel::renamed);
  QVERIFY(model.setData(model.index(0, RunsModel::Name), " Wider ", Qt::EditRole));
  QCOMPARE(renamed.count(), 1);
  QCOMPARE(runTitle(model.run(0)), QString("Wider"));
  QVERIFY(!model.setData(model.index(0, RunsModel::Name), "  ", Qt::EditRole));
}

void TestRunModels::aRunOfAnotherProcessIsTold() {
  RunsModel model;
  auto elsewhere = run("/runs/a", {0.9});
  elsewhere.state = "training";
  elsewhere.holder = "process 1234";
  auto here = run("/runs/b", {0.9});
  here.state = "training";
  model.setRuns({elsewhere, here});
  QCOMPARE(model.index(0, RunsModel::State).data().toString(), QString("Training elsewhere"));
  QVERIFY(model.index(0, RunsModel::State).data(Qt::ToolTipRole).toString().contains("process 1234"));
  QCOMPARE(model.index(1, RunsModel::State).data().toString(), QString("Training"));
}

void TestRunModels::whatOfARunCannotBeReadIsTold() {
  RunsModel model;
  auto damaged = run("/runs/a", {0.9});
  damaged.state = "failed";
  damaged.reason = "The loss was not finite.";
  damaged.problems = {"/runs/a/summary.json: no JSON.", "/runs/a/environment.json: no JSON."};
  model.setRuns({damaged, run("/runs/b", {0.9})});
  for (const int column : {RunsModel::Name, RunsModel::State}) {
    const auto cell = model.index(0, column);
    for (const int role : {int(Qt::ToolTipRole), int(Qt::AccessibleTextRole), int(Qt::WhatsThisRole)})
      for (const auto& problem : damaged.problems)
        QVERIFY2(cell.data(role).toString().contains(QString::fromStdString(problem)),
                 qPrintable(QString::number(role)));
    QCOMPARE(cell.data(RunsModel::ProblemsRole).toInt(), 2);
  }
  QVERIFY(model.index(0, RunsModel::State).data(Qt::ToolTipRole).toString().contains("not finite"));
  QVERIFY(model.index(0, RunsModel::State).data(Qt::AccessibleTextRole).toString().startsWith("Failed"));
  const auto sound = model.index(1, RunsModel::State);
  QCOMPARE(sound.data(RunsModel::ProblemsRole).toInt(), 0);
  QVERIFY(sound.data(Qt::ToolTipRole).toString().isEmpty());
  QCOMPARE(sound.data(Qt::AccessibleTextRole).toString(), QString("Finished"));
}

void TestRunModels::differences() {
  NetworkSpec a, b;
  a.input = b.input = Shape::image(8, 8, 1);
  a.layers = {layer("conv2d", "c", "filters", 4), layer("flatten", "f"), layer("dense", "d", "units", 10)};
  b.layers = {layer("conv2d", "c", "filters", 6), layer("max_pool2d", "p"), layer("flatten", "f"),
              layer("dense", "d", "units", 10)};
  DiffModel model;
  QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
  model.setNets(a, b);
  QCOMPARE(model.rowCount(), 5);  // four layers and the total
  QCOMPARE(model.added(), 1);
  QCOMPARE(model.changed(), 2);  // the dense layer reads another shape
  const auto change = [&](int row) {
    return DiffModel::Change(model.index(row, 0).data(DiffModel::ChangeRole).toInt());
  };
  QCOMPARE(change(0), DiffModel::Change::Changed);
  QCOMPARE(change(1), DiffModel::Change::Added);
  QCOMPARE(change(2), DiffModel::Change::Same);
  QCOMPARE(change(4), DiffModel::Change::Total);
  model.setNets(a, a);
  QCOMPARE(model.changed() + model.added() + model.removed(), 0);
}

void TestRunModels::differencesInContainers() {
  const NetworkSpec a = nestedProject().network;
  NetworkSpec b = a;
  layerAt(b, 2).fields.set("kernel_size", Pair{5, 5});
  DiffModel model;
  model.setNets(a, b);
  QCOMPARE(model.rowCount(), 14);
  const auto title = [&](int row) { return model.index(row, DiffModel::Layer).data().toString(); };
  QCOMPARE(title(1), "Residual");
  QVERIFY(title(2).startsWith("   ") && title(2).endsWith("Conv 2D"));
  QCOMPARE(model.changed(), 2);  // the layer, and the sum of its container
  layerAt(b, 4).stacks[1].clear();
  model.setNets(a, b);
  QCOMPARE(model.removed(), 1);
  QCOMPARE(netText(a), "C4 [C4] [C8 | C8] [C4 C4 | P] D10");
}

QTEST_GUILESS_MAIN(TestRunModels)
#include "tst_run_models.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Plots and tiles: no axis hides a value without saying so, what is no number is a gap that is told, points may come in
// any order, and a figure in a tile is never cut.
#include <QLabel>
#include <QSignalSpy>
#include <QTest>
#include <cmath>

#include "gui/pages/train/curves_panel.h"
#include "gui/widgets/number_tile.h"

using namespace strata;
using namespace strata::gui;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

EpochRecord epochWith(int number, double valLoss) {
  EpochRecord record;
  record.epoch = number;
  record.valLoss = valLoss;
  record.metrics["val_accuracy"] = 0.1;
  record.epochSeconds = 2;
  return record;
}

}  // namespace

class TestPlot : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase() { m_theme = std::make_unique<Theme>(*qApp); }

  void theLossAxisReachesEveryValue_data() {
    QTest::addColumn<QVector<double>>("losses");
    QTest::newRow("above ten") << QVector<double>{12, 11};
    QTest::newRow("far above") << QVector<double>{2.3, 4567, 1};
    QTest::newRow("as high as floats go") << QVector<double>{3.4e38};
    QTest::newRow("tiny") << QVector<double>{1e-7, 1e-6};
    QTest::newRow("one is no number") << QVector<double>{25, kNaN, 14};
    QTest::newRow("one is infinite") << QVector<double>{25, kInfinity, 14};
    QTest::newRow("nothing but zero") << QVector<double>{0, 0};
    QTest::newRow("no number at all") << QVector<double>{kNaN, kNaN};
  }
  void theLossAxisReachesEveryValue() {
    QFETCH(const QVector<double>, losses);
    Document document;
    TrainingSession session(document);
    MetricsModel metrics;
    CurvesPanel panel(*m_theme, session, metrics);
    panel.findChild<QToolButton*>("showReferences")->setChecked(false);
    for (int i = 0; i < losses.size(); ++i) metrics.appendEpoch(epochWith(i + 1, losses[i]), false);
    panel.resize(700, 500);
    panel.show();
    for (const int scale : {0, 1}) {  // logarithmic, linear
      panel.findChild<Segment*>("lossScale")->setCurrent(scale);
      panel.refresh();
      const auto [low, high] = panel.lossPlot()->yRange();
      QVERIFY(std::isfinite(low) && std::isfinite(high) && low < high);
      for (const double loss : losses) {
        if (!std::isfinite(loss)) continue;
        QVERIFY2(loss <= high, qPrintable(QString("%1 is above %2").arg(loss).arg(high)));
        if (loss > 0) QVERIFY2(loss >= low, qPrintable(QString("%1 is below %2").arg(loss).arg(low)));
      }
      QVERIFY(!panel.grab().isNull());
    }
  }

  /// What is monitored is shown first, every other metric that the run records can be chosen; where batches tell
  /// nothing of it, the epochs do.
  void everyMetricCanBeShown() {
    Document document;
    TrainingSession session(document);
    MetricsModel metrics;
    metrics.setMetrics({"accuracy", "top_5"});
    metrics.setMetric("top_5");
    CurvesPanel panel(*m_theme, session, metrics);
    for (int i = 1; i <= 3; ++i) {
      auto record = epochWith(i, 0.5);
      record.metrics = {{"accuracy", 0.5}, {"val_accuracy", 0.6}, {"top_5", 0.9}, {"val_top_5", 0.95}};
      metrics.appendEpoch(record, i == 3);
    }
    BatchHistory batches;
    batches.append(std::vector<BatchPoint>{{1, 2, 0.1}, {2, 1, 0.2}});
    metrics.setBatches(batches.overview(), 1);
    panel.resize(700, 500);
    panel.show();
    auto* choice = panel.findChild<QComboBox*>("metricChoice");
    QVERIFY(choice->isVisible());
    QCOMPARE(choice->itemText(0), QString("Top 5"));
    QCOMPARE(choice->itemText(1), QString("Accuracy"));
    QVERIFY(metrics.metric().smooth.isEmpty());
    QCOMPARE(metrics.index(2, MetricsModel::ValMetric).data().toString(), QString("95.00 %"));
    QSignalSpy chosen(&panel, &CurvesPanel::metricChosen);
    QTest::keyClick(choice, Qt::Key_Down);
    QCOMPARE(chosen.count(), 1);
    QCOMPARE(metrics.metricId(), std::string("accuracy"));
    QCOMPARE(panel.metricPlot()->accessibleName().section(',', 0, 0), QString("Accuracy"));
    QCOMPARE(metrics.index(2, MetricsModel::ValMetric).data().toString(), QString("60.00 %"));
    metrics.setMetrics({});
    panel.newRun();
    QVERIFY(!panel.metricPlot()->isVisible() && !choice->isVisible());
    QVERIFY(!panel.grab().isNull());
  }

  void pointsMayComeInAnyOrder() {
    Plot plot(*m_theme, "Loss");
    const int line = plot.addLine({"loss", "val"});
    plot.setPoints(line, {1, 2, 3, 2, 3, kNaN, kInfinity}, {5, 4, kNaN, 3, kInfinity, 1, 1});
    plot.setFull(0, 4, 0, 6);
    plot.resize(400, 300);
    plot.show();
    QCOMPARE(plot.pointCount(line), 5);  // a point without a place is none
    plot.setHover(2.9);
    QVERIFY(!plot.grab().isNull());
  }

  /// A point past the axis is told by its value, so the picture differs from that of a point inside.
  void whatLiesOutsideIsMarked_data() {
    QTest::addColumn<double>("value");
    QTest::newRow("above") << 50.0;
    QTest::newRow("below") << -50.0;
    QTest::newRow("no number") << kNaN;
  }
  void whatLiesOutsideIsMarked() {
    QFETCH(const double, value);
    const auto picture = [&](const char* name) {
      Plot plot(*m_theme, "Loss");
      const int line = plot.addLine({name, "val"});
      plot.setPoints(line, {1, 2, 3}, {1, value, 1});
      plot.setFull(0, 4, 0, 2);
      plot.resize(400, 300);
      plot.show();
      return plot.grab().toImage();
    };
    QVERIFY(picture("validation") != picture(""));  // lines without a name are not told
  }

  void oneCanZoomInToSingleBatches() {
    Plot plot(*m_theme, "Loss");
    plot.resize(400, 300);
    plot.show();
    plot.setFull(0, 1'000'000, 0, 1);
    plot.setFinest(1);
    plot.setFocus();
    for (int i = 0; i < 60; ++i) QTest::keyClick(&plot, Qt::Key_Plus);
    const auto [low, high] = plot.xView();
    QVERIFY2(high - low < 1.5, qPrintable(QString::number(high - low)));
    QVERIFY(!plot.fitted());
    QTest::keyClick(&plot, Qt::Key_0);
    QVERIFY(plot.fitted());
  }

  void aTileNeverCutsItsFigure_data() {
    QTest::addColumn<QString>("value");
    for (const char* value : {"10.00 %", "100.00 %", "0.0123", "12345.678", "1.234e12"}) QTest::newRow(value) << value;
  }
  void aTileNeverCutsItsFigure() {
    QFETCH(const QString, value);
    NumberTile tile(*m_theme, "Best on the test set", "text");
    tile.set(value, "epoch 1000, kept");
    tile.resize(tile.minimumSizeHint());
    tile.show();
    const auto* figure = tile.findChild<QLabel*>();
    QCOMPARE(figure->text(), value);
    QVERIFY(figure->width() >= figure->sizeHint().width());
    QVERIFY(tile.width() >= figure->geometry().right());
  }

 private:
  std::unique_ptr<Theme> m_theme;
};

QTEST_MAIN(TestPlot)
#include "tst_plot.moc"

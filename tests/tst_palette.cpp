// SPDX-License-Identifier: GPL-3.0-or-later
// The palette: a sound tree that holds every layer once, and what is dragged out of it. The list of images, too.
#include <QAbstractItemModelTester>
#include <QMimeData>
#include <QTest>

#include "datasets/datasets.h"
#include "gui/models/dataset_model.h"
#include "gui/models/palette_model.h"

using namespace strata;
using namespace strata::gui;

class TestPalette : public QObject {
  Q_OBJECT

 private slots:
  void holdsEveryLayerOnce() {
    PaletteModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QStringList found;
    for (int category = 0; category < model.rowCount(); ++category) {
      const QModelIndex parent = model.index(category, 0);
      QVERIFY(!parent.data().toString().isEmpty());
      QVERIFY(!parent.flags().testFlag(Qt::ItemIsDragEnabled));
      for (int row = 0; row < model.rowCount(parent); ++row) {
        const QModelIndex layer = model.index(row, 0, parent);
        found << layer.data(PaletteModel::TypeRole).toString();
        QVERIFY(!layer.data(Qt::ToolTipRole).toString().isEmpty());
        if (!findLayer(found.last().toStdString())->isContainer())
          QCOMPARE(layer.data(PaletteModel::CategoryRole), parent.data(PaletteModel::CategoryRole));
        const std::unique_ptr<QMimeData> mime(model.mimeData({layer}));
        QCOMPARE(mime->data(kLayerMime), found.last().toUtf8());
      }
    }
    QStringList expected;
    for (const LayerDef& def : allLayers())
      if (!def.hidden) expected << QString::fromStdString(def.type);
    QVERIFY(expected.contains("residual") && expected.contains("branches") && !expected.contains("add"));
    found.sort();
    expected.sort();
    QCOMPARE(found, expected);
  }

  void categoriesStandInTheDesignsOrder() {
    PaletteModel model;
    QStringList titles, normalise;
    for (int category = 0; category < model.rowCount(); ++category) {
      titles << model.index(category, 0).data().toString();
      if (titles.last() != "Normalise") continue;
      for (int row = 0; row < model.rowCount(model.index(category, 0)); ++row)
        normalise << model.index(row, 0, model.index(category, 0)).data(PaletteModel::TypeRole).toString();
    }
    QCOMPARE(titles, QStringList({"Convolution", "Pooling", "Normalise", "Dense", "Sequence", "Shape", "Activation",
                                  "Regularise", "Combine"}));
    QVERIFY(normalise.contains("batch_norm"));
  }

  void imagesByClass() {
    const auto dataset = syntheticDigits(7, 200, 50);
    DatasetModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    model.show(dataset, DatasetModel::Part::Training, -1);
    QCOMPARE(model.rowCount(), 200);
    const std::vector<int> counts = DatasetModel::classCounts(*dataset, DatasetModel::Part::Test);
    QCOMPARE(std::accumulate(counts.begin(), counts.end(), 0), 50);
    model.show(dataset, DatasetModel::Part::Test, 3);
    QCOMPARE(model.rowCount(), counts[3]);
    for (int row = 0; row < model.rowCount(); ++row)
      QCOMPARE(model.index(row, 0).data(DatasetModel::LabelRole).toInt(), 3);
    const QImage image = model.index(0, 0).data(DatasetModel::ImageRole).value<QImage>();
    QCOMPARE(image.size(), QSize(28, 28));
    QCOMPARE(
        image.constBits()[100],
        dataset->test
            .pixels[static_cast<std::size_t>(model.index(0, 0).data(DatasetModel::IndexRole).toInt()) * 784 + 100]);
    model.show(nullptr, DatasetModel::Part::Test, -1);
    QCOMPARE(model.rowCount(), 0);
  }
};

QTEST_GUILESS_MAIN(TestPalette)
#include "tst_palette.moc"

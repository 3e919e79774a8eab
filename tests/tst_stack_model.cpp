// SPDX-License-Identifier: GPL-3.0-or-later
// The stack as a list model: every edit with Qt's own model tester watching, rows that tell moves as moves, what a card
// shows.
#include <QAbstractItemModelTester>
#include <QMimeData>
#include <QSignalSpy>
#include <QTest>

#include "gui/models/layer_stack_model.h"
#include "gui/models/palette_model.h"

using namespace strata;
using namespace strata::gui;

class TestStackModel : public QObject {
  Q_OBJECT

 private:
  Document m_document;
  std::unique_ptr<LayerStackModel> m_model;
  std::unique_ptr<QAbstractItemModelTester> m_tester;

  QStringList names() const {
    QStringList list;
    for (const LayerSpec& layer : m_document.project().network.layers) list << QString::fromStdString(layer.name);
    return list;
  }
  LayerCard card(int row) const { return m_model->index(row).data(LayerStackModel::CardRole).value<LayerCard>(); }

 private slots:
  void init() {
    m_tester.reset();
    m_model.reset();
    m_document.reset(readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata"), {});
    m_model = std::make_unique<LayerStackModel>(m_document);
    m_tester = std::make_unique<QAbstractItemModelTester>(m_model.get(),
                                                          QAbstractItemModelTester::FailureReportingMode::QtTest);
  }

  void cardsShowTheLesson() {
    QCOMPARE(m_model->rowCount(), 9);
    QCOMPARE(card(0).title, "Input");
    QVERIFY(card(0).kind == LayerCard::Kind::Input);
    QCOMPARE(card(1).name, "conv1");
    QCOMPARE(card(1).parameters, 624);
    QVERIFY((card(1).out == Shape::image(24, 24, 24)));
    QCOMPARE(card(3).parameters, 28848);
    QCOMPARE(card(3).relativeCost, 1.0);
    QCOMPARE(QString::number(card(3).share * 100, 'f', 1), "71.2");
    QVERIFY(card(8).kind == LayerCard::Kind::Output);
    const QString spoken = m_model->index(3).data(Qt::AccessibleTextRole).toString();
    QVERIFY2(spoken.startsWith("Conv 2D conv2, 8 by 8 by 48, 28,848 parameters"), qPrintable(spoken));
  }

  void moves_data() {
    QTest::addColumn<int>("layer");
    QTest::addColumn<int>("before");
    QTest::addColumn<int>("result");
    QTest::newRow("down one") << 0 << 2 << 1;
    QTest::newRow("up one") << 3 << 2 << 2;
    QTest::newRow("to the end") << 0 << 7 << 6;
    QTest::newRow("to the front") << 6 << 0 << 0;
    QTest::newRow("nowhere") << 3 << 4 << -1;
    QTest::newRow("past the end") << 3 << 9 << -1;
  }
  void moves() {
    QFETCH(int, layer);
    QFETCH(int, before);
    QFETCH(int, result);
    const QStringList start = names();
    QSignalSpy moved(m_model.get(), &QAbstractItemModel::rowsMoved);
    const QPersistentModelIndex followed = m_model->index(LayerStackModel::rowOf(layer));
    QCOMPARE(m_model->moveLayer(layer, before), result);
    QCOMPARE(moved.count(), result < 0 ? 0 : 1);
    if (result < 0) {
      QCOMPARE(names(), start);
      return;
    }
    QCOMPARE(names()[result], start[layer]);
    QCOMPARE(followed.row(), LayerStackModel::rowOf(result));
    m_document.undoStack().undo();
    QCOMPARE(names(), start);
    QCOMPARE(followed.row(), LayerStackModel::rowOf(layer));
  }

  void insertsCopiesAndRemoves() {
    QCOMPARE(m_model->insertLayer("dropout", 6), 6);
    QCOMPARE(m_model->rowCount(), 10);
    QCOMPARE(m_model->duplicateLayer(0), 1);
    QCOMPARE(names().count("conv1"), 1);  // a copy has a name of its own
    QCOMPARE(m_model->removeLayer(0), 0);
    QCOMPARE(m_model->insertLayer("no such layer", 0), -1);
    QCOMPARE(m_model->insertLayer("dense", 99), -1);
    while (m_document.undoStack().canUndo()) m_document.undoStack().undo();
    QCOMPARE(m_model->rowCount(), 9);
    while (m_document.undoStack().canRedo()) m_document.undoStack().redo();
    QCOMPARE(m_model->rowCount(), 10);
  }

  void replacingTheStackKeepsTheModelSound() {
    m_document.edit("Template", [](Project& project) {
      project.network = readProject(STRATA_SOURCE_DIR "/resources/projects/mlp.strata").network;
    });
    QCOMPARE(m_model->rowCount(), 5);
    m_document.undoStack().undo();
    QCOMPARE(m_model->rowCount(), 9);
    m_document.edit("Empty", [](Project& project) { project.network.layers.clear(); });
    QCOMPARE(m_model->rowCount(), 2);
  }

  void dropsMoveCopyAndInsert() {
    std::unique_ptr<QMimeData> conv1(m_model->mimeData({m_model->index(1)}));
    QVERIFY(conv1 != nullptr);
    QVERIFY(!m_model->canDropMimeData(conv1.get(), Qt::MoveAction, 0, 0, {}));  // nothing goes before the input
    QVERIFY(!m_model->canDropMimeData(conv1.get(), Qt::MoveAction, 9, 0, {}));  // or after the output
    QVERIFY(m_model->dropMimeData(conv1.get(), Qt::MoveAction, 3, 0, {}));
    QCOMPARE(names().mid(0, 2), QStringList({"pool1", "conv1"}));
    QVERIFY(m_model->dropMimeData(conv1.get(), Qt::CopyAction, 8, 0, {}));
    QCOMPARE(names().size(), 8);
    QMimeData dense;
    dense.setData(kLayerMime, "dense");
    QVERIFY(m_model->dropMimeData(&dense, Qt::CopyAction, 1, 0, {}));
    QCOMPARE(names().size(), 9);
    QMimeData hostile;
    hostile.setData(kCardMime, "4000000000");
    QVERIFY(!m_model->dropMimeData(&hostile, Qt::MoveAction, 1, 0, {}));
    QCOMPARE(m_model->mimeData({m_model->index(0)}), nullptr);
  }

  void anIssueReachesItsCardAndItsFixMendsIt() {
    m_model->setField(2, "kernel_size", Pair{13, 13});
    const LayerCard broken = card(3);
    QVERIFY(broken.hasError());
    QVERIFY(!broken.out.known());
    QCOMPARE(broken.blamed, "13 × 13");
    QVERIFY(broken.summary.contains(broken.blamed));
    QVERIFY(!card(4).out.known());
    QVERIFY(!card(4).hasError());
    QVERIFY(!broken.issues.front().fixes.empty());
    m_model->applyFix(2, broken.issues.front().fixes.front());
    QVERIFY(!card(3).hasError());
    QVERIFY(m_document.analysis().ok());
    QCOMPARE(m_document.undoStack().count(), 2);  // the mistake and its fix
  }

  void renamingIsNoRemoval() {
    QSignalSpy removed(m_model.get(), &QAbstractItemModel::rowsRemoved);
    m_document.edit("Rename", [](Project& project) { project.network.layers[2].name = "middle"; });
    QCOMPARE(card(3).name, "middle");
    QCOMPARE(removed.count(), 0);
  }
};

QTEST_MAIN(TestStackModel)
#include "tst_stack_model.moc"

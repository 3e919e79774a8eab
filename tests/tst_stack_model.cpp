// SPDX-License-Identifier: GPL-3.0-or-later
// The stack's model: every edit with Qt's own model tester watching, rows that tell moves as moves, ids that stay, what
// a card shows.
#include <QAbstractItemModelTester>
#include <QMimeData>
#include <QSignalSpy>
#include <QTest>
#include <algorithm>
#include <random>
#include <set>

#include "engine/base/json.h"
#include "gui/models/layer_stack_model.h"
#include "gui/models/palette_model.h"
#include "gui/widgets/stack_view.h"
#include "nested_nets.h"

using namespace strata;
using namespace strata::gui;

class TestStackModel : public QObject {
  Q_OBJECT

 private:
  Document m_document;
  std::unique_ptr<LayerStackModel> m_model;
  std::unique_ptr<QAbstractItemModelTester> m_tester;
  std::unique_ptr<Theme> m_theme;
  std::unique_ptr<StackView> m_view;

  QStringList names() const {
    QStringList list;
    for (const LayerSpec& layer : m_document.project().network.layers) list << QString::fromStdString(layer.name);
    return list;
  }
  LayerCard card(int row) const { return m_model->index(row).data(LayerStackModel::CardRole).value<LayerCard>(); }

 private slots:
  void initTestCase() { m_theme = std::make_unique<Theme>(*qApp); }

  void init() {
    m_view.reset();
    m_tester.reset();
    m_model.reset();
    m_document.reset(readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata"), {});
    m_model = std::make_unique<LayerStackModel>(m_document);
    m_tester = std::make_unique<QAbstractItemModelTester>(m_model.get(),
                                                          QAbstractItemModelTester::FailureReportingMode::QtTest);
    m_view = std::make_unique<StackView>(*m_theme, *m_model);
    m_view->resize(900, 1200);
    m_view->show();
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
    const QPersistentModelIndex followed = m_model->indexOf(layer);
    QCOMPARE(m_model->moveLayer(layer, {-1, 0, before}), result);
    QCOMPARE(moved.count(), result < 0 ? 0 : 1);
    if (result < 0) {
      QCOMPARE(names(), start);
      return;
    }
    QCOMPARE(names()[result], start[layer]);
    QCOMPARE(followed.row(), result + 1);
    m_document.undoStack().undo();
    QCOMPARE(names(), start);
    QCOMPARE(followed.row(), layer + 1);
  }

  void insertsCopiesAndRemoves() {
    QCOMPARE(m_model->insertLayer("dropout", {-1, 0, 6}), 6);
    QCOMPARE(m_model->rowCount(), 10);
    QCOMPARE(m_model->duplicateLayer(0), 1);
    QCOMPARE(names().count("conv1"), 1);  // a copy has a name of its own
    QCOMPARE(m_model->removeLayer(0), 0);
    QCOMPARE(m_model->insertLayer("no such layer", {}), -1);
    QCOMPARE(m_model->insertLayer("dense", {-1, 0, 99}), -1);
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
    const QByteArray id = conv1->data(kCardMime).chopped(1);
    for (const QByteArray& bytes : {QByteArray("4000000000"), QByteArray("0"), id + "4000000000", id + "-1", id})
      for (const auto action : {Qt::MoveAction, Qt::CopyAction}) {
        hostile.setData(kCardMime, bytes);
        QVERIFY2(!m_model->dropMimeData(&hostile, action, 1, 0, {}), bytes);
      }
    LayerStackModel otherWindow(m_document);
    std::unique_ptr<QMimeData> foreign(otherWindow.mimeData({otherWindow.index(2)}));
    QVERIFY(!m_model->canDropMimeData(foreign.get(), Qt::MoveAction, 1, 0, {}));
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
    m_model->applyFix(broken.issues.front(), broken.issues.front().fixes.front());
    QVERIFY(!card(3).hasError());
    QVERIFY(m_document.analysis().ok());
    QCOMPARE(m_document.undoStack().count(), 2);  // the mistake and its fix
  }

  void namesThatAreNoneAreAProblemOfTheirCard_data() {
    QTest::addColumn<QString>("name");
    for (const char* name : {"", "conv2", "conv.1", "con v1", "../x", "größe", "a\nb"})
      QTest::newRow(name) << QString::fromUtf8(name);
    QTest::newRow("long") << QString(5000, 'a');
  }
  void namesThatAreNoneAreAProblemOfTheirCard() {
    QFETCH(QString, name);
    m_document.edit("Name", [&](Project& project) { project.network.layers[2].name = name.toStdString(); });
    m_document.edit("Name", [&](Project& project) { project.network.layers[0].name = name.toStdString(); });
    QVERIFY(card(3).hasError());
    QVERIFY(card(3).blamed.isEmpty());  // the summary shows no name
    QCOMPARE(m_model->duplicateLayer(2), 3);
    QCOMPARE(m_model->moveLayer(0, {-1, 0, 4}), 3);
    QCOMPARE(m_model->removeLayer(0), 0);
    while (m_document.undoStack().canUndo()) m_document.undoStack().undo();
    QVERIFY(m_document.analysis().ok());
  }

  void theLargestStackTakesNoMore() {
    m_document.edit("Full", [](Project& project) {
      auto& layers = project.network.layers;
      while (layers.size() < std::size_t(kMaxLayers))
        layers.insert(layers.begin(),
                      {"dropout", "d" + std::to_string(layers.size()), Fields(findLayer("dropout")->fields)});
    });
    const QStringList full = names();
    QCOMPARE(full.size(), kMaxLayers);
    QCOMPARE(m_model->duplicateLayer(999), -1);
    QCOMPARE(m_model->insertLayer("dense", {}), -1);
    std::unique_ptr<QMimeData> dragged(m_model->mimeData({m_model->index(1)}));
    QVERIFY(!m_model->dropMimeData(dragged.get(), Qt::CopyAction, 5, 0, {}));
    QCOMPARE(names(), full);
    QCOMPARE(m_model->rowCount(), kMaxLayers + 2);
    QVERIFY(m_model->dropMimeData(dragged.get(), Qt::MoveAction, 5, 0, {}));
    QCOMPARE(m_model->removeLayer(0), 0);
    QCOMPARE(m_model->duplicateLayer(0), 1);
  }

  void renamingIsNoRemoval() {
    QSignalSpy removed(m_model.get(), &QAbstractItemModel::rowsRemoved);
    m_document.edit("Rename", [](Project& project) { project.network.layers[2].name = "middle"; });
    QCOMPARE(card(3).name, "middle");
    QCOMPARE(removed.count(), 0);
  }

  void containersAreATree() {
    m_document.reset(nestedProject(), {});
    QCOMPARE(m_model->rowCount(), 8);
    const QModelIndex mix = m_model->indexOf(7);
    QCOMPARE(m_model->rowCount(mix), 2);
    const QModelIndex lane = m_model->index(0, 0, mix);
    QVERIFY(!lane.flags().testFlag(Qt::ItemIsSelectable));
    QCOMPARE(m_model->rowCount(lane), 2);
    QCOMPARE(m_model->layerAt(m_model->index(1, 0, lane)), 9);
    for (int layer = 0; layer < 13; ++layer) QCOMPARE(m_model->layerAt(m_model->indexOf(layer)), layer);
    const auto spoken = [&](int layer) { return m_model->indexOf(layer).data(Qt::AccessibleTextRole).toString(); };
    QCOMPARE(spoken(1), "Residual res1, block of 2 layers, 28 by 28 by 4, 164 parameters");
    m_model->setTrainable(2, false);
    QCOMPARE(spoken(2), "Conv 2D conv1, in res1, 1 of 2, 148 parameters, frozen");
    QCOMPARE(spoken(6), "Conv 2D match, in res2, 1 of 1, 40 parameters");
  }

  void idsStay() {
    m_document.reset(nestedProject(), {});
    const auto id = [&](const char* path) {
      for (int layer = 0; layer < m_model->layerCount(); ++layer)
        if (pathOf(m_document.project().network, layer) == path) return m_model->idOf(layer);
      return 0;
    };
    const int res2 = id("res2"), match = id("res2/match"), pool = id("mix1/pool1"), bn = id("res1/bn1");
    m_model->insertLayer("dropout", {});
    m_model->removeLayer(m_model->layerOfId(bn));
    m_model->renameLayer(m_model->layerOfId(res2), "down");
    QCOMPARE(id("down"), res2);
    QCOMPARE(id("down/match"), match);
    m_model->moveLayer(m_model->layerOfId(pool), {m_model->layerOfId(res2), 0, 1});
    QCOMPARE(id("down/pool1"), pool);
    m_model->addStack(m_model->layerOfId(id("mix1")));
    while (m_document.undoStack().canUndo()) m_document.undoStack().undo();
    QCOMPARE(id("res2"), res2);
    QCOMPARE(id("res2/match"), match);
    QCOMPARE(id("mix1/pool1"), pool);
    const int conv = id("conv1");
    m_model->wrapLayer(0, "residual");
    QCOMPARE(id("res3/conv1"), conv);
    m_model->takeApart(0);
    QCOMPARE(id("conv1"), conv);
  }

  /// Whatever is done to a nested net, by chance and back again, the tester finds the rows sound and they are those of
  /// the document.
  void anyEditsAndUndo_data() {
    QTest::addColumn<unsigned>("seed");
    for (unsigned seed = 0; seed < 12; ++seed) QTest::addRow("%u", seed) << seed;
  }
  void anyEditsAndUndo() {
    QFETCH(unsigned, seed);
    m_document.reset(seed % 2 ? deepProject() : nestedProject(), {});
    std::mt19937 random(seed);
    const auto any = [&](int below) { return below <= 0 ? 0 : static_cast<int>(random() % unsigned(below)); };
    const auto anyPlace = [&] {
      const int container = any(m_model->layerCount() + 1) - 1;
      StackPlace place{container, any(2), 0};
      if (container < 0 || !m_model->cardOf(container).isContainer) place = {-1, 0, 0};
      if (isPlace(m_document.project().network, place))
        place.at = any(static_cast<int>(m_model->rowCount(m_model->parentOf(place))) + 1);
      return place;
    };
    for (int step = 0; step < 40; ++step) {
      const int layer = any(m_model->layerCount());
      switch (any(12)) {
        case 0:
          m_model->insertLayer("residual", anyPlace());
          break;
        case 1:
          m_model->insertLayer(step % 2 ? "branches" : "dropout", anyPlace());
          break;
        case 2:
          m_model->copyLayer(layer, anyPlace());
          break;
        case 3:
          m_model->removeLayer(layer);
          break;
        case 4:
          m_model->wrapLayer(layer, "residual");
          break;
        case 5:
          m_model->takeApart(layer);
          break;
        case 6:
          m_model->addStack(layer);
          break;
        case 7:
          m_model->removeStack(layer, any(3));
          break;
        case 8:
          for (int i = any(6); i > 0 && m_document.undoStack().canUndo(); --i) m_document.undoStack().undo();
          break;
        case 9:
          for (int i = any(6); i > 0 && m_document.undoStack().canRedo(); --i) m_document.undoStack().redo();
          break;
        case 10:
          m_model->moveAlong(layer, step % 2 ? 1 : -1, [&](int at) { return m_model->cardOf(at).isContainer; });
          break;
        default:
          m_model->moveLayer(layer, anyPlace());
      }
      QCOMPARE(m_model->layerCount(), layerCount(m_document.project().network));
      std::set<int> ids;
      for (int at = 0; at < m_model->layerCount(); ++at) {
        QVERIFY(ids.insert(m_model->idOf(at)).second);
        QCOMPARE(m_model->cardOf(at).name.toStdString(), layerAt(m_document.project().network, at).name);
        const StackPlace place = placeOf(m_document.project().network, at);
        QCOMPARE(m_model->parentOf(place), m_model->indexOf(at).parent());
        QCOMPARE(LayerStackModel::rowOf(place), m_model->indexOf(at).row());
      }
      if (step % 8 == 0) m_view->grab();
    }
  }

  void dropsGoIntoContainersButNotIntoThemselves() {
    m_document.reset(nestedProject(), {});
    std::unique_ptr<QMimeData> res1(m_model->mimeData({m_model->indexOf(1)}));
    const QModelIndex inside = m_model->index(0, 0, m_model->indexOf(1));
    QVERIFY(!m_model->canDropMimeData(res1.get(), Qt::MoveAction, 0, 0, inside));
    QVERIFY(!m_model->dropMimeData(res1.get(), Qt::MoveAction, 0, 0, inside));
    QVERIFY(m_model->dropMimeData(res1.get(), Qt::CopyAction, 0, 0, inside));
    QCOMPARE(pathOf(m_document.project().network, 2), std::string("res1/res3"));
    QMimeData dense;
    dense.setData(kLayerMime, "dropout");
    QVERIFY(m_model->dropMimeData(&dense, Qt::CopyAction, 0, 0, m_model->index(1, 0, m_model->indexOf(1))));
    QCOMPARE(layerAt(m_document.project().network, 1).stacks[1].size(), std::size_t(1));
    QVERIFY(!m_model->canDropMimeData(&dense, Qt::CopyAction, 0, 0, m_model->indexOf(1)));  // no stack said
  }

  void noFileCouldHoldMore() {
    m_document.reset(nestedProject(), {});
    QSignalSpy refused(&m_document, &Document::refused);
    for (int depth = 0; depth < kMaxDepth; ++depth) QVERIFY(m_model->wrapLayer(0, "residual") >= 0);
    QCOMPARE(m_model->wrapLayer(0, "residual"), -1);
    QCOMPARE(refused.count(), 1);
    const Json json = networkToJson(m_document.project().network);
    QVERIFY(networkFromJson(json, "test") == m_document.project().network);
  }

  void whatIsOpenStaysWithItsContainer() {
    m_document.reset(nestedProject(), {});
    m_view->setOpen(4, false);
    m_view->selectLayer(0);
    m_model->insertLayer("residual", {});
    QVERIFY(m_view->isOpen(0));
    QVERIFY(!m_view->isOpen(5));
    m_document.undoStack().undo();
    QVERIFY(!m_view->isOpen(4));
    m_view->selectLayer(6);  // what is selected is seen
    QVERIFY(m_view->isOpen(4));
    m_view->setOpen(4, false);
    QCOMPARE(m_view->currentLayer(), 4);
    m_view->selectLayer(m_model->insertLayer("dropout", {1, 1, 0}));
    m_document.undoStack().undo();
    QCOMPARE(m_view->currentLayer(), 1);  // its container, not the lane that held it
  }
};

QTEST_MAIN(TestStackModel)
#include "tst_stack_model.moc"

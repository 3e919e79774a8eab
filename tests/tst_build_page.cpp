// SPDX-License-Identifier: GPL-3.0-or-later
// The Build page in the real window with real mouse and key events: nets put together by dragging and by keys, flat and
// in containers, mended with a click, heard by screen readers.
#include <QAccessible>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QTimer>
#include <QTreeView>
#include <QUndoStack>
#include <functional>

#include "augmentations.h"
#include "gui/models/templates.h"
#include "gui/widgets/number_fields.h"
#include "nested_nets.h"
#include "screenshots.h"
#include "window_test.h"

using namespace strata;
using namespace strata::gui;

class TestBuildPage : public WindowTest {
  Q_OBJECT

 private:
  void startEmpty() {
    m_document->edit("Empty", [](Project& project) { project.network.layers.clear(); });
    QCOMPARE(stack()->model()->rowCount(), 2);
  }
  QPoint inWindow(QAbstractItemView* view, const QModelIndex& index) const {
    view->scrollTo(index);
    return view->viewport()->mapTo(m_window.get(), view->visualRect(index).center());
  }
  QModelIndex paletteItem(const QString& type) const {
    auto* tree = find<QTreeView>("palette");
    for (int category = 0; category < tree->model()->rowCount(); ++category) {
      const QModelIndex parent = tree->model()->index(category, 0);
      for (int row = 0; row < tree->model()->rowCount(parent); ++row) {
        const QModelIndex index = tree->model()->index(row, 0, parent);
        if (index.data(Qt::UserRole).toString() == type) return index;
      }
    }
    return {};
  }
  /// Presses at one point, moves to another and lets go, as a hand does: not before the line in the stack shows where
  /// it would fall. A drag runs an event loop of its own inside the first move, so each event comes from a timer
  /// started by the one before.
  void drag(QPoint from, QPoint to, Qt::KeyboardModifiers modifiers = {}) {
    QWindow* window = m_window->windowHandle();
    const QList<QPoint> way{from + QPoint(0, 14), (from + to) / 2, to - QPoint(0, 2), to};
    bool released = false;
    std::function<void(int)> step = [&](int number) {
      constexpr int kMost = 100;
      const bool there = number >= way.size() && (stack()->dropPlace() || number > kMost);
      if (there) {
        QTest::mouseRelease(window, Qt::LeftButton, modifiers, to);
        released = true;
        return;
      }
      QTimer::singleShot(30, this, [&step, number] { step(number + 1); });
      QTest::mouseMove(window, number < way.size() ? way[number] : to + QPoint(number % 2, 0));
    };
    QTest::mouseMove(window, from);
    QTest::mousePress(window, Qt::LeftButton, modifiers, from);
    QTimer::singleShot(30, this, [&step] { step(0); });
    QTRY_VERIFY_WITH_TIMEOUT(released, 20000);
    QTRY_VERIFY(!stack()->dropPlace());
  }

 private slots:
  void initTestCase() { prepare(); }
  void init() { openWindow(); }
  void cleanup() { closeWindow(); }

  void assemblesByKeys() {
    startEmpty();
    for (const char* layer : {"conv", "max", "flat", "dense"}) {
      QTest::keyClick(m_window.get(), Qt::Key_F, Qt::ControlModifier);
      auto* filter = find<QLineEdit>("layerFilter");
      QTRY_VERIFY(filter->hasFocus());
      QTest::keyClicks(filter, layer);
      key(Qt::Key_Return);
      filter->clear();
    }
    QCOMPARE(names(), QStringList({"conv1", "pool1", "flatten1", "dense1"}));
    stack()->setFocus();
    QCOMPARE(stack()->currentLayer(), 3);
    key(Qt::Key_Return);  // to the first field: units
    auto* units = qobject_cast<NumberBox*>(QApplication::focusWidget());
    QVERIFY(units);
    units->selectAll();
    QTest::keyClicks(units, "10");
    QVERIFY(!m_document->analysis().ok());  // not while it is typed
    key(Qt::Key_Return);
    QVERIFY(m_document->analysis().ok());
    key(Qt::Key_Escape);
    QVERIFY(stack()->hasFocus());
    key(Qt::Key_D, Qt::ControlModifier);
    QCOMPARE(names().size(), 5);
    key(Qt::Key_Up, Qt::AltModifier);
    QCOMPARE(names()[3], "dense2");
    key(Qt::Key_Delete);
    QCOMPARE(names(), QStringList({"conv1", "pool1", "flatten1", "dense1"}));
    QTest::keyClick(m_window.get(), Qt::Key_Z, Qt::ControlModifier);
    QCOMPARE(names().size(), 5);
    QTest::keyClick(m_window.get(), Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
    QCOMPARE(names().size(), 4);
  }

  void assemblesByDragging() {
    if (QGuiApplication::platformName() != "xcb") QSKIP("Dragging needs the xcb platform; run this under xvfb-run.");
    startEmpty();
    auto* tree = find<QTreeView>("palette");
    for (const char* type :
         {"dense", "flatten", "max_pool2d", "conv2d"}) {  // each goes to the front, right under the input
      const QRect input = stack()->visualRect(stack()->model()->index(0, 0));
      drag(inWindow(tree, paletteItem(type)),
           stack()->viewport()->mapTo(m_window.get(), QPoint(input.center().x(), input.bottom() - 2)));
    }
    QCOMPARE(names(), QStringList({"conv1", "pool1", "flatten1", "dense1"}));
    const auto row = [&](int index) { return stack()->model()->index(index, 0); };
    drag(inWindow(stack(), row(1)), inWindow(stack(), row(2)) + QPoint(0, 12));
    QCOMPARE(names(), QStringList({"pool1", "conv1", "flatten1", "dense1"}));
    drag(inWindow(stack(), row(4)), inWindow(stack(), row(5)) + QPoint(0, 6), Qt::ControlModifier);
    QCOMPARE(names(), QStringList({"pool1", "conv1", "flatten1", "dense1", "dense2"}));
    QVERIFY(!row(0).flags().testFlag(Qt::ItemIsDragEnabled));  // the input stays
  }

  void dragsCardsInAndOutOfContainers() {
    if (QGuiApplication::platformName() != "xcb") QSKIP("Dragging needs the xcb platform; run this under xvfb-run.");
    m_document->reset(nestedProject(), {});
    QCoreApplication::processEvents();
    const auto paths = [this] {
      QStringList list;
      for (int layer = 0; layer < layerCount(m_document->project().network); ++layer)
        list << QString::fromStdString(pathOf(m_document->project().network, layer));
      return list;
    };
    const auto head = [this](int layer) { return inWindow(stack(), stack()->indexOfPlaced(layer)); };
    const auto place = [this](const QPoint& point) { return stack()->viewport()->mapTo(m_window.get(), point); };
    const auto gap = [&](const StackPlace& at) {
      return place(stack()->placed().gapLine(at).center() - QPoint(0, stack()->verticalScrollBar()->value()));
    };
    drag(inWindow(find<QTreeView>("palette"), paletteItem("dropout")), gap({1, 0, 1}));
    QCOMPARE(paths()[3], "res1/dropout1");
    QCOMPARE(stack()->currentLayer(), 3);
    drag(head(3), gap({-1, 0, 1}));
    QCOMPARE(paths()[1], "dropout1");
    drag(head(1), gap({2, 1, 0}));  // into the lane of the identity
    QCOMPARE(paths()[4], "res1/dropout1");
    QCOMPARE(layerAt(m_document->project().network, 1).stacks[1].size(), std::size_t(1));
    const Project before = m_document->project();
    drag(head(4), gap({7 + 1, 1, 1}), Qt::ControlModifier);
    QCOMPARE(paths().filter("mix1/").size(), 4);
    m_document->undoStack().undo();
    QVERIFY(m_document->project() == before);
  }

  void walksAndMovesInContainersByKeys() {
    m_document->reset(nestedProject(), {});
    stack()->setFocus();
    stack()->setCurrentIndex(stack()->indexOfPlaced(StackLayout::kInput));
    for (int layer = 0; layer < 13; ++layer) {
      key(Qt::Key_Down);
      QCOMPARE(stack()->currentLayer(), layer);
    }
    key(Qt::Key_Home);
    key(Qt::Key_Down);
    key(Qt::Key_Down);
    key(Qt::Key_Left);
    QVERIFY(!stack()->isOpen(1));
    key(Qt::Key_Down);
    QCOMPARE(stack()->currentLayer(), 4);  // past what is closed
    key(Qt::Key_Up);
    key(Qt::Key_Right);
    QVERIFY(stack()->isOpen(1));
    key(Qt::Key_Right);
    QCOMPARE(stack()->currentLayer(), 2);
    key(Qt::Key_Left);
    QCOMPARE(stack()->currentLayer(), 1);
    stack()->selectLayer(0);
    const NetworkSpec start = m_document->project().network;
    key(Qt::Key_Down, Qt::AltModifier);
    QCOMPARE(pathOf(m_document->project().network, 1), std::string("res1/conv3"));  // conv1 was taken there
    QCOMPARE(stack()->currentLayer(), 1);
    QTest::keyClick(m_window.get(), Qt::Key_Z, Qt::ControlModifier);
    QVERIFY(m_document->project().network == start);
    stack()->selectLayer(11);
    key(Qt::Key_G, Qt::ControlModifier);
    QCOMPARE(m_document->project().network.layers[4].type, std::string("residual"));
    key(Qt::Key_G, Qt::ControlModifier | Qt::ShiftModifier);
    QVERIFY(m_document->project().network == start);
    stack()->selectLayer(1);
    key(Qt::Key_L);
    QVERIFY(!layerAt(m_document->project().network, 1).trainable);
    key(Qt::Key_E, Qt::ControlModifier | Qt::ShiftModifier);
    QVERIFY(!stack()->isOpen(1) && !stack()->isOpen(4) && !stack()->isOpen(7));
    key(Qt::Key_E, Qt::ControlModifier | Qt::ShiftModifier);
    QVERIFY(stack()->isOpen(1) && stack()->isOpen(4) && stack()->isOpen(7));
  }

  void theShortcutIsMendedWithOneClick() {
    m_document->reset(nestedProject(), {});
    m_document->edit("Break", [](Project& project) { layerAt(project.network, 4).stacks[1].clear(); });
    QCOMPARE(find<QLabel>("netBadge")->text(), "1 error in res2");
    find<QPushButton>("showIssue")->click();
    QCOMPARE(stack()->currentLayer(), 4);
    const QRect button = stack()->fixRect(4, 0);
    QVERIFY(!button.isNull());
    QTest::mouseClick(stack()->viewport(), Qt::LeftButton, {}, button.center());
    QVERIFY(m_document->analysis().ok());
    QCOMPARE(layerAt(m_document->project().network, 4).stacks[1].size(), std::size_t(1));
  }

  void screenReadersHearTheTree() {
    m_document->reset(nestedProject(), {});
    QAccessibleInterface* tree = QAccessible::queryAccessibleInterface(stack());
    QVERIFY(tree);
    QCOMPARE(tree->childCount(), 15);
    QCOMPARE(tree->child(2)->text(QAccessible::Name),
             "Residual res1, block of 2 layers, 28 by 28 by 4, 164 parameters, open");
    stack()->setOpen(1, false);
    QVERIFY(tree->child(2)->text(QAccessible::Name).endsWith("closed"));
    QVERIFY(tree->child(2)->state().collapsed);
    QCOMPARE(tree->childCount(), 13);
    QCOMPARE(tree->child(0)->role(), QAccessible::TreeItem);
    stack()->selectLayer(4);
    QCOMPARE(tree->focusChild(), tree->child(3));
    QCOMPARE(tree->indexOfChild(tree->child(3)), 3);
  }

  void nestedNetsInBothThemes_data() {
    QTest::addColumn<QSize>("size");
    QTest::newRow("1440") << QSize(1440, 900);
    QTest::newRow("1024") << QSize(1024, 640);
  }

  void nestedNetsInBothThemes() {
    QFETCH(QSize, size);
    for (const bool deep : {false, true}) {
      m_document->reset(deep ? deepProject() : nestedProject(), {});
      stack()->selectLayer(deep ? 3 : 4);
      for (const ThemeChoice choice : {ThemeChoice::Light, ThemeChoice::Dark}) {
        m_theme->setChoice(choice);
        const QString name = QString("%1-%2-%3")
                                 .arg(deep ? "deep" : "nested", choice == ThemeChoice::Dark ? "dark" : "light")
                                 .arg(size.width());
        QVERIFY(takeScreenshot(*m_window, size, name));
        QTRY_VERIFY2(cutTexts(*m_window).isEmpty(), qPrintable(name + ":\n" + cutTexts(*m_window).join('\n')));
        const auto* inspector = find<QScrollArea>("inspectorScroll");
        QVERIFY2(inspector->widget()->width() <= inspector->viewport()->width(),
                 qPrintable(QString("%1: %2 in %3")
                                .arg(name)
                                .arg(inspector->widget()->minimumSizeHint().width())
                                .arg(inspector->viewport()->width())));
      }
    }
    m_theme->setChoice(ThemeChoice::Light);
  }

  void aFixOnTheCardMendsIt() {
    m_document->edit("Break", [](Project& project) {
      project.network.layers[2].fields.set("kernel_size", Pair{13, 13});
    });
    QTRY_VERIFY(!find<QPushButton>("showIssue")->isHidden());
    QCOMPARE(find<QLabel>("netBadge")->text(), "1 error in conv2");
    find<QPushButton>("showIssue")->click();
    QTRY_COMPARE(find<QLabel>("problem_kernel_size")->isVisible(), true);
    QVERIFY(!find<QPushButton>("primaryButton")->isEnabled());
    QVERIFY(!find<QPushButton>("primaryButton")->toolTip().isEmpty());
    for (const char* theme : {"light", "dark"}) {
      m_theme->setChoice(theme == QLatin1String("dark") ? ThemeChoice::Dark : ThemeChoice::Light);
      QVERIFY(takeScreenshot(*m_window, {1440, 900}, QString("build-issue-%1").arg(theme)));
    }
    m_theme->setChoice(ThemeChoice::Light);
    const QRect button = stack()->fixRect(2, 0);
    QVERIFY(!button.isNull());
    QTest::mouseClick(stack()->viewport(), Qt::LeftButton, {}, button.center());
    QTRY_VERIFY(m_document->analysis().ok());
    QVERIFY(find<QLabel>("netBadge")->text().contains("Ready to train"));
  }

  void templatesAreOneStep() {
    auto* templates = find<QListWidget>("templates");
    QCOMPARE(templates->count(), int(gui::templates().size()) + 1);
    m_document->edit("Regularise", [](Project& project) {
      project.data.augmentation = moving(3, 10);
      project.training.loss.fields.set("label_smoothing", 0.2);
    });
    for (int row = 0; row < templates->count(); ++row) {
      emit templates->itemActivated(templates->item(row));
      QVERIFY2(row == templates->count() - 1 || m_document->analysis().ok(), qPrintable(templates->item(row)->text()));
    }
    QVERIFY(names().isEmpty());
    QVERIFY(!m_document->project().data.augmentation.any());  // nothing of the training before is left
    QCOMPARE(m_document->project().training.loss.fields.real("label_smoothing"), 0.0);
    QTest::keyClick(m_window.get(), Qt::Key_Z, Qt::ControlModifier);
    QCOMPARE(std::size_t(names().size()), gui::templates().back().project.network.layers.size());
  }
};

QTEST_MAIN(TestBuildPage)
#include "tst_build_page.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// The whole studio by real mouse and key events: a net is put together by drag and by keyboard, trained, watched, asked
// about a drawing while it trains, the window is closed in mid-training, and the run goes on in a new one. Any warning
// on the way is a failure.
#include <QAbstractItemView>
#include <QApplication>
#include <QCheckBox>
#include <QComboBox>
#include <QDrag>
#include <QLabel>
#include <QLineEdit>
#include <QPainter>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSpinBox>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
#include <QTreeView>
#include <memory>

#include "engine/run/run_folder.h"
#include "gui/main_window.h"
#include "gui/pages/runs/runs_page.h"
#include "gui/pages/test/test_page.h"
#include "gui/pages/train/train_page.h"
#include "gui/runs_loader.h"
#include "screenshots.h"

using namespace strata;
using namespace strata::gui;

namespace {

QStringList warnings;

void collect(QtMsgType type, const QMessageLogContext&, const QString& text) {
  if (type == QtDebugMsg || type == QtInfoMsg) return;
  warnings << text;
  fprintf(stderr, "%s\n", qPrintable(text));
}

/// The net before the first layer, on digits that need no file.
Project emptyProject() {
  Project project;
  project.name = "By hand";
  project.data.source = "synthetic-digits";
  project.data.validation = ValidationSource::TestSet;
  project.training.epochs = 200;
  project.training.batchSize = 64;
  project.training.optimizer.fields.set("learning_rate", 0.1);
  return project;
}

}  // namespace

class TestStudio : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void cleanupTestCase();
  void assemblesByHand();
  void trainsAndDraws();
  void readsDroppedPictures();
  void comparesRuns();
  void pictures();
  void closesInMidTraining();
  void goesOnInANewWindow();

 private:
  template <class T>
  T* find(const char* name) const {
    return m_window->findChild<T*>(name);
  }
  void openWindow();
  void selectCard(int row);
  void typeInto(const char* field, const char* text);
  void dragBetween(QWidget* from, QPoint start, QWidget* to, QPoint end);
  void drawOne();
  std::shared_ptr<Theme> m_theme;
  std::unique_ptr<QTemporaryDir> m_home = std::make_unique<QTemporaryDir>();
  const QString m_file = m_home->filePath("by hand.strata");
  std::unique_ptr<Document> m_document;
  std::unique_ptr<TrainingSession> m_session;
  std::unique_ptr<MainWindow> m_window;
};

void TestStudio::initTestCase() {
  for (const char* name : {"XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"})
    qputenv(name, m_home->path().toUtf8());
  QCoreApplication::setOrganizationName("strata");
  QCoreApplication::setApplicationName("tst-studio");
  qInstallMessageHandler(collect);
  m_theme = std::make_shared<Theme>(*qApp);
  m_theme->setChoice(ThemeChoice::Light);
  writeProject(m_file.toStdString(), emptyProject());
  openWindow();
}

/// The studio as it starts when it is given the project's file.
void TestStudio::openWindow() {
  m_window.reset();
  m_session.reset();
  m_document = std::make_unique<Document>();
  m_session = std::make_unique<TrainingSession>(*m_document);
  m_session->setBackend("cpu", 1);
  m_window = std::make_unique<MainWindow>(*m_theme, *m_document, *m_session);
  m_window->resize(1440, 900);
  m_window->openFile(m_file);
  m_window->show();
  QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
  m_window->activateWindow();
  QVERIFY(QTest::qWaitForWindowActive(m_window.get()));
  QTRY_VERIFY_WITH_TIMEOUT(m_session->dataset(), 30000);
}

void TestStudio::cleanupTestCase() {
  m_window.reset();
  m_session.reset();
  qInstallMessageHandler(nullptr);
  QCOMPARE(warnings, QStringList());
}

/// Press, move past the drag distance, move on to the target and let go; the moves come while QDrag runs its own event
/// loop.
void TestStudio::dragBetween(QWidget* from, QPoint start, QWidget* to, QPoint end) {
  auto* handle = m_window->windowHandle();
  const auto at = [this](QWidget* widget, QPoint point) { return widget->mapTo(m_window.get(), point); };
  const QPoint a = at(from, start), b = at(to, end);
  QTest::mousePress(handle, Qt::LeftButton, {}, a);
  for (int i = 1; i <= 6; ++i) {
    QTimer::singleShot(60 * i, handle, [handle, a, b, i] { QTest::mouseMove(handle, a + (b - a) * i / 6); });
  }
  bool released = false;
  QTimer::singleShot(60 * 8, handle, [handle, b, &released] {
    QTest::mouseRelease(handle, Qt::LeftButton, {}, b);
    released = true;
  });
  QTest::mouseMove(handle, a + QPoint(2, 2));
  QTRY_VERIFY(released);
}

void TestStudio::selectCard(int row) {
  auto* stack = find<QAbstractItemView>("stack");
  const QRect card = stack->visualRect(stack->model()->index(row, 0));
  QTest::mouseClick(stack->viewport(), Qt::LeftButton, {}, {card.left() + 120, card.center().y()});
  QCOMPARE(stack->currentIndex().row(), row);
}

void TestStudio::typeInto(const char* field, const char* text) {
  auto* box = find<QAbstractSpinBox>(field);
  QVERIFY2(box, field);
  QTRY_VERIFY(box->isVisible());  // the form for another layer appears with the next events
  QTest::mouseClick(box->findChild<QLineEdit*>(), Qt::LeftButton);
  QTRY_VERIFY(box->hasFocus());
  QTest::keyClick(box, Qt::Key_A, Qt::ControlModifier);
  QTest::keyClicks(box, text);
  QTest::keyClick(box, Qt::Key_Return);
}

void TestStudio::assemblesByHand() {
  auto* palette = find<QTreeView>("palette");
  auto* stack = find<QAbstractItemView>("stack");
  auto* filter = find<QLineEdit>("layerFilter");
  QVERIFY(palette && stack && filter);
  const auto layers = [this] { return m_document->project().network.layers; };
  QCOMPARE(layers().size(), std::size_t(0));

  // by drag: the palette's Conv 2D onto the gap before Output
  const auto conv = palette->model()->index(0, 0, palette->model()->index(0, 0));
  const auto output = stack->model()->index(stack->model()->rowCount() - 1, 0);
  dragBetween(palette->viewport(), palette->visualRect(conv).center(), stack->viewport(),
              stack->visualRect(output).center() - QPoint(0, 20));
  QTRY_COMPARE(layers().size(), std::size_t(1));
  QCOMPARE(layers()[0].type, std::string("conv2d"));

  // by keyboard: find, Enter inserts after the selected card
  const auto insert = [&](const char* words, std::size_t count) {
    filter->setFocus();
    filter->clear();
    QTest::keyClicks(filter, words);
    QTest::keyClick(filter, Qt::Key_Return);
    QTRY_COMPARE(layers().size(), count);
  };
  insert("max", 2);
  insert("flatten", 3);
  insert("dense", 4);
  QCOMPARE(layers()[3].type, std::string("dense"));
  filter->clear();

  // the sizes, in the inspector
  selectCard(1);
  typeInto("field_filters", "8");
  typeInto("field_kernel_size", "5");
  auto* activation = find<QComboBox>("field_activation");
  for (int i = 0; i < 10 && !activation->hasFocus(); ++i) QTest::keyClick(m_window->windowHandle(), Qt::Key_Tab);
  QVERIFY(activation->hasFocus());
  QTest::keyClicks(activation, "relu");
  selectCard(4);
  typeInto("field_units", "10");
  QCOMPARE(layers()[0].fields.integer("filters"), 8);
  QVERIFY(layers()[0].fields.pair("kernel_size") == (Pair{5, 5}));
  QCOMPARE(layers()[0].fields.text("activation"), std::string("relu"));
  QCOMPARE(layers()[3].fields.integer("units"), 10);
  QVERIFY2(m_session->blockedReason(TrainingSession::Action::Start).isEmpty(),
           qPrintable(m_session->blockedReason(TrainingSession::Action::Start)));
}

void TestStudio::drawOne() {
  auto* canvas = find<Canvas>("canvas");
  canvas->clear();
  const QPoint top(canvas->width() / 2, canvas->height() / 2 - canvas->width() / 4),
      bottom(canvas->width() / 2, canvas->height() / 2 + canvas->width() / 4);
  QTest::mousePress(canvas, Qt::LeftButton, {}, top);
  for (int i = 1; i <= 10; ++i) QTest::mouseMove(canvas, top + (bottom - top) * i / 10);
  QTest::mouseRelease(canvas, Qt::LeftButton, {}, bottom);
}

void TestStudio::trainsAndDraws() {
  QTest::keyClick(m_window.get(), Qt::Key_3, Qt::ControlModifier);
  auto* train = find<TrainPage>("trainPage");
  QTRY_VERIFY(train->isVisible());
  QTest::keyClick(m_window.get(), Qt::Key_F5);
  QTRY_VERIFY(m_session->active());
  QVERIFY(!find<QToolButton>("showReferences")->isEnabled());  // they trained on MNIST, this run on synthetic digits
  QTRY_VERIFY_WITH_TIMEOUT(train->curves()->shownPoints() > 20, 20000);
  const int points = train->curves()->shownPoints();
  QTRY_VERIFY_WITH_TIMEOUT(train->curves()->shownPoints() > points, 20000);
  QTRY_COMPARE_WITH_TIMEOUT(train->samples()->model().rowCount(), SamplesPanel::kTiles, 20000);
  QTRY_VERIFY_WITH_TIMEOUT(m_session->run().epochs.size() >= 2, 60000);

  QTest::keyClick(m_window.get(), Qt::Key_4, Qt::ControlModifier);
  auto* test = find<TestPage>("testPage");
  QTRY_VERIFY(test->isVisible());
  QCOMPARE(test->prediction()->bars()->answer(), -1);  // nothing drawn, no answer
  drawOne();
  QTRY_COMPARE_WITH_TIMEOUT(test->prediction()->bars()->answer(), 1, 20000);
  QVERIFY(m_session->active());  // it answered while training
  QTRY_VERIFY_WITH_TIMEOUT(test->testSet()->matrix().total() > 0, 30000);
  QTest::keyClick(test->drawing()->canvas(), Qt::Key_Z, Qt::ControlModifier);
  QTRY_COMPARE(test->prediction()->bars()->answer(), -1);
  QCOMPARE(m_document->project().network.layers.size(), std::size_t(4));  // strokes have an undo of their own
}

/// A framed drawing of dark ink, two shapes, a picture of the net's size; and framing and polarity by hand.
void TestStudio::readsDroppedPictures() {
  auto* test = find<TestPage>("testPage");
  auto* framing = find<QComboBox>("framing");
  auto* polarity = find<QComboBox>("polarity");
  auto* message = find<QLabel>("drawingMessage");
  const auto open = [&](const QImage& image, const char* format) {
    const auto path = m_home->filePath(QString("dropped.") + format);
    QVERIFY(image.save(path, format));
    test->drawing()->openFile(path);
  };
  QImage one(400, 280, QImage::Format_RGB32);
  one.fill(Qt::white);
  QPainter painter(&one);
  painter.setPen(QPen(Qt::black, 24, Qt::SolidLine, Qt::RoundCap));
  painter.drawLine(140, 60, 140, 220);
  painter.setPen(QPen(Qt::black, 1));
  painter.drawRect(0, 0, 399, 279);
  open(one, "bmp");
  QTRY_COMPARE_WITH_TIMEOUT(test->prediction()->bars()->answer(), 1, 20000);
  QTRY_VERIFY(message->text().contains("inverted"));
  painter.setPen(QPen(Qt::black, 24, Qt::SolidLine, Qt::RoundCap));
  painter.drawLine(280, 60, 280, 220);
  painter.end();
  open(one, "png");
  QTRY_VERIFY_WITH_TIMEOUT(message->text().contains("2 separate shapes"), 20000);

  auto* crop = find<QCheckBox>("prepStep0");
  QVERIFY(crop->isEnabled());
  framing->setCurrentIndex(2);
  QTRY_VERIFY_WITH_TIMEOUT(!crop->isEnabled(), 20000);
  QVERIFY(!crop->toolTip().isEmpty());
  framing->setCurrentIndex(0);
  QTRY_VERIFY_WITH_TIMEOUT(crop->isEnabled(), 20000);
  polarity->setCurrentIndex(1);
  QTRY_VERIFY_WITH_TIMEOUT(!message->text().contains("inverted"), 20000);
  polarity->setCurrentIndex(0);

  test->openTestImage(test->testSet()->dataset(), 0);
  QTRY_VERIFY_WITH_TIMEOUT(!crop->isEnabled(), 20000);  // of the net's size: it goes in as it is
  test->drawing()->canvas()->clear();
}

void TestStudio::comparesRuns() {
  m_session->setEpochs(int(m_session->run().epochs.size()) + 2);  // so that the curves fill the pictures
  m_session->perform(TrainingSession::Action::Stop);
  QTRY_VERIFY_WITH_TIMEOUT(!m_session->active(), 20000);
  QTest::keyClick(m_window.get(), Qt::Key_5, Qt::ControlModifier);
  auto* page = find<RunsPage>("runsPage");
  auto* table = find<QTableView>("runsTable");
  QTRY_VERIFY(page->isVisible());
  const int row = page->model().rowOf(m_session->run().folder);
  QVERIFY(row >= 0);
  QTRY_COMPARE(page->model().run(row).state, std::string("stopped"));
  auto* filter = find<QLineEdit>("runsFilter");
  filter->setFocus();
  QTest::keyClicks(filter, "By hand");
  QCOMPARE(table->model()->rowCount(), 1);
  table->setFocus();
  table->setCurrentIndex(table->model()->index(0, RunsModel::Name));
  const bool shown = page->model().shown(row);
  QTest::keyClick(table, Qt::Key_Space);
  QCOMPARE(page->model().shown(row), !shown);
  QTest::keyClick(table, Qt::Key_Space);
  QTest::keyClick(table, Qt::Key_A);
  QCOMPARE(page->model().rowA(), row);
  QTest::keyClick(table, Qt::Key_A);
  QCOMPARE(page->model().rowA(), -1);
  filter->clear();
}

void TestStudio::pictures() {
  m_window->showPage("test");
  drawOne();
  auto* test = find<TestPage>("testPage");
  QTRY_COMPARE_WITH_TIMEOUT(test->prediction()->bars()->answer(), 1, 20000);
  QTRY_COMPARE_WITH_TIMEOUT(test->testSet()->matrix().total(), m_session->dataset()->test.count, 30000);
  const QStringList pages{"train", "test", "runs"};
  constexpr QSize kSmallScreen(1016, 600);  // what one of 1024 x 640 leaves inside a window's frame
  m_window->setMinimumSize(0, 0);
  QStringList cut;
  for (const bool dark : {false, true}) {
    m_theme->setChoice(dark ? ThemeChoice::Dark : ThemeChoice::Light);
    for (const auto& page : pages) {
      m_window->showPage(page);
      for (const QSize size : {QSize(1440, 900), QSize(1366, 768), QSize(1024, 640), kSmallScreen}) {
        m_window->resize(size);
        QTest::qWait(250);  // plots redraw on a timer of 100 ms
        QVERIFY(takeScreenshot(*m_window, size,
                               QString("trained-%1-%2-%3").arg(page, dark ? "dark" : "light").arg(size.width())));
        for (const auto& text : cutTexts(*m_window)) cut << QString("%1 %2: %3").arg(page).arg(size.width()).arg(text);
        QTRY_COMPARE_WITH_TIMEOUT(hiddenPart(*m_window), QSize(0, 0), 2000);
        QCOMPARE(find<QTableView>("runsTable")->horizontalScrollBar()->maximum(), 0);
        for (const auto* area : find<TrainPage>("trainPage")->findChildren<QScrollArea*>())
          if (page == "train" && area->widget() && area->horizontalScrollBarPolicy() == Qt::ScrollBarAlwaysOff)
            QVERIFY2(
                area->widget()->width() <= area->viewport()->width(),
                qPrintable(QString("%1 px wide in %2").arg(area->widget()->width()).arg(area->viewport()->width())));
        if (page == "train" && size.width() == 1440)
          for (const auto& text : elidedTexts(*find<TrainPage>("trainPage"))) cut << "elided: " + text;
      }
    }
  }
  m_theme->setChoice(ThemeChoice::Light);
  m_window->showPage("test");
  m_window->showError("The run broke off: a sentence that says where, and what can be done about it.");
  QVERIFY(takeScreenshot(*m_window, kSmallScreen, "trained-test-banner-1016"));  // here the page may scroll
  QVERIFY2(cut.isEmpty(), qPrintable(cut.join('\n')));
}

void TestStudio::closesInMidTraining() {
  m_window->showPage("train");
  const auto folder = m_session->run().folder;
  m_session->perform(TrainingSession::Action::Continue);
  QVERIFY(m_session->active());
  m_session->setEpochs(200);
  const auto step = m_session->lastProgress().step;
  QTRY_VERIFY_WITH_TIMEOUT(m_session->lastProgress().step > step + 5, 20000);
  QTest::keyClick(m_window.get(), Qt::Key_S, Qt::ControlModifier);
  QVERIFY(!m_document->dirty());
  QVERIFY(m_window->close());
  QVERIFY(!m_session->active());
  const auto run = readRun(folder);
  QCOMPARE(run.state, std::string("stopped"));
  QVERIFY(run.epochs.size() >= 2);
  const auto point = findResumePoint(folder);
  QVERIFY(point.problems.empty());
  QVERIFY(point.checkpoint.step > step + 5);
  QCOMPARE(m_session->run().folder, folder);
}

void TestStudio::goesOnInANewWindow() {
  QVERIFY(m_session->hasRun());
  const auto project = m_document->project();
  const auto before = readRun(m_session->run().folder);
  const auto saved = findResumePoint(before.folder).checkpoint.step;
  openWindow();
  QCOMPARE(m_document->project().network.layers.size(), std::size_t(4));
  QVERIFY(m_document->project() == project);

  QTest::keyClick(m_window.get(), Qt::Key_5, Qt::ControlModifier);
  auto* page = find<RunsPage>("runsPage");
  auto* table = find<QTableView>("runsTable");
  QTRY_VERIFY(page->model().rowOf(before.folder) >= 0);
  QCOMPARE(table->model()->index(0, RunsModel::Name).data().toString(), QString("By hand"));
  QTest::mouseClick(table->viewport(), Qt::LeftButton, {},
                    table->visualRect(table->model()->index(0, RunsModel::Name)).center());
  QTest::mouseClick(find<QPushButton>("continueRun"), Qt::LeftButton);
  QVERIFY(m_session->active());
  QTRY_VERIFY_WITH_TIMEOUT(m_session->batches().lastStep() > saved, 20000);
  QCOMPARE(m_session->batches().firstStep(), std::uint64_t(1));            // the curve is that of the whole run:
  QCOMPARE(m_session->batches().size(), m_session->batches().lastStep());  // not one batch lost, none trained twice
  QTRY_VERIFY_WITH_TIMEOUT(m_session->run().epochs.size() > before.epochs.size(), 60000);
  QTest::keyClick(m_window.get(), Qt::Key_F5, Qt::ShiftModifier);
  QTRY_VERIFY_WITH_TIMEOUT(!m_session->active(), 20000);

  const auto after = readRun(before.folder);
  QVERIFY(after.epochs.size() > before.epochs.size());
  QVERIFY(std::equal(before.epochs.begin(), before.epochs.end(), after.epochs.begin()));
  for (std::size_t i = 0; i < after.epochs.size(); ++i) QCOMPARE(after.epochs[i].epoch, int(i) + 1);
  QCOMPARE(after.project.training.epochs, 200);
}

QTEST_MAIN(TestStudio)
#include "tst_studio.moc"

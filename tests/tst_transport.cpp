// SPDX-License-Identifier: GPL-3.0-or-later
// The buttons beside the modes do what they said when they were pressed, whatever the run has come to since.
#include <QDeadlineTimer>
#include <QMenu>
#include <QPushButton>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
#include <thread>

#include "datasets/datasets.h"
#include "gui/transport_bar.h"
#include "small_project.h"

using namespace strata;
using namespace strata::gui;
using Action = TrainingSession::Action;

class TestTransport : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void init();
  void cleanup();
  void afterTheEnd_data();
  void afterTheEnd();
  void aHeldButtonKeepsItsWord_data();
  void aHeldButtonKeepsItsWord();
  void anOpenMenuKeepsItsWords();
  void aHeldKeyActsOnce();

 private:
  QPushButton* primary() const { return m_bar->findChild<QPushButton*>("primaryButton"); }
  QAction* action(const char* name) const { return m_bar->findChild<QAction*>(name); }
  void startAndShow();
  /// The end of the run, with its last events still in the queue; false when it does not come.
  bool endsUnheard() const {
    const QDeadlineTimer deadline(20000);
    while (m_session->active() && !deadline.hasExpired()) std::this_thread::yield();
    return !m_session->active();
  }
  QTemporaryDir m_home;
  std::unique_ptr<Theme> m_theme;
  std::unique_ptr<Document> m_document;
  std::unique_ptr<TrainingSession> m_session;
  std::unique_ptr<DataLoader> m_loader;
  std::unique_ptr<TransportBar> m_bar;
};

void TestTransport::initTestCase() {
  qputenv("XDG_DATA_HOME", m_home.path().toUtf8());
  m_theme = std::make_unique<Theme>(*qApp);
}

void TestTransport::init() {
  m_document = std::make_unique<Document>();
  m_document->reset(smallProject(2), {});
  m_session = std::make_unique<TrainingSession>(*m_document);
  m_session->setBackend("reference", 1);
  m_loader = std::make_unique<DataLoader>(*m_document, *m_session);
  m_bar = std::make_unique<TransportBar>(*m_theme, *m_session, *m_loader);
  m_bar->show();
  QTRY_VERIFY_WITH_TIMEOUT(!m_loader->loading(), 60000);
  m_session->setDataset(syntheticDigits(1, 320, 64));
}

void TestTransport::cleanup() {
  m_session->stopAndWait();
  m_bar.reset();
  m_loader.reset();
  m_session.reset();
  m_document.reset();
}

void TestTransport::startAndShow() {
  m_session->perform(Action::Start);
  QCOMPARE(primary()->text(), QString("Pause"));
}

void TestTransport::afterTheEnd_data() {
  QTest::addColumn<QString>("name");
  for (const char* name : {"runPrimary", "stepBatch", "stepEpoch", "runStop", "runNew"}) QTest::newRow(name) << name;
}

// The run has ended, but the bar has not heard of it: it still says what it said in the run, and nothing begins.
void TestTransport::afterTheEnd() {
  QFETCH(QString, name);
  for (int i = 0; i < 5; ++i) {
    startAndShow();
    QVERIFY(endsUnheard());
    action(qPrintable(name))->setEnabled(true);  // a step is offered while a run is paused
    action(qPrintable(name))->trigger();
    QVERIFY(!m_session->active());
    QCOMPARE(m_session->run().epochs.size(), std::size_t(2));
    QCOMPARE(primary()->text(), QString("Continue"));
  }
}

void TestTransport::aHeldButtonKeepsItsWord_data() {
  QTest::addColumn<bool>("byKey");
  QTest::newRow("mouse") << false;
  QTest::newRow("space bar") << true;
}

// Pressed as Pause, let go after the run's end: not a Continue, though that is what the button says now.
void TestTransport::aHeldButtonKeepsItsWord() {
  QFETCH(bool, byKey);
  startAndShow();
  byKey ? QTest::keyPress(primary(), Qt::Key_Space) : QTest::mousePress(primary(), Qt::LeftButton);
  QVERIFY(primary()->isDown());
  QTRY_COMPARE_WITH_TIMEOUT(m_session->run().state, std::string("finished"), 20000);
  QCOMPARE(primary()->text(), QString("Pause"));
  QTest::mouseMove(primary(), primary()->rect().center() + QPoint(2, 1));
  QVERIFY(primary()->isDown());
  byKey ? QTest::keyRelease(primary(), Qt::Key_Space) : QTest::mouseRelease(primary(), Qt::LeftButton);
  QVERIFY(!m_session->active());
  QTRY_COMPARE(primary()->text(), QString("Continue"));
  QTest::mouseClick(primary(), Qt::LeftButton);  // and now it is one
  QVERIFY(m_session->active());
}

void TestTransport::anOpenMenuKeepsItsWords() {
  QMenu menu;
  m_bar->fillMenu(&menu);
  startAndShow();
  menu.popup({0, 0});
  QTRY_VERIFY(menu.isVisible());
  QTRY_COMPARE_WITH_TIMEOUT(m_session->run().state, std::string("finished"), 20000);
  QAction* pause = action("runPrimary");
  QCOMPARE(pause->text(), QString("Pause"));
  QTest::mouseClick(&menu, Qt::LeftButton, {}, menu.actionGeometry(pause).center());
  QTRY_VERIFY(!menu.isVisible());
  QVERIFY(!m_session->active());
  QTRY_COMPARE(pause->text(), QString("Continue"));
}

void TestTransport::aHeldKeyActsOnce() {
  for (const char* name : {"runPrimary", "stepEpoch", "runStop", "runNew"}) QVERIFY2(!action(name)->autoRepeat(), name);
  QVERIFY(action("stepBatch")->autoRepeat());
}

QTEST_MAIN(TestTransport)
#include "tst_transport.moc"

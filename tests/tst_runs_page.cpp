// SPDX-License-Identifier: GPL-3.0-or-later
// The Runs page over real run folders: what is archived can be brought back, what another process trains is left to it,
// and what cannot be read is told.
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <filesystem>

#include "engine/run/run_folder.h"
#include "gui/pages/runs/runs_page.h"
#include "tiny_run.h"

using namespace strata;
using namespace strata::gui;
namespace fs = std::filesystem;

class TestRunsPage : public QObject {
  Q_OBJECT

 private:
  QTemporaryDir m_home;
  std::unique_ptr<Theme> m_theme;
  std::unique_ptr<Document> m_document;
  std::unique_ptr<TrainingSession> m_session;
  std::unique_ptr<RunsPage> m_page;

  QTableView* table() const { return m_page->findChild<QTableView*>("runsTable"); }
  QPushButton* button(const char* name) const { return m_page->findChild<QPushButton*>(name); }
  Path archive() const { return userDataDir() / "archive"; }
  int runs() const {
    const auto& all = m_page->model().runs();
    return int(std::count_if(all.begin(), all.end(), [](const RunRecord& run) { return !run.reference; }));
  }
  static Path makeRun(const char* name) {
    TrainJob job = tinyJob(runsDir() / name);
    job.maxSteps = 1;
    runToEnd(job);
    return job.runFolder;
  }
  void reload() {
    m_page->hide();
    m_page->show();
  }
  void choose(const Path& folder) {
    const auto* sorted = table()->model();
    for (int row = 0; row < sorted->rowCount(); ++row) {
      table()->setCurrentIndex(sorted->index(row, RunsModel::Name));
      if (chosen() == folder) return;
    }
    QFAIL("no such row");
  }
  Path chosen() const {
    const auto* sorted = qobject_cast<const QSortFilterProxyModel*>(table()->model());
    const QModelIndex index = sorted->mapToSource(table()->currentIndex());
    return index.isValid() ? m_page->model().run(index.row()).folder : Path();
  }

 private slots:
  void initTestCase() {
    qputenv("XDG_DATA_HOME", m_home.path().toUtf8());
    qputenv("XDG_CONFIG_HOME", m_home.path().toUtf8());
    m_theme = std::make_unique<Theme>(*qApp);
  }

  void init() {
    fs::remove_all(userDataDir());
    makeFolders(runsDir());
    m_document = std::make_unique<Document>();
    m_document->reset(tinyProject(), {});
    m_session = std::make_unique<TrainingSession>(*m_document);
    m_session->setDataset(tinyDataset());
    m_page = std::make_unique<RunsPage>(*m_theme, *m_document, *m_session);
    m_page->resize(1400, 800);
    m_page->show();
  }

  void cleanup() {
    m_session->stopAndWait();
    m_page.reset();
    m_session.reset();
    m_document.reset();
  }

  void whatIsArchivedComesBack_data() {
    QTest::addColumn<bool>("byKey");
    QTest::newRow("keys") << true;
    QTest::newRow("buttons") << false;
  }
  void whatIsArchivedComesBack() {
    QFETCH(bool, byKey);
    const Path first = makeRun("a"), second = makeRun("b");
    reload();
    QTRY_COMPARE(runs(), 2);
    QVERIFY(!button("undoArchive")->isVisible());
    for (const Path& folder : {first, second}) {
      choose(folder);
      if (byKey) QTest::keyClick(table(), Qt::Key_Delete);
      else button("archiveRun")->click();
      QVERIFY(!fs::exists(folder));
      QVERIFY(fs::exists(archive() / folder.filename() / "project.json"));
    }
    QTRY_COMPARE(runs(), 0);
    QVERIFY(button("undoArchive")->isVisible());
    for (const Path& folder : {second, first}) {
      if (byKey) QTest::keyClick(table(), Qt::Key_Z, Qt::ControlModifier);
      else button("undoArchive")->click();
      QVERIFY(fs::exists(folder / "project.json"));
    }
    QTRY_COMPARE(runs(), 2);
    QVERIFY(!button("undoArchive")->isVisible());
    QCOMPARE(m_document->undoStack().count(), 0);
  }

  void ownLastRunLeavesTheListToo() {
    m_session->perform(TrainingSession::Action::Start);
    QTRY_VERIFY_WITH_TIMEOUT(!m_session->active(), 20000);
    QTRY_COMPARE(m_session->stateWord(), QString("Finished"));
    reload();
    QTRY_COMPARE(runs(), 1);
    choose(m_session->run().folder);
    QCOMPARE(m_session->primaryAction(), TrainingSession::Action::Continue);
    QTest::keyClick(table(), Qt::Key_Delete);
    QTRY_COMPARE(runs(), 0);
    QCOMPARE(m_session->primaryAction(), TrainingSession::Action::Start);
    QVERIFY(!m_session->blockedReason(TrainingSession::Action::Continue).isEmpty());
  }

  void aRunInUseIsLeftToItsProcess() {
    const Path folder = makeRun("a");
    QSignalSpy failed(m_page.get(), &RunsPage::failed);
    reload();
    QTRY_COMPARE(runs(), 1);
    choose(folder);
    QVERIFY(button("archiveRun")->isEnabled());
    const FolderLock lock(folder);
    QTest::keyClick(table(), Qt::Key_Delete);  // the list is older than the lock
    QCOMPARE(failed.count(), 1);
    QVERIFY2(failed[0][0].toString().contains("process"), qPrintable(failed[0][0].toString()));
    QVERIFY(fs::exists(folder / "project.json"));
    QTRY_VERIFY(!button("archiveRun")->isEnabled());
    QCOMPARE(chosen(), folder);  // a new list keeps the choice
    for (const char* name : {"archiveRun", "continueRun"}) {
      QVERIFY(!button(name)->isEnabled());
      QVERIFY2(button(name)->toolTip().contains("process"), qPrintable(button(name)->toolTip()));
    }
    QSignalSpy refused(m_session.get(), &TrainingSession::refused);
    m_session->continueRun(folder);
    QCOMPARE(refused.count(), 1);
    QVERIFY(!m_session->active());
    QVERIFY(!m_session->hasRun());  // nothing stands for the live run
  }

  void whatCannotBeReadIsTold() {
    const Path folder = makeRun("a");
    fs::remove(folder / "project.json");
    fs::create_symlink("project.json", folder / "project.json");
    const Path sound = makeRun("b");
    reload();
    QTRY_COMPARE(runs(), 1);
    const auto labels = m_page->findChildren<QLabel*>();
    QVERIFY(std::any_of(labels.begin(), labels.end(), [](const QLabel* label) {
      return label->text().contains("1 unreadable") && label->toolTip().contains("project.json");
    }));
  }
};

QTEST_MAIN(TestRunsPage)
#include "tst_runs_page.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Bringing data into the studio, and giving it up again: what is shown is the state that holds afterwards.
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "gui/pages/data/data_page.h"
#include "small_project.h"

using namespace strata;
using namespace strata::gui;

class TestDataLoader : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void aCancelledFetchChangesNothing();
  void anAnswerToAnOlderQuestionIsDropped();

 private:
  QTemporaryDir m_home;
};

void TestDataLoader::initTestCase() {
  qputenv("XDG_DATA_HOME", m_home.path().toUtf8());
  qunsetenv("STRATA_DATA_DIR");
}

void TestDataLoader::aCancelledFetchChangesNothing() {
  Theme theme(*qApp);
  Document document;
  auto project = smallProject(1);
  project.data.source = "kmnist-of-nowhere";
  for (const CatalogueEntry& entry : catalogue())
    if (entry.canFetch && !findDataset(entry.id, {})) project.data.source = entry.id;
  if (project.data.source == "kmnist-of-nowhere") QSKIP("Every data set that can be fetched is on this machine.");
  document.reset(project, {});
  TrainingSession session(document);
  DataLoader loader(document, session);
  DataPage page(theme, document, session, loader);
  page.show();
  QTRY_VERIFY_WITH_TIMEOUT(!loader.loading(), 60000);
  QVERIFY(!loader.missingReason().isEmpty());
  const auto standIn = session.dataset();
  auto* text = page.findChild<QLabel*>("fetchText");
  auto* cancel = page.findChild<QPushButton*>("cancelFetch");

  QSignalSpy failed(&loader, &DataLoader::fetchFailed), replaced(&session, &TrainingSession::datasetChanged);
  for (int attempt = 1; attempt <= 2; ++attempt) {
    page.findChild<QPushButton*>("getSelected")->click();
    QVERIFY(text->text().startsWith("Getting"));
    QVERIFY(cancel->isVisible());
    cancel->click();
    QTRY_COMPARE_WITH_TIMEOUT(failed.count(), attempt, 60000);
    QCOMPARE(failed.last().at(1).toString(), QString());
    QVERIFY(loader.fetching().empty());
    QVERIFY(!loader.loading());
    QCOMPARE(replaced.count(), 0);
    QVERIFY(session.dataset() == standIn);
    QCOMPARE(text->text(), QString("Cancelled. Nothing was changed."));
    QVERIFY(!cancel->isVisible());
  }
  document.edit("Other data", [](Project& p) { p.data.source = "synthetic-digits"; });
  QCOMPARE(text->text(), QString());  // it spoke of the other data set
}

void TestDataLoader::anAnswerToAnOlderQuestionIsDropped() {
  Document document;
  document.reset(smallProject(1), {});
  TrainingSession session(document);
  DataLoader loader(document, session);
  const auto choose = [&](const char* source) { document.edit("Choose", [&](Project& p) { p.data.source = source; }); };
  QSignalSpy replaced(&session, &TrainingSession::datasetChanged);
  choose("/nowhere/first");
  choose("/nowhere/second");
  QTRY_VERIFY_WITH_TIMEOUT(!loader.loading(), 60000);
  QCOMPARE(replaced.count(), 1);
  QVERIFY(loader.missingReason().contains("second"));
}

QTEST_MAIN(TestDataLoader)
#include "tst_data_loader.moc"

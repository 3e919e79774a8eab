// SPDX-License-Identifier: GPL-3.0-or-later
// The document: undo and redo as swaps, merging while one field is typed into, dirty as a comparison, failed opens that
// change nothing.
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "engine/error.h"
#include "gui/document.h"

using namespace strata;
using namespace strata::gui;

class TestDocument : public QObject {
  Q_OBJECT

 private:
  static void setBatch(Document& document, int batch, const QString& key = {}) {
    document.edit(
        "Batch", [batch](Project& project) { project.training.batchSize = batch; }, key);
  }

 private slots:
  void editsUndoAndRedo() {
    Document document;
    QSignalSpy changed(&document, &Document::changed);
    setBatch(document, 64);
    QCOMPARE(document.project().training.batchSize, 64);
    QVERIFY(document.dirty());
    document.undoStack().undo();
    QCOMPARE(document.project().training.batchSize, 128);
    QVERIFY(!document.dirty());
    document.undoStack().redo();
    QCOMPARE(document.project().training.batchSize, 64);
    QCOMPARE(changed.count(), 3);
  }

  void anEditThatChangesNothingIsNoStep() {
    Document document;
    setBatch(document, 128);
    QCOMPARE(document.undoStack().count(), 0);
  }

  void typingInOneFieldIsOneStep() {
    Document document;
    for (const int batch : {1, 12, 129}) setBatch(document, batch, "batch");
    QCOMPARE(document.undoStack().count(), 1);
    document.endMerge();
    setBatch(document, 130, "batch");
    QCOMPARE(document.undoStack().count(), 2);
    document.undoStack().undo();
    QCOMPARE(document.project().training.batchSize, 129);
    document.undoStack().undo();
    QCOMPARE(document.project().training.batchSize, 128);
  }

  void typingBackToTheStartLeavesNoStep() {
    Document document;
    setBatch(document, 64);
    document.endMerge();
    setBatch(document, 65, "batch");
    setBatch(document, 64, "batch");
    QCOMPARE(document.undoStack().count(), 1);
    QCOMPARE(document.project().training.batchSize, 64);
  }

  void savesAndOpens() {
    QTemporaryDir folder;
    const QString path = folder.filePath("net.strata");
    Document document;
    setBatch(document, 32);
    document.save(path);
    QVERIFY(!document.dirty());
    QCOMPARE(document.path(), path);
    Document other;
    other.open(path);
    QVERIFY(other.project() == document.project());
    QCOMPARE(other.undoStack().count(), 0);
  }

  void aFileThatIsNoProjectChangesNothing() {
    QTemporaryDir folder;
    const QString path = folder.filePath("bad.strata");
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("{\"version\": 1, \"layers\": [");
    file.close();
    Document document;
    setBatch(document, 32);
    QVERIFY_EXCEPTION_THROWN(document.open(path), strata::Error);
    QCOMPARE(document.project().training.batchSize, 32);
    QCOMPARE(document.undoStack().count(), 1);
    QVERIFY(document.path().isEmpty());
  }

  void analysisFollows() {
    Document document;
    document.edit("Add", [](Project& project) {
      project.network.layers.push_back(newLayer(project.network, *findLayer("flatten")));
    });
    QCOMPARE(document.analysis().layers.size(), std::size_t(1));
    QCOMPARE(document.analysis().layers[0].out.c, 784);
  }
};

QTEST_GUILESS_MAIN(TestDocument)
#include "tst_document.moc"

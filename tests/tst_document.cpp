// SPDX-License-Identifier: GPL-3.0-or-later
// The document: undo and redo as swaps, merging while one field is typed into, dirty as a comparison, failed opens that
// change nothing.
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <filesystem>
#include <fstream>
#include <new>
#include <stdexcept>
#include <utility>

#include "engine/base/error.h"
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
    QVERIFY_THROWS_EXCEPTION(strata::Error, document.open(path));
    QCOMPARE(document.project().training.batchSize, 32);
    QCOMPARE(document.undoStack().count(), 1);
    QVERIFY(document.path().isEmpty());
  }

  void anEditPastTheLargestStackIsRefused() {
    Document document;
    Project full;
    for (int i = 0; i < kMaxLayers; ++i)
      full.network.layers.push_back({"dropout", "d" + std::to_string(i), Fields(findLayer("dropout")->fields)});
    document.reset(full, {});
    QSignalSpy changed(&document, &Document::changed), refused(&document, &Document::refused);
    QVERIFY(!document.edit("One more", [](Project& project) {
      project.network.layers.push_back(newLayer(project.network, *findLayer("flatten")));
    }));
    QCOMPARE(refused.count(), 1);
    QVERIFY(refused[0][0].toString().contains("1,000"));
    QCOMPARE(changed.count(), 0);
    QCOMPARE(document.undoStack().count(), 0);
    QVERIFY(document.project() == full);
    QVERIFY(document.edit("One less", [](Project& project) { project.network.layers.pop_back(); }));
  }

  void anEditThatThrowsChangesNothing() {
    Document document;
    setBatch(document, 32);
    QSignalSpy changed(&document, &Document::changed);
    QVERIFY_THROWS_EXCEPTION(std::bad_alloc, document.edit("Fails", [](Project& project) {
      project.training.batchSize = 7;
      throw std::bad_alloc();
    }));
    QCOMPARE(document.project().training.batchSize, 32);
    QCOMPARE(document.undoStack().count(), 1);
    QCOMPARE(changed.count(), 0);
  }

  void aSlotThatThrowsLeavesTheUndoStackSound() {
    Document document;
    bool fails = true;
    connect(&document, &Document::changed, &document, [&] {
      if (std::exchange(fails, false)) throw std::runtime_error("a view");
    });
    QVERIFY_THROWS_EXCEPTION(std::runtime_error, setBatch(document, 64));
    QCOMPARE(document.project().training.batchSize, 64);
    QCOMPARE(document.undoStack().count(), 1);
    document.undoStack().undo();
    QCOMPARE(document.project().training.batchSize, 128);
  }

  void analysisIsNewWhenTheChangeIsTold() {
    Document document;
    std::size_t layers = 99;
    connect(&document, &Document::changed, &document, [&] { layers = document.analysis().layers.size(); });
    document.edit("Add", [](Project& project) {
      project.network.layers.push_back(newLayer(project.network, *findLayer("flatten")));
    });
    QCOMPARE(layers, std::size_t(1));
    document.reset({}, {});
    QCOMPARE(layers, std::size_t(0));
  }

  void otherProgramsAreNoticed_data() {
    QTest::addColumn<QString>("act");
    QTest::addColumn<int>("state");
    const auto row = [](const char* act, Document::FileState state) {
      QTest::newRow(act) << QString(act) << int(state);
    };
    row("nothing", Document::FileState::Same);
    row("rewritten the same", Document::FileState::Same);
    row("touched", Document::FileState::Same);
    row("one byte, same size and time", Document::FileState::Changed);
    row("longer", Document::FileState::Changed);
    row("empty", Document::FileState::Changed);
    row("replaced by another file", Document::FileState::Changed);
    row("replaced by a folder", Document::FileState::Changed);
    row("replaced by a loop of links", Document::FileState::Changed);
    row("a link to a changed copy", Document::FileState::Changed);
    row("a link to the same", Document::FileState::Same);
    row("renamed", Document::FileState::Gone);
    row("deleted", Document::FileState::Gone);
    row("a dangling link", Document::FileState::Gone);
  }
  void otherProgramsAreNoticed() {
    namespace fs = std::filesystem;
    QFETCH(QString, act);
    QFETCH(int, state);
    QTemporaryDir folder;
    const fs::path path = folder.filePath("net.strata").toStdString(), other = folder.filePath("other").toStdString();
    Document document;
    document.save(QString::fromStdString(path.string()));
    std::string text = readFile(path, kMaxProjectBytes);
    const auto write = [](const fs::path& to, const std::string& bytes) {
      std::ofstream(to, std::ios::binary) << bytes;
    };
    const auto becomesALinkTo = [&](const fs::path& target) {
      fs::remove(path);
      fs::create_symlink(target, path);
    };
    const auto when = fs::last_write_time(path);
    if (act == "rewritten the same") write(path, text);
    if (act == "touched") fs::last_write_time(path, when + std::chrono::hours(1));
    if (act == "longer") write(path, text + "\n");
    if (act == "empty") write(path, "");
    if (act == "renamed") fs::rename(path, other);
    if (act == "deleted") fs::remove(path);
    if (act == "a dangling link") becomesALinkTo("nowhere");
    if (act == "replaced by a loop of links") becomesALinkTo("net.strata");
    if (act == "a link to the same") fs::rename(path, other), fs::create_symlink(other, path);
    if (act == "replaced by a folder") fs::remove(path), fs::create_directory(path);
    text[text.find("Untitled")] = 'u';
    if (act == "one byte, same size and time") write(path, text), fs::last_write_time(path, when);
    if (act == "replaced by another file") write(other, text), fs::rename(other, path);
    if (act == "a link to a changed copy") write(other, text), becomesALinkTo(other);
    QCOMPARE(int(document.fileState()), state);
  }

  void reloadingIsOneStepThatCanBeUndone() {
    QTemporaryDir folder;
    const QString path = folder.filePath("net.strata");
    Document document, other;
    document.save(path);
    setBatch(document, 32);
    other.open(path);
    other.edit("Elsewhere", [](Project& project) { project.training.epochs = 7; });
    other.save(path);
    QCOMPARE(document.fileState(), Document::FileState::Changed);
    document.reload();
    QVERIFY(!document.dirty());
    QCOMPARE(document.fileState(), Document::FileState::Same);
    QCOMPARE(document.project().training.epochs, 7);
    document.undoStack().undo();  // nothing done here is lost
    QCOMPARE(document.project().training.batchSize, 32);
    QVERIFY(document.dirty());
  }

  void aFileThatCannotBeReloadedChangesNothing() {
    QTemporaryDir folder;
    const QString path = folder.filePath("net.strata");
    Document document;
    document.save(path);
    setBatch(document, 32);
    std::ofstream(path.toStdString()) << "{";
    QVERIFY_THROWS_EXCEPTION(strata::Error, document.reload());
    QCOMPARE(document.project().training.batchSize, 32);
    QVERIFY(document.dirty());
    QCOMPARE(document.fileState(), Document::FileState::Changed);
  }

  void aProtectedFileIsNotReplaced() {
    QTemporaryDir folder;
    const QString path = folder.filePath("net.strata");
    Document document;
    document.save(path);
    QFile::setPermissions(path, QFile::ReadOwner | QFile::ReadGroup | QFile::ReadOther);
    setBatch(document, 32);
    QVERIFY_THROWS_EXCEPTION(strata::Error, document.save(path));
    QVERIFY(document.dirty());
    QCOMPARE(readProject(path.toStdString()).training.batchSize, 128);
    QCOMPARE(document.fileState(), Document::FileState::Same);
    document.save(folder.filePath("other.strata"));
    QVERIFY(!document.dirty());
  }

  void savingKeepsALink() {
    QTemporaryDir folder;
    const std::string target = folder.filePath("target.strata").toStdString();
    const QString link = folder.filePath("link.strata");
    Document document;
    document.save(QString::fromStdString(target));
    std::filesystem::create_symlink(target, link.toStdString());
    document.open(link);
    setBatch(document, 32);
    document.save(link);
    QVERIFY(std::filesystem::is_symlink(link.toStdString()));
    QCOMPARE(readProject(target).training.batchSize, 32);
    QCOMPARE(document.fileState(), Document::FileState::Same);
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

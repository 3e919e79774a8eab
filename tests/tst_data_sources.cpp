// SPDX-License-Identifier: GPL-3.0-or-later
// Data sets in the studio: folders named by a project, folders handed over, and what is said when they are not there.
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "data_files.h"
#include "engine/run/run_record.h"
#include "gui/data_loader.h"

using namespace strata;
using namespace strata::gui;

namespace {

Project projectOn(const std::string& source) {
  Project project;
  project.data.source = source;
  project.data.validation = ValidationSource::TestSet;
  project.network.input = Shape::image(8, 8, 1);
  LayerSpec dense{"dense", "dense1", Fields(findLayer("dense")->fields)};
  dense.fields.set("units", std::int64_t{10});
  project.network.layers = {{"flatten", "flatten", Fields(findLayer("flatten")->fields)}, dense};
  project.training.epochs = 1;
  return project;
}

}  // namespace

class TestDataSources : public QObject {
  Q_OBJECT
 private slots:
  void init();
  void cleanup();
  void findsAFolderBesideTheProject_data();
  void findsAFolderBesideTheProject();
  void saysWhatIsNotThere_data();
  void saysWhatIsNotThere();
  void digitsStandInForWhatCanBeFetched();
  void keepsTheDataWhenSavedElsewhere();
  void takesAFolderThatIsSound();
  void refusesWhatIsUnsound_data();
  void refusesWhatIsUnsound();
  void trainsWithoutATestSet();
  void needsAPlaceForRuns();

 private:
  Path root() const { return m_folder->path().toStdString(); }
  void open(const std::string& source) {
    std::filesystem::create_directories(root() / "project");
    writeProject(root() / "project/p.strata", projectOn(source));
    m_document->open(QString::fromStdString((root() / "project/p.strata").string()));
    QTRY_VERIFY(!m_loader->loading());
  }
  std::string title() const { return m_session->dataset() ? m_session->dataset()->title : ""; }
  /// Trains the document's net to the end and returns what the run's folder says.
  RunRecord train() {
    m_session->perform(TrainingSession::Action::Start);
    [this] { QTRY_VERIFY_WITH_TIMEOUT(!m_session->active(), 20000); }();
    m_session->stopAndWait();
    return readRun(m_session->run().folder);
  }
  std::unique_ptr<QTemporaryDir> m_folder;
  std::unique_ptr<Document> m_document;
  std::unique_ptr<TrainingSession> m_session;
  std::unique_ptr<DataLoader> m_loader;
};

void TestDataSources::init() {
  m_folder = std::make_unique<QTemporaryDir>();
  qputenv("XDG_DATA_HOME", (m_folder->path() + "/home").toUtf8());
  qunsetenv("STRATA_DATA_DIR");
  m_document = std::make_unique<Document>();
  m_document->reset(projectOn("synthetic-digits"), {});
  m_session = std::make_unique<TrainingSession>(*m_document);
  m_session->setBackend("reference", 1);
  m_loader = std::make_unique<DataLoader>(*m_document, *m_session);
  QTRY_VERIFY(!m_loader->loading());
}

void TestDataSources::cleanup() {
  m_session->stopAndWait();
  m_loader.reset();
  m_session.reset();
}

void TestDataSources::findsAFolderBesideTheProject_data() {
  QTest::addColumn<QString>("source");
  for (const char* source : {"digits", "./digits", "digits/", "../project/digits"}) QTest::newRow(source) << source;
}

void TestDataSources::findsAFolderBesideTheProject() {
  QFETCH(QString, source);
  writeDataset(root() / "project/digits", 40, 20, 8);
  open(source.toStdString());
  QCOMPARE(title(), std::string("digits"));
  QVERIFY(m_loader->missingReason().isEmpty());
  QVERIFY(!m_document->dirty());
  const RunRecord run = train();
  QCOMPARE(run.state, std::string("finished"));
  QCOMPARE(run.datasetTitle, std::string("digits"));
  QCOMPARE(run.project.data.source, (root() / "project/digits").string());  // resumes from anywhere
}

void TestDataSources::saysWhatIsNotThere_data() {
  QTest::addColumn<QString>("source");
  QTest::addColumn<QString>("reason");
  QTest::newRow("folder") << "./nowhere"
                          << "nowhere not found";
  QTest::newRow("absolute folder") << "/no/such/folder"
                                   << "folder not found";
  QTest::newRow("misspelt id") << "mnits"
                               << "mnits not found";
  QTest::newRow("unreadable") << "broken"
                              << "broken cannot be read";
}

void TestDataSources::saysWhatIsNotThere() {
  QFETCH(QString, source);
  QFETCH(QString, reason);
  writeDataset(root() / "project/broken", 20, 10, 8);
  writeBytes(root() / "project/broken/train-images-idx3-ubyte", "rubbish");
  open(source.toStdString());
  QCOMPARE(m_loader->missingReason(), reason);
  QVERIFY(!m_loader->problem().isEmpty());
  QVERIFY(!m_session->dataset());
  QVERIFY(!m_loader->standsIn());
  QCOMPARE(m_loader->facts(), reason);
  QCOMPARE(m_session->stateWord(), QString("Cannot start"));
  QVERIFY(!m_session->blockedReason(TrainingSession::Action::Start).isEmpty());
}

void TestDataSources::digitsStandInForWhatCanBeFetched() {
  if (findDataset("fashion-mnist", {})) QSKIP("Fashion-MNIST is installed on this computer");
  open("fashion-mnist");
  QCOMPARE(m_loader->missingReason(), QString("Fashion-MNIST not found"));
  QVERIFY(m_loader->standsIn());
  QVERIFY(m_session->dataset() && m_session->dataset()->synthetic);
}

void TestDataSources::keepsTheDataWhenSavedElsewhere() {
  writeDataset(root() / "project/digits", 40, 20, 8);
  open("./digits");
  const auto data = m_session->dataset();
  std::filesystem::create_directories(root() / "elsewhere");
  const QString elsewhere = QString::fromStdString((root() / "elsewhere/p.strata").string()),
                beside = QString::fromStdString((root() / "project/q.strata").string());
  m_document->save(beside);
  QCOMPARE(readProject(beside.toStdString()).data.source, std::string("./digits"));
  m_document->save(elsewhere);
  QCOMPARE(readProject(elsewhere.toStdString()).data.source, (root() / "project/digits").string());
  QVERIFY(!m_document->dirty());
  QTRY_VERIFY(!m_loader->loading());
  QCOMPARE(m_session->dataset(), data);  // not even read again
}

void TestDataSources::takesAFolderThatIsSound() {
  writeDataset(root() / "own", 40, 20, 8);
  writeBytes(root() / "own/train-images-idx3-ubyte.gz", packed(idxFile(40, 8)));
  QSignalSpy chosen(m_loader.get(), &DataLoader::folderChosen);
  m_loader->chooseFolder(root() / "own", root() / "own/train-images-idx3-ubyte.gz");
  QTRY_COMPARE(chosen.count(), 1);
  QCOMPARE(title(), std::string("own"));
  QCOMPARE(m_document->project().data.source, (root() / "own").string());
  m_document->undoStack().undo();
  QTRY_VERIFY(!m_loader->loading());
  QCOMPARE(title(), syntheticDigits(1, 10, 10)->title);
}

void TestDataSources::refusesWhatIsUnsound_data() {
  QTest::addColumn<QString>("handed");
  QTest::addColumn<QString>("says");
  QTest::newRow("a file of something else, in a sound folder") << "own/notes.gz"
                                                               << "is not an IDX file";
  QTest::newRow("a file alone") << "alone/train-images-idx3-ubyte.gz"
                                << "has no train-labels-idx1-ubyte";
  QTest::newRow("a file that is not there") << "own/absent.gz"
                                            << "there is no such file";
  QTest::newRow("a damaged one") << "own/cut.gz"
                                 << "cut.gz";
  QTest::newRow("an empty folder") << "empty"
                                   << "is a folder without data of a kind that is read";
  QTest::newRow("no folder") << "absent"
                             << "is neither a known data set nor a folder";
}

void TestDataSources::refusesWhatIsUnsound() {
  QFETCH(QString, handed);
  QFETCH(QString, says);
  writeDataset(root() / "own", 40, 20, 8);
  writeBytes(root() / "own/notes.gz", packed("These are notes, and no pictures at all."));
  const std::string images = packed(idxFile(40, 8));
  writeBytes(root() / "own/cut.gz", images.substr(0, images.size() / 2));
  std::filesystem::create_directories(root() / "alone");
  writeBytes(root() / "alone/train-images-idx3-ubyte.gz", images);
  std::filesystem::create_directories(root() / "empty");
  const auto data = m_session->dataset();
  QSignalSpy refused(m_loader.get(), &DataLoader::folderRefused);
  const Path path = root() / handed.toStdString();
  handed.endsWith(".gz") ? m_loader->chooseFolder(path.parent_path(), path) : m_loader->chooseFolder(path);
  QTRY_COMPARE(refused.count(), 1);
  const QString sentence = refused[0][0].toString();
  QVERIFY2(sentence.contains(says), qPrintable(sentence));
  QVERIFY(!m_document->dirty());
  QCOMPARE(m_document->project().data.source, std::string("synthetic-digits"));
  QCOMPARE(m_session->dataset(), data);
  QVERIFY(m_loader->missingReason().isEmpty());
}

void TestDataSources::trainsWithoutATestSet() {
  writeDataset(root() / "project/digits", 40, 20, 8);
  for (const char* file : {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"})
    std::filesystem::remove(root() / "project/digits" / file);
  open("digits");
  QSignalSpy notes(m_session.get(), &TrainingSession::note);
  const RunRecord run = train();
  QCOMPARE(run.state, std::string("finished"));
  QVERIFY(run.project.data.validation == ValidationSource::Split);
  const bool said = std::any_of(notes.begin(), notes.end(), [](const QList<QVariant>& note) {
    return note[1].toString().startsWith("There is no test set");
  });
  QVERIFY(said);
}

void TestDataSources::needsAPlaceForRuns() {
  const QByteArray home = qgetenv("HOME");
  qunsetenv("XDG_DATA_HOME");
  qunsetenv("HOME");
  const QString reason = m_session->blockedReason(TrainingSession::Action::Start);
  qputenv("HOME", home);
  QCOMPARE(reason, QString("HOME is not set, so there is no place for a run"));
  QVERIFY(m_session->blockedReason(TrainingSession::Action::Start).isEmpty() ||
          !m_session->blockedReason(TrainingSession::Action::Start).contains("HOME"));
}

QTEST_MAIN(TestDataSources)
#include "tst_data_sources.moc"

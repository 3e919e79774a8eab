// SPDX-License-Identifier: GPL-3.0-or-later
// The figures of the Test page: each table is of one set of weights, which it names, and of the data that the run
// trained on, or it says of which others.
#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>

#include "data_files.h"
#include "datasets/datasets.h"
#include "datasets/readers/idx_names.h"
#include "gui/pages/test/test_page.h"
#include "gui/pages/train/samples_panel.h"
#include "gui/theme.h"
#include "small_project.h"

using namespace strata;
using namespace strata::gui;
using Action = TrainingSession::Action;

namespace {

using Matrix = std::vector<std::vector<int>>;

/// A folder of IDX files: drawn digits whose labels say `shift` more than is drawn.
void writeDigits(const Path& folder, int train, int test, int shift) {
  std::filesystem::create_directories(folder);
  const auto digits = syntheticDigits(1, train, test);
  int file = 0;
  for (const Samples* part : {&digits->train, &digits->test}) {
    const auto count = std::uint32_t(part->count);
    writeBytes(folder / kIdxNames[std::size_t(file++)],
               idxHeader({count, 28, 28}) + std::string(part->pixels.begin(), part->pixels.end()));
    std::string labels = idxHeader({count});
    for (const int label : part->labels) labels += char((label + shift) % 10);
    writeBytes(folder / kIdxNames[std::size_t(file++)], labels);
  }
}

Matrix shownMatrix(const TestPage& page) {
  const auto& model = page.findChild<TestSetPanel*>()->matrix();
  Matrix matrix(std::size_t(model.classes()), std::vector<int>(std::size_t(model.classes())));
  for (int t = 0; t < model.classes(); ++t)
    for (int p = 0; p < model.classes(); ++p) matrix[std::size_t(t)][std::size_t(p)] = model.count(t, p);
  return matrix;
}

Matrix matrixOf(const NetworkSpec& network, const Weights& weights, const Dataset& data) {
  Predictor predictor(network);
  predictor.setWeights(weights);
  std::vector<int> all(std::size_t(data.test.count));
  std::iota(all.begin(), all.end(), 0);
  return predictor.evaluate(data.test, all, {}).confusion;
}

}  // namespace

class TestTestPage : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void init();
  void cleanup();
  void aMatrixIsOfOneSnapshot();
  void tilesNameTheirWeights();
  void anotherNetClearsAtOnce();
  void aRunIsJudgedOnItsOwnData();
  void otherDataAreNamed();
  void aNetOfMoreClasses();
  void aDamagedCheckpointClearsWhatItWouldReplace();
  void choosingARunStopsFollowing();

 private:
  void load(const Path& folder);
  RunRecord train(int epochs);
  void choose(const RunRecord& run);
  QString text(const char* label) const { return m_page->findChild<QLabel*>(label)->text(); }
  int judged() const { return m_page->testSet()->matrix().total(); }

  QTemporaryDir m_home;
  Path m_digits, m_shifted;
  std::unique_ptr<Theme> m_theme;
  std::unique_ptr<Document> m_document;
  std::unique_ptr<TrainingSession> m_session;
  std::unique_ptr<DataLoader> m_loader;
  std::unique_ptr<TestPage> m_page;
};

void TestTestPage::initTestCase() {
  qputenv("XDG_DATA_HOME", m_home.path().toUtf8());
  m_theme = std::make_unique<Theme>(*qApp);
  m_digits = m_home.filePath("digits").toStdString();
  m_shifted = m_home.filePath("shifted").toStdString();
  writeDigits(m_digits, 320, 2600, 0);  // more test images than are asked at once
  writeDigits(m_shifted, 320, 700, 1);
}

void TestTestPage::init() {
  m_document = std::make_unique<Document>();
  auto project = smallProject(2);
  project.data.source = m_digits.string();
  m_document->reset(project, {});
  m_session = std::make_unique<TrainingSession>(*m_document);
  m_session->setBackend("reference", 1);
  m_loader = std::make_unique<DataLoader>(*m_document, *m_session);
  m_page = std::make_unique<TestPage>(*m_theme, *m_session, *m_loader);
  m_page->show();
  QTRY_VERIFY_WITH_TIMEOUT(!m_loader->loading(), 60000);
}

void TestTestPage::cleanup() {
  m_session->stopAndWait();
  m_page.reset();
  m_loader.reset();
  m_session.reset();
  m_document.reset();
}

void TestTestPage::load(const Path& folder) {
  m_document->edit("Data", [&](Project& p) { p.data.source = folder.string(); });
  QTRY_VERIFY_WITH_TIMEOUT(!m_loader->loading(), 60000);
}

RunRecord TestTestPage::train(int epochs) {
  m_document->edit("Epochs", [&](Project& p) { p.training.epochs = epochs; });
  m_session->perform(Action::Start);
  [&] { QTRY_VERIFY_WITH_TIMEOUT(m_session->run().state == "finished", 60000); }();
  return m_session->run();
}

void TestTestPage::choose(const RunRecord& run) {
  auto* runs = m_page->findChild<QComboBox*>("weightsRun");
  const auto at = [&] {
    for (int i = 0; i < runs->count(); ++i)
      if (m_page->run(i).folder == run.folder) return i;
    return -1;
  };
  QTRY_VERIFY_WITH_TIMEOUT(at() >= 0, 20000);
  runs->setCurrentIndex(at());
  emit runs->activated(at());
}

// While the run goes on and its weights change many times, every matrix that is shown is the one of the step it names.
void TestTestPage::aMatrixIsOfOneSnapshot() {
  m_document->edit("Long", [](Project& p) {
    p.training.epochs = 100000;
    p.training.optimizer.fields.set("learning_rate", 0.5);  // so that answers differ from step to step
  });
  std::map<std::uint64_t, std::shared_ptr<const WeightSnapshot>> snapshots;
  QObject listener;
  connect(m_session.get(), &TrainingSession::snapshotReady, &listener,
          [&] { snapshots[m_session->snapshot()->step] = m_session->snapshot(); });
  QTimer often;
  connect(&often, &QTimer::timeout, m_session.get(), &TrainingSession::requestSnapshot);
  often.start(10);
  m_session->perform(Action::Start);
  QSet<QString> seen;
  for (int matrix = 0; matrix < 6; ++matrix) {
    QTRY_VERIFY_WITH_TIMEOUT(judged() == 2600 && !seen.contains(text("testSetOf").section(" · ", 0, 0)), 60000);
    const QString of = text("testSetOf").section(" · ", 0, 0);
    seen << of;
    const auto step = of.section("step ", 1).section(", on", 0, 0).remove(',').toULongLong();
    QVERIFY2(of.endsWith("on digits") && snapshots.contains(step), qPrintable(of));
    const auto& snapshot = *snapshots[step];
    QVERIFY(of.startsWith(QString("epoch %1,").arg(snapshot.epoch)));
    QVERIFY(shownMatrix(*m_page) == matrixOf(snapshot.network, snapshot.weights, *m_session->dataset()));
  }
}

// The count of mistakes and the tiles may be of different weights while a run goes on: each names its own.
void TestTestPage::tilesNameTheirWeights() {
  SamplesPanel panel(*m_theme, *m_session);
  panel.show();
  auto* of = panel.findChild<ElidedText*>("samplesOf");
  auto* wrong = panel.findChild<ElidedText*>("samplesWrong");
  const auto tilesAre = [&] { return of->text().section("Answers of ", 1); };
  const auto countIs = [&] { return wrong->text().section(" wrong at ", 1); };
  m_document->edit("Long", [](Project& p) { p.training.epochs = 100000; });
  m_session->perform(Action::Start);
  QTRY_VERIFY_WITH_TIMEOUT(tilesAre().startsWith("epoch ") && tilesAre() == countIs(), 20000);
  QTRY_VERIFY_WITH_TIMEOUT(tilesAre().startsWith("epoch ") && tilesAre() != countIs(), 20000);
  QVERIFY(countIs().startsWith("epoch "));
  m_session->perform(Action::Stop);
  QTRY_VERIFY(!m_session->active());
  const WeightSnapshot& last = *m_session->snapshot();
  QTRY_COMPARE_WITH_TIMEOUT(tilesAre(), QString("epoch %1, step %2").arg(last.epoch).arg(number(qint64(last.step))),
                            20000);
  QTRY_COMPARE(countIs(), tilesAre());
  m_session->perform(Action::Start);
  QCOMPARE(of->text() + wrong->text(), QString());  // nothing of the run before
  QCOMPARE(panel.model().rowCount(), 0);
}

void TestTestPage::anotherNetClearsAtOnce() {
  const auto first = train(2);
  m_document->edit("Another net", [](Project& p) { p.network.layers.back().name = "other"; });
  train(1);
  QTRY_COMPARE_WITH_TIMEOUT(judged(), 2600, 20000);
  choose(first);
  QCOMPARE(judged(), 0);
  QTRY_COMPARE_WITH_TIMEOUT(judged(), 2600, 20000);
  QVERIFY(text("testSetOf").startsWith(QString("epoch %1,").arg(first.bestEpoch)));
}

void TestTestPage::aRunIsJudgedOnItsOwnData() {
  const auto first = train(2);
  load(m_shifted);
  const auto second = train(2);
  QTRY_COMPARE_WITH_TIMEOUT(judged(), 700, 20000);
  QTRY_VERIFY(text("testSetOf").endsWith("on shifted"));  // and nothing is being judged any more
  choose(first);                                          // the other data are loaded, not this run's
  QTRY_COMPARE_WITH_TIMEOUT(judged(), 2600, 20000);
  QVERIFY(text("testSetOf").endsWith("on digits"));
  QCOMPARE(text("testSetRemark"), QString());
  const auto weights = readWeightsOf(first.bestEpoch, weightsFile(first.folder, first.bestEpoch));
  QVERIFY(shownMatrix(*m_page) == matrixOf(weights.network, weights.weights, *loadDataset(m_digits.string(), {})));
  const double right = 1 - double(m_page->testSet()->matrix().wrong()) / 2600;
  QCOMPARE(right,
           first.epochs[std::size_t(first.bestEpoch - 1)].value("val_accuracy"));  // validated on the same images
  choose(second);
  QTRY_COMPARE_WITH_TIMEOUT(judged(), 700, 20000);
}

void TestTestPage::otherDataAreNamed() {
  const Path gone = m_home.filePath("gone").toStdString();
  writeDigits(gone, 320, 300, 2);
  load(gone);
  const auto run = train(1);
  std::filesystem::remove_all(gone);
  load(m_shifted);
  train(1);
  choose(run);
  QTRY_COMPARE_WITH_TIMEOUT(judged(), 700, 20000);
  QCOMPARE(text("testSetRemark"), QString("The run trained on gone (gone not found): these figures are of shifted."));
  QVERIFY(text("testSetOf").endsWith("on shifted"));
}

// Two classes more than the data have: they may be answered, and have a place in the matrix.
void TestTestPage::aNetOfMoreClasses() {
  const auto run = train(1);
  auto project = run.project;
  project.network.classes = 12;
  project.network.layers.back().fields.set("units", std::int64_t{12});
  TrainJob job;
  job.project = project;
  job.data = makeDataView(m_session->dataset(), ValidationSource::TestSet, 0, 1);
  job.runFolder = runsDir() / "twelve";
  job.backend = "reference";
  {
    Trainer trainer;
    trainer.start(std::move(job));
    trainer.wait();
  }
  m_page->hide();
  m_page->show();  // looks for runs again
  choose(readRun(runsDir() / "twelve"));
  QTRY_COMPARE_WITH_TIMEOUT(judged(), 2600, 20000);
  QCOMPARE(m_page->testSet()->matrix().classes(), 12);
  QVERIFY(text("testSetOf").endsWith("on digits"));
}

void TestTestPage::aDamagedCheckpointClearsWhatItWouldReplace() {
  const auto first = train(2);
  QTRY_COMPARE_WITH_TIMEOUT(judged(), 2600, 20000);
  const auto second = train(2);
  QTRY_COMPARE_WITH_TIMEOUT(judged(), 2600, 20000);
  const auto file = weightsFile(first.folder, first.bestEpoch);
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  choose(first);
  QCOMPARE(judged(), 0);
  QTest::mouseClick(m_page->drawing()->canvas(), Qt::LeftButton);
  QTRY_VERIFY_WITH_TIMEOUT(m_page->findChild<QLabel*>("drawingMessage")->text().contains("epoch-000"), 20000);
  QCOMPARE(m_page->prediction()->bars()->answer(), -1);
  QCOMPARE(judged(), 0);
  choose(second);
  QTRY_COMPARE_WITH_TIMEOUT(judged(), 2600, 20000);
}

// The row says one run: its weights are asked, not the newest ones of the run in progress.
void TestTestPage::choosingARunStopsFollowing() {
  const auto first = train(2);
  m_document->edit("Long", [](Project& p) { p.training.epochs = 100000; });
  m_session->perform(Action::Start);
  QTRY_VERIFY(m_session->snapshot() != nullptr);
  auto* follow = m_page->findChild<QCheckBox*>("followTraining");
  QVERIFY(follow->isChecked());
  choose(first);
  QVERIFY(!follow->isChecked());
  QTRY_COMPARE_WITH_TIMEOUT(judged(), 2600, 20000);
  QVERIFY(text("testSetOf").startsWith(QString("epoch %1,").arg(first.bestEpoch)));
  follow->click();
  QTRY_VERIFY_WITH_TIMEOUT(
      judged() == 2600 &&
          !text("testSetOf").startsWith(QString("epoch %1, step %2,").arg(first.bestEpoch).arg(first.bestEpoch * 10)),
      20000);
  QCOMPARE(m_page->run(m_page->findChild<QComboBox*>("weightsRun")->currentIndex()).folder, m_session->run().folder);
}

QTEST_MAIN(TestTestPage)
#include "tst_test_page.moc"

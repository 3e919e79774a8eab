// SPDX-License-Identifier: GPL-3.0-or-later
// An impatient person: runs are started, paused, stopped, continued and left for others in any order and at any time,
// first through the session, then by clicks and keys all over the window. What is told of a run stays true throughout.
#include <QAbstractItemView>
#include <QApplication>
#include <QComboBox>
#include <QDialog>
#include <QRandomGenerator>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>
#include <QToolButton>

#include "datasets/datasets.h"
#include "gui/main_window.h"
#include "gui/runs_loader.h"
#include "small_project.h"

using namespace strata;
using namespace strata::gui;
using Action = TrainingSession::Action;

namespace {

QStringList warnings;

void collect(QtMsgType type, const QMessageLogContext&, const QString& text) {
  if (type != QtDebugMsg && type != QtInfoMsg) warnings << text;
}

/// Follows what a session tells and says what of it cannot be true.
class Witness : public QObject {
 public:
  explicit Witness(TrainingSession& session) : m_session(session) {
    connect(&session, &TrainingSession::runStarted, this, [this] {
      if (m_running) blame("a run began before the end of the one before was told");
      m_running = true;
      m_most = m_session.run().project.training.epochs;
    });
    connect(&session, &TrainingSession::finished, this, [this] {
      if (!m_running) blame("an end without a run");
      m_running = false;
      if (m_session.active()) blame("told to be over while the trainer is busy");
      if (m_session.run().state == "training") blame("over, and still training");
      compareWithDisk();
    });
    connect(&session, &TrainingSession::epochDone, this, [this](const EpochRecord& record) {
      if (!m_running) blame("an epoch without a run");
      if (record.epoch != int(m_session.run().epochs.size()))
        blame(QString("epoch %1 is not the last one").arg(record.epoch));
    });
    connect(&session, &TrainingSession::progressed, this, &Witness::look);
    connect(&session, &TrainingSession::stateChanged, this, &Witness::look);
  }
  const QStringList& blamed() const { return m_blamed; }
  void look() {
    const auto& run = m_session.run();
    m_most = std::max(m_most, run.project.training.epochs);
    if (int(run.epochs.size()) > m_most) blame(QString("%1 epochs of %2").arg(run.epochs.size()).arg(m_most));
    for (std::size_t i = 0; i < run.epochs.size(); ++i)
      if (run.epochs[i].epoch != int(i) + 1) blame("epochs are not told one by one");
    if (run.bestEpoch != bestEpochOf(run.epochs)) blame("the best is not the best");
    const auto& batches = m_session.batches();
    if (!batches.empty() && batches.size() != batches.lastStep() - batches.firstStep() + 1)
      blame("a batch is told twice, or never");
    if (const auto& snapshot = m_session.snapshot(); snapshot && !(snapshot->network == run.project.network))
      blame("weights of another net");
    if (m_running != (run.state == "training") && m_session.hasRun()) blame("the state is not the run's");
  }

 private:
  void compareWithDisk() {
    const auto& run = m_session.run();
    std::error_code none;
    if (run.state == "failed" || !std::filesystem::exists(run.folder / "project.json", none)) return;
    if (!(readRun(run.folder).epochs == run.epochs)) blame("the record on disk is another one");
  }
  void blame(const QString& what) { m_blamed << what; }

  TrainingSession& m_session;
  bool m_running = false;
  int m_most = 0;  ///< epochs asked for
  QStringList m_blamed;
};

}  // namespace

class TestImpatience : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void cleanupTestCase();
  void throughTheSession_data();
  void throughTheSession();
  void allOverTheWindow_data();
  void allOverTheWindow();

 private:
  void act(TrainingSession& session, Document& document, std::vector<RunRecord>& runs);
  void click(MainWindow& window);
  int any(int count) { return int(m_random.bounded(count)); }

  QTemporaryDir m_home;
  std::shared_ptr<Theme> m_theme;
  std::shared_ptr<const Dataset> m_data;
  QRandomGenerator m_random;
};

void TestImpatience::initTestCase() {
  for (const char* name : {"XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"}) qputenv(name, m_home.path().toUtf8());
  qputenv("STRATA_CUDA_MODULE", "/nowhere/strata_cuda.so");  // a device that fails, on machines with a GPU too
  QCoreApplication::setOrganizationName("strata");
  QCoreApplication::setApplicationName("tst-impatience");
  m_theme = std::make_shared<Theme>(*qApp);
  m_data = syntheticDigits(1, 320, 64);
}

void TestImpatience::cleanupTestCase() { QCOMPARE(warnings, QStringList()); }

void TestImpatience::throughTheSession_data() {
  QTest::addColumn<uint>("seed");
  for (uint seed = 1; seed <= 6; ++seed) QTest::addRow("seed %u", seed) << seed;
}

/// One thing that a person may do at any time.
void TestImpatience::act(TrainingSession& session, Document& document, std::vector<RunRecord>& runs) {
  static constexpr Action kActions[] = {Action::Start,     Action::Pause,     Action::Resume, Action::Continue,
                                        Action::StepBatch, Action::StepEpoch, Action::Stop};
  const auto* earlier = runs.empty() ? nullptr : &runs[std::size_t(any(int(runs.size())))];
  switch (any(12)) {
    case 0:
      document.edit("Epochs", [&](Project& p) { p.training.epochs = 1 + any(6); });
      return;
    case 1:
      return session.setEpochs(int(session.run().epochs.size()) + 1 + any(4));
    case 2:
      return session.setLearningRate(0.01 * (1 + any(9)));
    case 3:
      if (earlier) session.continueRun(earlier->folder);
      return;
    case 4:
      if (earlier && earlier->bestEpoch > 0) session.branchFrom(earlier->folder, earlier->bestEpoch);
      return;
    case 5:
      return session.requestSnapshot();
    case 6:
      return session.setBackend(any(8) == 0 ? "cuda" : "reference", 1);
    case 7:
      while (session.active() && session.state() != Trainer::State::Paused) std::this_thread::yield();
      return;
    default:
      return session.perform(kActions[any(std::size(kActions))]);
  }
}

void TestImpatience::throughTheSession() {
  QFETCH(uint, seed);
  m_random.seed(seed);
  Document document;
  document.reset(smallProject(2), {});
  TrainingSession session(document);
  session.setBackend("reference", 1);
  session.setDataset(m_data);
  Witness witness(session);
  std::vector<RunRecord> runs;
  connect(&session, &TrainingSession::finished, this, [&] { runs.push_back(session.run()); });
  for (int i = 0; i < 150; ++i) {
    act(session, document, runs);
    if (any(3) == 0) QTest::qWait(any(40));
    witness.look();
    QVERIFY2(witness.blamed().isEmpty(), qPrintable(QString("action %1: %2").arg(i).arg(witness.blamed().join("; "))));
  }
  session.stopAndWait();
  witness.look();
  QCOMPARE(witness.blamed(), QStringList());
  QVERIFY(!runs.empty());
}

void TestImpatience::allOverTheWindow_data() {
  QTest::addColumn<uint>("seed");
  for (uint seed = 1; seed <= 4; ++seed) QTest::addRow("seed %u", seed) << seed;
}

/// A key, or a click on something that can be clicked. What opens a dialog says so with an ellipsis and is left alone.
void TestImpatience::click(MainWindow& window) {
  static const QKeySequence kKeys[] = {{"F5"},     {"F5"},     {"F10"},    {"Shift+F5"}, {"Ctrl+1"},      {"Ctrl+2"},
                                       {"Ctrl+3"}, {"Ctrl+4"}, {"Ctrl+5"}, {"Ctrl+Z"},   {"Ctrl+Shift+Z"}};
  if (any(2) == 0) {
    const auto key = kKeys[any(std::size(kKeys))][0];
    return QTest::keyClick(&window, key.key(), key.keyboardModifiers());
  }
  QList<QWidget*> places;
  for (auto* widget : window.findChildren<QWidget*>()) {
    if (!widget->isVisible() || !widget->isEnabled()) continue;
    const auto* button = qobject_cast<QAbstractButton*>(widget);
    const bool opens = button && (button->text().contains("…") ||
                                  QStringList{"openPicture", "openFolder"}.contains(button->objectName()));
    if ((button && !opens) || qobject_cast<QComboBox*>(widget) || qobject_cast<QAbstractItemView*>(widget))
      places << widget;
  }
  auto* place = places[any(int(places.size()))];
  if (auto* view = qobject_cast<QAbstractItemView*>(place)) place = view->viewport();
  QTest::mouseClick(place, Qt::LeftButton, {}, {any(std::max(1, place->width())), any(std::max(1, place->height()))});
  if (auto* list = QApplication::activePopupWidget()) {
    QTest::keyClick(list, Qt::Key_Down);
    QTest::keyClick(list, Qt::Key_Return);
    list->close();
  }
}

void TestImpatience::allOverTheWindow() {
  QFETCH(uint, seed);
  m_random.seed(seed);
  qInstallMessageHandler(collect);
  Document document;
  document.reset(smallProject(3), {});
  TrainingSession session(document);
  session.setBackend("cpu", 1);
  MainWindow window(*m_theme, document, session);
  window.resize(1440, 900);
  window.show();
  QTRY_VERIFY_WITH_TIMEOUT(session.dataset(), 60000);
  session.setDataset(m_data);
  Witness witness(session);
  QTimer questions;  // whatever is asked is answered with Escape
  connect(&questions, &QTimer::timeout, this, [] {
    if (auto* box = qobject_cast<QDialog*>(QApplication::activeModalWidget())) box->reject();
  });
  questions.start(20);
  for (int i = 0; i < 250; ++i) {
    click(window);
    if (any(4) == 0) QTest::qWait(any(40));
    witness.look();
    QVERIFY2(witness.blamed().isEmpty(), qPrintable(QString("click %1: %2").arg(i).arg(witness.blamed().join("; "))));
  }
  session.stopAndWait();
  QCOMPARE(witness.blamed(), QStringList());
  qInstallMessageHandler(nullptr);
}

QTEST_MAIN(TestImpatience)
#include "tst_impatience.moc"

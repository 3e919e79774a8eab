// SPDX-License-Identifier: GPL-3.0-or-later
// What a run monitors is what the studio shows of it: an autoencoder, which has no accuracy, on the Train, Test and
// Runs pages, in the whole window.
#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QTableView>
#include <QTest>

#include "gui/pages/runs/runs_page.h"
#include "gui/pages/test/test_page.h"
#include "gui/pages/train/train_page.h"
#include "gui/words.h"
#include "screenshots.h"
#include "small_project.h"
#include "window_test.h"

using namespace strata;
using namespace strata::gui;

namespace {

/// Gives back its 28 x 28 samples.
Project autoencoder() {
  Project project = smallProject(6);
  project.name = "Autoencoder";
  project.training.loss.type = "mean_squared_error";
  project.training.loss.fields = Fields(project.training.loss.def().fields);
  auto& layers = project.network.layers;
  layers.back().fields.set("units", std::int64_t{16});
  layers.push_back(layers.back());
  layers.back().name = "dense2";
  layers.back().fields.set("units", std::int64_t{28 * 28});
  return project;
}

}  // namespace

class TestMonitored : public WindowTest {
  Q_OBJECT

 private:
  QString tileText(const char* name) const {
    QStringList texts;
    for (const auto* label : find<NumberTile>(name)->findChildren<QLabel*>()) texts << label->text();
    return texts.join(' ');
  }
  void look(const char* name) {
    m_window->showPage(name);
    for (const ThemeChoice choice : {ThemeChoice::Dark, ThemeChoice::Light}) {
      m_theme->setChoice(choice);
      for (const QSize size : {QSize(1024, 640), QSize(1440, 900)}) {
        m_window->resize(size);
        QTest::qWait(250);  // plots redraw on a timer of 100 ms
        const auto picture =
            QString("autoencoder-%1-%2-%3").arg(name, choice == ThemeChoice::Dark ? "dark" : "light").arg(size.width());
        QVERIFY(takeScreenshot(*m_window, size, picture));
        QTRY_VERIFY2(cutTexts(*m_window).isEmpty(), qPrintable(picture + ":\n" + cutTexts(*m_window).join('\n')));
      }
    }
  }

 private slots:
  void initTestCase() {
    prepare();
    m_document = std::make_unique<Document>();
    m_document->reset(autoencoder(), {});
    m_session = std::make_unique<TrainingSession>(*m_document);
    m_session->setBackend("cpu", 1);
    m_window = std::make_unique<MainWindow>(*m_theme, *m_document, *m_session);
    m_window->show();
    QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
    QTRY_VERIFY_WITH_TIMEOUT(m_session->dataset(), 30000);
    m_session->perform(TrainingSession::Action::Start);
    QTRY_VERIFY_WITH_TIMEOUT(!m_session->active(), 60000);
    QTRY_COMPARE(m_session->stateWord(), QString("Finished"));
    QCOMPARE(m_session->run().epochs.size(), std::size_t(6));
  }

  void cleanupTestCase() { closeWindow(); }

  void trainShowsTheLossAlone() {
    look("train");
    const auto* page = find<TrainPage>("trainPage");
    QVERIFY(page->curves()->lossPlot()->isVisible());
    QVERIFY(!page->curves()->metricPlot()->isVisible());
    QVERIFY(!find<QComboBox>("metricChoice")->isVisible());
    QVERIFY(!find<NumberTile>("tileValMetric")->isVisible());
    QVERIFY(find<NumberTile>("tileValLoss")->isVisible());
    const auto best = lossText(bestOf(m_session->run()).first);
    QVERIFY2(tileText("tileBest").contains(best), qPrintable(tileText("tileBest")));
    const auto labels = page->samples()->findChildren<QLabel*>();
    QVERIFY(std::any_of(labels.begin(), labels.end(), [](const QLabel* label) {
      return label->isVisible() && label->text().contains("names no class");
    }));
  }

  void testSaysWhyThereIsNoAnswer() {
    look("test");
    const auto labels = find<TestPage>("testPage")->testSet()->findChildren<QLabel*>();
    QVERIFY(std::any_of(labels.begin(), labels.end(), [](const QLabel* label) {
      return label->isVisible() && label->text().contains("names no class");
    }));
  }

  void runsNameTheFigure() {
    look("runs");
    const auto& model = find<RunsPage>("runsPage")->model();
    const int row = model.rowOf(m_session->run().folder);
    QVERIFY(row >= 0);
    QCOMPARE(model.index(row, RunsModel::Monitored).data(Qt::AccessibleTextRole).toString(), QString("Loss"));
    QCOMPARE(model.index(row, RunsModel::Best).data().toString(), lossText(bestOf(m_session->run()).first));
    QCOMPARE(find<QComboBox>("runsFigure")->currentText(), QString("Loss"));  // the newest run decides
  }
};

QTEST_MAIN(TestMonitored)
#include "tst_monitored.moc"

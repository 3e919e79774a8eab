// SPDX-License-Identifier: GPL-3.0-or-later
// The real window: its pages in both themes, in which no text is cut and nothing has to be scrolled to, files that are
// broken, devices that fail, changes not saved.
#include <QComboBox>
#include <QLabel>
#include <QMessageBox>
#include <QProcess>
#include <QPushButton>
#include <QStandardItemModel>
#include <QTimer>
#include <QUndoStack>
#include <filesystem>
#include <functional>

#include "engine/backend/backend.h"
#include "screenshots.h"
#include "window_test.h"

using namespace strata;
using namespace strata::gui;

class TestMainWindow : public WindowTest {
  Q_OBJECT

 private slots:
  void initTestCase() { prepare(); }
  void init() { openWindow(); }
  void cleanup() { closeWindow(); }

  void opensReadyToStart() {
    QCOMPARE(names().size(), 7);
    QCOMPARE(stack()->currentLayer(), 2);  // conv2, the dearest
    QVERIFY(find<QLabel>("netBadge")->text().contains("Ready to train"));
    QVERIFY(m_window->windowTitle().startsWith("MNIST lesson"));
    QTRY_VERIFY_WITH_TIMEOUT(find<QPushButton>("primaryButton")->isEnabled(), 60000);
    QVERIFY(m_session->dataset() != nullptr);
  }

  void aBrokenFileIsSaidAndChangesNothing() {
    const QString path = m_home.filePath("broken.strata");
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("{\"version\": 1, \"network\": {\"layers\": [{\"type\": \"warp\", \"name\": \"w\"}]}}");
    file.close();
    const Project before = m_document->project();
    m_window->openFile(path);
    auto* text = find<QLabel>("bannerText");
    QVERIFY(text->isVisible());
    QVERIFY2(text->text().contains("warp"), qPrintable(text->text()));
    QVERIFY(m_document->project() == before);
    QVERIFY(takeScreenshot(*m_window, {1440, 900}, "build-error-light"));
  }

  // Every device is in the menu; one that cannot be used here is disabled and says why, in the backend's own words.
  void theDeviceMenuSaysWhy() {
    auto* device = find<QComboBox>("device");
    QCOMPARE(device->count(), static_cast<int>(allBackends().size()));
    for (const BackendDef& backend : allBackends()) {
      const int at = device->findData(QString::fromStdString(backend.id));
      QVERIFY2(at >= 0, backend.id.c_str());
      const QString reason = QString::fromStdString(backend.unavailableReason());
      QCOMPARE(qobject_cast<QStandardItemModel*>(device->model())->item(at)->isEnabled(), reason.isEmpty());
      QCOMPARE(device->itemData(at, Qt::ToolTipRole).toString(), reason);
      QCOMPARE(device->itemData(at, Qt::AccessibleDescriptionRole).toString(), reason);
    }
    const QString cuda = device->itemData(device->findData("cuda"), Qt::ToolTipRole).toString();
    qInfo("%s", qPrintable(cuda));
    QVERIFY2(cuda.startsWith("CUDA: ") && cuda.endsWith('.'), qPrintable(cuda));
    // A disabled device cannot be chosen by hand either.
    device->setFocus();
    device->setCurrentIndex(device->findData("cpu"));
    QTest::keyClick(device, Qt::Key_End);
    QCOMPARE(device->currentData().toString(), "cpu");
    QCOMPARE(m_session->backend(), "cpu");
  }

  // The device fails before a run's first step, and later in the middle of a run: each time the CPU is offered, and
  // takes it over.
  void aLostDeviceOffersTheCpu() {
    QTRY_VERIFY_WITH_TIMEOUT(m_session->dataset() != nullptr, 60000);
    m_document->edit("Small", [](Project& project) {
      project.network.layers.clear();
      for (const char* type : {"flatten", "dense"})
        project.network.layers.push_back({type, std::string(type) + "1", Fields(findLayer(type)->fields)});
      project.network.layers.back().fields.set("units", std::int64_t{10});
      project.training.optimizer.fields.set("learning_rate", 0.01);
    });
    auto* text = find<QLabel>("bannerText");
    auto* offer = find<QPushButton>("bannerOffer");
    const auto fails = [&](const std::function<void()>& act) {
      m_session->setBackend("cuda", 1);
      act();
      QTRY_VERIFY_WITH_TIMEOUT(m_session->state() == Trainer::State::Failed && text->isVisible(), 20000);
      // No advice for the command line.
      QVERIFY2(text->text().contains("CUDA: ") && !text->text().contains("--"), qPrintable(text->text()));
      QVERIFY(offer->isVisible());
      QCOMPARE(offer->text(), "Go on with the CPU");
    };
    const auto trainsOnCpu = [&](std::size_t points) {
      QTRY_VERIFY_WITH_TIMEOUT(m_session->batches().size() > points, 20000);
      QVERIFY(!text->isVisible());
      QCOMPARE(m_session->backend(), "cpu");
      QCOMPARE(find<QComboBox>("device")->currentData().toString(), "cpu");
      QCOMPARE(m_session->run().backend, std::string("cpu"));
    };

    fails([&] { m_session->perform(TrainingSession::Action::Start); });
    const Path first = m_session->run().folder;
    for (const QSize size : {QSize(1440, 900), QSize(1024, 640)}) {
      QVERIFY(takeScreenshot(*m_window, size, QString("device-lost-%1").arg(size.width())));
      QTRY_VERIFY2(cutTexts(*m_window).isEmpty(), qPrintable(cutTexts(*m_window).join('\n')));
    }
    QVERIFY(!std::filesystem::exists(first / "checkpoints"));
    QTest::mouseClick(offer, Qt::LeftButton);
    trainsOnCpu(25);  // from the start: it had no checkpoint

    m_session->stopAndWait();
    const Path folder = m_session->run().folder;
    const std::uint64_t saved = m_session->batches().lastStep();
    fails([&] { m_session->perform(TrainingSession::Action::Continue); });
    QCOMPARE(m_session->run().folder, folder);
    QTest::mouseClick(offer, Qt::LeftButton);
    trainsOnCpu(saved + 5);
    QCOMPARE(m_session->run().folder, folder);
    m_session->stopAndWait();
    QCOMPARE(m_session->batches().firstStep(), std::uint64_t{1});
    QCOMPARE(m_session->batches().size(), m_session->batches().lastStep());  // not one lost, none trained twice
    QCOMPARE(readRun(folder).backend, std::string("cpu"));

    // A start by other means ends the offer; a failure that is not the device's makes none.
    fails([&] { m_session->perform(TrainingSession::Action::Continue); });
    m_session->setBackend("cpu", 1);
    m_session->perform(TrainingSession::Action::Continue);
    QVERIFY(!text->isVisible());
    QVERIFY(!m_session->canGoOnWithCpu());
    m_session->stopAndWait();
    m_window->showError("Something else.");
    QVERIFY(text->isVisible() && !offer->isVisible());
  }

  void closingAsksAboutChanges() {
    m_document->edit("Change", [](Project& project) { project.training.epochs = 3; });
    QVERIFY(m_window->isWindowModified());
    const auto answer = [&](QMessageBox::StandardButton which) {
      bool asked = false;
      QTimer::singleShot(0, this, [&] {
        auto* box = m_window->findChild<QMessageBox*>("unsavedChanges");
        asked = box != nullptr;
        if (box) box->button(which)->click();
      });
      const bool closed = m_window->close();
      return asked && closed == (which == QMessageBox::Discard);
    };
    QVERIFY(answer(QMessageBox::Cancel));
    QVERIFY(m_window->isVisible());
    QVERIFY(answer(QMessageBox::Discard));
    QVERIFY(!m_window->isVisible());
  }

  void everyPageInBothThemes_data() {
    QTest::addColumn<QSize>("size");
    QTest::newRow("1440") << QSize(1440, 900);
    QTest::newRow("1024") << QSize(1024, 640);
  }

  void everyPageInBothThemes() {
    QFETCH(QSize, size);
    QTRY_VERIFY_WITH_TIMEOUT(m_session->dataset() != nullptr, 60000);
    for (const ThemeChoice choice : {ThemeChoice::Light, ThemeChoice::Dark}) {
      m_theme->setChoice(choice);
      for (const PageDef& page : allPages()) {
        m_window->showPage(page.id);
        const QString name =
            QString("%1-%2-%3").arg(page.id, choice == ThemeChoice::Dark ? "dark" : "light").arg(size.width());
        QVERIFY(takeScreenshot(*m_window, size, name));
        QTRY_VERIFY2(cutTexts(*m_window).isEmpty(), qPrintable(name + ":\n" + cutTexts(*m_window).join('\n')));
      }
    }
    m_theme->setChoice(ThemeChoice::Light);
  }

  // In the room that a screen of 1024 x 640 has inside a window's frame, no page has to be scrolled. The scale is that
  // of a whole program, so each is a program of its own.
  void everyPageFitsASmallScreen_data() {
    QTest::addColumn<QString>("scale");
    QTest::newRow("100") << QString("1");
    QTest::newRow("200") << QString("2");
  }

  void everyPageFitsASmallScreen() {
    QFETCH(QString, scale);
    if (qEnvironmentVariable("QT_SCALE_FACTOR") != scale) {
      QProcess program;
      QProcessEnvironment surroundings = QProcessEnvironment::systemEnvironment();
      surroundings.insert("QT_SCALE_FACTOR", scale);
      program.setProcessEnvironment(surroundings);
      program.start(QCoreApplication::applicationFilePath(),
                    {QString("everyPageFitsASmallScreen:%1").arg(QTest::currentDataTag())});
      QVERIFY(program.waitForFinished(120'000));
      QVERIFY2(program.exitCode() == 0, program.readAllStandardOutput().constData());
      return;
    }
    QTRY_VERIFY_WITH_TIMEOUT(m_session->dataset() != nullptr, 60000);
    m_window->setMinimumSize(0, 0);
    m_window->resize(1016, 600);
    for (int round = 0; round < 2; ++round) {  // a page may ask for more once it has been seen
      for (const PageDef& page : allPages()) {
        m_window->showPage(page.id);
        QTRY_VERIFY2_WITH_TIMEOUT(hiddenPart(*m_window) == QSize(0, 0),
                                  qPrintable(QString("%1, round %2").arg(page.id).arg(round)), 2000);
        QCOMPARE(m_window->size(), QSize(1016, 600));
      }
    }
  }

  // Mode bar, menu, shortcuts and stack are made from the table of pages.
  void everyPageIsARow() {
    auto* pages = find<QStackedWidget>("pages");
    QCOMPARE(pages->count(), int(allPages().size()));
    QSet<QString> shortcuts;
    for (int i = 0; i < pages->count(); ++i) {
      const PageDef& def = allPages()[std::size_t(i)];
      auto* action = find<QAction>(qPrintable(QString("mode_%1").arg(def.id)));
      QVERIFY2(action, def.id);
      QCOMPARE(action->shortcut(), QKeySequence(def.shortcut));
      QVERIFY2(!action->icon().isNull() && action->toolTip().contains(def.shortcut), def.id);
      shortcuts << def.shortcut;
      action->trigger();
      QCOMPARE(pages->currentIndex(), i);
      QVERIFY(action->isChecked());
    }
    QCOMPARE(shortcuts.size(), pages->count());
  }

  void disabledControlsSayWhy() {
    QTRY_VERIFY_WITH_TIMEOUT(m_session->dataset() != nullptr, 60000);
    for (const QAction* action : m_window->findChildren<QAction*>())
      if (action->objectName().startsWith("run") && !action->isEnabled())
        QVERIFY2(!action->statusTip().isEmpty(), qPrintable(action->text()));
  }
};

QTEST_MAIN(TestMainWindow)
#include "tst_main_window.moc"

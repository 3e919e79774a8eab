// SPDX-License-Identifier: GPL-3.0-or-later
// The whole studio in its window, on the lesson's net, for tests with real mouse and key events.
#pragma once
#include <QApplication>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>
#include <memory>

#include "gui/main_window.h"
#include "gui/widgets/stack_view.h"

namespace strata::gui {

/// A test of it calls prepare() once, and openWindow() and closeWindow() around every case.
class WindowTest : public QObject {
 protected:
  QTemporaryDir m_home;
  std::unique_ptr<Theme> m_theme;
  std::unique_ptr<Document> m_document;
  std::unique_ptr<TrainingSession> m_session;
  std::unique_ptr<MainWindow> m_window;

  template <class T>
  T* find(const char* name) const {
    return m_window->findChild<T*>(name);
  }
  StackView* stack() const { return find<StackView>("stack"); }
  QStringList names() const {
    QStringList list;
    for (const LayerSpec& layer : m_document->project().network.layers) list << QString::fromStdString(layer.name);
    return list;
  }
  void key(Qt::Key which, Qt::KeyboardModifiers modifiers = {}) {
    QTest::keyClick(QApplication::focusWidget() ? QApplication::focusWidget() : m_window.get(), which, modifiers);
  }

  void prepare() {
    QVERIFY(m_home.isValid());
    qputenv("XDG_CONFIG_HOME", m_home.path().toUtf8());
    qputenv("XDG_DATA_HOME", m_home.path().toUtf8());
    qputenv("STRATA_CUDA_MODULE", "/nowhere/strata_cuda.so");  // a device that fails, on machines with a GPU too
    QCoreApplication::setOrganizationName("strata");
    QCoreApplication::setApplicationName("strata-test");
    m_theme = std::make_unique<Theme>(*qApp);
    m_theme->setChoice(ThemeChoice::Light);
  }

  void openWindow() {
    QSettings().clear();
    m_document = std::make_unique<Document>();
    m_document->reset(lessonProject(), {});
    m_session = std::make_unique<TrainingSession>(*m_document);
    m_window = std::make_unique<MainWindow>(*m_theme, *m_document, *m_session);
    m_window->resize(1440, 900);
    m_window->show();
    QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
    m_window->activateWindow();
    QT_WARNING_PUSH
    QT_WARNING_DISABLE_DEPRECATED  // activateWindow() alone asks a window manager, of which there is none here
    QApplication::setActiveWindow(m_window.get());
    QT_WARNING_POP
  }

  void closeWindow() {
    m_window.reset();
    m_session.reset();
    m_document.reset();
  }
};

}  // namespace strata::gui

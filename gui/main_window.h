// SPDX-License-Identifier: GPL-3.0-or-later
// The one window: menus, modes, transport and status around the pages. It wires; what anything means is decided
// elsewhere.
#pragma once
#include <QActionGroup>
#include <QMainWindow>
#include <QStackedWidget>

#include "gui/data_loader.h"
#include "gui/page_table.h"
#include "gui/project_files.h"
#include "gui/theme.h"
#include "gui/training_session.h"

class QLabel;

namespace strata::gui {

class Banner;
class BuildPage;
class TestPage;
class TransportBar;

class MainWindow : public QMainWindow, private PageHost {
  Q_OBJECT
 public:
  MainWindow(Theme& theme, Document& document, TrainingSession& session, QWidget* parent = nullptr);

  /// Opens a project, an image or data, by what it is. Failures are shown in the banner; the open document is unchanged
  /// then.
  void openFile(const QString& path);
  void showPage(const QString& id) override;  ///< one of allPages()
  void showError(const QString& text) override;

  ProjectFiles& files() { return *m_files; }

 protected:
  void changeEvent(QEvent* event) override;
  void closeEvent(QCloseEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  void makePages();
  void makeModeBar();
  void makeFileMenu();
  void makeEditMenu();
  void makeLayerMenu();
  void makeRunMenu();
  void makeViewMenu();
  void makeHelpMenu();
  void makeStatusBar();
  void connectSession();

  QWidget* page(const QString& id) const override;
  void showMessage(const QString& sentence) override;
  void chooseDataFolder() override;
  void updateTitle();
  void updateStatus();
  void focusNextPanel(int step);
  void helpOnFocus();
  void restoreState();
  void fitToScreen();
  void storeState();

  Theme& m_theme;
  Document& m_document;
  TrainingSession& m_session;
  DataLoader m_loader;
  QStackedWidget* m_pages;
  BuildPage* m_build;
  TestPage* m_test;
  QWidget* m_modeBar;
  TransportBar* m_transport;
  Banner* m_banner;
  ProjectFiles* m_files;
  QActionGroup* m_modes;
  QLabel *m_dataFacts, *m_saved, *m_seed;
  QString m_runProblem;  ///< why the last run failed, as the banner says it
};

}  // namespace strata::gui

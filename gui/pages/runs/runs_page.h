// SPDX-License-Identifier: GPL-3.0-or-later
// The Runs page: every run in a table, the curves of those ticked, and two of them compared layer by layer.
#pragma once
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSortFilterProxyModel>
#include <QStackedWidget>
#include <QTableView>
#include <QTimer>
#include <QWidget>

#include "gui/document.h"
#include "gui/models/diff_model.h"
#include "gui/models/runs_model.h"
#include "gui/pages/runs/run_curves.h"
#include "gui/runs_loader.h"
#include "gui/training_session.h"
#include "gui/widgets/panel_header.h"

namespace strata::gui {

class RunsPage : public QWidget {
  Q_OBJECT
 public:
  RunsPage(Theme& theme, Document& document, TrainingSession& session, QWidget* parent = nullptr);
  const RunsModel& model() const { return m_model; }

 signals:
  void openInBuild();  ///< the chosen run's project is in the document now
  void failed(const QString& sentence);

 protected:
  void showEvent(QShowEvent* event) override;
  void hideEvent(QHideEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  bool event(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  QWidget* makeTools(const Theme& theme);
  QWidget* makeTable(const Theme& theme);
  QWidget* makeDifferences(const Theme& theme);
  void takeRuns();
  void takeSession();
  void refreshPlot();
  void refreshDifferences();
  void refreshButtons();
  void filter(const QString& words);
  int currentRow() const;  ///< of m_model; -1: none
  void toggleShown();
  void toggleCompared();
  void rename(int row, const QString& name);
  void openFolder();
  void openRunInBuild(int row);
  QString busyReason(int row) const;  ///< who is training the run; empty when nobody is
  void archive();
  void undoArchive();
  void refreshUndo();
  void continueRun();

  const Theme& m_theme;
  Document& m_document;
  TrainingSession& m_session;
  RunsLoader m_loader;
  std::vector<RunRecord> m_references;
  RunsModel m_model;
  /// A run moved to the archive, and where it came from.
  struct Archived {
    QString title;
    Path from, to;
  };
  std::vector<Archived> m_archived;  ///< in this session, the last one last
  QTimer m_reload;                   ///< follows what other processes train, while the page is seen
  QSortFilterProxyModel m_proxy;
  DiffModel m_differences;
  QLineEdit* m_search;
  QLabel *m_count, *m_facts;
  class ElidedText* m_shown;
  QPushButton *m_compare, *m_continue, *m_folder, *m_build, *m_archive, *m_undo, *m_swap, *m_buildB;
  QTableView* m_table;
  QStackedWidget *m_tableStack, *m_differencesStack;
  class EmptyState* m_noRuns;
  PanelHeader* m_differencesHeader;
  RunCurves* m_curves;
};

}  // namespace strata::gui

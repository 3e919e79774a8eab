// SPDX-License-Identifier: GPL-3.0-or-later
// The data sets there are, which of them is on this machine, and the fetch of one that is not.
#pragma once
#include <QWidget>

#include "gui/data_loader.h"
#include "gui/theme.h"

class QLabel;
class QListWidget;
class QProgressBar;
class QPushButton;

namespace strata::gui {

class SourcesPanel : public QWidget {
  Q_OBJECT
 public:
  SourcesPanel(const Theme& theme, Document& document, DataLoader& loader, QWidget* parent = nullptr);

 signals:
  void folderWanted();

 private:
  QWidget* makeFetchBox(const Theme& theme);
  void refresh();
  void refreshFetch();
  void list();
  void choose();

  Document& m_document;
  DataLoader& m_loader;
  QListWidget* m_sources;
  QWidget* m_fetchBox;
  QLabel* m_fetchText;
  QProgressBar* m_progress;
  QPushButton *m_get, *m_cancel;
  std::string m_fetching, m_fetchFailed;  ///< the data sets that m_fetchText speaks of
};

}  // namespace strata::gui

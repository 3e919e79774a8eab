// SPDX-License-Identifier: GPL-3.0-or-later
// The Data page: the data sets there are, their images by class, their settings, and their facts.
#pragma once
#include <QWidget>

#include "gui/data_loader.h"
#include "gui/theme.h"

namespace strata::gui {

class ClassList;
class DataBrowser;
class DataFacts;
class DataSettings;

class DataPage : public QWidget {
  Q_OBJECT
 public:
  DataPage(Theme& theme, Document& document, TrainingSession& session, DataLoader& loader, QWidget* parent = nullptr);

 signals:
  void folderWanted();

 private:
  QWidget* makeDetails(const Theme& theme, Document& document);
  void refresh();  ///< another data set, or another part of it

  TrainingSession& m_session;
  DataBrowser* m_browser;
  ClassList* m_classes;
  DataSettings* m_settings;
  DataFacts* m_facts;
};

}  // namespace strata::gui

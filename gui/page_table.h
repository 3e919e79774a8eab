// SPDX-License-Identifier: GPL-3.0-or-later
// The pages of the window, one row each: mode bar, shortcuts, menu and stack are made from it. To add a page: its
// widget under pages/, and a row in page_table.cpp.
#pragma once
#include <QString>
#include <QWidget>
#include <vector>

#include "gui/data_loader.h"
#include "gui/theme.h"
#include "gui/training_session.h"

namespace strata::gui {

/// What a page may ask of the window around it.
class PageHost {
 public:
  virtual void showPage(const QString& id) = 0;
  virtual QWidget* page(const QString& id) const = 0;  ///< null before it is made
  virtual void showError(const QString& sentence) = 0;
  virtual void showMessage(const QString& sentence) = 0;  ///< for a while, in the status bar
  virtual void chooseDataFolder() = 0;

 protected:
  ~PageHost() = default;
};

/// What pages are made of. All of it outlives them.
struct PageParts {
  Theme& theme;
  Document& document;
  TrainingSession& session;
  DataLoader& loader;
  PageHost& host;
};

struct PageDef {
  const char* id;        ///< "build"
  const char* title;     ///< "Build", to be translated in the context "Pages"
  const char* icon;      ///< of resources/icons
  const char* shortcut;  ///< "Ctrl+2"
  QWidget* (*make)(const PageParts& parts, QWidget* parent);
};
const std::vector<PageDef>& allPages();  ///< in the order of the mode bar

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// The left of the Build page: the layers there are, with a filter, and below them templates of whole nets.
#pragma once
#include <QLineEdit>
#include <QListWidget>
#include <QSortFilterProxyModel>
#include <QTreeView>

#include "engine/run/project.h"
#include "gui/models/palette_model.h"
#include "gui/theme.h"

namespace strata::gui {

class PalettePanel : public QWidget {
  Q_OBJECT
 public:
  explicit PalettePanel(const Theme& theme, QWidget* parent = nullptr);

  void focusFilter();

 signals:
  void layerChosen(const QString& type);  ///< Enter or a double click
  void templateChosen(const strata::Project& project);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void addTemplates();

  const Theme& m_theme;
  QLineEdit* m_filter;
  PaletteModel m_model;
  QSortFilterProxyModel m_proxy;
  QTreeView* m_tree;
  QListWidget* m_templates;
  QWidget* m_empty;
  std::vector<Project> m_projects;
};

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// The images of the chosen data set, its training or its test part, and over them what a person should know about them.
#pragma once
#include <QWidget>

#include "gui/data_loader.h"
#include "gui/models/dataset_model.h"
#include "gui/theme.h"

class QLabel;
class QListView;
class QPushButton;

namespace strata::gui {

class PanelHeader;
class Segment;

class DataBrowser : public QWidget {
  Q_OBJECT
 public:
  DataBrowser(const Theme& theme, Document& document, TrainingSession& session, DataLoader& loader,
              QWidget* parent = nullptr);

  DatasetModel::Part part() const;
  void refresh();             ///< another data set, or another part of it
  void showClass(int label);  ///< -1: all of them

 signals:
  void partChanged();

 private:
  void makeGrid(const Theme& theme);
  QWidget* makeNotice(const Theme& theme);
  void refreshNotice();
  void fitNet();

  Document& m_document;
  TrainingSession& m_session;
  DataLoader& m_loader;
  DatasetModel m_model;
  PanelHeader* m_header;
  Segment* m_part;
  QListView* m_grid;
  QWidget* m_notice;
  QLabel* m_noticeText;
  QPushButton* m_fit;
};

}  // namespace strata::gui

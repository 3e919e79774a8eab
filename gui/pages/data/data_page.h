// SPDX-License-Identifier: GPL-3.0-or-later
// The Data page: the data sets there are, their images by class, their facts, and what the net is validated on.
#pragma once
#include <QSplitter>
#include <QWidget>

#include "gui/data_loader.h"
#include "gui/models/dataset_model.h"
#include "gui/theme.h"

class QCheckBox;
class QGridLayout;
class QLabel;
class QLayout;
class QListView;
class QListWidget;
class QProgressBar;
class QPushButton;

namespace strata::gui {

class PanelHeader;
class FieldForm;
class Segment;

class DataPage : public QWidget {
  Q_OBJECT
 public:
  DataPage(Theme& theme, Document& document, TrainingSession& session, DataLoader& loader, QWidget* parent = nullptr);

 signals:
  void folderWanted();

 private:
  QWidget* makeSources();
  QWidget* makeBrowser();
  QWidget* makeDetails();
  QLayout* makeAugmentation(QWidget* panel);
  QWidget* makeNotice();
  QLabel* addFact(QGridLayout& grid, const QString& title);
  QLabel* sectionTitle(const QString& text);

  void refreshFetch();
  void listSources();
  void chooseSource();
  void refresh();  ///< another data set, or another part of it
  void refreshNotice();
  void refreshClasses();
  void refreshFacts();
  void refreshSettings();  ///< from the document
  void showSamples();
  void fitNet();

  Theme& m_theme;
  Document& m_document;
  TrainingSession& m_session;
  DataLoader& m_loader;
  DatasetModel m_model;
  QListWidget *m_sources, *m_classes;
  QListView* m_grid;
  PanelHeader* m_header;
  Segment *m_part, *m_validation;
  QWidget *m_notice, *m_fetchBox;
  QLabel *m_noticeText, *m_fetchText, *m_validationText, *m_preprocessing;
  QLabel *m_images, *m_shape, *m_origin, *m_source, *m_licence;
  QPushButton *m_get, *m_fit, *m_cancel;
  std::string m_fetching, m_fetchFailed;  ///< the data sets that m_fetchText speaks of
  QProgressBar* m_progress;
  FieldForm *m_fraction, *m_augmentation;
  QCheckBox* m_invert;
};

}  // namespace strata::gui

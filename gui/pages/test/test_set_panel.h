// SPDX-License-Identifier: GPL-3.0-or-later
// How the chosen weights do on the whole test set: the confusion matrix, and the images of the cell that is chosen.
#pragma once
#include <QButtonGroup>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QStackedWidget>
#include <QWidget>
#include <memory>

#include "engine/run/predictor.h"
#include "gui/models/confusion_model.h"
#include "gui/models/samples_model.h"
#include "gui/widgets/confusion_view.h"
#include "gui/widgets/panel_header.h"
#include "gui/widgets/sample_tile_delegate.h"
#include "gui/widgets/segment.h"

namespace strata::gui {

class EmptyState;

class TestSetPanel : public QWidget {
  Q_OBJECT
 public:
  explicit TestSetPanel(const Theme& theme, QWidget* parent = nullptr);

  /// Whose test images are shown; null: none yet.
  void setDataset(std::shared_ptr<const Dataset> dataset);
  const std::shared_ptr<const Dataset>& dataset() const { return m_dataset; }
  /// Answers to all test images. `classes` has a name for each class of the net, `of` says which weights answered on
  /// which data, `remark` what is to be kept in mind besides.
  void setVerdicts(std::vector<Verdict> answers, const QStringList& classes, const QString& of, const QString& remark);
  /// What is shown is about to be replaced.
  void setPending(const QString& what);
  void clear(const QString& why);
  const ConfusionModel& matrix() const { return m_matrix; }
  void choose(int truth, int predicted);
  QSize minimumSizeHint() const override;  ///< without what gives way in a low window

 signals:
  void putOnCanvas(int testImage);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  QWidget* makeMatrix(const Theme& theme);
  QWidget* makeCell(const Theme& theme);
  void showCell();
  void showConfused();
  void fitConfused();
  int asidesHeight() const;

  const Theme& m_theme;
  std::shared_ptr<const Dataset> m_dataset;
  std::vector<Verdict> m_verdicts;
  QStringList m_classes;
  ConfusionModel m_matrix;
  SamplesModel m_samples;
  int m_truth = -1, m_predicted = -1;
  PanelHeader *m_header, *m_cellHeader;
  ConfusionView* m_view;
  QLabel *m_facts, *m_of, *m_remark, *m_legend, *m_cellCount;
  QString m_ofText;
  Segment *m_mode, *m_order;
  TileView* m_tiles;
  QPushButton* m_put;
  QHBoxLayout* m_confused;
  QWidget* m_confusedBox;  ///< with the legend, what a low window does without
  QStackedWidget* m_stack;
  EmptyState* m_empty;
};

}  // namespace strata::gui

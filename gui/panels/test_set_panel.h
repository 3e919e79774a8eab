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

#include "engine/train/predictor.h"
#include "gui/models/confusion_model.h"
#include "gui/models/samples_model.h"
#include "gui/widgets/confusion_view.h"
#include "gui/widgets/panel_header.h"
#include "gui/widgets/sample_tile_delegate.h"
#include "gui/widgets/segment.h"

namespace strata::gui {

class TestSetPanel : public QWidget {
  Q_OBJECT
 public:
  explicit TestSetPanel(const Theme& theme, QWidget* parent = nullptr);

  void setDataset(std::shared_ptr<const Dataset> dataset);
  /// Answers to the first `answers.size()` test images; more may follow while an evaluation is under way.
  void setVerdicts(std::vector<Verdict> answers);
  void clear();
  const ConfusionModel& matrix() const { return m_matrix; }
  void choose(int truth, int predicted);

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

  const Theme& m_theme;
  std::shared_ptr<const Dataset> m_dataset;
  std::vector<Verdict> m_verdicts;
  ConfusionModel m_matrix;
  SamplesModel m_samples;
  int m_truth = -1, m_predicted = -1;
  PanelHeader *m_header, *m_cellHeader;
  ConfusionView* m_view;
  QLabel *m_facts, *m_legend, *m_cellCount;
  Segment *m_mode, *m_order;
  TileView* m_tiles;
  QPushButton* m_put;
  QHBoxLayout* m_confused;
  QStackedWidget* m_stack;
};

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// The Test page: choose weights, draw a digit, see the answer and the layers, and how the weights do on the test set.
// During a run it follows the newest snapshot unless told otherwise.
#pragma once
#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QTimer>
#include <QWidget>

#include "gui/panels/drawing_panel.h"
#include "gui/panels/prediction_panel.h"
#include "gui/panels/test_set_panel.h"
#include "gui/prediction_worker.h"
#include "gui/runs_loader.h"
#include "gui/training_session.h"
#include "gui/widgets/weights_slider.h"

namespace strata::gui {

class Document;

class TestPage : public QWidget {
  Q_OBJECT
 public:
  TestPage(Theme& theme, Document& document, TrainingSession& session, QWidget* parent = nullptr);

  DrawingPanel* drawing() const { return m_drawing; }
  PredictionPanel* prediction() const { return m_prediction; }
  TestSetPanel* testSet() const { return m_testSet; }
  void openTestImage(int index);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  QWidget* makeWeightsRow(const Theme& theme);
  void refreshRuns();
  void refreshEpochs();
  void chooseWeights();  ///< from the row's present state
  void takeSnapshot();
  void setWeights(const WeightSource& source, const RunRecord& run, int epoch);
  void askSoon();
  void ask();
  void evaluate();
  void evaluateFrom(int first, std::shared_ptr<std::vector<Verdict>> answers, int generation);
  void randomImage();
  void showWeightsText(const RunRecord& run, int epoch, bool live);
  const RunRecord* chosenRun() const;
  bool following() const;
  QString unfit() const;  ///< why the net cannot read a drawing; empty when it can

  TrainingSession& m_session;
  RunsLoader m_loader;
  std::vector<RunRecord> m_runs;  ///< in the combo's order
  NetworkSpec m_network;          ///< of the weights in use
  Preprocessing m_preprocessing;
  bool m_haveWeights = false;
  int m_evaluation = 0;  ///< number of the newest evaluation; an older one ends itself
  int m_evaluatedEpoch = -1;
  QTimer m_ask;
  QComboBox* m_run;
  WeightsSlider* m_slider;
  QLabel *m_firstEpoch, *m_lastEpoch, *m_badge, *m_accuracy;
  QCheckBox* m_follow;
  DrawingPanel* m_drawing;
  PredictionPanel* m_prediction;
  TestSetPanel* m_testSet;
  PredictionWorker m_worker;  ///< the last member: it ends before what its answers touch
};

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// The Test page: choose weights, draw a digit, see the answer and the layers, and how the weights do on the test set.
// During a run it follows the newest snapshot unless told otherwise. What it shows is of one set of weights and of the
// data that their run trained on, or says in words where it is not.
#pragma once
#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QTimer>
#include <QWidget>
#include <optional>

#include "gui/pages/test/drawing_panel.h"
#include "gui/pages/test/prediction_panel.h"
#include "gui/pages/test/test_set_panel.h"
#include "gui/prediction_worker.h"
#include "gui/run_data.h"
#include "gui/runs_loader.h"
#include "gui/training_session.h"
#include "gui/widgets/weights_slider.h"

namespace strata::gui {

class TestPage : public QWidget {
  Q_OBJECT
 public:
  TestPage(Theme& theme, TrainingSession& session, DataLoader& loader, QWidget* parent = nullptr);

  DrawingPanel* drawing() const { return m_drawing; }
  PredictionPanel* prediction() const { return m_prediction; }
  TestSetPanel* testSet() const { return m_testSet; }
  /// The run at a place of the list of those that can be tested.
  const RunRecord& run(int place) const { return m_runs[std::size_t(place)]; }
  void openTestImage(const std::shared_ptr<const Dataset>& data, int index);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  /// What the page shows answers of. It goes with each request by value, so that an answer never mixes two of them.
  struct Subject {
    WeightSource weights;
    NetworkSpec network;
    Preprocessing preprocessing;
    Path run;
    int epoch = 0;                        ///< whole epochs
    std::shared_ptr<const Dataset> data;  ///< what it is judged on; null while that is loaded
    bool ownData = true;                  ///< the run's own
    bool operator==(const Subject&) const = default;
    /// Whether answers of the two may stand beside each other for a moment: another epoch of the same run.
    bool sameRunAs(const Subject& other) const;
  };

  QWidget* makeWeightsRow(const Theme& theme);
  void refreshRuns();
  void refreshEpochs();
  void chooseWeights();  ///< from the row's present state
  void takeSnapshot();
  void setWeights(const WeightSource& source, const RunRecord& run, int epoch);
  void noWeights();
  void forgetAnswers();  ///< of weights that are not asked any more
  void askSoon();
  void ask();
  void showNothingFound();
  void clearAnswer(const QString& why);
  void evaluate();  ///< unless that was done, or an evaluation of the same run is under way
  void evaluateFrom(int first, std::shared_ptr<std::vector<Verdict>> answers);
  void showVerdicts(std::vector<Verdict> verdicts, int epoch, std::uint64_t step);
  void fail(PredictionWorker::Kind kind, const QString& reason);
  void randomImage();
  /// `live`: the snapshot, where it is one of a run in progress.
  void showWeightsText(const RunRecord& run, int epoch, const WeightSnapshot* live);
  const RunRecord* chosenRun() const;
  bool following() const;
  QString unfit() const;      ///< why the net cannot read a picture; empty when it can
  QString unfitData() const;  ///< why it cannot be judged on the data; empty when it can

  TrainingSession& m_session;
  RunsLoader m_loader;
  RunData m_data;
  std::vector<RunRecord> m_runs;       ///< in the combo's order
  std::optional<Subject> m_subject;    ///< none: there are no weights
  std::optional<Subject> m_evaluated;  ///< whose evaluation is under way or on show
  bool m_evaluating = false;
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

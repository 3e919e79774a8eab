// SPDX-License-Identifier: GPL-3.0-or-later
// Loss and one metric of a run over epochs or seconds, in two plots with one x axis, beside the three reference
// systems. Which metric can be chosen among all that the run records; what it monitors comes first.
#pragma once
#include <QComboBox>
#include <QLabel>
#include <QSlider>
#include <QToolButton>
#include <QWidget>
#include <vector>

#include "gui/models/metrics_model.h"
#include "gui/training_session.h"
#include "gui/widgets/plot.h"
#include "gui/widgets/segment.h"

namespace strata::gui {

class CurvesPanel : public QWidget {
  Q_OBJECT
 public:
  CurvesPanel(const Theme& theme, TrainingSession& session, MetricsModel& metrics, QWidget* parent = nullptr);

  void refresh();  ///< all that may have changed; cheap when little has
  void newRun();
  void setNarrow(bool narrow);  ///< in a small window the smoothing keeps its setting but not its place
  Plot* lossPlot() const { return m_loss; }
  Plot* metricPlot() const { return m_metric; }
  int shownPoints() const;  ///< of the smoothed loss

 signals:
  void metricChosen();  ///< the model shows another one

 protected:
  void keyPressEvent(QKeyEvent* event) override;

 private:
  enum LineId { Raw, Smooth, Validation, LineCount };
  QWidget* makeControls(const Theme& theme);
  void makeLines(Plot* plot);
  void link(Plot* from, Plot* to);
  bool comparable() const;  ///< the run trains on the data the reference systems trained on
  bool referencesShown() const;
  void fillReferences();
  void takeBatches();
  void fillRun(Plot* plot, const MetricsModel::Curve& curve, const std::string& validation);
  void fillMarks();
  void fit();
  void fitLoss(double xEnd);
  void fitMetric(double xEnd);
  void offerMetrics();
  void chooseMetric(int index);
  void showWords();
  double xOf(double position) const { return byTime() ? m_elapsed.at(position) : position; }
  bool byTime() const { return m_axis->current() == 1; }
  double pace() const;  ///< seconds an epoch

  TrainingSession& m_session;
  MetricsModel& m_metrics;
  std::vector<RunRecord> m_references;
  Plot *m_loss, *m_metric;
  class PanelHeader *m_lossHead = nullptr, *m_metricHead = nullptr;
  Segment *m_scale, *m_axis;
  QSlider* m_smooth;
  QWidget* m_smoothing;
  QToolButton* m_showReferences;
  QComboBox* m_choice;  ///< of the metric
  QLabel *m_metricHint, *m_lossHint;
  ElapsedTime m_elapsed{std::vector<EpochRecord>()};  ///< of the run
};

}  // namespace strata::gui

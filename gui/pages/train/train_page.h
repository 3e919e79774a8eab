// SPDX-License-Identifier: GPL-3.0-or-later
// The Train page: run setup at the left, live figures, curves and events in the middle, samples and speed at the right.
// Nothing here repaints while the page is hidden; showing it catches up.
#pragma once
#include <QSplitter>
#include <QStackedWidget>
#include <QTimer>
#include <QWidget>

#include "gui/document.h"
#include "gui/models/events_model.h"
#include "gui/models/metrics_model.h"
#include "gui/pages/train/curves_panel.h"
#include "gui/pages/train/samples_panel.h"
#include "gui/training_session.h"
#include "gui/widgets/number_tile.h"

namespace strata::gui {

class TrainPage : public QWidget {
  Q_OBJECT
 public:
  TrainPage(Theme& theme, Document& document, TrainingSession& session, QWidget* parent = nullptr);

  CurvesPanel* curves() const { return m_curves; }
  SamplesPanel* samples() const { return m_samples; }

 signals:
  void openInTest(int testImage);

 protected:
  void showEvent(QShowEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  QWidget* makeTiles(const Theme& theme);
  QWidget* makeEvents(const Theme& theme);
  QWidget* makeCentre(const Theme& theme);
  void startRun();
  void takeHistory();  ///< the figures from their beginning: of a new run, or of one that goes on from an older point
  void takeEpoch(const EpochRecord& record, bool best);
  void showCaptions();
  void showTiles();  ///< those that there is room for and something to say in
  QString metricWords(const EpochRecord& record) const;
  void finishRun();
  void refresh();  ///< at most 4 Hz
  void refreshTiles();
  void refreshEmptyState();

  TrainingSession& m_session;
  MetricsModel m_metrics;
  EventsModel m_events;
  QTimer m_refresh;
  QSplitter* m_splitter;
  QStackedWidget* m_centre;
  QWidget* m_right;
  bool m_narrow = false;
  class EmptyState* m_empty;
  NumberTile *m_trainLoss, *m_valLoss, *m_valMetric, *m_best, *m_epochTime;
  CurvesPanel* m_curves;
  SamplesPanel* m_samples;
  QLabel* m_warnings;
};

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// What the net in training says of test images: 42 tiles, ranked anew every five seconds over the first thousand images
// and answered anew from every snapshot.
#pragma once
#include <QElapsedTimer>
#include <QLabel>
#include <QStackedWidget>
#include <QWidget>
#include <functional>

#include "gui/models/samples_model.h"
#include "gui/prediction_worker.h"
#include "gui/training_session.h"
#include "gui/widgets/elided_text.h"
#include "gui/widgets/sample_tile_delegate.h"
#include "gui/widgets/segment.h"

namespace strata::gui {

class SamplesPanel : public QWidget {
  Q_OBJECT
 public:
  static constexpr int kTiles = 42, kColumns = 7, kRanked = 1000;
  enum Order { InOrder, Wrong, LeastSure };

  SamplesPanel(const Theme& theme, TrainingSession& session, QWidget* parent = nullptr);
  const SamplesModel& model() const { return m_model; }
  void setNarrow(bool narrow);  ///< no title, and rows that do not fit are scrolled to

 signals:
  void openInTest(int testImage);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  using Take = std::function<void(const std::vector<Verdict>& found, const QString& of)>;
  void reset();
  QString emptyText() const;
  void takeSnapshot();
  void ask(PredictionWorker::Kind kind, std::vector<int> indices, Take take);
  void rank();
  void refreshTiles();
  void showRanked();
  std::vector<Verdict> chosen() const;

  TrainingSession& m_session;
  SamplesModel m_model;
  std::vector<Verdict> m_ranked;  ///< the first kRanked test images, as of m_rankedAt
  QString m_rankedOf;             ///< "epoch 3, step 1,407": the weights that gave it
  QElapsedTimer m_rankedAt;
  QLabel* m_title;
  ElidedText *m_hint, *m_wrong;
  Segment* m_order;
  TileView* m_view;
  class EmptyState* m_empty;
  QStackedWidget* m_stack;
  PredictionWorker m_worker;  ///< the last member: it ends before what its answers touch
};

}  // namespace strata::gui

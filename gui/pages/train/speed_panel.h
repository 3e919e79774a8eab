// SPDX-License-Identifier: GPL-3.0-or-later
// The device a run uses and how fast it goes, told once a second.
#pragma once
#include <QLabel>
#include <QTimer>
#include <QWidget>

#include "gui/training_session.h"
#include "gui/widgets/speed_line.h"

namespace strata::gui {

class SpeedPanel : public QWidget {
  Q_OBJECT
 public:
  SpeedPanel(const Theme& theme, TrainingSession& session, QWidget* parent = nullptr);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void tick();

  TrainingSession& m_session;
  QTimer m_timer;
  QLabel *m_speed, *m_step, *m_device, *m_memory;
  SpeedLine* m_line;
};

}  // namespace strata::gui

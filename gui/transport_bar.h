// SPDX-License-Identifier: GPL-3.0-or-later
// Start, step, stop, the state of the run and the device, beside the modes on every page. What can be done, and why
// not, comes from the session alone.
#pragma once
#include <QAction>
#include <QTimer>
#include <QWidget>

#include "gui/data_loader.h"
#include "gui/theme.h"
#include "gui/training_session.h"

class QComboBox;
class QLabel;
class QMenu;
class QProgressBar;
class QPushButton;
class QToolButton;

namespace strata::gui {

class ElidedText;

class TransportBar : public QWidget {
  Q_OBJECT
 public:
  TransportBar(Theme& theme, TrainingSession& session, DataLoader& loader, QWidget* parent = nullptr);

  /// In a small window the device box is as narrow as may be and the time left gives way to the state's facts.
  void setNarrow(bool narrow);
  /// Puts the buttons' twins into the Run menu.
  void fillMenu(QMenu* menu);

 signals:
  void dataFolderWanted();

 private:
  QAction* makeAction(const QString& name, const QString& text, const QKeySequence& key,
                      TrainingSession::Action action);
  QList<QAction*> actions() const { return {m_primary, m_stepBatch, m_stepEpoch, m_stop, m_newRun}; }
  bool held() const;  ///< a button is pressed or the menu is open: what they say stays until that is over
  QWidget* makeState();
  void fillDevices();
  void chooseDevice(int index);
  void refresh();
  void refreshActions();  ///< what can be done
  void refreshText();     ///< how far it is
  void refreshButton(QWidget* button, const QAction* action);

  Theme& m_theme;
  TrainingSession& m_session;
  DataLoader& m_loader;
  QAction *m_primary, *m_stepBatch, *m_stepEpoch, *m_stop, *m_newRun;
  QPushButton *m_primaryButton, *m_get, *m_choose;
  QToolButton *m_stepButton, *m_stopButton;
  QLabel *m_dot = nullptr, *m_state = nullptr;
  ElidedText *m_facts, *m_time;
  QProgressBar* m_progress;
  QComboBox* m_device;
  QMenu* m_menu = nullptr;
  int m_phase = 0;  ///< of the session, when the actions were last refreshed
  bool m_narrow = false;
  QTimer m_textTimer;  ///< texts change at most ten times a second
};

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// Below the stack: what the whole net costs, and whether it can be trained.
#pragma once
#include <QWidget>

#include "gui/document.h"
#include "gui/theme.h"
#include "gui/training_session.h"

class QHBoxLayout;
class QLabel;
class QPushButton;

namespace strata::gui {

class NetFooter : public QWidget {
  Q_OBJECT
 public:
  NetFooter(const Theme& theme, Document& document, TrainingSession& session, QWidget* parent = nullptr);

 signals:
  void showIssue(int layer, const QString& fieldId);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  struct Tile {
    QWidget* box;
    QLabel *value, *hint;
  };
  Tile addTile(QHBoxLayout& row, const QString& title);
  void refresh();
  void refreshLayers();
  void refreshTrained();
  void refreshBadge();
  void fitHints();  ///< the small print goes when there is no room for it

  const Theme& m_theme;
  Document& m_document;
  TrainingSession& m_session;
  Tile m_layers, m_parameters, m_macs, m_trained, m_memory, m_time;
  QWidget *m_trainedLine, *m_memoryLine, *m_timeLine;  ///< at their left
  QLabel* m_badge;
  QPushButton* m_show;
};

}  // namespace strata::gui

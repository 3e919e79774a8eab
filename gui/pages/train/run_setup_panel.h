// SPDX-License-Identifier: GPL-3.0-or-later
// How the net is trained. Before a run the fields edit the document; while one is going they show the run's own values,
// of which the learning rate and the epochs can be changed and the rest are locked.
#pragma once
#include <QLabel>
#include <QPushButton>
#include <QWidget>

#include "gui/document.h"
#include "gui/training_session.h"
#include "gui/widgets/field_form.h"

namespace strata::gui {

class RunSetupPanel : public QWidget {
  Q_OBJECT
 public:
  RunSetupPanel(const Theme& theme, Document& document, TrainingSession& session, QWidget* parent = nullptr);

 private:
  void refresh();
  void edit(const QString& fieldId, const Value& value);
  void branch();
  QWidget* makeLegend(const Theme& theme);

  Document& m_document;
  TrainingSession& m_session;
  class ElidedText* m_title;
  FieldForm *m_live, *m_fixed;
  QPushButton* m_branch;
  bool m_refreshing = false;
  bool m_ofRun = false;   ///< the fields show a run's values, not the document's
  int m_branchEpoch = 0;  ///< that the button names
};

}  // namespace strata::gui

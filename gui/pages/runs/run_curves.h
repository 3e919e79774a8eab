// SPDX-License-Identifier: GPL-3.0-or-later
// One figure of the validation over epochs or seconds, as a curve for every run shown. Of itself it is what the newest
// of them monitors; any other that the runs record can be chosen.
#pragma once
#include <QComboBox>
#include <QWidget>

#include "gui/models/runs_model.h"
#include "gui/widgets/panel_header.h"
#include "gui/widgets/plot.h"
#include "gui/widgets/segment.h"

namespace strata::gui {

class RunCurves : public QWidget {
  Q_OBJECT
 public:
  RunCurves(const Theme& theme, const RunsModel& model, QWidget* parent = nullptr);

  void refresh();                                         ///< does nothing while the page is hidden
  const std::string& figure() const { return m_figure; }  ///< the history key on show

 private:
  struct Reach;
  void offerFigures();
  void addCurve(int row, Reach& reach);
  void fit(const Reach& reach);
  bool byTime() const { return m_axis->current() == 1; }

  const RunsModel& m_model;
  PanelHeader* m_header;
  QComboBox* m_figures;
  Segment* m_axis;
  Plot* m_plot;
  std::vector<std::string> m_offered;
  std::string m_figure;
  bool m_chosen = false;  ///< somebody chose the figure
};

}  // namespace strata::gui

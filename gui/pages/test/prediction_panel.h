// SPDX-License-Identifier: GPL-3.0-or-later
// The net's answer to the drawing, and what each of its layers makes of it.
#pragma once
#include <QWidget>

#include "gui/widgets/feature_maps.h"
#include "gui/widgets/panel_header.h"
#include "gui/widgets/probability_bars.h"

namespace strata::gui {

class PredictionPanel : public QWidget {
  Q_OBJECT
 public:
  explicit PredictionPanel(const Theme& theme, QWidget* parent = nullptr);

  ProbabilityBars* bars() const { return m_bars; }
  FeatureMaps* maps() const { return m_maps; }
  void setHint(const QString& hint) { m_header->setHint(hint); }

 private:
  PanelHeader* m_header;
  ProbabilityBars* m_bars;
  FeatureMaps* m_maps;
};

}  // namespace strata::gui

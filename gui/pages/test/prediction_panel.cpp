// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/test/prediction_panel.h"

#include <QScrollArea>
#include <QVBoxLayout>

#include "gui/widgets/label.h"

namespace strata::gui {

PredictionPanel::PredictionPanel(const Theme& theme, QWidget* parent) : QWidget(parent) {
  m_header = new PanelHeader(theme, tr("Prediction"), this);
  m_bars = new ProbabilityBars(theme, this);
  m_bars->setMinimumHeight(180);
  auto* mapsHeader = new PanelHeader(theme, tr("Feature maps"), this);
  mapsHeader->setHint(tr("scaled per layer"));
  mapsHeader->addWidget(new MapLegend(theme, this));
  m_maps = new FeatureMaps(theme);
  auto* inside = new QWidget;
  inside->setProperty("ground", "surface");
  auto* insideColumn = new QVBoxLayout(inside);
  insideColumn->setContentsMargins(12, 0, 8, 8);
  insideColumn->addWidget(m_maps);
  auto* scroll = new QScrollArea(this);
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setWidget(inside);
  auto* answer = new QHBoxLayout;
  answer->setContentsMargins(12, 10, 12, 12);
  answer->addWidget(m_bars);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(m_header);
  column->addWidget(makeLine(this));
  column->addLayout(answer);
  column->addWidget(makeLine(this));
  column->addWidget(mapsHeader);
  column->addWidget(scroll, 1);
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/runs/run_curves.h"

#include <QSignalBlocker>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "engine/learn/metric.h"
#include "gui/models/metrics_model.h"
#include "gui/widgets/label.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kMostLabelRoom = 170;

}  // namespace

/// What the curves drawn so far span.
struct RunCurves::Reach {
  double end = 1;
  double usual = INFINITY;     ///< what three quarters of every run lie above
  std::vector<double> values;  ///< without first epochs
  int labelRoom = 60;
  bool onTestSet = true;
};

RunCurves::RunCurves(const Theme& theme, const RunsModel& model, QWidget* parent) : QWidget(parent), m_model(model) {
  m_header = new PanelHeader(theme, {}, this);
  m_figures = new QComboBox(this);
  m_figures->setObjectName("runsFigure");
  m_figures->setAccessibleName(tr("Figure that the curves show"));
  m_figures->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  m_axis = new Segment({tr("Epoch"), tr("Time")}, this);
  m_header->addWidget(m_figures);
  m_header->addWidget(m_axis);
  m_plot = new Plot(theme, tr("Validation curves of the runs shown"), this);
  m_plot->setObjectName("runsPlot");
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(m_header);
  column->addWidget(makeLine(this));
  column->addWidget(m_plot, 1);
  connect(m_figures, &QComboBox::activated, this, [this](int index) {
    m_figure = m_offered[std::size_t(index)];
    m_chosen = true;
    refresh();
    m_plot->refit();
  });
  connect(m_axis, &Segment::currentChanged, this, [this] {
    refresh();
    m_plot->refit();
  });
  offerFigures();
}

void RunCurves::offerFigures() {
  const auto figures = m_model.figures();
  const auto there = [&](const std::string& key) { return std::find(figures.begin(), figures.end(), key); };
  if (!m_chosen || there(m_figure) == figures.end()) {
    m_chosen = false;
    m_figure = m_model.newestMonitor();
    if (there(m_figure) == figures.end()) m_figure = figures.front();
  }
  const QSignalBlocker quiet(m_figures);
  if (m_offered != figures) {
    m_offered = figures;
    m_figures->clear();
    for (const auto& key : figures) m_figures->addItem(figureTitle(key));
  }
  m_figures->setCurrentIndex(int(there(m_figure) - figures.begin()));
  m_header->setTitle(tr("Validation %1").arg(figureName(m_figure)));
  m_plot->setScale(m_figure == "val_loss" ? Plot::Scale::Log
                   : inPercent(m_figure)  ? Plot::Scale::Percent
                                          : Plot::Scale::Linear);
}

void RunCurves::refresh() {
  if (!isVisible()) return;
  offerFigures();
  m_plot->clearLines();
  m_plot->setXTitle(byTime() ? tr("min:s") : tr("epoch"), byTime());
  Reach reach;
  for (int row = m_model.rowCount() - 1; row >= 0; --row) addCurve(row, reach);
  m_plot->setEndLabelRoom(std::min(reach.labelRoom, kMostLabelRoom));
  m_header->setHint(reach.onTestSet ? tr("on the test set, ring = best epoch") : tr("ring = best epoch"));
  fit(reach);
}

/// Of a run that is shown and records the figure.
void RunCurves::addCurve(int row, Reach& reach) {
  const auto& run = m_model.run(row);
  if (!m_model.shown(row) || !records(run, m_figure)) return;
  const auto style = m_model.style(row);
  const int line =
      m_plot->addLine({runTitle(run), style.token, style.dash, run.reference ? 1.25 : 1.75, 1, false, false, true});
  QVector<double> x, y, sorted;
  const ElapsedTime elapsed(run.epochs);
  for (const auto& e : run.epochs) {
    x << (byTime() ? elapsed.at(e.epoch) : e.epoch);
    y << e.value(m_figure);
    if (e.epoch == run.bestEpoch && !run.reference) m_plot->setBest(line, x.last(), y.last());
    if (!std::isfinite(y.last())) continue;
    sorted.push_back(y.last());
    if (e.epoch > 1 || run.epochs.size() < 4) reach.values.push_back(y.last());
  }
  m_plot->setPoints(line, x, y);
  std::sort(sorted.begin(), sorted.end());
  if (!sorted.isEmpty()) reach.usual = std::min(reach.usual, sorted[sorted.size() / 4]);
  if (!byTime() || !run.reference) reach.end = std::max(reach.end, x.last());
  reach.labelRoom = std::max(reach.labelRoom, fontMetrics().horizontalAdvance(runTitle(run)) + 16);
  reach.onTestSet &= run.reference || run.project.data.validation == ValidationSource::TestSet;
}

/// Most of every run is seen, whatever the others reach.
void RunCurves::fit(const Reach& reach) {
  auto sorted = reach.values;
  std::sort(sorted.begin(), sorted.end());
  const bool any = !sorted.empty();
  const bool log = m_plot->scale() == Plot::Scale::Log;
  const double low = any   ? std::min(sorted[sorted.size() / 40], reach.usual)
                     : log ? 0.01
                           : 0,
               high = any ? sorted.back() : 1;
  if (log) return m_plot->setFull(0, reach.end, std::max(1e-6, low * 0.8), std::max(high, low * 2) * 1.1);
  if (m_plot->scale() == Plot::Scale::Linear) {
    const double margin = std::max((high - low) * 0.08, 1e-9);
    return m_plot->setFull(0, reach.end, low >= 0 ? std::max(0.0, low - margin) : low - margin, high + margin);
  }
  const double grid = !any || low < 0.9 ? 0.05 : 0.005;
  m_plot->setFull(0, reach.end, std::floor(low / grid) * grid,
                  std::min(1.0, std::ceil((high + grid / 4) / grid) * grid));
}

}  // namespace strata::gui

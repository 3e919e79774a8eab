// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/train/curves_panel.h"

#include <QKeyEvent>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>

#include "gui/runs_loader.h"
#include "gui/widgets/label.h"
#include "gui/widgets/panel_header.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr Qt::PenStyle kReferenceDashes[] = {Qt::SolidLine, Qt::DashLine, Qt::DotLine};

/// The half decade (1, 0.3, 0.1 ...) at or under x; steps this coarse change the axis seldom.
double halfDecade(double x, bool up) {
  const double exponent = std::log10(std::max(x, 1e-9)) * 2;
  const double step = up ? std::ceil(exponent - 1e-9) : std::floor(exponent + 1e-9);
  return std::pow(10.0, step / 2);
}

/// 1, 2 or 5 times a power of ten, at or over x.
double niceAbove(double x) {
  const double power = std::pow(10.0, std::floor(std::log10(std::max(x, 1e-9))));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= x) return factor * power;
  }
  return 10 * power;
}

}  // namespace

CurvesPanel::CurvesPanel(const Theme& theme, TrainingSession& session, MetricsModel& metrics, QWidget* parent)
    : QWidget(parent), m_session(session), m_metrics(metrics), m_references(referenceRuns()) {
  m_loss = new Plot(theme, tr("Loss"), this);
  m_loss->setObjectName("lossPlot");
  m_metric = new Plot(theme, tr("Accuracy"), this);
  m_metric->setObjectName("accuracyPlot");
  m_loss->setScale(Plot::Scale::Log);
  m_metric->setScale(Plot::Scale::Percent);
  m_metricHead = new PanelHeader(theme, tr("Accuracy"), this);
  m_metricHint = makeLabel(theme, {}, Theme::Text::Caption, "text2", this);
  m_metricHead->addWidget(m_metricHint);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(makeControls(theme));
  column->addWidget(m_loss, 6);
  column->addWidget(m_metricHead);
  column->addWidget(m_metric, 5);
  link(m_loss, m_metric);
  link(m_metric, m_loss);
  for (auto* plot : {m_loss, m_metric}) connect(plot, &Plot::xViewChanged, this, &CurvesPanel::refresh);
  newRun();
}

QWidget* CurvesPanel::makeControls(const Theme& theme) {
  auto* header = m_lossHead = new PanelHeader(theme, tr("Loss"), this);
  m_smooth = new QSlider(Qt::Horizontal, this);
  m_smooth->setRange(0, 999);
  m_smooth->setFixedWidth(84);
  m_smooth->setAccessibleName(tr("Smoothing"));
  m_smooth->setObjectName("smoothing");
  auto* value = makeLabel(theme, "0.98", Theme::Text::Caption, "text2", this);
  value->setMinimumWidth(value->fontMetrics().horizontalAdvance("0.999"));
  m_scale = new Segment({tr("Log"), tr("Linear")}, this);
  m_scale->setObjectName("lossScale");
  m_axis = new Segment({tr("Epoch"), tr("Time")}, this);
  m_axis->setObjectName("xAxis");
  m_showReferences = new QToolButton(this);
  m_showReferences->setObjectName("showReferences");
  m_showReferences->setProperty("segment", "only");
  m_showReferences->setCheckable(true);
  m_showReferences->setChecked(true);
  m_showReferences->setIcon(theme.icon("eye"));
  m_showReferences->setIconSize({16, 16});
  m_showReferences->setText(tr("References"));
  m_showReferences->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  m_showReferences->setVisible(!m_references.empty());
  m_smoothing = new QWidget(this);
  auto* smoothing = new QHBoxLayout(m_smoothing);
  smoothing->setContentsMargins(0, 0, 0, 0);
  smoothing->setSpacing(8);
  smoothing->addWidget(makeLabel(theme, tr("Smooth"), Theme::Text::Caption, "text2", this));
  smoothing->addWidget(m_smooth);
  smoothing->addWidget(value);
  m_lossHint = makeLabel(theme, {}, Theme::Text::Caption, "warn", this);
  m_lossHint->setObjectName("lossHint");
  m_lossHint->hide();
  header->addWidget(m_lossHint);
  for (QWidget* w : {m_smoothing, static_cast<QWidget*>(m_scale), static_cast<QWidget*>(m_axis),
                     static_cast<QWidget*>(m_showReferences)})
    header->addWidget(w);
  // The slider's middle is 0.98; its right end 0.999: what matters lies close to 1.
  const auto weight = [](int position) { return 1 - std::pow(10.0, -3.0 * position / 999.0); };
  connect(m_smooth, &QSlider::valueChanged, this, [this, value, weight](int position) {
    m_metrics.setSmoothing(weight(position));
    value->setText(QString::number(weight(position), 'f', weight(position) < 0.99 ? 2 : 3));
    refresh();
  });
  m_smooth->blockSignals(true);
  m_smooth->setValue(566);
  m_smooth->blockSignals(false);
  m_metrics.setSmoothing(weight(566));
  connect(m_scale, &Segment::currentChanged, this, [this](int index) {
    m_loss->setScale(index == 0 ? Plot::Scale::Log : Plot::Scale::Linear);
    fit();
  });
  connect(m_axis, &Segment::currentChanged, this, [this] {
    fillReferences();
    refresh();
    m_loss->refit();
  });
  connect(m_showReferences, &QToolButton::toggled, this, [this] {
    fillReferences();
    refresh();
  });
  return header;
}

void CurvesPanel::setNarrow(bool narrow) {
  m_smoothing->setVisible(!narrow);
  m_showReferences->setToolButtonStyle(narrow ? Qt::ToolButtonIconOnly : Qt::ToolButtonTextBesideIcon);
}

void CurvesPanel::link(Plot* from, Plot* to) {
  connect(from, &Plot::xViewChanged, to, &Plot::setXView);
  connect(from, &Plot::hovered, to, &Plot::setHover);
}

bool CurvesPanel::comparable() const {
  return !m_references.empty() &&
         (!m_session.hasRun() || m_session.run().datasetTitle == m_references.front().datasetTitle);
}

bool CurvesPanel::referencesShown() const { return comparable() && m_showReferences->isChecked(); }

/// The first metric of the run beside its loss.
void CurvesPanel::showWords() {
  const auto& training = m_session.hasRun() ? m_session.run().project.training : TrainingSpec();
  m_lossHead->setHint(tr("%1 per sample").arg(QString::fromStdString(training.loss.def().title).toLower()));
  const MetricDef* metric = findMetric(m_metrics.metricId());
  for (QWidget* part : {static_cast<QWidget*>(m_metricHead), static_cast<QWidget*>(m_metric)})
    part->setVisible(metric != nullptr);
  if (!metric) return;
  m_metric->setScale(metric->format == MetricDef::Format::Percent ? Plot::Scale::Percent : Plot::Scale::Linear);
  m_metricHead->setTitle(QString::fromStdString(metric->title));
  m_metricHead->setHint(metric->id == allMetrics().front().id ? tr("share of samples right")
                                                              : QString::fromStdString(metric->help));
}

void CurvesPanel::newRun() {
  showWords();
  m_showReferences->setEnabled(comparable());
  m_showReferences->setToolTip(comparable()
                                   ? tr("Three systems on the lesson's net and MNIST, measured on the test set (R)")
                                   : tr("The reference systems trained on MNIST; this run trains on other data"));
  for (auto* plot : {m_loss, m_metric}) makeLines(plot);
  fillReferences();
  refresh();
  m_loss->refit();
}

void CurvesPanel::makeLines(Plot* plot) {
  plot->clearLines();
  const bool onTestSet = m_session.run().project.data.validation == ValidationSource::TestSet;
  plot->addLine({{}, "train", Qt::SolidLine, 1, 0.16});
  plot->addLine({tr("training"), "train"});
  plot->addLine({onTestSet ? tr("test set") : tr("validation"), "val", Qt::SolidLine, 1.75, 1, true});
  for (std::size_t i = 0; i < m_references.size(); ++i) {
    plot->addLine(
        {QString::fromStdString(m_references[i].name), "ref", kReferenceDashes[i % 3], 1.25, 1, false, false, true});
  }
}

double CurvesPanel::pace() const { return m_session.batchesPerEpoch() * m_session.lastProgress().secondsPerStep; }

void CurvesPanel::fillReferences() {
  const bool shown = referencesShown();
  for (std::size_t i = 0; i < m_references.size(); ++i) {
    QVector<double> x, loss, metric;
    const ElapsedTime elapsed(m_references[i].epochs);
    for (const auto& e : m_references[i].epochs) {
      x << (byTime() ? elapsed.at(e.epoch) : e.epoch);
      loss << e.valLoss;
      metric << e.value(withVal(m_metrics.metricId()));
    }
    const int line = LineCount + int(i);
    m_loss->setPoints(line, x, loss);
    m_metric->setPoints(line, x, metric);
    for (auto* plot : {m_loss, m_metric}) plot->setLineShown(line, shown);
  }
  int room = 0;
  for (const auto& run : m_references)
    room = std::max(room, fontMetrics().horizontalAdvance(QString::fromStdString(run.name)) + 10);
  for (auto* plot : {m_loss, m_metric}) plot->setEndLabelRoom(shown ? room : 52);
}

void CurvesPanel::fillRun(Plot* plot, const MetricsModel::Curve& curve, const std::string& validation) {
  const auto placed = [this](QVector<double> x) {
    if (byTime()) std::transform(x.begin(), x.end(), x.begin(), [this](double at) { return xOf(at); });
    return x;
  };
  plot->setPoints(Raw, placed(curve.rawX), curve.raw);
  plot->setPoints(Smooth, placed(m_metrics.batchX()), curve.smooth);
  QVector<double> at, value;
  plot->setBest(Validation, NAN, NAN);
  for (const auto& e : m_metrics.epochs()) {
    at << xOf(e.epoch);
    value << e.value(validation);
    if (e.epoch == m_metrics.bestEpoch()) plot->setBest(Validation, xOf(e.epoch), value.last());
  }
  plot->setPoints(Validation, at, value);
}

void CurvesPanel::fillMarks() {
  std::vector<Plot::Mark> loss, metric;
  const int best = m_metrics.bestEpoch();
  if (best > 0 && best <= int(m_metrics.epochs().size())) {
    const auto key = withVal(m_metrics.metricId());
    const auto value = figureText(key, m_metrics.epochs()[std::size_t(best - 1)].value(key));
    loss.push_back({Plot::Mark::Kind::Best, xOf(best), tr("best epoch %1").arg(best), false});
    metric.push_back({Plot::Mark::Kind::Best, xOf(best), tr("best epoch %1 · %2").arg(best).arg(value), true});
  }
  for (const auto& change : m_session.changes()) {
    loss.push_back({Plot::Mark::Kind::Change, xOf(change.epoch), change.text, false});
    metric.push_back({Plot::Mark::Kind::Change, xOf(change.epoch), {}, false});
  }
  if (m_session.active() && !m_metrics.batchX().isEmpty()) {
    for (auto* marks : {&loss, &metric})
      marks->push_back({Plot::Mark::Kind::Now, xOf(m_metrics.batchX().last()), {}, false});
  }
  m_loss->setMarks(std::move(loss));
  m_metric->setMarks(std::move(metric));
}

/// Where one has zoomed in, single batches are drawn, as far as the run's record of them goes.
void CurvesPanel::takeBatches() {
  const int perEpoch = m_session.batchesPerEpoch();
  const auto stepAt = [&](double x) {
    const double position = byTime() ? m_elapsed.positionAt(x) : x;
    return quint64(std::clamp(position * perEpoch, 0.0, 1e18));
  };
  const auto [low, high] = m_loss->xView();
  const BatchHistory& batches = m_session.batches();
  m_metrics.setBatches(m_loss->fitted() ? batches.overview() : batches.closeUp(stepAt(low), stepAt(high) + 1),
                       perEpoch);
  const quint64 missing = m_metrics.lossesWithoutNumber();
  m_lossHint->setText(missing == 0
                          ? QString()
                          : counted(qint64(missing), tr("1 loss is not a number"), tr("%1 losses are not numbers")));
  m_lossHint->setVisible(missing != 0);  // without a text it would still take its gap in the header
  const double finest = 8.0 / perEpoch;  // batches
  for (auto* plot : {m_loss, m_metric}) plot->setFinest(xOf(finest));
}

void CurvesPanel::refresh() {
  m_elapsed = ElapsedTime(m_metrics.epochs(), pace());
  takeBatches();
  fillRun(m_loss, m_metrics.loss(), "val_loss");
  fillRun(m_metric, m_metrics.metric(), withVal(m_metrics.metricId()));
  fillMarks();
  fit();
}

void CurvesPanel::fit() {
  const int planned = m_session.hasRun() ? m_session.run().project.training.epochs : 30;
  const double end = byTime() ? std::max(1.0, niceAbove(xOf(planned) / 1.5) * 1.5) : planned;
  for (auto* plot : {m_loss, m_metric}) plot->setXTitle(byTime() ? tr("min:s") : tr("epoch"), byTime());
  fitLoss(end);
  fitMetric(end);
}

void CurvesPanel::fitLoss(double xEnd) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  const auto reach = [&](double v) {
    if (std::isfinite(v)) high = std::max(high, v);
  };
  const auto take = [&](double v) {
    reach(v);
    if (v > 0) low = std::min(low, v);
  };
  for (const double v : m_metrics.loss().raw) reach(v);  // single low batches may leave the plot below, none above
  for (const double v : m_metrics.loss().smooth) take(v);
  for (const auto& e : m_metrics.epochs()) take(e.valLoss);
  if (referencesShown()) {
    for (const auto& run : m_references)
      for (const auto& e : run.epochs) take(e.valLoss);
  }
  if (!(low <= high)) low = 0.01, high = std::max(high, 1.0);
  if (m_loss->scale() == Plot::Scale::Log)
    m_loss->setFull(0, xEnd, halfDecade(low * 0.8, false), halfDecade(high * 1.05, true));
  else m_loss->setFull(0, xEnd, 0, niceAbove(high));
}

/// The axis starts at the highest of a few round values that lies under what validation and references reach.
void CurvesPanel::fitMetric(double xEnd) {
  std::vector<double> values;
  for (const auto& e : m_metrics.epochs())
    if (const double value = e.value(withVal(m_metrics.metricId())); std::isfinite(value)) values.push_back(value);
  if (values.empty() && !m_metrics.metric().smooth.isEmpty()) values.push_back(m_metrics.metric().smooth.last() - 0.1);
  std::sort(values.begin(), values.end());
  // One bad epoch in ten may lie under the axis; the plot says so with an arrow and its value.
  const double lowest = values.empty() ? 0.0 : values[values.size() / 10];
  double low = 0;
  for (const double step : {0.5, 0.8, 0.9, 0.95, 0.98}) {
    if (lowest > step) low = step;
  }
  m_metricHint->setText(low > 0 ? tr("axis starts at %1 %").arg(low * 100) : QString());
  m_metric->setFull(0, xEnd, low, 1);
}

int CurvesPanel::shownPoints() const { return m_loss->pointCount(Smooth); }

void CurvesPanel::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_L) m_scale->setCurrent(1 - m_scale->current());
  else if (event->key() == Qt::Key_R && m_showReferences->isVisible()) m_showReferences->click();
  else QWidget::keyPressEvent(event);
}

}  // namespace strata::gui

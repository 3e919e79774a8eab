// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/plot.h"

#include <qcustomplot.h>

#include <QKeyEvent>
#include <QPainter>
#include <QPainterPath>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <limits>

#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kRedrawMs = 100;
constexpr int kLeft = 50, kTop = 10, kBottom = 26, kRight = 14;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

QString valueText(Plot::Scale scale, double value) {
  return scale == Plot::Scale::Percent ? percent(value) : plainNumber(value, 3);
}

/// 1, 0.3, 0.1, 0.03 ...: every half decade; whole ones, or fewer, where there are many.
class LogTicker : public QCPAxisTicker {
 protected:
  QVector<double> createTickVector(double, const QCPRange& range) override {
    QVector<double> ticks;
    const double decades = std::log10(range.upper / range.lower);
    const bool dense = decades < 4;
    const int step = std::max(1, int(std::ceil(decades / 8)));
    for (int d = int(std::floor(std::log10(range.lower))); d <= int(std::ceil(std::log10(range.upper))); d += step) {
      ticks << std::pow(10, d);
      if (dense) ticks << 3 * std::pow(10, d);
    }
    return ticks;
  }
  QVector<double> createSubTickVector(int, const QVector<double>&) override { return {}; }
  QString getTickLabel(double tick, const QLocale&, QChar, int) override { return plainNumber(tick, 1); }
};

class PercentTicker : public QCPAxisTicker {
 protected:
  QString getTickLabel(double tick, const QLocale&, QChar, int) override {
    return QObject::tr("%1 %").arg(plainNumber(tick * 100));
  }
};

class NumberTicker : public QCPAxisTicker {
 protected:
  QString getTickLabel(double tick, const QLocale&, QChar, int) override {
    return plainNumber(std::abs(tick) < 1e-12 ? 0 : tick);
  }
};

class SecondsTicker : public QCPAxisTicker {
 protected:
  double getTickStep(const QCPRange& range) override {
    for (const double step : {1., 2., 5., 10., 15., 30., 60., 120., 300., 600., 900., 1800.}) {
      if (range.size() / step <= 8) return step;
    }
    return 3600 * std::ceil(range.size() / 3600 / 8);
  }
  QString getTickLabel(double tick, const QLocale&, QChar, int) override {
    const int seconds = int(std::lround(tick));
    return QString("%1:%2").arg(seconds / 60).arg(seconds % 60, 2, 10, QChar('0'));
  }
};

}  // namespace

struct Plot::Parts {
  QCustomPlot* plot = nullptr;
  QCPLayer *still = nullptr, *live = nullptr;
  std::vector<QCPGraph*> graphs;
  std::vector<QPointF> best;  ///< per line; NaN: none

  double pixelX(double x) const { return plot->xAxis->coordToPixel(x); }
  double pixelY(double y) const { return plot->yAxis->coordToPixel(y); }
  QRectF area() const { return plot->axisRect()->rect(); }
  /// The point of a line nearest to x, or NaN.
  QPointF nearest(std::size_t line, double x) const {
    const auto data = graphs[line]->data();
    if (data->isEmpty()) return {kNaN, kNaN};
    auto it = data->findBegin(x, false);
    if (it == data->constEnd()) --it;
    if (it != data->constBegin() && std::abs((it - 1)->key - x) <= std::abs(it->key - x)) --it;
    return {it->key, it->value};
  }
};

/// Marks, end labels, the axis title and the readout: cheap to repaint when only the mouse has moved.
class Plot::Overlay : public QWidget {
 public:
  explicit Overlay(Plot* plot) : QWidget(plot), m_plot(*plot) { setAttribute(Qt::WA_TransparentForMouseEvents); }

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter p(this);
    p.setRenderHint(QPainter::Antialiasing);
    p.setFont(m_plot.m_theme.font(Theme::Text::Caption));
    const auto area = m_plot.m_parts->area();
    p.setPen(m_plot.m_theme.color("text3"));
    p.drawText(QRectF(area.right() + 16, area.bottom() + 4, 200, 20), Qt::AlignLeft | Qt::AlignVCenter,
               m_plot.m_xTitle);
    m_flags.clear();
    for (const auto& mark : m_plot.m_marks) drawMark(p, area, mark, false);
    for (const auto& mark : m_plot.m_marks) drawMark(p, area, mark, true);
    drawBest(p, area);
    for (const Outside where : {Outside::Below, Outside::Above, Outside::NoNumber}) drawOutside(p, area, where);
    drawEndLabels(p, area);
    if (!std::isnan(m_plot.m_hover)) drawReadout(p, area);
    if (m_plot.hasFocus()) {
      p.setPen(QPen(m_plot.m_theme.color("accent"), 2));
      p.setBrush(Qt::NoBrush);
      p.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), 4, 4);
    }
  }

 private:
  /// Its line or, when all lines are drawn, its flag.
  void drawMark(QPainter& p, const QRectF& area, const Mark& mark, bool withFlag) {
    const double x = m_plot.m_parts->pixelX(mark.x);
    if (x < area.left() - 0.5 || x > area.right() + 0.5) return;
    const auto& theme = m_plot.m_theme;
    const bool best = mark.kind == Mark::Kind::Best;
    const auto color = theme.color(best ? "val" : mark.kind == Mark::Kind::Now ? "accent" : "text2");
    if (!withFlag) {
      p.setPen(QPen(color, best ? 1.5 : 1, best ? Qt::DashLine : Qt::SolidLine));
      return p.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
    }
    if (mark.text.isEmpty()) return;
    QFont font = theme.font(Theme::Text::Caption);
    font.setBold(best);
    p.setFont(font);
    const double width = p.fontMetrics().horizontalAdvance(mark.text) + 12, height = p.fontMetrics().height() + 4;
    // A best flag stands left of its line, a change right of it, so that neighbours do not cover each other.
    const bool left = best ? x - width - 3 >= area.left() : x + width + 3 > area.right();
    QRectF flag(left ? x - width - 3 : x + 3, mark.low ? area.bottom() - height - 4 : area.top() + 4, width, height);
    const auto covers = [&flag](const QRectF& other) { return flag.intersects(other); };
    while (std::any_of(m_flags.begin(), m_flags.end(), covers)) flag.translate(0, mark.low ? -height - 2 : height + 2);
    m_flags.push_back(flag);
    p.setPen(Qt::NoPen);
    p.setBrush(theme.color(best ? "val" : "sunken"));
    p.drawRoundedRect(flag, 3, 3);
    p.setPen(theme.color(best ? "onval" : "text"));
    p.drawText(flag, Qt::AlignCenter, mark.text);
    p.setFont(theme.font(Theme::Text::Caption));
  }

  void drawBest(QPainter& p, const QRectF& area) {
    const auto& parts = *m_plot.m_parts;
    for (std::size_t i = 0; i < parts.best.size(); ++i) {
      const auto& best = parts.best[i];
      if (std::isnan(best.x()) || !parts.graphs[i]->visible()) continue;
      const QPointF at(parts.pixelX(best.x()), parts.pixelY(best.y()));
      if (!area.adjusted(-2, -2, 2, 2).contains(at)) continue;
      const auto color = m_plot.m_theme.color(m_plot.m_lines[i].token);
      p.setPen(QPen(color, 1.75));
      p.setBrush(m_plot.m_lines[i].rings ? color : m_plot.m_theme.color("surface"));
      p.drawEllipse(at, 4, 4);
    }
  }

  enum class Outside { Below, Above, NoNumber };

  bool liesOutside(double value, Outside where) const {
    const auto range = m_plot.m_parts->plot->yAxis->range();
    return where == Outside::NoNumber ? std::isnan(value)
           : where == Outside::Below  ? value < range.lower
                                      : value > range.upper * (1 + 1e-9);
  }

  /// What lies past the axis' ends, or nowhere, is told by an arrow or a cross with the value, not cut away in silence.
  void drawOutside(QPainter& p, const QRectF& area, Outside where) {
    const auto& parts = *m_plot.m_parts;
    double lastLabel = -1e9;
    for (std::size_t i = 0; i < parts.graphs.size(); ++i) {
      const auto& line = m_plot.m_lines[i];
      if (line.name.isEmpty() || line.token == "ref" || !parts.graphs[i]->visible() ||
          parts.graphs[i]->dataCount() > 500)
        continue;
      for (const auto& point : *parts.graphs[i]->data()) {
        const double x = parts.pixelX(point.key);
        if (!liesOutside(point.value, where) || x < area.left() || x > area.right()) continue;
        const bool top = where != Outside::Below;
        drawOutsideMark(p, {x, top ? area.top() + 5 : area.bottom() - 5}, where, m_plot.m_theme.color(line.token));
        const auto text = valueText(m_plot.m_scale, point.value);
        if (x - lastLabel < p.fontMetrics().horizontalAdvance(text) + 16) continue;
        p.drawText(QPointF(x + 6, top ? area.top() + 10 : area.bottom() - 12), text);
        lastLabel = x;
      }
    }
  }

  static void drawOutsideMark(QPainter& p, QPointF at, Outside where, const QColor& color) {
    p.setPen(QPen(color, 1.5));
    if (where == Outside::NoNumber) {
      p.drawLine(at + QPointF(-3, -3), at + QPointF(3, 3));
      return p.drawLine(at + QPointF(-3, 3), at + QPointF(3, -3));
    }
    const double tip = where == Outside::Below ? 3 : -3;
    p.setBrush(color);
    p.drawPolygon(QPolygonF({at + QPointF(-4, -tip), at + QPointF(4, -tip), at + QPointF(0, tip)}));
    p.setBrush(Qt::NoBrush);
  }

  /// Names at the right end of their lines, pushed apart so that none covers another.
  void drawEndLabels(QPainter& p, const QRectF& area) {
    struct Label {
      double x, y, at;
      std::size_t line;
    };
    std::vector<Label> labels;
    const auto& parts = *m_plot.m_parts;
    for (std::size_t i = 0; i < parts.graphs.size(); ++i) {
      if (!m_plot.m_lines[i].endLabel || !parts.graphs[i]->visible() || parts.graphs[i]->data()->isEmpty()) continue;
      const auto end = parts.nearest(i, parts.plot->xAxis->range().upper);
      const double x = parts.pixelX(end.x());
      if (x < area.left()) continue;
      const double y = std::clamp(parts.pixelY(end.y()), area.top(), area.bottom());
      labels.push_back({std::min(x, area.right()), y, y, i});
    }
    std::sort(labels.begin(), labels.end(), [](const Label& a, const Label& b) { return a.y < b.y; });
    const double step = p.fontMetrics().height() + 1;
    for (std::size_t i = 1; i < labels.size(); ++i) labels[i].at = std::max(labels[i].at, labels[i - 1].at + step);
    double limit = area.bottom() - step / 2 + 2;
    for (auto it = labels.rbegin(); it != labels.rend(); ++it) {
      it->at = std::min(it->at, limit);
      limit = it->at - step;
    }
    for (const auto& label : labels) {
      const auto& line = m_plot.m_lines[label.line];
      const auto color = m_plot.m_theme.color(line.token);
      const double textX = area.right() + 16;
      p.setPen(QPen(color, 1));
      if (label.x > area.right() - 3)
        p.drawPolyline(QPolygonF({{label.x + 2, label.y}, {textX - 8, label.at}, {textX - 3, label.at}}));
      else p.drawLine(QPointF(textX - 12, label.at), QPointF(textX - 3, label.at));
      p.setPen(line.token == "ref" ? m_plot.m_theme.color("text2") : color);
      const QRectF box(textX, label.at - step / 2 - 2, width() - textX - 4, step + 4);  // underscores reach out
      p.drawText(box, Qt::AlignLeft | Qt::AlignVCenter,
                 p.fontMetrics().elidedText(line.name, Qt::ElideRight, int(box.width())));
    }
  }

  void drawReadout(QPainter& p, const QRectF& area) {
    const auto& parts = *m_plot.m_parts;
    const double x = parts.pixelX(m_plot.m_hover);
    if (x < area.left() || x > area.right()) return;
    const auto& theme = m_plot.m_theme;
    p.setPen(QPen(theme.color("bstrong"), 1, Qt::DotLine));
    p.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
    QStringList names, values;
    std::vector<std::size_t> lines;
    for (std::size_t i = 0; i < parts.graphs.size(); ++i) {
      if (m_plot.m_lines[i].name.isEmpty() || !parts.graphs[i]->visible()) continue;
      const auto point = parts.nearest(i, m_plot.m_hover);
      if (std::isnan(point.x()) || std::abs(parts.pixelX(point.x()) - x) > 24) continue;
      names << m_plot.m_lines[i].name;
      values << valueText(m_plot.m_scale, point.y());
      lines.push_back(i);
    }
    if (names.isEmpty()) return;
    const auto head =
        m_plot.m_seconds ? duration(m_plot.m_hover) : QObject::tr("epoch %1").arg(m_plot.m_hover, 0, 'f', 1);
    const auto fm = p.fontMetrics();
    int nameWidth = fm.horizontalAdvance(head), valueWidth = 0;
    for (int i = 0; i < names.size(); ++i) {
      nameWidth = std::max(nameWidth, fm.horizontalAdvance(names[i]) + 16);
      valueWidth = std::max(valueWidth, fm.horizontalAdvance(values[i]));
    }
    const double step = fm.height() + 2;
    QRectF box(x + 10, area.top() + 26, nameWidth + valueWidth + 28, step * double(names.size() + 1) + 10);
    if (box.right() > area.right()) box.moveRight(x - 10);
    p.setPen(theme.color("border"));
    p.setBrush(theme.color("raised"));
    p.drawRoundedRect(box, 4, 4);
    p.setPen(theme.color("text2"));
    p.drawText(QPointF(box.left() + 8, box.top() + 5 + fm.ascent()), head);
    for (int i = 0; i < names.size(); ++i) {
      const double y = box.top() + 5 + step * (i + 1);
      const auto& line = m_plot.m_lines[lines[std::size_t(i)]];
      p.setPen(QPen(theme.color(line.token), 2, line.dash));
      p.drawLine(QPointF(box.left() + 8, y + fm.height() / 2.0), QPointF(box.left() + 18, y + fm.height() / 2.0));
      p.setPen(theme.color("text"));
      p.drawText(QPointF(box.left() + 24, y + fm.ascent()), names[i]);
      p.drawText(QRectF(box.left(), y, box.width() - 8, fm.height()), Qt::AlignRight | Qt::AlignVCenter, values[i]);
    }
  }

  Plot& m_plot;
  std::vector<QRectF> m_flags;  ///< drawn so far: the next one gives way
};

Plot::Plot(const Theme& theme, const QString& name, QWidget* parent)
    : QWidget(parent), m_theme(theme), m_parts(std::make_unique<Parts>()), m_hover(kNaN) {
  setAccessibleName(name);
  setFocusPolicy(Qt::StrongFocus);
  auto* plot = m_parts->plot = new QCustomPlot(this);
  plot->setFocusPolicy(Qt::NoFocus);
  plot->installEventFilter(this);
  plot->setMouseTracking(true);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->addWidget(plot);
  plot->addLayer("still", plot->layer("main"), QCustomPlot::limAbove);
  plot->addLayer("live", plot->layer("still"), QCustomPlot::limAbove);
  m_parts->still = plot->layer("still");
  m_parts->live = plot->layer("live");
  m_parts->live->setMode(QCPLayer::lmBuffered);
  plot->axisRect()->setAutoMargins(QCP::msNone);
  plot->axisRect()->setMargins(QMargins(kLeft, kTop, kRight, kBottom));
  plot->setNoAntialiasingOnDrag(true);
  plot->setMinimumSize(120, 80);
  setMinimumHeight(110);
  m_overlay = new Overlay(this);
  m_redraw.setSingleShot(true);
  m_redraw.setInterval(kRedrawMs);
  connect(&m_redraw, &QTimer::timeout, this, &Plot::redraw);
  connect(&theme, &Theme::changed, this, &Plot::applyTheme);
  setScale(m_scale);
  setXTitle({}, false);
  applyRange();
  applyTheme();
}

Plot::~Plot() = default;

void Plot::clearLines() {
  m_parts->plot->clearGraphs();
  m_parts->graphs.clear();
  m_parts->best.clear();
  m_lines.clear();
  schedule(true);
}

int Plot::addLine(const Line& line) {
  auto* graph = m_parts->plot->addGraph();
  graph->setLayer(line.live ? m_parts->live : m_parts->still);
  graph->setAdaptiveSampling(true);
  m_parts->graphs.push_back(graph);
  m_parts->best.push_back({kNaN, kNaN});
  m_lines.push_back(line);
  applyTheme();
  return int(m_lines.size()) - 1;
}

void Plot::setPoints(int line, const QVector<double>& x, const QVector<double>& y) {
  QVector<QCPGraphData> points;
  points.reserve(x.size());
  for (qsizetype i = 0; i < std::min(x.size(), y.size()); ++i)
    if (std::isfinite(x[i])) points.append({x[i], std::isfinite(y[i]) ? y[i] : kNaN});
  const auto before = [](const QCPGraphData& a, const QCPGraphData& b) { return a.key < b.key; };
  const bool sorted = std::is_sorted(points.begin(), points.end(), before);
  m_parts->graphs[std::size_t(line)]->data()->set(points, sorted);
  schedule(!m_lines[std::size_t(line)].live);
}

void Plot::setLineShown(int line, bool shown) {
  m_parts->graphs[std::size_t(line)]->setVisible(shown);
  schedule(true);
}

void Plot::setBest(int line, double x, double y) { m_parts->best[std::size_t(line)] = {x, y}; }

void Plot::setMarks(std::vector<Mark> marks) {
  m_marks = std::move(marks);
  schedule(false);
}

void Plot::setScale(Scale scale) {
  m_scale = scale;
  auto* axis = m_parts->plot->yAxis;
  axis->setScaleType(scale == Scale::Log ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
  if (scale == Scale::Log) axis->setTicker(QSharedPointer<LogTicker>::create());
  else if (scale == Scale::Percent) axis->setTicker(QSharedPointer<PercentTicker>::create());
  else axis->setTicker(QSharedPointer<NumberTicker>::create());
  axis->ticker()->setTickCount(5);
  schedule(true);
}

void Plot::setXTitle(const QString& title, bool seconds) {
  if (title == m_xTitle && seconds == m_seconds) return;
  m_xTitle = title;
  m_seconds = seconds;
  auto* axis = m_parts->plot->xAxis;
  if (seconds) axis->setTicker(QSharedPointer<SecondsTicker>::create());
  else axis->setTicker(QSharedPointer<NumberTicker>::create());
  axis->ticker()->setTickCount(6);
  schedule(true);
}

void Plot::setFull(double xLow, double xHigh, double yLow, double yHigh) {
  if (m_scale == Scale::Log) yLow = std::max(yLow, 1e-9);
  if (!(xHigh > xLow) || !(yHigh > yLow)) return;
  if (xLow == m_xLow && xHigh == m_xHigh && yLow == m_yLow && yHigh == m_yHigh) return;
  m_xLow = xLow, m_xHigh = xHigh, m_yLow = yLow, m_yHigh = yHigh;
  applyRange();
}

void Plot::applyRange() {
  m_parts->plot->yAxis->setRange(m_yLow, m_yHigh);
  if (m_fitted) m_parts->plot->xAxis->setRange(m_xLow, m_xHigh);
  schedule(true);
}

void Plot::refit() {
  m_fitted = true;
  applyRange();
  emit xViewChanged(m_xLow, m_xHigh);
}

void Plot::setXView(double low, double high) {
  m_fitted = low <= m_xLow && high >= m_xHigh;
  m_parts->plot->xAxis->setRange(low, high);
  schedule(true);
}

std::pair<double, double> Plot::xView() const {
  const auto range = m_parts->plot->xAxis->range();
  return {range.lower, range.upper};
}

void Plot::setEndLabelRoom(int pixels) {
  m_parts->plot->axisRect()->setMargins(QMargins(kLeft, kTop, std::max(kRight, pixels), kBottom));
  schedule(true);
}

int Plot::pointCount(int line) const { return m_parts->graphs[std::size_t(line)]->dataCount(); }

void Plot::zoom(double factor, double around) {
  const auto range = m_parts->plot->xAxis->range();
  const double smallest = std::min(m_finest, (m_xHigh - m_xLow) / 500);
  const double size = std::clamp(range.size() * factor, smallest, m_xHigh - m_xLow);
  const double share = range.size() > 0 ? (around - range.lower) / range.size() : 0.5;
  const double low = std::clamp(around - share * size, m_xLow, m_xHigh - size);
  setXView(low, low + size);
  emit xViewChanged(low, low + size);
}

void Plot::pan(double share) {
  const auto range = m_parts->plot->xAxis->range();
  const double low = std::clamp(range.lower + share * range.size(), m_xLow, m_xHigh - range.size());
  setXView(low, low + range.size());
  emit xViewChanged(low, low + range.size());
}

void Plot::setHover(double x) {
  if (x == m_hover || (std::isnan(x) && std::isnan(m_hover))) return;
  m_hover = x;
  m_overlay->update();
}

void Plot::schedule(bool everything) {
  m_everything |= everything;
  if (isVisible() && !m_redraw.isActive()) m_redraw.start();
}

/// Moves of the live curves redraw their own layer; grid, axes, labels and the still curves are kept as pixels.
void Plot::redraw() {
  if (!isVisible()) return;
  if (std::exchange(m_everything, false)) m_parts->plot->replot(QCustomPlot::rpQueuedRefresh);
  else m_parts->live->replot();
  m_overlay->update();
  describe();
}

void Plot::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  m_everything = true;
  redraw();  // at once: what was drawn before may be in the other theme's colours
}

void Plot::describe() {
  QStringList parts;
  for (std::size_t i = 0; i < m_lines.size(); ++i) {
    const auto last = m_parts->nearest(i, m_xHigh);
    if (!m_lines[i].name.isEmpty() && m_lines[i].token != "ref" && !std::isnan(last.x()))
      parts << tr("%1 %2").arg(m_lines[i].name, valueText(m_scale, last.y()));
  }
  setAccessibleDescription(parts.join(", "));
}

void Plot::applyTheme() {
  auto* plot = m_parts->plot;
  plot->setBackground(m_theme.color("surface"));
  for (auto* axis : {plot->xAxis, plot->yAxis}) {
    axis->setBasePen(QPen(m_theme.color("bstrong"), 1));
    axis->setNumberFormat("g");  // labels are drawn as the tickers write them, without raised exponents
    axis->setTickPen(Qt::NoPen);
    axis->setSubTickPen(Qt::NoPen);
    axis->setTickLabelColor(m_theme.color("text2"));
    axis->setTickLabelFont(m_theme.font(Theme::Text::Caption));
    axis->setTickLabelPadding(6);
    axis->grid()->setPen(QPen(m_theme.color("grid"), 1));
    axis->grid()->setZeroLinePen(Qt::NoPen);
    axis->grid()->setSubGridVisible(false);
  }
  for (std::size_t i = 0; i < m_lines.size(); ++i) {
    auto color = m_theme.color(m_lines[i].token);
    color.setAlphaF(float(m_lines[i].opacity));
    QPen pen(color, m_lines[i].width, m_lines[i].dash);
    if (m_lines[i].dash == Qt::DashLine) pen.setDashPattern({5, 3});
    auto* graph = m_parts->graphs[i];
    graph->setPen(pen);
    graph->setAntialiased(m_lines[i].opacity == 1);
    graph->setScatterStyle(
        m_lines[i].rings ? QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(color, 1.5), m_theme.color("surface"), 7)
                         : QCPScatterStyle());
  }
  schedule(true);
}

bool Plot::eventFilter(QObject* watched, QEvent* event) {
  if (watched != m_parts->plot) return QWidget::eventFilter(watched, event);
  auto* axis = m_parts->plot->xAxis;
  switch (event->type()) {
    case QEvent::Resize:
      m_overlay->setGeometry(rect());
      m_overlay->raise();
      schedule(true);
      break;
    case QEvent::Wheel: {
      const auto* wheel = static_cast<QWheelEvent*>(event);
      zoom(std::pow(0.85, wheel->angleDelta().y() / 120.0), axis->pixelToCoord(wheel->position().x()));
      return true;
    }
    case QEvent::MouseMove: {
      const auto* mouse = static_cast<QMouseEvent*>(event);
      const double x = axis->pixelToCoord(mouse->position().x());
      if (mouse->buttons() & Qt::LeftButton) {
        pan((m_hover - x) / axis->range().size());
      } else {
        const bool inside = m_parts->area().contains(mouse->position());
        setHover(inside ? x : kNaN);
        emit hovered(m_hover);
      }
      return true;
    }
    case QEvent::MouseButtonPress:
      setFocus(Qt::MouseFocusReason);
      setHover(axis->pixelToCoord(static_cast<QMouseEvent*>(event)->position().x()));
      return true;
    case QEvent::MouseButtonDblClick:
      refit();
      return true;
    case QEvent::Leave:
      setHover(kNaN);
      emit hovered(kNaN);
      break;
    default:
      break;
  }
  return QWidget::eventFilter(watched, event);
}

void Plot::keyPressEvent(QKeyEvent* event) {
  const double middle = m_parts->plot->xAxis->range().center();
  switch (event->key()) {
    case Qt::Key_Left:
      pan(-0.1);
      break;
    case Qt::Key_Right:
      pan(0.1);
      break;
    case Qt::Key_Plus:
    case Qt::Key_Equal:
      zoom(0.7, middle);
      break;
    case Qt::Key_Minus:
      zoom(1 / 0.7, middle);
      break;
    case Qt::Key_0:
      refit();
      break;
    default:
      QWidget::keyPressEvent(event);
      return;
  }
  event->accept();
}

void Plot::focusInEvent(QFocusEvent* event) {
  QWidget::focusInEvent(event);
  m_overlay->update();
}

void Plot::focusOutEvent(QFocusEvent* event) {
  QWidget::focusOutEvent(event);
  m_overlay->update();
}

}  // namespace strata::gui

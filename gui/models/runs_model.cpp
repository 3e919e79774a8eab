// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/runs_model.h"

#include <QDateTime>
#include <QVector>
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/learn/metric.h"
#include "gui/theme.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kShownAtFirst = 5;  ///< newest runs ticked before anybody chose

QString qs(const std::string& s) { return QString::fromStdString(s); }

QDateTime startOf(const RunRecord& run) { return QDateTime::fromString(qs(run.started), Qt::ISODate).toLocalTime(); }

double meanSeconds(const RunRecord& run) {
  double sum = 0;
  for (const auto& e : run.epochs) sum += e.epochSeconds;
  return run.epochs.empty() ? NAN : sum / double(run.epochs.size());
}

QString stateText(const RunRecord& run) {
  if (run.reference) return RunsModel::tr("from its log");
  if (!run.holder.empty()) return RunsModel::tr("Training elsewhere");
  const QMap<QString, QString> words = {
      {"training", RunsModel::tr("Training")}, {"finished", RunsModel::tr("Finished")},
      {"stopped", RunsModel::tr("Stopped")},   {"diverged", RunsModel::tr("Diverged")},
      {"failed", RunsModel::tr("Failed")},     {"interrupted", RunsModel::tr("Interrupted")}};
  return words.value(qs(run.state), qs(run.state));
}

/// What of the run could not be read; empty when all could.
QString problemsText(const RunRecord& run) {
  QStringList sentences;
  for (const auto& problem : run.problems) sentences << qs(problem);
  return sentences.join('\n');
}

}  // namespace

QString runTitle(const RunRecord& run) {
  const bool renamed = !run.name.empty() && run.name != run.folder.filename().string();
  return renamed || run.reference ? qs(run.name) : qs(run.project.name);
}

namespace {

/// "C16 C16", and of a container what it holds in brackets.
QStringList netWords(const std::vector<LayerSpec>& stack) {
  QStringList words;
  for (const auto& layer : stack) {
    if (const LayerDef* def = findLayer(layer.type); def && def->shortText) words << qs(def->shortText(layer.fields));
    QStringList inner;
    for (const auto& each : layer.stacks)
      if (!each.empty()) inner << netWords(each).join(' ');
    if (!layer.stacks.empty()) words << '[' + inner.join(" | ") + ']';
  }
  return words;
}

}  // namespace

QString netText(const NetworkSpec& network) { return netWords(network.layers).join(' '); }

QString validationText(const RunRecord& run) {
  if (run.reference || run.project.data.validation == ValidationSource::TestSet) return RunsModel::tr("test set");
  return RunsModel::tr("held-out %1 %").arg(run.project.data.validationFraction * 100, 0, 'g', 3);
}

QString startedText(const RunRecord& run) {
  const auto when = startOf(run);
  if (!when.isValid()) return {};
  const auto days = when.date().daysTo(QDate::currentDate());
  if (days == 0) return RunsModel::tr("today %1").arg(when.toString("HH:mm"));
  if (days == 1) return RunsModel::tr("yesterday %1").arg(when.toString("HH:mm"));
  return when.toString("yyyy-MM-dd HH:mm");
}

bool records(const RunRecord& run, const std::string& key) {
  if (run.epochs.empty()) return false;
  return withoutVal(key) == "loss" || run.epochs.back().metrics.contains(key);
}

std::pair<double, int> bestOf(const RunRecord& run) {
  const auto monitor = monitorOf(run.project.training);
  const int best = bestEpochOf(run.epochs, monitor);
  const double value = best > 0 ? run.epochs[std::size_t(best - 1)].value(monitor) : std::nan("");
  return std::isnan(value) ? std::pair{-1.0, 0} : std::pair{value, best};
}

QString RunsModel::key(const RunRecord& run) {
  return run.reference ? "reference/" + qs(run.name) : qs(run.folder.string());
}

int RunsModel::rowOfKey(const QString& wanted) const {
  for (std::size_t i = 0; !wanted.isEmpty() && i < m_runs.size(); ++i) {
    if (key(m_runs[i]) == wanted) return int(i);
  }
  return -1;
}

int RunsModel::rowOf(const Path& folder) const { return folder.empty() ? -1 : rowOfKey(qs(folder.string())); }

void RunsModel::setRuns(std::vector<RunRecord> runs) {
  beginResetModel();
  m_runs = std::move(runs);
  int ticked = 0;
  for (const auto& run : m_runs) {
    const bool show = run.reference || (!run.epochs.empty() && ticked++ < kShownAtFirst);
    if (show && !m_known.contains(key(run))) m_shown.insert(key(run));
    if (!run.epochs.empty()) m_known.insert(key(run));
  }
  giveStyles();
  endResetModel();
  findMonitor();
  emit shownChanged();
  emit comparedChanged();
}

void RunsModel::update(const RunRecord& run) {
  int row = rowOf(run.folder);
  if (row < 0) {
    row = 0;
    beginInsertRows({}, 0, 0);
    m_runs.insert(m_runs.begin(), run);
    m_shown.insert(key(run));
    m_known.insert(key(run));
    giveStyles();
    endInsertRows();
  } else {
    const auto name = m_runs[std::size_t(row)].name;  // it may have been renamed since
    m_runs[std::size_t(row)] = run;
    m_runs[std::size_t(row)].name = name;
    rowChanged(row);
  }
  findMonitor();
  if (shown(row)) emit shownChanged();
}

/// What all runs have in common stands in the header, else each row names its own.
void RunsModel::findMonitor() {
  const auto before = std::exchange(m_monitor, monitorOf(m_runs.empty() ? TrainingSpec() : m_runs[0].project.training));
  for (const auto& run : m_runs)
    if (monitorOf(run.project.training) != m_monitor) m_monitor.clear();
  if (m_monitor == before) return;
  emit headerDataChanged(Qt::Horizontal, Monitored, Monitored);
  if (!m_runs.empty()) emit dataChanged(index(0, Monitored), index(int(m_runs.size()) - 1, Monitored));
}

std::vector<std::string> RunsModel::figures() const {
  std::vector<std::string> keys;
  for (const MetricDef& metric : allMetrics()) {
    const auto shownWithIt = [&](const RunRecord& run) {
      return m_shown.contains(key(run)) && records(run, withVal(metric.id));
    };
    if (std::any_of(m_runs.begin(), m_runs.end(), shownWithIt)) keys.push_back(withVal(metric.id));
  }
  keys.push_back("val_loss");
  return keys;
}

std::string RunsModel::newestMonitor() const {
  const RunRecord* newest = nullptr;
  for (const auto& run : m_runs)
    if (!run.reference && m_shown.contains(key(run)) && (!newest || run.started > newest->started)) newest = &run;
  return monitorOf(newest ? newest->project.training : TrainingSpec());
}

void RunsModel::rowChanged(int row) { emit dataChanged(index(row, 0), index(row, ColumnCount - 1)); }

/// Runs take the five run colours in turn, then again with other dashes; references are grey and told apart by dash.
void RunsModel::giveStyles() {
  static const QString tokens[] = {"train", "val", "pool", "act", "reg"};
  static constexpr Qt::PenStyle runDashes[] = {Qt::SolidLine, Qt::DashLine, Qt::DotLine, Qt::DashDotLine};
  static constexpr Qt::PenStyle referenceDashes[] = {Qt::SolidLine, Qt::DashLine, Qt::DotLine};
  int reference = 0;
  for (auto run = m_runs.rbegin(); run != m_runs.rend(); ++run) {
    if (m_styles.contains(key(*run))) continue;
    if (run->reference) m_styles[key(*run)] = {"ref", referenceDashes[reference++ % 3]};
    else m_styles[key(*run)] = {tokens[m_nextStyle % 5], runDashes[m_nextStyle / 5 % 4]}, ++m_nextStyle;
  }
}

LineStyle RunsModel::style(int row) const { return m_styles.value(key(m_runs[std::size_t(row)])); }

int RunsModel::shownCount() const {
  int n = 0;
  for (int row = 0; row < int(m_runs.size()); ++row) n += shown(row);
  return n;
}

void RunsModel::toggleCompared(int row) {
  const auto k = key(m_runs[std::size_t(row)]);
  if (m_a == k) m_a = std::exchange(m_b, QString());
  else if (m_b == k) m_b.clear();
  else (m_a.isEmpty() ? m_a : m_b) = k;
  emit dataChanged(index(0, Name), index(int(m_runs.size()) - 1, Name));
  emit comparedChanged();
}

void RunsModel::swapCompared() {
  std::swap(m_a, m_b);
  if (!m_runs.empty()) emit dataChanged(index(0, Name), index(int(m_runs.size()) - 1, Name));
  emit comparedChanged();
}

int RunsModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : int(m_runs.size()); }
int RunsModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : ColumnCount; }

QString RunsModel::text(const RunRecord& run, int column) const {
  const auto [best, bestEpoch] = bestOf(run);
  const int planned = run.project.training.epochs, done = int(run.epochs.size());
  switch (column) {
    case Name:
      return runTitle(run);
    case Data:
      return qs(run.datasetTitle);
    case Net:
      return run.reference ? qs(run.project.name) : netText(run.project.network);  // a log tells the net in words
    case Parameters:
      return run.parameters > 0 ? number(run.parameters) : QString();
    case Best:
      return bestEpoch > 0 ? figureText(monitorOf(run.project.training), best) : QString("—");
    case BestEpoch:
      return bestEpoch > 0 ? QString::number(bestEpoch) : QString();
    case Monitored:
      return m_monitor.empty() ? figureTitle(monitorOf(run.project.training)) : QString();
    case Epochs:
      return run.reference || done == planned ? QString::number(done) : QString("%1 / %2").arg(done).arg(planned);
    case EpochSeconds:
      return done ? QString::number(meanSeconds(run), 'f', meanSeconds(run) < 10 ? 2 : 1) : QString("—");
    case Device:
      if (run.reference) return run.backend.empty() ? tr("theirs") : tr("%1, theirs").arg(qs(run.backend).toUpper());
      return run.threads > 0 ? QString("%1 · %2").arg(qs(run.backend).toUpper()).arg(run.threads)
                             : qs(run.backend).toUpper();
    case Started:
      return startedText(run);
    case Validated:
      return validationText(run);
    case State:
      return stateText(run);
    default:
      return {};
  }
}

QVariant RunsModel::sortValue(const RunRecord& run, int column) const {
  switch (column) {
    case Parameters:
      return qint64(run.parameters);
    case Best:
    case Monitored: {  // the better, the larger
      const auto [best, epoch] = bestOf(run);
      if (epoch == 0) return -std::numeric_limits<double>::infinity();
      return higherIsBetter(monitorOf(run.project.training)) ? best : -best;
    }
    case BestEpoch:
      return bestOf(run).second;
    case Epochs:
      return qint64(run.epochs.size());
    case EpochSeconds:
      return run.epochs.empty() ? 1e9 : meanSeconds(run);
    case Started:
      return qs(run.started);
    default:
      return text(run, column);
  }
}

QString RunsModel::tip(const RunRecord& run, int column) const {
  QStringList lines;
  if (column == State && !run.holder.empty()) lines << tr("By %1").arg(qs(run.holder));
  else if (column == State && !run.reason.empty()) lines << qs(run.reason);
  else if (column == Net || column == Name) lines << text(run, column);
  else if ((column == Best || column == Monitored) && bestOf(run).second > 0)
    lines << tr("%1 %2 at epoch %3")
                 .arg(figureTitle(monitorOf(run.project.training)), text(run, Best), text(run, BestEpoch));
  if ((column == Name || column == State) && !run.problems.empty()) lines << problemsText(run);
  return lines.join('\n');
}

QVariant RunsModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const auto& run = m_runs[std::size_t(index.row())];
  const int column = index.column();
  switch (role) {
    case Qt::DisplayRole:
      return text(run, column);
    case Qt::EditRole:
      return runTitle(run);
    case Qt::CheckStateRole:
      return column == Show ? QVariant(shown(index.row()) ? Qt::Checked : Qt::Unchecked) : QVariant();
    case Qt::TextAlignmentRole:
      return int(
          (column >= Parameters && column <= EpochSeconds && column != Monitored ? Qt::AlignRight : Qt::AlignLeft) |
          Qt::AlignVCenter);
    case Qt::ToolTipRole:
      return tip(run, column);
    case Qt::WhatsThisRole:
      return problemsText(run);
    case Qt::AccessibleTextRole: {
      if (column == Monitored) return figureTitle(monitorOf(run.project.training));
      const bool told = (column == Name || column == State) && !run.problems.empty();
      return told ? tr("%1. %2").arg(text(run, column), problemsText(run)) : text(run, column);
    }
    case ProblemsRole:
      return int(run.problems.size());
    case SortRole:
      return sortValue(run, column);
    case TokenRole:
      return style(index.row()).token;
    case DashRole:
      return int(style(index.row()).dash);
    case LetterRole:
      return key(run) == m_a ? "A" : key(run) == m_b ? "B" : "";
    case ReferenceRole:
      return run.reference;
    case ProgressRole:
      return run.state == "training" ? double(run.epochs.size()) / std::max(1, run.project.training.epochs) : -1.0;
    case CurveRole: {
      QVector<double> curve;
      const auto monitor = monitorOf(run.project.training);
      for (const auto& e : run.epochs) curve.push_back(e.value(monitor));
      return QVariant::fromValue(curve);
    }
    default:
      return {};
  }
}

bool RunsModel::setData(const QModelIndex& index, const QVariant& value, int role) {
  if (!index.isValid()) return false;
  auto& run = m_runs[std::size_t(index.row())];
  if (role == Qt::CheckStateRole && index.column() == Show) {
    if (value.toInt() == Qt::Checked) m_shown.insert(key(run));
    else m_shown.remove(key(run));
    rowChanged(index.row());
    emit shownChanged();
    return true;
  }
  const auto name = value.toString().trimmed();
  if (role != Qt::EditRole || index.column() != Name || run.reference || name.isEmpty() || name == runTitle(run))
    return false;
  run.name = name.toStdString();
  rowChanged(index.row());
  emit renamed(index.row(), name);
  return true;
}

QVariant RunsModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section >= ColumnCount) return {};
  if (role == Qt::TextAlignmentRole) {
    return int(
        (section >= Parameters && section <= EpochSeconds && section != Monitored ? Qt::AlignRight : Qt::AlignLeft) |
        Qt::AlignVCenter);
  }
  if (role == Qt::ToolTipRole && section == Show) return tr("Shown in the plot");
  if (role != Qt::DisplayRole) return {};
  const QString titles[] = {"",
                            tr("Name"),
                            tr("Data set"),
                            tr("Net"),
                            tr("Parameters"),
                            tr("Best val."),
                            tr("at epoch"),
                            m_monitor.empty() ? tr("Best by") : figureTitle(m_monitor),
                            tr("Epochs"),
                            tr("s / epoch"),
                            tr("Device"),
                            tr("Started"),
                            tr("Validated on"),
                            tr("State")};
  return titles[section];
}

Qt::ItemFlags RunsModel::flags(const QModelIndex& index) const {
  if (!index.isValid()) return Qt::NoItemFlags;
  Qt::ItemFlags flags = Qt::ItemIsEnabled | Qt::ItemIsSelectable;
  if (index.column() == Show) flags |= Qt::ItemIsUserCheckable;
  if (index.column() == Name && !m_runs[std::size_t(index.row())].reference) flags |= Qt::ItemIsEditable;
  return flags;
}

}  // namespace strata::gui

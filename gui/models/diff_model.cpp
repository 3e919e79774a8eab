// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/diff_model.h"

#include <algorithm>

#include "gui/theme.h"

namespace strata::gui {
namespace {

/// Pairs of positions, -1 where a side has none: the classic table of longest common subsequences, walked from the
/// start.
std::vector<std::pair<int, int>> align(const std::vector<LayerSpec>& a, const std::vector<LayerSpec>& b) {
  const auto n = a.size(), m = b.size();
  std::vector<std::vector<int>> common(n + 1, std::vector<int>(m + 1, 0));
  for (auto i = n; i-- > 0;) {
    for (auto j = m; j-- > 0;) {
      common[i][j] = a[i].type == b[j].type ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::vector<std::pair<int, int>> pairs;
  std::size_t i = 0, j = 0;
  while (i < n || j < m) {
    if (i < n && j < m && a[i].type == b[j].type) pairs.push_back({int(i++), int(j++)});
    else if (j == m || (i < n && common[i + 1][j] >= common[i][j + 1])) pairs.push_back({int(i++), -1});
    else pairs.push_back({-1, int(j++)});
  }
  return pairs;
}

QString describe(const LayerAnalysis& layer, const LayerSpec& spec) {
  if (!layer.def) return QString::fromStdString(spec.type);
  const auto line = QString::fromStdString(layer.def->summary(spec.fields));
  if (layer.parameters == 0) return line;
  return DiffModel::tr("%1, from %2").arg(line, QString::fromStdString(layer.in.text()));
}

}  // namespace

void DiffModel::setNets(const NetworkSpec& a, const NetworkSpec& b) {
  beginResetModel();
  m_rows.clear();
  const auto ofA = analyse(a), ofB = analyse(b);
  for (const auto& [i, j] : align(a.layers, b.layers)) {
    Row row;
    const auto* def = i >= 0 ? ofA.layers[std::size_t(i)].def : ofB.layers[std::size_t(j)].def;
    row.title =
        QString::fromStdString(def ? def->title : (i >= 0 ? a.layers[std::size_t(i)] : b.layers[std::size_t(j)]).type);
    if (i >= 0) {
      row.a = describe(ofA.layers[std::size_t(i)], a.layers[std::size_t(i)]);
      row.parametersA = ofA.layers[std::size_t(i)].parameters;
    }
    if (j >= 0) {
      row.b = describe(ofB.layers[std::size_t(j)], b.layers[std::size_t(j)]);
      row.parametersB = ofB.layers[std::size_t(j)].parameters;
    }
    const bool same = i >= 0 && j >= 0 && a.layers[std::size_t(i)].fields == b.layers[std::size_t(j)].fields &&
                      row.parametersA == row.parametersB;
    row.change = i < 0 ? Change::Added : j < 0 ? Change::Removed : same ? Change::Same : Change::Changed;
    m_rows.push_back(row);
  }
  m_rows.push_back({Change::Total, tr("Total"), {}, {}, ofA.parameters, ofB.parameters});
  endResetModel();
}

void DiffModel::clear() {
  beginResetModel();
  m_rows.clear();
  endResetModel();
}

int DiffModel::count(Change change) const {
  return int(std::count_if(m_rows.begin(), m_rows.end(), [change](const Row& row) { return row.change == change; }));
}

int DiffModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : int(m_rows.size()); }
int DiffModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : ColumnCount; }

QVariant DiffModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const auto& row = m_rows[std::size_t(index.row())];
  if (role == ChangeRole) return int(row.change);
  const bool figure = index.column() == ParametersA || index.column() == ParametersB || index.column() == Difference;
  if (role == Qt::TextAlignmentRole) return int((figure ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
  if (role == Qt::ToolTipRole && !figure) return index.column() == A ? row.a : index.column() == B ? row.b : QString();
  if (role != Qt::DisplayRole) return {};
  const qint64 difference = row.parametersB - row.parametersA;
  switch (index.column()) {
    case Mark:
      return row.change == Change::Changed   ? "~"
             : row.change == Change::Added   ? "+"
             : row.change == Change::Removed ? "−"
                                             : "";
    case Layer:
      return row.title;
    case A:
      return row.change == Change::Added ? tr("not present") : row.a;
    case B:
      return row.change == Change::Removed ? tr("not present") : row.b;
    case ParametersA:
      return row.change == Change::Added ? QString() : number(row.parametersA);
    case ParametersB:
      return row.change == Change::Removed ? QString() : number(row.parametersB);
    case Difference:
      return difference == 0 ? QString() : (difference > 0 ? "+" : "") + number(difference);
  }
  return {};
}

QVariant DiffModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal) return {};
  const bool figure = section == ParametersA || section == ParametersB || section == Difference;
  if (role == Qt::TextAlignmentRole) return int((figure ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
  if (role != Qt::DisplayRole || section >= ColumnCount) return {};
  const QString titles[] = {"", tr("Layer"), tr("A"), tr("Parameters"), tr("B"), tr("Parameters"), tr("B − A")};
  return titles[section];
}

}  // namespace strata::gui

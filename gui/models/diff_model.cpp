// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/diff_model.h"

#include <algorithm>

#include "engine/net/analysis.h"
#include "gui/theme.h"

namespace strata::gui {
namespace {

/// A layer of a net that lies flat, as one reads it.
struct Line {
  const LayerSpec* spec;
  const LayerAnalysis* found;
};

void addLines(const std::vector<LayerSpec>& stack, const Analysis& analysis, std::vector<Line>& lines) {
  for (const LayerSpec& layer : stack) {
    lines.push_back({&layer, &analysis.layers[lines.size()]});
    for (const auto& inner : layer.stacks) addLines(inner, analysis, lines);
  }
}

bool alike(const Line& a, const Line& b) { return a.spec->type == b.spec->type && a.found->depth == b.found->depth; }

/// Pairs of positions, -1 where a side has none: the classic table of longest common subsequences, walked from the
/// start. Layers are alike when their types are, as deep in containers.
std::vector<std::pair<int, int>> align(const std::vector<Line>& a, const std::vector<Line>& b) {
  const auto n = a.size(), m = b.size();
  std::vector<std::vector<int>> common(n + 1, std::vector<int>(m + 1, 0));
  for (auto i = n; i-- > 0;) {
    for (auto j = m; j-- > 0;) {
      common[i][j] = alike(a[i], b[j]) ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
    }
  }
  std::vector<std::pair<int, int>> pairs;
  std::size_t i = 0, j = 0;
  while (i < n || j < m) {
    if (i < n && j < m && alike(a[i], b[j])) pairs.push_back({int(i++), int(j++)});
    else if (j == m || (i < n && common[i + 1][j] >= common[i][j + 1])) pairs.push_back({int(i++), -1});
    else pairs.push_back({-1, int(j++)});
  }
  return pairs;
}

QString describe(const Line& line) {
  const LayerAnalysis& layer = *line.found;
  if (!layer.def) return QString::fromStdString(line.spec->type);
  const auto text = QString::fromStdString(layer.def->summary(line.spec->fields));
  if (layer.parameters == 0 || layer.def->isContainer()) return text;
  return DiffModel::tr("%1, from %2").arg(text, QString::fromStdString(layer.in.text()));
}

/// Set in for each container around it.
QString titleOf(const Line& line) {
  const QString title = QString::fromStdString(line.found->def ? line.found->def->title : line.spec->type);
  return line.found->depth == 0 ? title : QString(3 * line.found->depth, ' ') + title;
}

}  // namespace

void DiffModel::setNets(const NetworkSpec& a, const NetworkSpec& b) {
  beginResetModel();
  m_rows.clear();
  const auto ofA = analyse(a), ofB = analyse(b);
  std::vector<Line> linesA, linesB;
  addLines(a.layers, ofA, linesA);
  addLines(b.layers, ofB, linesB);
  for (const auto& [i, j] : align(linesA, linesB)) {
    const Line* left = i >= 0 ? &linesA[std::size_t(i)] : nullptr;
    const Line* right = j >= 0 ? &linesB[std::size_t(j)] : nullptr;
    Row row;
    row.title = titleOf(left ? *left : *right);
    if (left) {
      row.a = describe(*left);
      row.parametersA = left->found->parameters;
    }
    if (right) {
      row.b = describe(*right);
      row.parametersB = right->found->parameters;
    }
    const bool same = left && right && left->spec->fields == right->spec->fields &&
                      left->spec->trainable == right->spec->trainable && row.parametersA == row.parametersB;
    row.change = !left ? Change::Added : !right ? Change::Removed : same ? Change::Same : Change::Changed;
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

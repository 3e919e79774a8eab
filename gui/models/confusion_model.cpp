// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/confusion_model.h"

#include <QFont>
#include <algorithm>
#include <numeric>

#include "gui/theme.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

QString oneDecimal(int part, int whole) {
  return whole > 0 ? QString::number(100.0 * part / whole, 'f', 1) : QString("—");
}

}  // namespace

void ConfusionModel::setMatrix(std::vector<std::vector<int>> matrix, const QStringList& classes) {
  beginResetModel();
  m_matrix = std::move(matrix);
  m_names = classes;
  m_largestError = m_total = m_right = 0;
  for (int t = 0; t < this->classes(); ++t) {
    for (int p = 0; p < this->classes(); ++p) {
      m_total += count(t, p);
      if (t == p) m_right += count(t, p);
      else m_largestError = std::max(m_largestError, count(t, p));
    }
  }
  endResetModel();
}

void ConfusionModel::setMode(Mode mode) {
  m_mode = mode;
  if (!m_matrix.empty()) emit dataChanged(index(0, 0), index(classes(), classes()));
}

std::vector<ConfusionModel::Pair> ConfusionModel::mostConfused(std::size_t atMost) const {
  std::vector<Pair> pairs;
  for (int t = 0; t < classes(); ++t) {
    for (int p = 0; p < classes(); ++p) {
      if (t != p && count(t, p) > 0) pairs.push_back({t, p, count(t, p)});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.count > b.count; });
  if (pairs.size() > atMost) pairs.resize(atMost);
  return pairs;
}

int ConfusionModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() || m_matrix.empty() ? 0 : classes() + 1;
}
int ConfusionModel::columnCount(const QModelIndex& parent) const { return rowCount(parent); }

int ConfusionModel::rowSum(int row) const {
  return std::accumulate(m_matrix[std::size_t(row)].begin(), m_matrix[std::size_t(row)].end(), 0);
}

int ConfusionModel::columnSum(int column) const {
  int sum = 0;
  for (const auto& row : m_matrix) sum += row[std::size_t(column)];
  return sum;
}

QString ConfusionModel::cellText(int truth, int predicted) const {
  const int n = count(truth, predicted);
  if (n == 0) return QStringLiteral("·");
  if (m_mode == Mode::ShareOfTrue) return oneDecimal(n, rowSum(truth));
  if (m_mode == Mode::ShareOfPredicted) return oneDecimal(n, columnSum(predicted));
  return QString::number(n);
}

QString ConfusionModel::sumText(int row, int column) const {
  const int n = classes();
  if (row == n && column == n) return percent(double(m_right) / std::max(1, m_total));
  if (column == n) return tr("%1 %").arg(oneDecimal(count(row, row), rowSum(row)));
  return QString::number(columnSum(column));  // as in the cells: with commas neighbours touch in a small window
}

QVariant ConfusionModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const int n = classes(), t = index.row(), p = index.column();
  const bool sum = t == n || p == n;
  switch (role) {
    case Qt::DisplayRole:
      return sum ? sumText(t, p) : cellText(t, p);
    case Qt::TextAlignmentRole:
      return int(sum && p == n ? Qt::AlignRight | Qt::AlignVCenter : Qt::AlignCenter);
    case TintRole:
      return sum || t == p || m_largestError == 0 ? -1.0 : double(count(t, p)) / m_largestError;
    case Qt::AccessibleTextRole:
    case Qt::ToolTipRole:
      if (sum) return sumText(t, p);
      if (t == p) return tr("%1 right: %2").arg(m_names.value(t), counted(count(t, p), tr("1 image"), tr("%1 images")));
      return tr("true %1, predicted %2: %3")
          .arg(m_names.value(t), m_names.value(p), counted(count(t, p), tr("1 image"), tr("%1 images")));
    default:
      return {};
  }
}

QVariant ConfusionModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (role == Qt::TextAlignmentRole) return int(Qt::AlignCenter);
  if (role != Qt::DisplayRole || section < 0) return {};
  if (section < classes()) return m_names.value(section);
  return orientation == Qt::Horizontal ? tr("right") : tr("sum");
}

Qt::ItemFlags ConfusionModel::flags(const QModelIndex& index) const {
  if (!index.isValid()) return Qt::NoItemFlags;
  const bool cell = index.row() < classes() && index.column() < classes();
  return cell ? Qt::ItemIsEnabled | Qt::ItemIsSelectable : Qt::ItemIsEnabled;
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/models/events_model.h"

namespace strata::gui {

void EventsModel::add(Kind kind, const QString& text, QTime when) {
  if (kind == Kind::Warning) ++m_warnings;
  beginInsertRows({}, 0, 0);
  m_events.push_front({kind, text, when});
  endInsertRows();
  if (m_events.size() <= kMaxRows) return;
  beginRemoveRows({}, kMaxRows, kMaxRows);
  m_events.pop_back();
  endRemoveRows();
}

void EventsModel::clear() {
  beginResetModel();
  m_events.clear();
  m_warnings = 0;
  endResetModel();
}

int EventsModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : int(m_events.size()); }
int EventsModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : ColumnCount; }

QVariant EventsModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  const auto& event = m_events[std::size_t(index.row())];
  if (role == KindRole) return int(event.kind);
  if (role == Qt::ToolTipRole) return event.text;
  if (role == Qt::AccessibleTextRole && index.column() == Icon) {
    const QString names[] = {tr("Information"), tr("Change"), tr("Best"), tr("Warning")};
    return names[int(event.kind)];
  }
  if (role != Qt::DisplayRole) return {};
  if (index.column() == Time) return event.when.toString("HH:mm:ss");
  return index.column() == Text ? QVariant(event.text) : QVariant();
}

}  // namespace strata::gui

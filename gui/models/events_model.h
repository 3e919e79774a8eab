// SPDX-License-Identifier: GPL-3.0-or-later
// The event log of a run, newest first: when, an icon, one sentence.
#pragma once
#include <QAbstractTableModel>
#include <QTime>
#include <deque>

namespace strata::gui {

class EventsModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum class Kind { Info, Change, Best, Warning };
  enum Column { Time, Icon, Text, ColumnCount };
  enum Role { KindRole = Qt::UserRole };
  static constexpr int kMaxRows = 500;

  using QAbstractTableModel::QAbstractTableModel;

  void add(Kind kind, const QString& text, QTime when = QTime::currentTime());
  void clear();
  int warnings() const { return m_warnings; }

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;

 private:
  struct Event {
    Kind kind;
    QString text;
    QTime when;
  };
  std::deque<Event> m_events;
  int m_warnings = 0;
};

}  // namespace strata::gui

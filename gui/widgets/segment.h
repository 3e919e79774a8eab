// SPDX-License-Identifier: GPL-3.0-or-later
// A row of buttons of which one is on: "Valid | Same".
#pragma once
#include <QButtonGroup>
#include <QStringList>
#include <QToolButton>
#include <QWidget>

namespace strata::gui {

class Segment : public QWidget {
  Q_OBJECT
 public:
  explicit Segment(const QStringList& labels, QWidget* parent = nullptr);

  int current() const { return m_group.checkedId(); }
  void setCurrent(int index);  ///< emits currentChanged when it differs
  QToolButton* button(int index) const { return static_cast<QToolButton*>(m_group.button(index)); }

 signals:
  void currentChanged(int index);

 private:
  QButtonGroup m_group;
  int m_current = 0;
};

}  // namespace strata::gui

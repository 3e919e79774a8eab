// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/segment.h"

#include <QHBoxLayout>

namespace strata::gui {

Segment::Segment(const QStringList& labels, QWidget* parent) : QWidget(parent) {
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(0);
  for (int i = 0; i < labels.size(); ++i) {
    auto* button = new QToolButton(this);
    button->setText(labels[i]);
    button->setCheckable(true);
    button->setChecked(i == 0);
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    button->setSizePolicy(QSizePolicy::MinimumExpanding, QSizePolicy::Fixed);
    button->setProperty("segment", i == 0 ? "first" : i == labels.size() - 1 ? "last" : "middle");
    m_group.addButton(button, i);
    row->addWidget(button);
  }
  setFocusPolicy(Qt::NoFocus);
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
  connect(&m_group, &QButtonGroup::idToggled, this, [this](int id, bool on) {
    if (!on || id == m_current) return;
    m_current = id;
    emit currentChanged(id);
  });
}

void Segment::setCurrent(int index) {
  if (auto* found = m_group.button(index)) found->setChecked(true);
}

}  // namespace strata::gui

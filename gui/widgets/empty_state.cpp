// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/empty_state.h"

#include <QVBoxLayout>

#include "gui/widgets/label.h"

namespace strata::gui {

EmptyState::EmptyState(const Theme& theme, const QString& sentence, const QString& button, QWidget* parent)
    : QWidget(parent) {
  m_sentence = makeLabel(theme, sentence, Theme::Text::Body, "text2", this);
  m_sentence->setAlignment(Qt::AlignCenter);
  m_sentence->setWordWrap(true);
  m_button = new QPushButton(button, this);
  m_button->setVisible(!button.isEmpty());
  connect(m_button, &QPushButton::clicked, this, &EmptyState::clicked);
  auto* column = new QVBoxLayout(this);
  column->addStretch(1);
  column->addWidget(m_sentence);
  column->addSpacing(8);
  column->addWidget(m_button, 0, Qt::AlignHCenter);
  column->addStretch(1);
}

}  // namespace strata::gui

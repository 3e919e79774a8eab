// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/panel_header.h"

#include <QHBoxLayout>
#include <QLabel>

#include "gui/widgets/elided_text.h"
#include "gui/widgets/label.h"

namespace strata::gui {

PanelHeader::PanelHeader(const Theme& theme, const QString& title, QWidget* parent) : QWidget(parent) {
  m_icon = new QLabel(this);
  m_icon->hide();
  m_title = makeLabel(theme, title, Theme::Text::BodyStrong, "text", this);
  m_hint = new ElidedText(theme, "text2", this);
  m_hint->setFont(theme.font(Theme::Text::Caption));
  m_hint->setWholeOnly();
  m_row = new QHBoxLayout(this);
  m_row->setContentsMargins(12, 0, 12, 0);
  m_row->setSpacing(8);
  m_row->addWidget(m_icon);
  m_row->addWidget(m_title);
  m_row->addWidget(m_hint, 1);
  setMinimumHeight(36);
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
}

void PanelHeader::setTitle(const QString& title) { m_title->setText(title); }
void PanelHeader::setHint(const QString& hint) { m_hint->setText(hint); }

void PanelHeader::setIcon(const QIcon& icon) {
  m_icon->setPixmap(icon.pixmap(QSize(16, 16), devicePixelRatioF()));
  m_icon->setVisible(!icon.isNull());
}

void PanelHeader::addWidget(QWidget* widget) { m_row->addWidget(widget); }

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/banner.h"

#include <QAccessible>
#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPushButton>
#include <QToolButton>
#include <utility>

#include "gui/widgets/label.h"

namespace strata::gui {

Banner::Banner(const Theme& theme, QWidget* parent) : QWidget(parent) {
  setObjectName("banner");
  setProperty("ground", "bad");
  setAttribute(Qt::WA_StyledBackground);
  auto* icon = new QLabel(this);
  icon->setPixmap(theme.icon("error", "bad").pixmap(16));
  connect(&theme, &Theme::changed, icon, [icon, &theme] { icon->setPixmap(theme.icon("error", "bad").pixmap(16)); });
  m_text = makeLabel(theme, {}, Theme::Text::Body, "bad", this);
  m_text->setObjectName("bannerText");
  m_text->setWordWrap(true);
  m_text->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  m_offer = new QPushButton(this);
  m_offer->setObjectName("bannerOffer");
  auto* copy = new QPushButton(tr("Copy details"), this);
  auto* close = new QToolButton(this);
  close->setIcon(theme.icon("x"));
  close->setProperty("quiet", true);
  close->setToolTip(tr("Close this message"));
  close->setAccessibleName(close->toolTip());
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(16, 6, 12, 6);
  row->setSpacing(8);
  row->addWidget(icon);
  row->addWidget(m_text, 1);
  row->addWidget(m_offer);
  row->addWidget(copy);
  row->addWidget(close);
  connect(copy, &QPushButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(m_text->text()); });
  connect(close, &QToolButton::clicked, this, &QWidget::hide);
  connect(m_offer, &QPushButton::pressed, this, [this] { m_pressed = m_accept; });
  connect(m_offer, &QPushButton::clicked, this, [this] {
    const auto accept = std::exchange(m_pressed, {});
    m_accept = {};
    hide();
    if (accept) accept();
  });
  hide();
}

void Banner::showText(const QString& text) { showOffer(text, {}, {}); }

void Banner::withdraw(const QString& text) {
  if (text != m_text->text()) return;
  m_accept = {};
  hide();
}

void Banner::showOffer(const QString& text, const QString& button, std::function<void()> accept) {
  m_accept = std::move(accept);
  m_offer->setText(button);
  m_offer->setVisible(m_accept != nullptr);
  m_text->setText(text);
  setAccessibleName(text);
  show();
  QAccessibleEvent event(this, QAccessible::Alert);
  QAccessible::updateAccessibility(&event);
}

}  // namespace strata::gui

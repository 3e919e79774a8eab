// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/event_delegate.h"

#include <QPainter>

#include "gui/models/events_model.h"

namespace strata::gui {

void EventDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  const auto kind = EventsModel::Kind(index.data(EventsModel::KindRole).toInt());
  const bool warning = kind == EventsModel::Kind::Warning;
  painter->save();
  if (option.state & QStyle::State_Selected) painter->fillRect(option.rect, m_theme.color("sel"));
  if (index.column() == EventsModel::Icon) {
    static const char* icons[] = {"info", "note", "star", "warn"};
    const char* token = warning ? "warn" : kind == EventsModel::Kind::Best ? "accent" : "text2";
    m_theme.paintIcon(*painter, QRectF(option.rect.left() + 4, option.rect.center().y() - 6.5, 14, 14),
                      icons[int(kind)], m_theme.color(token));
  } else {
    const bool time = index.column() == EventsModel::Time;
    painter->setFont(m_theme.font(time ? Theme::Text::Caption : Theme::Text::Body));
    painter->setPen(m_theme.color(time ? "text2" : warning ? "warn" : "text"));
    const QRect box = option.rect.adjusted(time ? 14 : 4, 0, -4, 0);
    painter->drawText(box, Qt::AlignLeft | Qt::AlignVCenter,
                      painter->fontMetrics().elidedText(index.data().toString(), Qt::ElideRight, box.width()));
  }
  painter->restore();
}

}  // namespace strata::gui

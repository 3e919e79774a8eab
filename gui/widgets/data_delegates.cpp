// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/data_delegates.h"

#include <QImage>
#include <QPainter>
#include <algorithm>

#include "gui/models/dataset_model.h"

namespace strata::gui {
namespace {

constexpr int kPicture = 56, kMargin = 6;

void paintRowGround(QPainter& painter, const Theme& theme, const QStyleOptionViewItem& option) {
  const bool selected = option.state.testFlag(QStyle::State_Selected);
  if (!selected && !option.state.testFlag(QStyle::State_MouseOver)) return;
  painter.setPen(selected && option.state.testFlag(QStyle::State_HasFocus) ? QPen(theme.color("accent"), 2)
                                                                           : QPen(Qt::NoPen));
  painter.setBrush(theme.color(selected ? "sel" : "hover"));
  painter.drawRoundedRect(QRectF(option.rect).adjusted(6, 1, -6, -1), 4, 4);
}

}  // namespace

ThumbnailDelegate::ThumbnailDelegate(const Theme& theme, QObject* parent)
    : QStyledItemDelegate(parent), m_theme(theme), m_caption(theme.font(Theme::Text::Caption)) {}

QSize ThumbnailDelegate::cellSize() const {
  return {kPicture + 2 * kMargin, kPicture + 2 * kMargin + QFontMetrics(m_caption).height()};
}

void ThumbnailDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  const QImage image = index.data(DatasetModel::ImageRole).value<QImage>();
  if (image.isNull()) return;
  const int factor = std::max(1, kPicture / std::max(image.width(), image.height()));
  const QSize size = image.width() > kPicture || image.height() > kPicture
                         ? image.size().scaled(kPicture, kPicture, Qt::KeepAspectRatio)
                         : image.size() * factor;
  const QRect cell = option.rect;
  const QRect rect(cell.center().x() - size.width() / 2, cell.top() + kMargin, size.width(), size.height());
  painter->save();
  painter->drawImage(rect, image);
  const bool selected = option.state.testFlag(QStyle::State_Selected);
  if (selected) {
    painter->setPen(QPen(m_theme.color("accent"), 2));
    painter->drawRect(rect.adjusted(-2, -2, 1, 1));
  }
  painter->setFont(m_caption);
  painter->setPen(m_theme.color(selected ? "text" : "text2"));
  const QRect line(cell.left() + 1, rect.bottom() + 2, cell.width() - 2, QFontMetrics(m_caption).height());
  painter->drawText(line, Qt::AlignCenter,
                    QFontMetrics(m_caption).elidedText(index.data().toString(), Qt::ElideRight, line.width()));
  painter->restore();
}

QSize ClassBarDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const {
  return {100, std::max(26, option.fontMetrics.height() + 8)};
}

void ClassBarDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  painter->save();
  painter->setRenderHint(QPainter::Antialiasing);
  paintRowGround(*painter, m_theme, option);
  const QFontMetrics& metrics = option.fontMetrics;
  const QRect row = option.rect.adjusted(12, 0, -13, 0);
  const QString count = number(index.data(CountRole).toInt());
  const int countWidth = metrics.horizontalAdvance("60,000"),
            nameWidth = std::min(row.width() / 3, metrics.horizontalAdvance("All classes") + 8);
  painter->setPen(m_theme.color("text"));
  painter->drawText(row, Qt::AlignVCenter | Qt::AlignLeft,
                    metrics.elidedText(index.data().toString(), Qt::ElideRight, nameWidth));
  painter->setPen(m_theme.color("text2"));
  painter->drawText(row, Qt::AlignVCenter | Qt::AlignRight, count);
  const int largest = index.data(LargestRole).toInt();
  if (largest > 0) {
    const QRectF track(row.left() + nameWidth + 6, row.center().y() - 3, row.width() - nameWidth - countWidth - 18, 7);
    painter->setPen(Qt::NoPen);
    painter->setBrush(m_theme.color("sunken"));
    painter->drawRoundedRect(track, 2, 2);
    painter->setBrush(m_theme.color("accent"));
    painter->drawRoundedRect(
        QRectF(track.topLeft(), QSizeF(track.width() * index.data(CountRole).toInt() / largest, track.height())), 2, 2);
  }
  painter->restore();
}

QSize SourceDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const {
  return {100, option.fontMetrics.height() + QFontMetrics(m_theme.font(Theme::Text::Caption)).height() + 16};
}

void SourceDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  painter->save();
  painter->setRenderHint(QPainter::Antialiasing);
  paintRowGround(*painter, m_theme, option);
  const QFont strong = m_theme.font(Theme::Text::BodyStrong), caption = m_theme.font(Theme::Text::Caption);
  const QRect row = option.rect.adjusted(16, 7, -12, -7);
  painter->setFont(strong);
  painter->setPen(m_theme.color("text"));
  painter->drawText(row, Qt::AlignTop | Qt::AlignLeft,
                    QFontMetrics(strong).elidedText(index.data().toString(), Qt::ElideRight, row.width()));
  painter->setFont(caption);
  painter->setPen(m_theme.color(index.data(ToneRole).toString()));
  painter->drawText(row, Qt::AlignBottom | Qt::AlignLeft,
                    QFontMetrics(caption).elidedText(index.data(StateRole).toString(), Qt::ElideRight, row.width()));
  painter->restore();
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/diff_delegate.h"

#include <QPainter>

#include "gui/models/diff_model.h"
#include "gui/widgets/confusion_view.h"

namespace strata::gui {

namespace {

constexpr int kSide = 6;

bool isStrong(const QModelIndex& index) {
  return index.column() == DiffModel::Mark ||
         DiffModel::Change(index.data(DiffModel::ChangeRole).toInt()) == DiffModel::Change::Total;
}

}  // namespace

QSize DiffDelegate::sizeHint(const QStyleOptionViewItem&, const QModelIndex& index) const {
  const QFontMetrics metrics(m_theme.font(isStrong(index) ? Theme::Text::BodyStrong : Theme::Text::Body));
  return {metrics.horizontalAdvance(index.data().toString()) + 2 * kSide, metrics.height()};
}

void DiffDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  using Change = DiffModel::Change;
  const auto change = Change(index.data(DiffModel::ChangeRole).toInt());
  const bool total = change == Change::Total;
  painter->save();
  if (change == Change::Changed) painter->fillRect(option.rect, ConfusionView::tint(m_theme, 0));
  if (change == Change::Added || change == Change::Removed) painter->fillRect(option.rect, m_theme.color("sel"));
  if (total) {
    painter->setPen(m_theme.color("bstrong"));
    painter->drawLine(option.rect.topLeft(), option.rect.topRight());
  }
  const bool mark = index.column() == DiffModel::Mark;
  painter->setFont(m_theme.font(isStrong(index) ? Theme::Text::BodyStrong : Theme::Text::Body));
  painter->setPen(m_theme.color(mark                     ? (change == Change::Changed ? "val" : "accent")
                                : change == Change::Same ? "text2"
                                                         : "text"));
  const QRect box = option.rect.adjusted(kSide, 0, -kSide, 0);
  const auto text = painter->fontMetrics().elidedText(index.data().toString(), Qt::ElideRight, box.width() + 1);
  painter->drawText(box, index.data(Qt::TextAlignmentRole).toInt(), text);
  painter->restore();
}

}  // namespace strata::gui

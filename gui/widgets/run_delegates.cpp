// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/run_delegates.h"

#include <QPainter>
#include <QPainterPath>
#include <algorithm>
#include <cmath>

#include "gui/models/runs_model.h"

namespace strata::gui {
namespace {

constexpr int kRow = 31;

/// The lowest and the highest value of each of so many groups, in their order; few values as they are.
QVector<double> thinned(const QVector<double>& values, qsizetype groups) {
  if (values.size() <= 2 * std::max<qsizetype>(groups, 1)) return values;
  QVector<double> ends;
  for (qsizetype i = 0; i < groups; ++i) {
    const auto from = values.begin() + i * values.size() / groups,
               to = values.begin() + (i + 1) * values.size() / groups;
    const auto [low, high] = std::minmax_element(from, to);
    ends << *std::min(low, high) << *std::max(low, high);
  }
  return ends;
}

}  // namespace

void RunDelegate::initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const {
  QStyledItemDelegate::initStyleOption(option, index);
  const int column = index.column();
  const bool strong = column == RunsModel::Best && index.data(RunsModel::ReferenceRole).toBool();
  option->font = m_theme.font(strong ? Theme::Text::BodyStrong : Theme::Text::Body);
  const bool quiet = column == RunsModel::BestEpoch || column == RunsModel::Device || column == RunsModel::Data ||
                     column == RunsModel::Validated;
  option->palette.setColor(QPalette::Text, m_theme.color(quiet ? "text2" : "text"));
}

QSize RunDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
  const auto size = QStyledItemDelegate::sizeHint(option, index);
  switch (index.column()) {
    case RunsModel::Show:
      return {62, kRow};
    case RunsModel::Name:
      return {size.width() + (index.data(RunsModel::ReferenceRole).toBool() ? 104 : 34), kRow};
    case RunsModel::Monitored:
      return {88, kRow};
    case RunsModel::State:
      return {size.width() + (index.data(RunsModel::ProblemsRole).toInt() > 0 ? 42 : 22), kRow};
    default:
      return {size.width() + 8, kRow};
  }
}

void RunDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  const QRectF box = QRectF(option.rect).adjusted(8, 0, -8, 0);
  const int column = index.column();
  const bool own = column == RunsModel::Show || column == RunsModel::Name || column == RunsModel::Monitored ||
                   column == RunsModel::Epochs || column == RunsModel::State;
  painter->save();
  const bool compared = !index.siblingAtColumn(RunsModel::Name).data(RunsModel::LetterRole).toString().isEmpty();
  const bool selected = option.state & QStyle::State_Selected;
  if (selected || compared) painter->fillRect(option.rect, m_theme.color("sel"));
  else if (option.state & QStyle::State_MouseOver) painter->fillRect(option.rect, m_theme.color("hover"));
  painter->setPen(m_theme.color("border"));
  painter->drawLine(option.rect.bottomLeft(), option.rect.bottomRight());
  painter->setRenderHint(QPainter::Antialiasing);
  painter->setFont(m_theme.font(Theme::Text::Body));
  switch (column) {
    case RunsModel::Show:
      paintShow(*painter, box, index);
      break;
    case RunsModel::Name:
      paintName(*painter, box, index);
      break;
    case RunsModel::Monitored:
      paintCurve(*painter, box, index);
      break;
    case RunsModel::Epochs:
      paintEpochs(*painter, box, index);
      break;
    case RunsModel::State:
      paintState(*painter, box, index);
      break;
    default:
      break;
  }
  if (!own) {
    QStyleOptionViewItem text = option;
    initStyleOption(&text, index);
    painter->setFont(text.font);
    painter->setPen(text.palette.color(QPalette::Text));
    painter->drawText(box, text.displayAlignment,
                      painter->fontMetrics().elidedText(text.text, Qt::ElideRight, int(box.width()) + 1));
  }
  if (column == RunsModel::Name && option.state & QStyle::State_HasFocus) {
    painter->setPen(QPen(m_theme.color("accent"), 2));
    painter->drawLine(option.rect.topLeft() + QPoint(1, 4), option.rect.bottomLeft() + QPoint(1, -4));
  }
  painter->restore();
}

void RunDelegate::paintShow(QPainter& painter, const QRectF& box, const QModelIndex& index) const {
  const bool on = index.data(Qt::CheckStateRole).toInt() == Qt::Checked;
  const QRectF tick(box.left(), box.center().y() - 7, 15, 15);
  painter.setPen(m_theme.color(on ? "accent" : "bstrong"));
  painter.setBrush(m_theme.color(on ? "accent" : "raised"));
  painter.drawRoundedRect(tick, 3, 3);
  if (!on) return;
  m_theme.paintIcon(painter, tick.adjusted(1.5, 1.5, -1.5, -1.5), "check", m_theme.color("onaccent"));
  QPen pen(m_theme.color(index.data(RunsModel::TokenRole).toString()), 2,
           Qt::PenStyle(index.data(RunsModel::DashRole).toInt()));
  painter.setPen(pen);
  painter.drawLine(QPointF(tick.right() + 11, box.center().y()), QPointF(tick.right() + 29, box.center().y()));
}

void RunDelegate::paintName(QPainter& painter, QRectF box, const QModelIndex& index) const {
  const auto letter = index.data(RunsModel::LetterRole).toString();
  const bool reference = index.data(RunsModel::ReferenceRole).toBool();
  painter.setFont(m_theme.font(reference ? Theme::Text::Body : Theme::Text::BodyStrong));
  painter.setPen(m_theme.color("text"));
  const double badges = (letter.isEmpty() ? 0 : 26) + (reference ? 96 : 0);
  const auto text =
      painter.fontMetrics().elidedText(index.data().toString(), Qt::ElideRight, int(box.width() - badges));
  painter.drawText(box, Qt::AlignLeft | Qt::AlignVCenter, text);
  box.setLeft(box.left() + painter.fontMetrics().horizontalAdvance(text) + 8);
  painter.setFont(m_theme.font(Theme::Text::Caption));
  if (!letter.isEmpty()) {
    const QRectF badge(box.left(), box.center().y() - 9, 18, 18);
    painter.setPen(m_theme.color("text2"));
    painter.setBrush(m_theme.color("surface"));
    painter.drawRoundedRect(badge, 3, 3);
    painter.drawText(badge, Qt::AlignCenter, letter);
    box.setLeft(badge.right() + 8);
  }
  if (!reference) return;
  const auto word = RunsModel::tr("reference");
  const QRectF badge(box.left(), box.center().y() - 10, painter.fontMetrics().horizontalAdvance(word) + 34, 20);
  painter.setPen(Qt::NoPen);
  painter.setBrush(m_theme.color("sunken"));
  painter.drawRoundedRect(badge, 10, 10);
  m_theme.paintIcon(painter, QRectF(badge.left() + 9, badge.top() + 4, 12, 12), "lock", m_theme.color("text2"));
  painter.setPen(m_theme.color("text2"));
  painter.drawText(badge.adjusted(25, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, word);
}

/// From the lowest to the highest of the values after the first epoch, whose jump would flatten all the rest. Before it
/// what it is of, where that is not the same for all.
void RunDelegate::paintCurve(QPainter& painter, QRectF box, const QModelIndex& index) const {
  const auto title = index.data().toString();
  if (!title.isEmpty()) {
    painter.setFont(m_theme.font(Theme::Text::Caption));
    painter.setPen(m_theme.color("text2"));
    const auto text = painter.fontMetrics().elidedText(title, Qt::ElideRight, int(box.width()));
    painter.drawText(box, Qt::AlignLeft | Qt::AlignVCenter, text);
    box.setLeft(box.left() + painter.fontMetrics().horizontalAdvance(text) + 8);
    if (box.width() < 16) return;
  }
  auto values = index.data(RunsModel::CurveRole).value<QVector<double>>();
  values.removeIf([](double value) { return !std::isfinite(value); });
  values = thinned(values, qsizetype(box.width()));
  if (values.size() < 2) return;
  const auto [least, most] = std::minmax_element(values.begin() + 1, values.end());
  double low = *least, high = *most;
  const double flat = std::max(1e-3 * std::abs(high), 1e-9);  // so little of a change is not blown up
  if (values.front() < high) low = std::min(low, high - flat);
  else high = std::max(high, low + flat);
  QPainterPath line;
  for (qsizetype i = 0; i < values.size(); ++i) {
    const double share = std::clamp((values[i] - low) / (high - low), 0.0, 1.0);
    const QPointF at(box.left() + box.width() * double(i) / double(values.size() - 1),
                     box.bottom() - 8 - (box.height() - 16) * share);
    if (i == 0) line.moveTo(at);
    else line.lineTo(at);
  }
  painter.strokePath(line, QPen(m_theme.color(index.data(RunsModel::TokenRole).toString()), 1.25));
}

void RunDelegate::paintEpochs(QPainter& painter, QRectF box, const QModelIndex& index) const {
  painter.setPen(m_theme.color("text"));
  const auto text = index.data().toString();
  painter.drawText(box, Qt::AlignRight | Qt::AlignVCenter, text);
  const double done = index.data(RunsModel::ProgressRole).toDouble();
  box.setRight(box.right() - painter.fontMetrics().horizontalAdvance(text) - 8);
  if (done < 0 || box.width() < 16) return;
  const QRectF track(box.left(), box.center().y() - 2.5, box.width(), 5);
  painter.setPen(Qt::NoPen);
  painter.setBrush(m_theme.color("sunken"));
  painter.drawRoundedRect(track, 2, 2);
  painter.setBrush(m_theme.color("accent"));
  painter.drawRoundedRect(QRectF(track.topLeft(), QSizeF(track.width() * done, 5)), 2, 2);
}

void RunDelegate::paintState(QPainter& painter, const QRectF& box, const QModelIndex& index) const {
  const auto text = index.data().toString();
  const bool reference = index.data(RunsModel::ReferenceRole).toBool();
  const bool bad = text == RunsModel::tr("Diverged") || text == RunsModel::tr("Failed");
  const bool going = index.data(RunsModel::ProgressRole).toDouble() >= 0;
  const char* token = reference ? "text3" : bad ? "bad" : going ? "accent" : "text2";
  QRectF place = box;
  if (index.data(RunsModel::ProblemsRole).toInt() > 0) {
    place.setRight(box.right() - 20);
    m_theme.paintIcon(painter, QRectF(box.right() - 14, box.center().y() - 7, 14, 14), "warn", m_theme.color("warn"));
  }
  if (!reference) {
    const char* icon = bad ? "error" : going ? "play" : text == RunsModel::tr("Finished") ? "check" : "stop";
    m_theme.paintIcon(painter, QRectF(box.left(), box.center().y() - 7, 14, 14), icon, m_theme.color(token));
    place.setLeft(box.left() + 20);
  }
  painter.setPen(m_theme.color(token));
  painter.drawText(place, Qt::AlignLeft | Qt::AlignVCenter,
                   painter.fontMetrics().elidedText(text, Qt::ElideRight, int(place.width())));
}

}  // namespace strata::gui

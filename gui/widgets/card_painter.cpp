// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/card_painter.h"

#include <QCoreApplication>
#include <QPainterPath>
#include <QRegularExpression>
#include <algorithm>

#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kIcon = 16, kStripe = StackMetrics::kStripe, kClosedHint = 3;
constexpr double kRadius = 6;
const QString kBetween = QStringLiteral(" · ");  ///< the parts of a summary

QString tr(const char* text) { return QCoreApplication::translate("CardPainter", text); }

/// "2 errors": of the card, or in a closed container of what it holds.
QString issueCount(const LayerCard& card, bool withInside) {
  qint64 errors = withInside ? card.errorsInside : 0, warnings = withInside ? card.warningsInside : 0;
  for (const Issue& issue : card.issues) ++(issue.level == Issue::Level::Error ? errors : warnings);
  if (errors > 0) return counted(errors, tr("1 error"), tr("%1 errors"));
  return warnings > 0 ? counted(warnings, tr("1 warning"), tr("%1 warnings")) : QString();
}

/// "32 filters · 3 × 3" -> "32 · 3 × 3".
QString withoutUnit(const QString& summary) {
  static const QRegularExpression unit("^([0-9,]+) \\w+ · ");
  return QString(summary).replace(unit, "\\1 · ");
}

bool isFixed(const LayerCard& card) { return card.kind != LayerCard::Kind::Layer; }
bool isBroken(const PlacedCard& at, const LayerCard& card) {
  return card.hasError() || (!at.open && card.errorsInside > 0);
}

}  // namespace

QString CardPainter::fitted(const QString& summary, const LayerCard& card, const QFontMetrics& metrics, int room) {
  const auto fits = [&](const QString& text) { return metrics.horizontalAdvance(text) <= room; };
  if (fits(summary)) return summary;
  QStringList parts = (card.isContainer ? summary : withoutUnit(summary)).split(kBetween);
  while (!parts.isEmpty() && !fits(parts.join(kBetween))) {
    const bool blamed = !card.blamed.isEmpty() && parts.first().contains(card.blamed);
    if (card.isContainer) parts.removeLast();
    else if (blamed) return metrics.elidedText(parts.join(kBetween), Qt::ElideRight, room);
    else parts.removeFirst();
  }
  return parts.join(kBetween);
}

CardPainter::CardPainter(const Theme& theme)
    : m_theme(theme), m_strong(theme.font(Theme::Text::BodyStrong)), m_body(theme.font(Theme::Text::Body)),
      m_small(m_body) {
  m_small.setPointSizeF(QFontInfo(m_body).pointSizeF() * 0.92);
}

const Issue* CardPainter::stripIssue(const LayerCard& card, bool selected) {
  for (const Issue& issue : card.issues)
    if (issue.level == Issue::Level::Error) return &issue;
  return selected && !card.issues.empty() ? &card.issues.front() : nullptr;
}

QRect CardPainter::chevron(const PlacedCard& at) {
  return at.container ? QRect(at.head.left(), at.head.top(), 24, std::min(at.head.height(), 34)) : QRect();
}

QColor CardPainter::inkOf(const LayerCard& card) const {
  return m_theme.color(card.out.known() || card.hasError() ? "text" : "text3");
}

void CardPainter::paint(QPainter& painter, const PlacedCard& at, const LayerCard& card, const StackLayout& layout,
                        const CardState& state) const {
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  paintFrame(painter, at, card, state);
  if (const Issue* issue = at.strip.isNull() ? nullptr : stripIssue(card, state.selected))
    paintStrip(painter, at, card, *issue, state);
  if (at.form == PlacedCard::Form::Chip) {
    paintChip(painter, at, card);
    return painter.restore();
  }
  paintMarks(painter, at, card);
  const int em = QFontMetrics(m_body).horizontalAdvance('0');
  const int right =
      at.form == PlacedCard::Form::Row ? layout.columns.outputLeft - em : at.head.right() - columnFigures(at) - em;
  const bool silent = layout.narrow && (at.depth > 0 || at.form == PlacedCard::Form::Column);
  if (!at.compact && !at.open) paintTwoLines(painter, at, card, right);
  else
    paintOneLine(painter, at, card, right,
                 silent                               ? QString()
                 : layout.narrow || !card.isContainer ? card.brief
                                                      : card.summary);
  if (at.form == PlacedCard::Form::Row) paintFigures(painter, at, card, layout);
  else paintColumnFigures(painter, at, card);
  painter.restore();
}

void CardPainter::paintFrame(QPainter& painter, const PlacedCard& at, const LayerCard& card,
                             const CardState& state) const {
  const bool fixed = isFixed(card), broken = isBroken(at, card);
  const double width = state.selected || broken ? 2 : 1;
  const QRectF edge = QRectF(at.frame).adjusted(width / 2, width / 2, -width / 2, -width / 2);
  QPainterPath path;
  path.addRoundedRect(edge, kRadius, kRadius);
  const char* ground = at.open ? (at.depth % 2 == 0 ? "sunken" : "bg") : fixed ? "bg" : "surface";
  painter.fillPath(path, m_theme.color(ground));
  if (!fixed) {
    painter.save();
    painter.setClipPath(path);
    if (at.open) {
      painter.fillRect(at.head, m_theme.color("surface"));
      painter.fillRect(QRect(at.head.left(), at.head.bottom() + 1, at.head.width(), 1), m_theme.color("border"));
    }
    if (!at.strip.isNull())
      painter.fillRect(at.strip.adjusted(kStripe + 1, 0, 0, 0), m_theme.color(card.hasError() ? "badbg" : "warnbg"));
    QColor stripe = m_theme.color(card.category);
    if (!card.out.known() && !broken) stripe.setAlphaF(0.45f);
    painter.fillRect(QRect(at.frame.left(), at.frame.top(), kStripe + 1, at.frame.height()), stripe);
    painter.restore();
  }
  const QColor color = m_theme.color(broken ? "bad" : state.selected ? "accent" : fixed ? "bbutton" : "border");
  painter.setPen(QPen(color, width, fixed && !state.selected ? Qt::DashLine : Qt::SolidLine));
  painter.setBrush(Qt::NoBrush);
  painter.drawPath(path);
  if (at.container && !at.open) {  // more inside
    painter.setPen(QPen(m_theme.color("bbutton"), 1));
    const double y = at.frame.bottom() + kClosedHint + 0.5;
    painter.drawLine(QPointF(at.frame.left() + 7, y), QPointF(at.frame.right() - 7, y));
  }
  if (broken && state.selected && state.focused) {  // the red edge says broken; a second ring says here
    painter.setPen(QPen(m_theme.color("accent"), 1.5));
    painter.drawRoundedRect(edge.adjusted(3, 3, -3, -3), kRadius - 2, kRadius - 2);
  }
}

/// Grip or chevron, and the icon.
void CardPainter::paintMarks(QPainter& painter, const PlacedCard& at, const LayerCard& card) const {
  const double top = at.head.center().y() - kIcon / 2.0 + 1;
  const bool tight = at.compact || at.open;
  QColor icon = m_theme.color(card.category);
  if (!card.out.known() && !isBroken(at, card)) icon.setAlphaF(0.55f);
  if (at.container)
    m_theme.paintIcon(painter, QRectF(at.head.left() + 7, top + 1, 14, 14), at.open ? "chev" : "chevr",
                      m_theme.color("text2"));
  else if (!isFixed(card))
    m_theme.paintIcon(painter, QRectF(at.head.left() + (tight ? 6 : 8), top, kIcon, kIcon), "grip",
                      m_theme.color("text3"));
  m_theme.paintIcon(painter, QRectF(at.head.left() + (tight ? 25 : 28), top, kIcon, kIcon), card.icon, icon);
}

void CardPainter::paintTwoLines(QPainter& painter, const PlacedCard& at, const LayerCard& card, int right) const {
  const QFontMetrics strong(m_strong), small(m_small);
  const int left = textLeft(at), width = right - left;
  const int top = at.head.center().y() + 1 - (strong.height() + small.height()) / 2;
  painter.setFont(m_strong);
  painter.setPen(inkOf(card));
  const QString title = strong.elidedText(card.title, Qt::ElideRight, width);
  painter.drawText(QRect(left, top, width, strong.height()), Qt::AlignLeft | Qt::AlignVCenter, title);
  int x = left + strong.horizontalAdvance(title) + 8;
  painter.setFont(m_small);
  painter.setPen(m_theme.color("text3"));
  const QString name = small.elidedText(card.name, Qt::ElideRight, std::max(0, right - x));
  painter.drawText(QRect(x, top, right - x, strong.height()), Qt::AlignLeft | Qt::AlignVCenter, name);
  x += small.horizontalAdvance(name) + 8;
  x += paintFrozen(painter, QRect(x, top, right - x, strong.height()), card);
  if (!issueCount(card, !at.open).isEmpty()) paintBadge(painter, x, top + strong.height() / 2, card);
  paintSummary(painter, QRect(left, top + strong.height(), width, small.height()), card, card.summary);
}

/// Title, name, lock, badge and as much of the summary as there is room for. Where not even title and name fit, the
/// icon stands for the title.
void CardPainter::paintOneLine(QPainter& painter, const PlacedCard& at, const LayerCard& card, int right,
                               const QString& summary) const {
  const QFontMetrics strong(m_strong), small(m_small);
  const QString title = card.title, name = card.name;
  int x = textLeft(at);
  const auto line = [&] { return QRect(x, at.head.top(), std::max(0, right - x), at.head.height()); };
  const bool both = strong.horizontalAdvance(title) + 8 + small.horizontalAdvance(name) <= right - x;
  const QString first = strong.elidedText(both || name.isEmpty() ? title : name, Qt::ElideRight, right - x);
  painter.setFont(m_strong);
  painter.setPen(inkOf(card));
  painter.drawText(line(), Qt::AlignLeft | Qt::AlignVCenter, first);
  x += strong.horizontalAdvance(first) + 8;
  if (both && !name.isEmpty()) {
    painter.setFont(m_small);
    painter.setPen(m_theme.color("text3"));
    painter.drawText(line(), Qt::AlignLeft | Qt::AlignVCenter, name);
    x += small.horizontalAdvance(name) + 10;
  }
  x += paintFrozen(painter, line(), card);
  if (!issueCount(card, !at.open).isEmpty()) x += paintBadge(painter, x, at.head.center().y() + 1, card) + 8;
  paintSummary(painter, line(), card, fitted(summary, card, small, right - x));
}

/// Icon and title, what it does, what it costs; where there is no room the icon and what it does.
void CardPainter::paintChip(QPainter& painter, const PlacedCard& at, const LayerCard& card) const {
  const QFontMetrics strong(m_strong), small(m_small);
  const QRect inner = at.head.adjusted(kStripe + 4, 2, -4, -2);
  QColor icon = m_theme.color(card.category);
  if (!card.out.known() && !isBroken(at, card)) icon.setAlphaF(0.55f);
  const bool tiny = inner.width() < 60;
  const QString& brief = card.brief;
  if (tiny) {
    m_theme.paintIcon(painter, QRectF(inner.center().x() - 7, inner.top() + 6, kIcon, kIcon), card.icon, icon);
    painter.setFont(m_small);
    painter.setPen(m_theme.color("text2"));
    const QStringList parts = brief.split(kBetween);
    const auto window =
        std::find_if(parts.begin(), parts.end(), [](const QString& part) { return part.contains("×"); });
    const QString words = window == parts.end() ? card.name : *window;
    painter.drawText(QRect(inner.left() - 3, inner.bottom() - small.height() - 5, inner.width() + 6, small.height()),
                     Qt::AlignCenter, small.elidedText(words, Qt::ElideRight, inner.width() + 6));
    return;
  }
  const int row = inner.height() / 3;
  m_theme.paintIcon(painter, QRectF(inner.left() + 3, inner.top() + row / 2.0 - 8, kIcon, kIcon), card.icon, icon);
  if (card.frozen)
    m_theme.paintIcon(painter, QRectF(inner.right() - 16, inner.top() + row / 2.0 - 7, 14, 14), "lock",
                      m_theme.color("text2"));
  painter.setFont(m_strong);
  painter.setPen(inkOf(card));
  const int room = inner.width() - 26 - (card.frozen ? 18 : 0);
  painter.drawText(QRect(inner.left() + 25, inner.top(), room, row), Qt::AlignLeft | Qt::AlignVCenter,
                   strong.elidedText(card.title, Qt::ElideRight, room));
  painter.setFont(m_small);
  painter.setPen(m_theme.color("text2"));
  QStringList parts = brief.split(kBetween);
  if (!card.isContainer && parts.size() > 1) parts.removeFirst();  // the filters are in the shape
  painter.drawText(QRect(inner.left() + 3, inner.top() + row, inner.width() - 4, row), Qt::AlignLeft | Qt::AlignVCenter,
                   fitted(parts.join(kBetween), card, small, inner.width() - 4));
  painter.setPen(m_theme.color("text3"));
  const QString issues = issueCount(card, true);
  QString cost = !issues.isEmpty()     ? issues
                 : card.parameters < 0 ? QStringLiteral("—")
                                       : counted(card.parameters, tr("1 parameter"), tr("%1 parameters"));
  if (small.horizontalAdvance(cost) > inner.width() - 4) cost = number(card.parameters);
  if (!issues.isEmpty()) painter.setPen(m_theme.color(isBroken(at, card) ? "bad" : "warn"));
  painter.drawText(QRect(inner.left() + 3, inner.top() + 2 * row, inner.width() - 4, row),
                   Qt::AlignLeft | Qt::AlignVCenter, small.elidedText(cost, Qt::ElideRight, inner.width() - 4));
}

void CardPainter::paintSummary(QPainter& painter, const QRect& rect, const LayerCard& card,
                               const QString& summary) const {
  const QFontMetrics small(m_small);
  const QString text = small.elidedText(summary, Qt::ElideRight, rect.width());
  const auto found = card.blamed.isEmpty() ? -1 : text.indexOf(card.blamed);
  painter.setFont(m_small);
  painter.setPen(m_theme.color(card.out.known() || card.hasError() ? "text2" : "text3"));
  if (found < 0) {
    painter.drawText(rect, Qt::AlignLeft | Qt::AlignVCenter, text);
    return;
  }
  QFont bold = m_small;
  bold.setBold(true);
  int x = rect.left();
  const auto part = [&](const QString& words, bool blamed) {
    painter.setFont(blamed ? bold : m_small);
    painter.setPen(m_theme.color(blamed ? (card.hasError() ? "bad" : "warn") : "text2"));
    painter.drawText(QRect(x, rect.top(), rect.right() - x, rect.height()), Qt::AlignLeft | Qt::AlignVCenter, words);
    x += QFontMetrics(painter.font()).horizontalAdvance(words);
  };
  part(text.left(found), false);
  part(card.blamed, true);
  part(text.mid(found + card.blamed.size()), false);
}

/// The lock and the word; returns how much room they took.
int CardPainter::paintFrozen(QPainter& painter, const QRect& rect, const LayerCard& card) const {
  if (!card.frozen || rect.width() < 14) return 0;
  const QFontMetrics small(m_small);
  const QString word = tr("frozen");
  m_theme.paintIcon(painter, QRectF(rect.left(), rect.center().y() - 7, 14, 14), "lock", m_theme.color("text2"));
  const int width = small.horizontalAdvance(word);
  if (rect.width() < 20 + width) return 20;
  painter.setFont(m_small);
  painter.setPen(m_theme.color("text2"));
  painter.drawText(rect.adjusted(20, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, word);
  return 20 + width + 10;
}

int CardPainter::paintBadge(QPainter& painter, int left, int middle, const LayerCard& card) const {
  const bool error = card.hasError() || card.errorsInside > 0;
  QFont bold = m_theme.font(Theme::Text::Caption);
  bold.setBold(true);
  const QFontMetrics metrics(bold);
  const QString text = issueCount(card, true);
  const int height = metrics.height() + 4;
  const QRectF rect(left, middle - height / 2.0, metrics.horizontalAdvance(text) + 32, height);
  painter.setPen(Qt::NoPen);
  painter.setBrush(m_theme.color(error ? "badbg" : "warnbg"));
  painter.drawRoundedRect(rect, height / 2.0, height / 2.0);
  const QColor color = m_theme.color(error ? "bad" : "warn");
  m_theme.paintIcon(painter, QRectF(rect.left() + 7, middle - 6.5, 13, 13), error ? "error" : "warn", color);
  painter.setFont(bold);
  painter.setPen(color);
  painter.drawText(rect.adjusted(24, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, text);
  return static_cast<int>(rect.width());
}

void CardPainter::paintFigures(QPainter& painter, const PlacedCard& at, const LayerCard& card,
                               const StackLayout& layout) const {
  const StackColumns& columns = layout.columns;
  const QRect& head = at.head;
  const QString dash = QStringLiteral("—");
  painter.setFont(m_body);
  painter.setPen(inkOf(card));
  const QRect figures(columns.outputLeft, head.top(), columns.parametersRight - columns.outputLeft, head.height());
  const bool output = card.kind == LayerCard::Kind::Output;
  const QString shape = output             ? counted(card.out.c, tr("1 class"), tr("%1 classes"))
                        : card.out.known() ? QString::fromStdString(card.out.text())
                                           : dash;
  painter.drawText(figures, Qt::AlignLeft | Qt::AlignVCenter, shape);
  if (isFixed(card)) return;
  painter.drawText(figures, Qt::AlignRight | Qt::AlignVCenter, card.parameters < 0 ? dash : number(card.parameters));
  paintCost(painter, head, card, columns, !layout.narrow);
}

void CardPainter::paintCost(QPainter& painter, const QRect& head, const LayerCard& card, const StackColumns& columns,
                            bool roomy) const {
  painter.setFont(m_small);
  const QRect cell(columns.costLeft, head.top(), columns.costRight - columns.costLeft, head.height());
  const auto side = (columns.bar ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter;
  if (card.share < 0) {
    painter.drawText(cell, side, QStringLiteral("—"));
    return;
  }
  if (card.share < 0.0005) {
    painter.setPen(m_theme.color("text3"));
    painter.drawText(cell, side, roomy || !(head.height() < 40) ? tr("negligible") : tr("0 %"));
    return;
  }
  painter.drawText(cell, Qt::AlignRight | Qt::AlignVCenter, QString::number(card.share * 100, 'f', 1) + " %");
  if (!columns.bar) return;
  const int barRight = columns.costRight - QFontMetrics(m_small).horizontalAdvance("100.0 %") + 8;
  const QRectF track(columns.costLeft, head.center().y() - 3, barRight - 12 - columns.costLeft, 7);
  painter.setPen(Qt::NoPen);
  painter.setBrush(m_theme.color("sunken"));
  painter.drawRoundedRect(track, 2, 2);
  painter.setBrush(m_theme.color(card.category));
  const double part = std::clamp(card.relativeCost, 0.0, 1.0);
  painter.drawRoundedRect(QRectF(track.topLeft(), QSizeF(std::max(2.0, track.width() * part), track.height())), 2, 2);
}

/// How much room at the right edge the figures of a card in a column take.
int CardPainter::columnFigures(const PlacedCard& at) const {
  const int em = QFontMetrics(m_body).horizontalAdvance('0'), width = at.head.width();
  return 10 + (width >= 42 * em ? 15 * em : width >= 24 * em ? 6 * em : 0);
}

void CardPainter::paintColumnFigures(QPainter& painter, const PlacedCard& at, const LayerCard& card) const {
  const int em = QFontMetrics(m_body).horizontalAdvance('0'), room = columnFigures(at);
  if (room <= 10) return;
  const QString dash = QStringLiteral("—");
  const QRect figures(at.head.right() - room, at.head.top(), room - 10, at.head.height());
  painter.setFont(m_body);
  painter.setPen(inkOf(card));
  painter.drawText(figures, Qt::AlignRight | Qt::AlignVCenter, card.parameters < 0 ? dash : number(card.parameters));
  if (room > 10 * em)
    painter.drawText(figures, Qt::AlignLeft | Qt::AlignVCenter,
                     card.out.known() ? QString::fromStdString(card.out.text()) : dash);
}

/// In one row from the right; where the strip has two, the buttons are in the lower one.
QRect CardPainter::fixRect(const PlacedCard& at, const Issue& issue, std::size_t fix) const {
  if (at.strip.isNull() || fix >= issue.fixes.size()) return {};
  const QFontMetrics small(m_small);
  const int height = small.height() + 8;
  const bool twoRows = at.strip.height() > 2 * height;
  const int top = twoRows ? at.strip.bottom() - height - 5 : at.strip.center().y() - height / 2;
  const int most = (at.strip.width() - 24) / static_cast<int>(issue.fixes.size()) - 8;
  int right = at.strip.right() - 8;
  for (std::size_t i = issue.fixes.size(); i-- > 0;) {
    const int wanted = small.horizontalAdvance(QString::fromStdString(issue.fixes[i].title)) + 18;
    const int width = issue.fixes.size() > 1 ? std::min(wanted, std::max(most, 40)) : std::min(wanted, most);
    const QRect rect(right - width, top, width, height);
    if (i == fix) return rect;
    right = rect.left() - 8;
  }
  return {};
}

void CardPainter::paintStrip(QPainter& painter, const PlacedCard& at, const LayerCard& card, const Issue& issue,
                             const CardState& state) const {
  const bool error = issue.level == Issue::Level::Error;
  const QColor color = m_theme.color(error ? "bad" : "warn");
  const QFontMetrics small(m_small);
  painter.setFont(m_small);
  int right = at.strip.right() - 8, bottom = at.strip.bottom();
  for (std::size_t i = 0; i < issue.fixes.size(); ++i) {
    const QRect rect = fixRect(at, issue, i);
    if (at.strip.height() > 2 * rect.height()) bottom = std::min(bottom, rect.top());
    else right = std::min(right, rect.left() - 8);
    painter.setPen(m_theme.color("bbutton"));
    painter.setBrush(m_theme.color(rect.contains(state.pointer) ? "hover" : "raised"));
    painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
    painter.setPen(m_theme.color("text"));
    painter.drawText(rect, Qt::AlignCenter,
                     small.elidedText(QString::fromStdString(issue.fixes[i].title), Qt::ElideRight, rect.width() - 8));
  }
  const QRect words(at.strip.left() + 36, at.strip.top(), right - at.strip.left() - 36, bottom - at.strip.top());
  m_theme.paintIcon(painter, QRectF(at.strip.left() + 14, words.center().y() - 7, 14, 14), error ? "error" : "warn",
                    color);
  painter.setPen(color);
  painter.drawText(words, Qt::AlignLeft | Qt::AlignVCenter,
                   small.elidedText(QString::fromStdString(issue.text), Qt::ElideRight, words.width()));
  Q_UNUSED(card)
}

}  // namespace strata::gui

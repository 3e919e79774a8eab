// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/layer_card_delegate.h"

#include <QAbstractItemView>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>
#include <algorithm>

#include "gui/widgets/tensor_block.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kGap = 8, kPadding = 12, kIcon = 16, kStripe = 4;
constexpr double kRadius = 6;

int headHeightFor(const QFontMetrics& metrics) { return std::max(58, 2 * metrics.height() + 20); }
int stripHeightFor(const QFontMetrics& metrics) { return std::max(34, metrics.height() + 16); }

QString issueCount(const LayerCard& card) {
  const auto errors = std::count_if(card.issues.begin(), card.issues.end(),
                                    [](const Issue& issue) { return issue.level == Issue::Level::Error; });
  if (errors > 0) return counted(errors, LayerCardDelegate::tr("1 error"), LayerCardDelegate::tr("%1 errors"));
  const auto warnings = static_cast<qint64>(card.issues.size());
  return counted(warnings, LayerCardDelegate::tr("1 warning"), LayerCardDelegate::tr("%1 warnings"));
}

void paintArrow(QPainter& painter, QPointF from, QPointF to) {
  painter.drawLine(from, to);
  painter.drawLine(to, to + QPointF(-3, -3.5));
  painter.drawLine(to, to + QPointF(3, -3.5));
}

}  // namespace

CardGeometry::CardGeometry(const QRect& row, const QFontMetrics& metrics, bool withStrip) {
  const int em = metrics.horizontalAdvance('0');
  const bool roomy = row.width() >= 86 * em;
  const int gutterWidth = roomy ? 88 : 60;
  headHeight = headHeightFor(metrics);
  gutter = QRect(row.left(), row.top(), gutterWidth, headHeight);
  const int height = headHeight + (withStrip ? stripHeightFor(metrics) : 0);
  card = QRect(row.left() + gutterWidth, row.top(), row.width() - gutterWidth, height);
  if (withStrip) strip = QRect(card.left(), card.top() + headHeight, card.width(), height - headHeight);
  costBar = roomy;
  costRight = card.right() - kPadding;
  costLeft = costRight - (roomy ? 18 * em : 8 * em);
  parametersRight = costLeft - (roomy ? 3 : 1) * em;
  outputLeft = parametersRight - (roomy ? 24 : 17) * em;
  textLeft = card.left() + kStripe + 50;
  textRight = outputLeft - em;
}

int CardGeometry::rowHeight(const QFontMetrics& metrics, bool withStrip) {
  return headHeightFor(metrics) + (withStrip ? stripHeightFor(metrics) : 0) + kGap;
}

LayerCardDelegate::LayerCardDelegate(const Theme& theme, QObject* parent)
    : QStyledItemDelegate(parent), m_theme(theme), m_strong(theme.font(Theme::Text::BodyStrong)),
      m_body(theme.font(Theme::Text::Body)), m_small(m_body) {
  m_small.setPointSizeF(QFontInfo(m_body).pointSizeF() * 0.92);
}

const Issue* LayerCardDelegate::stripIssue(const LayerCard& card, bool selected) const {
  for (const Issue& issue : card.issues)
    if (issue.level == Issue::Level::Error) return &issue;
  return selected && !card.issues.empty() ? &card.issues.front() : nullptr;
}

QSize LayerCardDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
  // The view gives no selection state here, so a warning's strip is asked of the view itself.
  const auto* view = qobject_cast<const QAbstractItemView*>(option.widget);
  const bool selected = view && view->currentIndex() == index;
  const auto card = index.data(LayerStackModel::CardRole).value<LayerCard>();
  return {200, CardGeometry::rowHeight(QFontMetrics(m_body), stripIssue(card, selected) != nullptr)};
}

QColor LayerCardDelegate::inkOf(const LayerCard& card) const {
  return m_theme.color(card.out.known() || card.hasError() ? "text" : "text3");
}

void LayerCardDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  const auto card = index.data(LayerStackModel::CardRole).value<LayerCard>();
  const auto* view = qobject_cast<const QAbstractItemView*>(option.widget);
  const bool selected = view && view->currentIndex() == index;
  const Issue* issue = stripIssue(card, selected);
  const CardGeometry at(option.rect, QFontMetrics(m_body), issue != nullptr);
  painter->save();
  painter->setRenderHint(QPainter::Antialiasing);
  paintGutter(*painter, at, card, option.rect);
  paintFrame(*painter, at, card, selected, option.state.testFlag(QStyle::State_HasFocus));
  if (issue) paintStrip(*painter, option, at, card, *issue);
  paintTexts(*painter, at, card);
  paintColumns(*painter, at, card);
  painter->restore();
}

void LayerCardDelegate::paintGutter(QPainter& painter, const CardGeometry& at, const LayerCard& card,
                                    const QRect& row) const {
  const QPointF middle(at.gutter.center().x() - 6, at.gutter.center().y() + 0.5);
  const double half = at.headHeight * 0.36;
  painter.setPen(QPen(m_theme.color("bstrong"), 1.3, Qt::SolidLine, Qt::RoundCap));
  if (card.kind != LayerCard::Kind::Output)
    paintArrow(painter, {middle.x(), row.bottom() - kGap - 1.0}, {middle.x(), row.bottom() + 5.0});
  if (card.kind != LayerCard::Kind::Input)
    paintArrow(painter, {middle.x(), row.top() - kGap - 2.0}, {middle.x(), row.top() + 4.0});
  painter.setFont(m_body);
  if (card.kind == LayerCard::Kind::Output) {
    const int dots = std::clamp(card.out.c, 1, 12);
    painter.setPen(Qt::NoPen);
    for (int i = 0; i < dots; ++i) {
      painter.setBrush(m_theme.color(i == dots / 2 ? "text" : "bbutton"));
      painter.drawEllipse(QPointF(middle.x() + (i - (dots - 1) / 2.0) * 5.5, middle.y()), 2, 2);
    }
    return;
  }
  const QColor color = m_theme.color(card.out.known() ? card.category : card.hasError() ? "bad" : "bstrong");
  paintTensor(painter, middle, half * 1.5, card.out, card.largestSide, color);
}

void LayerCardDelegate::paintFrame(QPainter& painter, const CardGeometry& at, const LayerCard& card, bool selected,
                                   bool focused) const {
  const bool fixed = card.kind != LayerCard::Kind::Layer;
  const bool heavy = selected || card.hasError();
  const double width = heavy ? 2 : 1;
  const QRectF edge = QRectF(at.card).adjusted(width / 2, width / 2, -width / 2, -width / 2);
  QPainterPath path;
  path.addRoundedRect(edge, kRadius, kRadius);
  painter.fillPath(path, m_theme.color(fixed ? "bg" : "surface"));
  if (!fixed) {
    painter.save();
    painter.setClipPath(path);
    QColor stripe = m_theme.color(card.category);
    if (!card.out.known() && !card.hasError()) stripe.setAlphaF(0.45f);
    painter.fillRect(QRect(at.card.left(), at.card.top(), kStripe + 1, at.card.height()), stripe);
    if (!at.strip.isNull())
      painter.fillRect(at.strip.adjusted(kStripe + 1, 0, 0, 0), m_theme.color(card.hasError() ? "badbg" : "warnbg"));
    painter.restore();
  }
  const QColor color = m_theme.color(card.hasError() ? "bad" : selected ? "accent" : fixed ? "bbutton" : "border");
  painter.setPen(QPen(color, width, fixed && !selected ? Qt::DashLine : Qt::SolidLine));
  painter.setBrush(Qt::NoBrush);
  painter.drawPath(path);
  if (card.hasError() && selected && focused) {  // the red edge says broken; a second ring says here
    painter.setPen(QPen(m_theme.color("accent"), 1.5));
    painter.drawRoundedRect(edge.adjusted(3, 3, -3, -3), kRadius - 2, kRadius - 2);
  }
}

void LayerCardDelegate::paintTexts(QPainter& painter, const CardGeometry& at, const LayerCard& card) const {
  const bool dim = !card.out.known() && !card.hasError();
  const int middle = at.card.top() + at.headHeight / 2;
  QColor icon = m_theme.color(card.category);
  if (dim) icon.setAlphaF(0.55f);
  if (card.kind == LayerCard::Kind::Layer)
    m_theme.paintIcon(painter, QRectF(at.card.left() + 8, middle - kIcon / 2.0, kIcon, kIcon), "grip",
                      m_theme.color("text3"));
  m_theme.paintIcon(painter, QRectF(at.card.left() + 28, middle - kIcon / 2.0, kIcon, kIcon), card.icon, icon);

  const QFontMetrics strong(m_strong), small(m_small);
  const int top = middle - (strong.height() + small.height()) / 2;
  const int width = at.textRight - at.textLeft;
  painter.setFont(m_strong);
  painter.setPen(inkOf(card));
  const QString title = strong.elidedText(card.title, Qt::ElideRight, width);
  painter.drawText(QRect(at.textLeft, top, width, strong.height()), Qt::AlignLeft | Qt::AlignVCenter, title);
  int x = at.textLeft + strong.horizontalAdvance(title) + 8;
  painter.setFont(m_small);
  painter.setPen(m_theme.color("text3"));
  const QString name = small.elidedText(card.name, Qt::ElideRight, std::max(0, at.textRight - x));
  painter.drawText(QRect(x, top, at.textRight - x, strong.height()), Qt::AlignLeft | Qt::AlignVCenter, name);
  x += small.horizontalAdvance(name) + 8;
  if (!card.issues.empty()) paintBadge(painter, x, top + strong.height() / 2, card);
  paintSummary(painter, QRect(at.textLeft, top + strong.height(), width, small.height()), card);
}

void LayerCardDelegate::paintSummary(QPainter& painter, const QRect& rect, const LayerCard& card) const {
  const QFontMetrics small(m_small);
  const QString text = small.elidedText(card.summary, Qt::ElideRight, rect.width());
  const int found = card.blamed.isEmpty() ? -1 : text.indexOf(card.blamed);
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

void LayerCardDelegate::paintBadge(QPainter& painter, int left, int middle, const LayerCard& card) const {
  const bool error = card.hasError();
  QFont bold = m_theme.font(Theme::Text::Caption);
  bold.setBold(true);
  const QFontMetrics metrics(bold);
  const QString text = issueCount(card);
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
}

void LayerCardDelegate::paintColumns(QPainter& painter, const CardGeometry& at, const LayerCard& card) const {
  const QRect head(at.card.left(), at.card.top(), at.card.width(), at.headHeight);
  const QString dash = QStringLiteral("—");
  painter.setFont(m_body);
  painter.setPen(inkOf(card));
  const auto text = [&](int left, int right, Qt::Alignment side, const QString& words) {
    painter.drawText(QRect(left, head.top(), right - left, head.height()), side | Qt::AlignVCenter, words);
  };
  const bool output = card.kind == LayerCard::Kind::Output;
  const QString shape = output             ? counted(card.out.c, tr("1 class"), tr("%1 classes"))
                        : card.out.known() ? QString::fromStdString(card.out.text())
                                           : dash;
  text(at.outputLeft, at.parametersRight, Qt::AlignLeft, shape);
  if (card.kind != LayerCard::Kind::Layer) return;
  text(at.outputLeft, at.parametersRight, Qt::AlignRight, card.parameters < 0 ? dash : number(card.parameters));
  painter.setFont(m_small);
  if (card.share < 0) return text(at.costLeft, at.costRight, at.costBar ? Qt::AlignLeft : Qt::AlignRight, dash);
  if (card.share < 0.0005) {
    painter.setPen(m_theme.color("text3"));
    return text(at.costLeft, at.costRight, at.costBar ? Qt::AlignLeft : Qt::AlignRight, tr("negligible"));
  }
  text(at.costLeft, at.costRight, Qt::AlignRight, QString::number(card.share * 100, 'f', 1) + " %");
  if (!at.costBar) return;
  const int barRight = at.costRight - QFontMetrics(m_small).horizontalAdvance("100.0 %") - 4;
  const QRectF track(at.costLeft, head.center().y() - 3, barRight - at.costLeft, 7);
  painter.setPen(Qt::NoPen);
  painter.setBrush(m_theme.color("sunken"));
  painter.drawRoundedRect(track, 2, 2);
  painter.setBrush(m_theme.color(card.category));
  painter.drawRoundedRect(
      QRectF(track.topLeft(), QSizeF(std::max(2.0, track.width() * card.relativeCost), track.height())), 2, 2);
}

QRect LayerCardDelegate::fixRect(const QStyleOptionViewItem& option, const LayerCard& card, std::size_t fix) const {
  const auto* view = qobject_cast<const QAbstractItemView*>(option.widget);
  const Issue* issue = stripIssue(card, view && view->currentIndex() == option.index);
  if (!issue || fix >= issue->fixes.size()) return {};
  const CardGeometry at(option.rect, QFontMetrics(m_body), true);
  int right = at.strip.right() - 8;
  for (std::size_t i = issue->fixes.size(); i-- > 0;) {
    const int width = QFontMetrics(m_small).horizontalAdvance(QString::fromStdString(issue->fixes[i].title)) + 18;
    const QRect rect(right - width, at.strip.top() + 5, width, at.strip.height() - 11);
    if (i == fix) return rect;
    right = rect.left() - 8;
  }
  return {};
}

void LayerCardDelegate::paintStrip(QPainter& painter, const QStyleOptionViewItem& option, const CardGeometry& at,
                                   const LayerCard& card, const Issue& issue) const {
  const bool error = issue.level == Issue::Level::Error;
  const QColor color = m_theme.color(error ? "bad" : "warn");
  m_theme.paintIcon(painter, QRectF(at.strip.left() + 14, at.strip.center().y() - 7, 14, 14), error ? "error" : "warn",
                    color);
  painter.setFont(m_small);
  int right = at.strip.right() - 8;
  for (std::size_t i = 0; i < issue.fixes.size(); ++i) {
    const QRect rect = fixRect(option, card, i);
    right = std::min(right, rect.left() - 8);
    const bool hovered = rect.contains(option.widget->mapFromGlobal(QCursor::pos()));
    painter.setPen(m_theme.color("bbutton"));
    painter.setBrush(m_theme.color(hovered ? "hover" : "raised"));
    painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
    painter.setPen(m_theme.color("text"));
    painter.drawText(rect, Qt::AlignCenter, QString::fromStdString(issue.fixes[i].title));
  }
  painter.setPen(color);
  const QRect words(at.strip.left() + 36, at.strip.top(), right - at.strip.left() - 36, at.strip.height());
  painter.drawText(words, Qt::AlignLeft | Qt::AlignVCenter,
                   QFontMetrics(m_small).elidedText(QString::fromStdString(issue.text), Qt::ElideRight, words.width()));
}

bool LayerCardDelegate::editorEvent(QEvent* event, QAbstractItemModel* model, const QStyleOptionViewItem& option,
                                    const QModelIndex& index) {
  if (event->type() == QEvent::MouseButtonPress || event->type() == QEvent::MouseButtonRelease) {
    const auto card = index.data(LayerStackModel::CardRole).value<LayerCard>();
    QStyleOptionViewItem here = option;
    here.index = index;
    const auto* view = qobject_cast<const QAbstractItemView*>(option.widget);
    const Issue* issue = stripIssue(card, view && view->currentIndex() == index);
    for (std::size_t fix = 0; issue && fix < issue->fixes.size(); ++fix) {
      if (!fixRect(here, card, fix).contains(static_cast<QMouseEvent*>(event)->position().toPoint())) continue;
      if (event->type() == QEvent::MouseButtonRelease) emit fixClicked(*issue, issue->fixes[fix]);
      return true;
    }
  }
  return QStyledItemDelegate::editorEvent(event, model, option, index);
}

}  // namespace strata::gui

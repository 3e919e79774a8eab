// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/sample_tile_delegate.h"

#include <QPaintEvent>
#include <QPainter>

#include "gui/models/samples_model.h"

namespace strata::gui {
namespace {

constexpr int kGap = 3, kStrip = 16;

}  // namespace

QSize SampleTileDelegate::sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const {
  return {m_width, m_width + kStrip};
}

void SampleTileDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const {
  if (!m_region.intersects(option.rect)) return;
  const auto verdict = index.data(SamplesModel::VerdictRole).value<Verdict>();
  const auto image = index.data(SamplesModel::ImageRole).value<QImage>();
  const QRectF box = QRectF(option.rect).adjusted(1, 1, -1, -1);
  const bool asked = verdict.predicted >= 0, wrong = asked && !verdict.right();
  painter->save();
  painter->setRenderHint(QPainter::SmoothPixmapTransform, image.width() > box.width());
  painter->drawImage(QRectF(box.left(), box.top(), box.width(), box.width()), image);
  const QRectF strip(box.left(), box.top() + box.width(), box.width(), box.height() - box.width());
  painter->fillRect(strip, m_theme.color(wrong ? "badbg" : "surface"));
  if (asked) {
    painter->setFont(m_theme.font(Theme::Text::Caption));
    m_theme.paintIcon(*painter, QRectF(strip.left() + 1, strip.center().y() - 4.5, 9, 9), wrong ? "x" : "check",
                      m_theme.color(wrong ? "bad" : "good"));
    const QRectF text = strip.adjusted(12, 0, -2, 0);
    const int sure = std::min(99, int(verdict.sure * 100));
    if (wrong) {
      painter->setPen(m_theme.color("bad"));
      painter->drawText(text, Qt::AlignRight | Qt::AlignVCenter,
                        m_sureness ? SamplesModel::tr("%1 %").arg(sure)
                                   : SamplesModel::tr("%1 is %2").arg(verdict.predicted).arg(verdict.label));
    } else {
      painter->setPen(m_theme.color("text"));
      painter->drawText(text, Qt::AlignLeft | Qt::AlignVCenter, QString::number(verdict.predicted));
      painter->setPen(m_theme.color("text3"));
      painter->drawText(text, Qt::AlignRight | Qt::AlignVCenter, QString::number(sure));
    }
  }
  const bool chosen = option.state & (QStyle::State_Selected | QStyle::State_HasFocus);
  painter->setBrush(Qt::NoBrush);
  painter->setPen(QPen(m_theme.color(chosen ? "accent" : wrong ? "bad" : "border"), chosen || wrong ? 2 : 1));
  painter->setRenderHint(QPainter::Antialiasing);
  painter->drawRoundedRect(box, 2, 2);
  painter->restore();
}

TileView::TileView(const Theme& theme, int columns, int rows, QWidget* parent)
    : QListView(parent), m_delegate(new SampleTileDelegate(theme, this)), m_columns(columns), m_rows(rows) {
  setViewMode(IconMode);
  setMovement(Static);
  setResizeMode(Adjust);
  setUniformItemSizes(true);
  setItemDelegate(m_delegate);
  setSpacing(0);
  setFrameShape(NoFrame);
  setSelectionMode(SingleSelection);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  if (rows > 0) setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setMouseTracking(true);
  connect(&theme, &Theme::changed, viewport(), qOverload<>(&QWidget::update));
}

void TileView::setGrid(int columns, int rows) {
  m_columns = columns;
  m_rows = rows;
  setVerticalScrollBarPolicy(rows > 0 ? Qt::ScrollBarAlwaysOff : Qt::ScrollBarAsNeeded);
  fitTiles();
}

void TileView::resizeEvent(QResizeEvent* event) {
  fitTiles();
  QListView::resizeEvent(event);
}

void TileView::paintEvent(QPaintEvent* event) {
  m_delegate->setRegion(event->region());
  QListView::paintEvent(event);
}

void TileView::fitTiles() {
  const int bar = verticalScrollBarPolicy() == Qt::ScrollBarAlwaysOff ? 0 : 12;
  int cell = (width() - bar - 2) / m_columns;
  if (m_rows > 0) cell = std::min(cell, (height() - 2) / m_rows - kStrip);
  cell = std::max(28, cell);
  m_delegate->setTileWidth(cell - kGap);
  setGridSize({cell, cell - kGap + kStrip + kGap});
}

}  // namespace strata::gui

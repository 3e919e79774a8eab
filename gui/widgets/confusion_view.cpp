// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/confusion_view.h"

#include <QHeaderView>
#include <QPainter>
#include <algorithm>

#include "gui/models/confusion_model.h"

namespace strata::gui {
namespace {

constexpr int kLeastWidth = 18, kLeastHeight = 164;

class CellDelegate : public QStyledItemDelegate {
 public:
  CellDelegate(const Theme& theme, QObject* parent) : QStyledItemDelegate(parent), m_theme(theme) {}

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    const int last = index.model()->rowCount() - 1;
    const bool sum = index.row() == last || index.column() == last,
               corner = index.row() == last && index.column() == last;
    const auto text = index.data().toString();
    const bool diagonal = index.row() == index.column() && !sum, none = text == QStringLiteral("·");
    const QRectF box = QRectF(option.rect).adjusted(1, 1, -1, -1);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    if (!sum && !none) {
      painter->setPen(Qt::NoPen);
      const double share = index.data(ConfusionModel::TintRole).toDouble();
      painter->setBrush(diagonal ? m_theme.color("sel") : ConfusionView::tint(m_theme, share));
      painter->drawRoundedRect(box, 2, 2);
    }
    if (!sum && option.state & QStyle::State_Selected) {
      painter->setPen(QPen(m_theme.color("accent"), 2));
      painter->setBrush(Qt::NoBrush);
      painter->drawRoundedRect(box, 3, 3);
    }
    painter->setFont(m_theme.font(corner ? Theme::Text::BodyStrong : Theme::Text::Caption));
    painter->setPen(m_theme.color(corner ? "text" : sum ? "text2" : none ? "text3" : "text"));
    painter->drawText(option.rect, index.data(Qt::TextAlignmentRole).toInt(), text);
    painter->restore();
  }

 private:
  const Theme& m_theme;
};

}  // namespace

ConfusionView::ConfusionView(const Theme& theme, QWidget* parent) : QTableView(parent) {
  setObjectName("confusion");
  setAccessibleName(tr("Confusion matrix, rows true, columns predicted"));
  setItemDelegate(new CellDelegate(theme, this));
  setShowGrid(false);
  setFrameShape(NoFrame);
  setSelectionMode(SingleSelection);
  setSelectionBehavior(SelectItems);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setCornerButtonEnabled(false);
  for (auto* header : {horizontalHeader(), verticalHeader()}) {
    header->setSectionsClickable(false);
    header->setSectionResizeMode(QHeaderView::Fixed);
    header->setMinimumSectionSize(12);
    header->setProperty("bare", true);
    header->setFont(theme.font(Theme::Text::Caption));
  }
  setMinimumHeight(kLeastHeight);
  connect(&theme, &Theme::changed, viewport(), qOverload<>(&QWidget::update));
}

QColor ConfusionView::tint(const Theme& theme, double share) {
  const auto ground = theme.color("surface"), ink = theme.color("val");
  const double part = 0.10 + 0.36 * std::clamp(share, 0.0, 1.0);  // so that text stays readable
  const auto mix = [part](int a, int b) { return int(a + (b - a) * part); };
  return QColor(mix(ground.red(), ink.red()), mix(ground.green(), ink.green()), mix(ground.blue(), ink.blue()));
}

void ConfusionView::resizeEvent(QResizeEvent* event) {
  QTableView::resizeEvent(event);
  fit();
}

/// Equal cells; the last column is wider for its percentages.
void ConfusionView::fit() {
  if (!model() || model()->columnCount() == 0) return;
  const int n = model()->columnCount() - 1;
  const int last = QFontMetrics(font()).horizontalAdvance("100.00 %") + 6;
  const int line = horizontalHeader()->fontMetrics().height() + 1;
  const int cellW = std::max(kLeastWidth, (viewport()->width() - last) / n),
            cellH = std::max(line, viewport()->height() / (n + 1));
  for (int i = 0; i < n; ++i) setColumnWidth(i, cellW);
  setColumnWidth(n, std::max(last, viewport()->width() - cellW * n));
  for (int i = 0; i <= n; ++i) setRowHeight(i, cellH);
}

}  // namespace strata::gui

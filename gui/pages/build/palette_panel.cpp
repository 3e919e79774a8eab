// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/build/palette_panel.h"

#include <QDir>
#include <QDrag>
#include <QKeyEvent>
#include <QLabel>
#include <QMimeData>
#include <QPainter>
#include <QPushButton>
#include <QStyledItemDelegate>
#include <QVBoxLayout>
#include <algorithm>

#include "gui/models/templates.h"
#include "gui/widgets/label.h"
#include "gui/widgets/stack_painter.h"

namespace strata::gui {
namespace {

constexpr int kRowHeight = 28;
constexpr int kTemplatesShown = 6;  // the others by scrolling

/// A category is a small bold line with a chevron; a layer its icon, its name and a grip.
class PaletteDelegate : public QStyledItemDelegate {
 public:
  PaletteDelegate(const Theme& theme, QTreeView& view) : QStyledItemDelegate(&view), m_theme(theme), m_view(view) {}

  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const override {
    return {100, std::max(kRowHeight, option.fontMetrics.height() + 10)};
  }

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    const QRect row(0, option.rect.top(), m_view.viewport()->width(), option.rect.height());
    const int middle = row.center().y();
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const QString text = index.data().toString();
    if (!index.parent().isValid()) {
      m_theme.paintIcon(*painter, QRectF(10, middle - 6, 13, 13), m_view.isExpanded(index) ? "chev" : "chevr",
                        m_theme.color("text2"));
      QFont bold = m_theme.font(Theme::Text::Caption);
      bold.setWeight(QFont::DemiBold);
      painter->setFont(bold);
      painter->setPen(m_theme.color("text2"));
      painter->drawText(row.adjusted(28, 0, -8, 0), Qt::AlignVCenter | Qt::AlignLeft, text);
      if (!m_view.isExpanded(index)) {
        bold.setWeight(QFont::Normal);
        painter->setFont(bold);
        painter->drawText(row.adjusted(28, 0, -14, 0), Qt::AlignVCenter | Qt::AlignRight,
                          index.data(PaletteModel::CountRole).toString());
      }
    } else {
      const bool selected = option.state.testFlag(QStyle::State_Selected) && m_view.hasFocus();
      const bool hovered = option.state.testFlag(QStyle::State_MouseOver);
      if (selected || hovered) {
        painter->setPen(Qt::NoPen);
        painter->setBrush(m_theme.color(selected ? "sel" : "hover"));
        painter->drawRoundedRect(QRectF(row).adjusted(6, 1, -6, -1), 4, 4);
      }
      m_theme.paintIcon(*painter, QRectF(18, middle - 7, 16, 16), index.data(PaletteModel::IconRole).toString(),
                        m_theme.color(index.data(PaletteModel::CategoryRole).toString()));
      painter->setFont(option.font);
      painter->setPen(m_theme.color("text"));
      painter->drawText(row.adjusted(42, 0, -30, 0), Qt::AlignVCenter | Qt::AlignLeft,
                        option.fontMetrics.elidedText(text, Qt::ElideRight, row.width() - 72));
      m_theme.paintIcon(*painter, QRectF(row.right() - 28, middle - 7, 15, 15), "grip", m_theme.color("text3"));
    }
    painter->restore();
  }

 private:
  const Theme& m_theme;
  QTreeView& m_view;
};

/// What is dragged out of it hangs at the pointer as icon and type.
class PaletteTree : public QTreeView {
 public:
  PaletteTree(const Theme& theme, QWidget* parent) : QTreeView(parent), m_theme(theme) {}

 protected:
  void startDrag(Qt::DropActions supported) override {
    const QModelIndex index = currentIndex();
    QMimeData* mime = model()->mimeData({index});
    if (!mime) return;
    auto* drag = new QDrag(this);
    drag->setMimeData(mime);
    drag->setPixmap(StackPainter::ghost(m_theme, index.data(PaletteModel::IconRole).toString(),
                                        index.data(PaletteModel::CategoryRole).toString(), index.data().toString(),
                                        devicePixelRatioF()));
    drag->setHotSpot(QPoint(-12, -8));
    drag->exec(supported, Qt::CopyAction);
  }

 private:
  const Theme& m_theme;
};

/// Name at the left, number of parameters at the right.
class TemplateDelegate : public QStyledItemDelegate {
 public:
  TemplateDelegate(const Theme& theme, QListWidget& view) : QStyledItemDelegate(&view), m_theme(theme), m_view(view) {}

  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const override {
    return {100, std::max(kRowHeight, option.fontMetrics.height() + 10)};
  }

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const bool selected = option.state.testFlag(QStyle::State_Selected) && m_view.hasFocus();
    if (selected || option.state.testFlag(QStyle::State_MouseOver)) {
      painter->setPen(Qt::NoPen);
      painter->setBrush(m_theme.color(selected ? "sel" : "hover"));
      painter->drawRoundedRect(QRectF(option.rect).adjusted(6, 1, -6, -1), 4, 4);
    }
    const QFont caption = m_theme.font(Theme::Text::Caption);
    const QString count = index.data(Qt::UserRole).toString();
    const int countWidth = QFontMetrics(caption).horizontalAdvance(count);
    painter->setFont(caption);
    painter->setPen(m_theme.color("text2"));
    painter->drawText(option.rect.adjusted(12, 0, -13, 0), Qt::AlignVCenter | Qt::AlignRight, count);
    painter->setFont(option.font);
    painter->setPen(m_theme.color("text"));
    const int width = option.rect.width() - 33 - countWidth;
    painter->drawText(option.rect.adjusted(12, 0, 0, 0), Qt::AlignVCenter | Qt::AlignLeft,
                      option.fontMetrics.elidedText(index.data().toString(), Qt::ElideRight, width));
    painter->restore();
  }

 private:
  const Theme& m_theme;
  QListWidget& m_view;
};

}  // namespace

PalettePanel::PalettePanel(const Theme& theme, QWidget* parent) : QWidget(parent), m_theme(theme) {
  setProperty("ground", "surface");
  setAttribute(Qt::WA_StyledBackground);
  m_filter = new QLineEdit(this);
  m_filter->setObjectName("layerFilter");
  m_filter->setPlaceholderText(tr("Find a layer"));
  m_filter->setToolTip(tr("Find a layer (Ctrl+F)"));
  m_filter->setClearButtonEnabled(true);
  m_filter->addAction(theme.icon("search", "text3"), QLineEdit::LeadingPosition);
  m_filter->installEventFilter(this);

  m_proxy.setSourceModel(&m_model);
  m_proxy.setFilterCaseSensitivity(Qt::CaseInsensitive);
  m_proxy.setRecursiveFilteringEnabled(true);
  m_proxy.setAutoAcceptChildRows(true);
  m_tree = new PaletteTree(theme, this);
  m_tree->setObjectName("palette");
  m_tree->setAccessibleName(tr("Layers to add"));
  m_tree->setModel(&m_proxy);
  m_tree->setItemDelegate(new PaletteDelegate(theme, *m_tree));
  m_tree->setHeaderHidden(true);
  m_tree->setRootIsDecorated(false);
  m_tree->setIndentation(0);
  m_tree->setMouseTracking(true);
  m_tree->setDragEnabled(true);
  m_tree->setDragDropMode(QAbstractItemView::DragOnly);
  m_tree->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_tree->setExpandsOnDoubleClick(false);
  m_tree->expandAll();

  auto* emptyBox = new QWidget(this);
  auto* emptyColumn = new QVBoxLayout(emptyBox);
  auto* emptyText = makeLabel(theme, {}, Theme::Text::Body, "text2", emptyBox);
  emptyText->setWordWrap(true);
  emptyText->setAlignment(Qt::AlignCenter);
  auto* clear = new QPushButton(tr("Clear filter"), emptyBox);
  emptyColumn->addWidget(emptyText);
  emptyColumn->addWidget(clear, 0, Qt::AlignHCenter);
  emptyColumn->addStretch(1);
  emptyBox->hide();
  m_empty = emptyBox;

  m_templates = new QListWidget(this);
  m_templates->setObjectName("templates");
  m_templates->setAccessibleName(tr("Templates"));
  m_templates->setItemDelegate(new TemplateDelegate(theme, *m_templates));
  m_templates->setMouseTracking(true);
  m_templates->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);

  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 8, 0, 6);
  column->setSpacing(6);
  auto* filterRow = new QHBoxLayout;
  filterRow->setContentsMargins(8, 0, 8, 0);
  filterRow->addWidget(m_filter);
  column->addLayout(filterRow);
  column->addWidget(m_tree, 1);
  column->addWidget(emptyBox, 1);
  column->addWidget(makeLine(this));
  QLabel* title = makeLabel(theme, tr("Templates"), Theme::Text::Caption, "text2", this);
  QFont bold = title->font();
  bold.setWeight(QFont::DemiBold);
  title->setFont(bold);
  title->setContentsMargins(12, 4, 0, 0);
  column->addWidget(title);
  column->addWidget(m_templates);
  addTemplates();

  connect(m_filter, &QLineEdit::textChanged, this, [this, emptyText](const QString& text) {
    m_proxy.setFilterFixedString(text);
    m_tree->expandAll();
    const bool none = m_proxy.rowCount() == 0;
    emptyText->setText(tr("No layer matches “%1”.").arg(text));
    m_empty->setVisible(none);
    m_tree->setVisible(!none);
  });
  connect(clear, &QPushButton::clicked, m_filter, &QLineEdit::clear);
  connect(m_tree, &QTreeView::activated, this, [this](const QModelIndex& index) {
    const QString type = index.data(PaletteModel::TypeRole).toString();
    if (!type.isEmpty()) emit layerChosen(type);
  });
  connect(m_tree, &QTreeView::clicked, this, [this](const QModelIndex& index) {
    if (!index.parent().isValid()) m_tree->setExpanded(index, !m_tree->isExpanded(index));
  });
  connect(m_templates, &QListWidget::itemActivated, this, [this](QListWidgetItem* item) {
    emit templateChosen(m_projects[static_cast<std::size_t>(m_templates->row(item))]);
  });
  connect(&theme, &Theme::changed, this, [this] { update(); });
}

void PalettePanel::addTemplates() {
  const auto add = [this](const Project& project, const QString& tip) {
    m_projects.push_back(project);
    auto* item = new QListWidgetItem(QString::fromStdString(project.name), m_templates);
    item->setData(Qt::UserRole, number(analyse(project.network).parameters));
    item->setToolTip(tip);
  };
  for (const Template& each : templates())
    add(each.project, each.teaches + '\n' + tr("Double-click to start from this net. Undo brings yours back."));
  Project empty;
  empty.name = tr("Empty stack").toStdString();
  add(empty, tr("Double-click to start with no layer. Undo brings yours back."));
  const int shown = std::min(m_templates->count(), kTemplatesShown);
  m_templates->setFixedHeight(shown * std::max(kRowHeight, m_templates->fontMetrics().height() + 10) + 2);
}

void PalettePanel::focusFilter() {
  m_filter->setFocus(Qt::ShortcutFocusReason);
  m_filter->selectAll();
}

/// From the filter Down goes to the first hit, and Enter adds it.
bool PalettePanel::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_filter && event->type() == QEvent::KeyPress) {
    const int key = static_cast<QKeyEvent*>(event)->key();
    const QModelIndex first = m_proxy.index(0, 0, m_proxy.index(0, 0));
    if (key == Qt::Key_Escape) m_filter->clear();
    if ((key == Qt::Key_Return || key == Qt::Key_Enter) && first.isValid() && !m_filter->text().isEmpty())
      emit layerChosen(first.data(PaletteModel::TypeRole).toString());
    if (key == Qt::Key_Down && first.isValid()) {
      m_tree->setFocus();
      m_tree->setCurrentIndex(first);
      return true;
    }
  }
  return QWidget::eventFilter(watched, event);
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/build/block_section.h"

#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "gui/widgets/block_picture.h"
#include "gui/widgets/label.h"
#include "gui/widgets/segment.h"

namespace strata::gui {
namespace {

constexpr int kLabel = 100, kNarrowLabel = 86, kMostRows = 6, kLeastRoomy = 300;

/// What a box of the picture says: the window and stride of a layer that has them, else its title.
QString boxText(const LayerCard& card) {
  if (card.isContainer || card.category != "conv") return card.title;
  QStringList told;
  for (const QString& part : card.summary.split(" · "))
    if (part.contains("×") || part.startsWith(QObject::tr("stride"))) told << part;
  return told.isEmpty() ? card.title : told.join(", ");
}

}  // namespace

BlockSection::BlockSection(const Theme& theme, Document& document, LayerStackModel& model, QWidget* parent)
    : QWidget(parent), m_theme(theme), m_document(document), m_model(model) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(12, 0, 12, 0);
  column->setSpacing(8);
  m_shortcutRow = new QWidget(this);
  auto* row = new QHBoxLayout(m_shortcutRow);
  row->setContentsMargins(0, 0, 0, 0);
  m_shortcutLabel = makeLabel(theme, tr("Shortcut"), Theme::Text::Body, "text2", m_shortcutRow);
  m_shortcutLabel->setFixedWidth(kNarrowLabel);
  m_shortcut = new Segment({tr("Identity"), tr("Layers")}, m_shortcutRow);
  m_shortcut->setObjectName("shortcut");
  m_shortcut->setAccessibleName(tr("Shortcut"));
  row->addWidget(m_shortcutLabel);
  row->addWidget(m_shortcut, 1);
  column->addWidget(m_shortcutRow);
  m_rowsBox = new QWidget(this);
  m_rows = new QVBoxLayout(m_rowsBox);
  m_rows->setSpacing(4);
  column->addWidget(m_rowsBox);
  m_add = new QPushButton(theme.icon("plus"), tr("Add a branch"), this);
  m_add->setObjectName("addBranch");
  column->addWidget(m_add, 0, Qt::AlignLeft);
  m_reason = makeLabel(theme, {}, Theme::Text::Caption, "text2", this);
  m_reason->setObjectName("shortcutReason");
  m_reason->setWordWrap(true);
  column->addWidget(m_reason);
  column->addWidget(makeLine(this));
  m_pictureTitle = makeLabel(theme, {}, Theme::Text::Caption, "text2", this);
  QFont bold = m_pictureTitle->font();
  bold.setWeight(QFont::DemiBold);
  m_pictureTitle->setFont(bold);
  m_picture = new BlockPicture(theme, this);
  column->addWidget(m_pictureTitle);
  column->addWidget(m_picture);
  column->addWidget(makeButtons());
  connect(m_shortcut, &Segment::currentChanged, this, &BlockSection::chooseShortcut);
  connect(m_add, &QPushButton::clicked, this, [this] { m_model.addStack(m_layer); });
}

QWidget* BlockSection::makeButtons() {
  auto* box = new QWidget(this);
  box->setMinimumWidth(1);  // where they do not fit into one row, they take two
  m_buttons = new QGridLayout(box);
  m_buttons->setContentsMargins(0, 4, 0, 4);
  m_buttons->setSpacing(6);
  m_buttons->setColumnStretch(3, 1);
  const auto button = [&](const QString& text, const char* name, const QString& tip) {
    auto* made = new QPushButton(text, box);
    made->setObjectName(name);
    made->setToolTip(tip);
    return made;
  };
  m_apart = button(tr("Take apart"), "takeApartButton", tr("Put its layers in its place (Ctrl+Shift+G)"));
  m_freeze = button({}, "freezeButton", tr("Frozen layers stay as they are while the rest trains (L)"));
  m_toggle = button({}, "collapseButton", tr("Show or hide what it holds (Left and Right)"));
  placeButtons();
  connect(m_apart, &QPushButton::clicked, this, [this] { emit layerWanted(m_model.takeApart(m_layer)); });
  connect(m_freeze, &QPushButton::clicked, this, [this] {
    const bool frozen = trains(layerAt(m_document.project().network, m_layer)) == Trains::None;
    m_model.setTrainable(m_layer, frozen);
  });
  connect(m_toggle, &QPushButton::clicked, this, [this] { emit toggleWanted(m_layer); });
  return box;
}

void BlockSection::placeButtons() {
  int needed = 2 * m_buttons->spacing();
  for (QPushButton* button : {m_apart, m_freeze, m_toggle}) {
    needed += button->sizeHint().width();
    m_buttons->removeWidget(button);
  }
  const bool oneRow = width() >= kLeastRoomy && needed <= width() - 24;
  m_buttons->addWidget(m_apart, 0, 0);
  m_buttons->addWidget(m_freeze, 0, 1);
  m_buttons->addWidget(m_toggle, oneRow ? 0 : 1, oneRow ? 2 : 0);
}

void BlockSection::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  indentRows();
  placeButtons();
}

/// The rows stand under the fields, where there is room for that.
void BlockSection::indentRows() {
  m_rows->setContentsMargins(rowIndent(), 0, 0, 0);
  m_shortcutLabel->setFixedWidth(width() < kLeastRoomy ? kNarrowLabel : kLabel - 6);
}
int BlockSection::rowIndent() const { return width() < kLeastRoomy ? 0 : kLabel; }

int BlockSection::numberIn(int stack, int at) const {
  return numberAt(m_document.project().network, {m_layer, stack, at});
}

void BlockSection::show(int layer, bool open) {
  m_layer = layer;
  const LayerSpec& spec = layerAt(m_document.project().network, layer);
  const LayerCard& card = m_model.cardOf(layer);
  while (QLayoutItem* item = m_rows->takeAt(0)) {
    item->widget()->hide();
    item->widget()->deleteLater();
    delete item;
  }
  const bool shortcut = !card.columns && spec.stacks.size() > 1;
  m_shortcutRow->setVisible(shortcut);
  m_add->setVisible(card.columns);
  m_reason->hide();
  if (shortcut) showShortcut(spec, card);
  if (card.columns) showBranches(spec);
  m_rowsBox->setVisible(m_rows->count() > 0);

  std::vector<std::vector<BlockPicture::Box>> ways(spec.stacks.size());
  for (std::size_t i = 0; i < spec.stacks.size(); ++i)
    for (std::size_t at = 0; at < spec.stacks[i].size(); ++at) {
      const LayerCard& inner = m_model.cardOf(numberIn(static_cast<int>(i), static_cast<int>(at)));
      ways[i].push_back({boxText(inner), inner.category});
    }
  if (shortcut) std::swap(ways[0], ways[1]);  // the shortcut is at the left, as in the stack
  const int count = static_cast<int>(ways.size());
  m_pictureTitle->setText(shortcut ? tr("Two ways to the plus") : tr("%1 ways side by side").arg(count));
  m_picture->show(card, std::move(ways));
  m_freeze->setText(trains(spec) == Trains::None ? tr("Train all") : tr("Freeze all"));
  m_toggle->setText(open ? tr("Collapse") : tr("Expand"));
  placeButtons();
}

void BlockSection::showShortcut(const LayerSpec& spec, const LayerCard& card) {
  const std::vector<LayerSpec>& way = spec.stacks[1];
  const QSignalBlocker quiet(m_shortcut);
  m_shortcut->setCurrent(way.empty() ? 0 : 1);
  for (int at = 0; at < std::min(static_cast<int>(way.size()), kMostRows); ++at) {
    const LayerCard& inner = m_model.cardOf(numberIn(1, at));
    addRow(inner.title + "  " + inner.name, numberIn(1, at), -1, false);
  }
  Shape out = card.in;
  if (!spec.stacks[0].empty()) out = m_model.cardOf(numberIn(0, static_cast<int>(spec.stacks[0].size()) - 1)).out;
  const bool identity = !out.known() || out == card.in;
  m_shortcut->button(0)->setEnabled(identity || way.empty());
  m_shortcut->button(0)->setToolTip(identity ? tr("The input is added as it is.") : QString());
  if (identity) return;
  m_reason->setText(tr("No identity here: %1 goes in and %2 comes out.")
                        .arg(QString::fromStdString(card.in.text()), QString::fromStdString(out.text())));
  m_shortcut->button(0)->setToolTip(m_reason->text());
  m_reason->show();
}

void BlockSection::showBranches(const LayerSpec& spec) {
  const auto count = static_cast<int>(spec.stacks.size());
  for (int i = 0; i < count; ++i) {
    const std::vector<LayerSpec>& way = spec.stacks[static_cast<std::size_t>(i)];
    const QString what = way.empty()
                             ? tr("the input as it is")
                             : m_model.cardOf(numberIn(i, 0)).title + (way.size() > 1 ? QStringLiteral(", …") : "");
    addRow(tr("%1: %2").arg(i + 1).arg(what), way.empty() ? -1 : numberIn(i, 0), i, count > 1);
  }
  m_add->setEnabled(count < kMaxStacks);
  m_add->setToolTip(count < kMaxStacks ? tr("One more stack beside the others")
                                       : tr("A container holds %1 stacks at most.").arg(kMaxStacks));
}

/// A click on the row selects the layer; a branch can be removed beside it.
void BlockSection::addRow(const QString& title, int layer, int branch, bool removable) {
  auto* box = new QWidget(m_rowsBox);
  auto* row = new QHBoxLayout(box);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(4);
  auto* go = new QPushButton(box);
  const int room = std::clamp(width() - 24 - rowIndent() - (removable ? 34 : 0) - 60, 60, 200);
  go->setText(QFontMetrics(go->font()).elidedText(title, Qt::ElideRight, room));
  go->setAccessibleName(title);
  go->setToolTip(layer < 0 ? title : tr("Go to %1").arg(m_model.cardOf(layer).name));
  go->setEnabled(layer >= 0);
  if (layer >= 0) go->setIcon(m_theme.icon(m_model.cardOf(layer).icon, m_model.cardOf(layer).category));
  connect(go, &QPushButton::clicked, this, [this, layer] { emit layerWanted(layer); });
  row->addWidget(go, 1);
  if (removable) {
    auto* remove = new QToolButton(box);
    remove->setIcon(m_theme.icon("trash"));
    remove->setProperty("quiet", true);
    remove->setToolTip(tr("Remove branch %1").arg(branch + 1));
    remove->setAccessibleName(remove->toolTip());
    connect(remove, &QToolButton::clicked, this, [this, branch] { m_model.removeStack(m_layer, branch); });
    row->addWidget(remove);
  }
  m_rows->addWidget(box);
  box->show();
}

/// Identity: what is in the shortcut goes. Layers: the convolution that mends it, or, where nothing is to be mended,
/// one that keeps the shape.
void BlockSection::chooseShortcut(int which) {
  const LayerSpec& spec = layerAt(m_document.project().network, m_layer);
  if (which == 0) {
    if (!spec.stacks[1].empty()) m_model.emptyStack(m_layer, 1);
    return;
  }
  if (!spec.stacks[1].empty()) return;
  for (const Issue& issue : m_document.analysis().issues)
    for (const Fix& fix : issue.fixes)
      if (issue.layer == m_layer && fix.stack == 1 && !fix.insert.empty()) return m_model.applyFix(issue, fix);
  const Shape in = m_model.cardOf(m_layer).in;
  Fix keep{tr("Use a 1 × 1 convolution").toStdString(), "", {}, in.isImage() ? "conv2d" : "dense", 1};
  if (in.isImage()) keep.with = {{"filters", std::int64_t{in.c}}, {"kernel_size", Pair{1, 1}}};
  else keep.with = {{"units", std::int64_t{std::max(1, in.c)}}};
  Issue about;
  about.layer = m_layer;
  m_model.applyFix(about, keep);
}

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/build/build_page.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QSettings>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "gui/pages/build/inspector_panel.h"
#include "gui/pages/build/net_footer.h"
#include "gui/pages/build/palette_panel.h"
#include "gui/widgets/elided_text.h"
#include "gui/widgets/label.h"
#include "gui/widgets/stack_view.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kNarrow = 1200, kPaletteWidth = 212, kInspectorWidth = 320, kNarrowPalette = 186, kNarrowInspector = 276;

constexpr char kCompactKey[] = "compactCards";

/// The names of the columns, where the cards have them.
class ColumnHeader : public QWidget {
 public:
  ColumnHeader(const Theme& theme, const StackView& stack, QWidget* parent)
      : QWidget(parent), m_theme(theme), m_stack(stack) {
    setFixedHeight(QFontMetrics(theme.font(Theme::Text::Caption)).height() + 8);
    connect(&stack, &StackView::columnsMoved, this, qOverload<>(&QWidget::update));
  }

 protected:
  void paintEvent(QPaintEvent*) override {
    const StackColumns& at = m_stack.placed().columns;
    QPainter painter(this);
    painter.translate(m_stack.x(), 0);
    QFont bold = m_theme.font(Theme::Text::Caption);
    bold.setWeight(QFont::DemiBold);
    painter.setFont(bold);
    painter.setPen(m_theme.color("text2"));
    const auto text = [&](int left, int right, Qt::Alignment side, const QString& words) {
      painter.drawText(QRect(left, 0, right - left, height()), side | Qt::AlignVCenter, words);
    };
    text(m_stack.placed().gutter + 25, at.outputLeft - 4, Qt::AlignLeft, tr("Layer"));
    text(at.outputLeft, at.parametersRight, Qt::AlignLeft, tr("Output"));
    text(at.outputLeft, at.parametersRight, Qt::AlignRight, tr("Parameters"));
    text(at.costLeft, at.costRight + 1, at.bar ? Qt::AlignLeft : Qt::AlignRight,
         at.bar ? tr("Cost, multiply-adds") : tr("Cost"));
  }

 private:
  const Theme& m_theme;
  const StackView& m_stack;
};

}  // namespace

BuildPage::BuildPage(Theme& theme, Document& document, TrainingSession& session, QWidget* parent)
    : QWidget(parent), m_theme(theme), m_document(document), m_session(session), m_model(document) {
  m_palette = new PalettePanel(theme, this);
  m_stack = new StackView(theme, m_model, this);
  m_inspector = new InspectorPanel(theme, document, m_model, this);
  m_splitter = new QSplitter(this);
  m_splitter->setObjectName("buildSplitter");
  m_splitter->addWidget(m_palette);
  m_splitter->addWidget(makeCentre());
  m_splitter->addWidget(m_inspector);
  m_splitter->setStretchFactor(1, 1);
  m_splitter->setCollapsible(1, false);
  m_splitter->setHandleWidth(1);
  m_splitter->setSizes({kPaletteWidth, 900, kInspectorWidth});
  m_palette->setMinimumWidth(172);
  m_inspector->setMinimumWidth(264);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->addWidget(m_splitter);
  makeActions();

  makeCompactAction();
  connectParts();
  m_title->setText(titleText(m_document.project().name));
  selectDearest();
}

void BuildPage::connectParts() {
  connect(m_palette, &PalettePanel::layerChosen, this, &BuildPage::insertLayer);
  connect(m_palette, &PalettePanel::templateChosen, this, &BuildPage::useTemplate);
  connect(m_stack, &StackView::currentMoved, this, &BuildPage::followSelection);
  connect(m_stack, &StackView::fieldsWanted, m_inspector, &InspectorPanel::focusField);
  connect(m_stack, &StackView::dropPlaceChanged, this, &BuildPage::message);
  connect(m_stack, &StackView::openChanged, m_inspector, &InspectorPanel::refresh);
  m_inspector->setOpenTest([this](int layer) { return m_stack->isOpen(layer); });
  connect(m_inspector, &InspectorPanel::leftByEscape, m_stack, qOverload<>(&QWidget::setFocus));
  connect(m_inspector, &InspectorPanel::layerWanted, this, &BuildPage::selectLayer);
  connect(m_inspector, &InspectorPanel::toggleWanted, this,
          [this](int layer) { m_stack->setOpen(layer, !m_stack->isOpen(layer)); });
  connect(m_inspector, &InspectorPanel::duplicateWanted, this,
          [this](int layer) { selectLayer(m_model.duplicateLayer(layer)); });
  connect(m_inspector, &InspectorPanel::removeWanted, this,
          [this](int layer) { selectLayer(m_model.removeLayer(layer)); });
  connect(&m_document, &Document::changed, this, [this] {
    m_title->setText(titleText(m_document.project().name));
    updateActions();
  });
  const auto nameData = [this] {
    m_model.setDataTitle(m_session.dataset() ? QString::fromStdString(m_session.dataset()->title) : QString());
  };
  connect(&m_session, &TrainingSession::datasetChanged, this, nameData);
  nameData();
  connect(&m_model, &QAbstractItemModel::rowsInserted, m_hint, &QWidget::hide);
}

QWidget* BuildPage::makeCentre() {
  auto* centre = new QWidget(this);
  centre->setProperty("ground", "bg");
  centre->setAttribute(Qt::WA_StyledBackground);
  m_title = new ElidedText(m_theme, "text", centre);
  m_title->setFont(m_theme.font(Theme::Text::Title));
  m_title->setObjectName("netName");
  const auto quiet = [&](const QString& icon, const QString& tip) {
    auto* button = new QToolButton(centre);
    button->setIcon(m_theme.icon(icon, "text"));
    button->setToolTip(tip);
    button->setAccessibleName(tip);
    button->setProperty("quiet", true);
    return button;
  };
  QToolButton* undo = quiet("undo", tr("Undo (Ctrl+Z)"));
  QToolButton* redo = quiet("redo", tr("Redo (Ctrl+Shift+Z)"));
  const QUndoStack& stack = m_document.undoStack();
  connect(undo, &QToolButton::clicked, &m_document.undoStack(), &QUndoStack::undo);
  connect(redo, &QToolButton::clicked, &m_document.undoStack(), &QUndoStack::redo);
  const auto offerUndo = [undo](bool can) {
    undo->setEnabled(can);
    undo->setToolTip(can ? tr("Undo (Ctrl+Z)") : tr("Nothing to undo"));
  };
  const auto offerRedo = [redo](bool can) {
    redo->setEnabled(can);
    redo->setToolTip(can ? tr("Redo (Ctrl+Shift+Z)") : tr("Nothing to redo"));
  };
  offerUndo(stack.canUndo());
  offerRedo(stack.canRedo());
  connect(&stack, &QUndoStack::canUndoChanged, undo, offerUndo);
  connect(&stack, &QUndoStack::canRedoChanged, redo, offerRedo);
  auto* check = new QPushButton(tr("Check net"), centre);
  check->setObjectName("checkNet");
  check->setToolTip(tr("Look for problems in the stack (F7)"));
  connect(check, &QPushButton::clicked, this, &BuildPage::checkNet);

  auto* head = new QHBoxLayout;
  head->setContentsMargins(16, 8, 16, 0);
  head->addWidget(m_title, 1);
  head->addWidget(undo);
  head->addWidget(redo);
  head->addSpacing(12);
  head->addWidget(check);

  m_hint = makeLabel(
      m_theme,
      tr("Double-click a layer in the palette to insert it after the selected card, or drag it between two cards"),
      Theme::Text::Caption, "text2", centre);
  m_hint->setWordWrap(true);
  m_hint->setAlignment(Qt::AlignCenter);
  m_hint->setContentsMargins(16, 4, 16, 8);
  auto* list = new QHBoxLayout;
  list->setContentsMargins(8, 0, 16, 0);
  list->addWidget(m_stack);
  auto* footer = new NetFooter(m_theme, m_document, m_session, centre);
  connect(footer, &NetFooter::showIssue, this, &BuildPage::goToIssue);

  auto* column = new QVBoxLayout(centre);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addLayout(head);
  column->addWidget(new ColumnHeader(m_theme, *m_stack, centre));
  column->addLayout(list, 1);
  column->addWidget(m_hint);
  column->addWidget(makeLine(centre));
  column->addWidget(footer);
  return centre;
}

void BuildPage::addAction(const char* name, const QString& text, const char* key, const std::function<int(int)>& act,
                          const std::function<QString(int)>& blocked) {
  auto* action = new QAction(text, this);
  action->setObjectName(name);
  action->setShortcut(QKeySequence(key));
  action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
  connect(action, &QAction::triggered, this, [this, act] { selectLayer(act(m_stack->currentLayer())); });
  m_stack->QWidget::addAction(action);
  m_layerActions.push_back({action, blocked});
}

void BuildPage::addSeparator() {
  auto* line = new QAction(this);
  line->setSeparator(true);
  m_stack->QWidget::addAction(line);
  m_layerActions.push_back({line, {}});
}

void BuildPage::makeActions() {
  const auto isOpen = [this](int layer) { return m_stack->isOpen(layer); };
  const auto noPlace = [this, isOpen](int step) {
    return [this, isOpen, step](int layer) {
      NetworkSpec net = m_document.project().network;
      return moveAlong(net, layer, step, isOpen) >= 0 ? QString() : tr("It stands at the end of the stack");
    };
  };
  addAction("duplicateLayer", tr("Duplicate"), "Ctrl+D", [this](int layer) { return m_model.duplicateLayer(layer); });
  addAction(
      "moveLayerUp", tr("Move up"), "Alt+Up",
      [this, isOpen](int layer) { return m_model.moveAlong(layer, -1, isOpen); }, noPlace(-1));
  addAction(
      "moveLayerDown", tr("Move down"), "Alt+Down",
      [this, isOpen](int layer) { return m_model.moveAlong(layer, 1, isOpen); }, noPlace(1));
  addAction("deleteLayer", tr("Delete"), "Del", [this](int layer) { return m_model.removeLayer(layer); });
  addSeparator();
  makeBlockActions();
}

void BuildPage::makeBlockActions() {
  const auto isBlock = [this](int layer) { return m_model.cardOf(layer).isContainer; };
  const auto needsBlock = [this, isBlock](int layer) {
    return isBlock(layer) ? QString() : tr("Select a block first");
  };
  addAction("wrapLayer", tr("Put into a residual"), "Ctrl+G",
            [this](int layer) { return m_model.wrapLayer(layer, "residual"); });
  addAction(
      "takeApart", tr("Take apart"), "Ctrl+Shift+G", [this](int layer) { return m_model.takeApart(layer); },
      needsBlock);
  addAction(
      "addBranch", tr("Add a branch"), "",
      [this](int layer) {
        return m_model.addStack(m_model.cardOf(layer).columns ? layer
                                                              : placeOf(m_document.project().network, layer).container);
      },
      [this](int layer) { return branchOf(layer) < 0 ? tr("Select branches or a layer in one first") : QString(); });
  addAction(
      "removeBranch", tr("Remove this branch"), "",
      [this](int layer) {
        const bool whole = m_model.cardOf(layer).columns;
        return m_model.removeStack(whole ? layer : placeOf(m_document.project().network, layer).container,
                                   branchOf(layer));
      },
      [this](int layer) { return branchOf(layer) < 0 ? tr("Select branches or a layer in one first") : QString(); });
  addSeparator();
  addAction("freezeLayer", tr("Freeze or train"), "L", [this](int layer) {
    return m_model.setTrainable(layer, trains(layerAt(m_document.project().network, layer)) != Trains::All);
  });
  addAction(
      "toggleBlock", tr("Open or close"), "Space",
      [this](int layer) {
        m_stack->setOpen(layer, !m_stack->isOpen(layer));
        return layer;
      },
      needsBlock);
  addAction("toggleAllBlocks", tr("Open or close all"), "Ctrl+Shift+E", [this](int) {
    m_stack->toggleAll();
    return -1;
  });
}

/// The branch that the layer is in; of branches themselves the last; -1: none.
int BuildPage::branchOf(int layer) const {
  const NetworkSpec& net = m_document.project().network;
  if (m_model.cardOf(layer).columns) return static_cast<int>(layerAt(net, layer).stacks.size()) - 1;
  const StackPlace place = placeOf(net, layer);
  return place.container >= 0 && m_model.cardOf(place.container).columns ? place.stack : -1;
}

QList<QAction*> BuildPage::layerActions() const {
  QList<QAction*> actions;
  for (const LayerAction& each : m_layerActions) actions << each.action;
  return actions;
}

void BuildPage::updateActions() {
  if (m_model.isFollowing()) return;
  const int layer = m_stack->currentLayer();
  for (const LayerAction& each : m_layerActions) {
    if (each.action->isSeparator()) continue;
    const QString reason = layer < 0 ? tr("Select a layer first") : each.blocked ? each.blocked(layer) : QString();
    each.action->setEnabled(reason.isEmpty());
    each.action->setStatusTip(reason);
  }
}

/// Until a choice is made, nets with containers open compact.
void BuildPage::makeCompactAction() {
  m_compact = new QAction(tr("&Compact cards"), this);
  m_compact->setObjectName("compactCards");
  m_compact->setCheckable(true);
  const QVariant kept = QSettings().value(kCompactKey);
  if (kept.isValid()) m_stack->setCompact(kept.toBool());
  m_compact->setChecked(m_stack->isCompact());
  connect(m_compact, &QAction::triggered, this, [this](bool compact) {
    m_stack->setCompact(compact);
    QSettings().setValue(kCompactKey, compact);
  });
  connect(&m_document, &Document::changed, this, [this] { m_compact->setChecked(m_stack->isCompact()); });
}

void BuildPage::followSelection() {
  m_inspector->showIndex(m_stack->currentIndex());
  updateActions();
}

void BuildPage::selectLayer(int layer) {
  m_stack->selectLayer(layer);
  followSelection();
}

void BuildPage::selectDearest() {
  const auto& layers = m_document.analysis().layers;
  const auto cost = [](const LayerAnalysis& layer) {
    return layer.def && layer.def->isContainer() ? std::int64_t{-1} : layer.macs;
  };
  const auto dearest =
      std::max_element(layers.begin(), layers.end(), [&](const auto& a, const auto& b) { return cost(a) < cost(b); });
  selectLayer(layers.empty() ? -1 : static_cast<int>(dearest - layers.begin()));
}

/// Behind the selected card; into a container that is open and empty.
StackPlace BuildPage::placeAfterSelection() const {
  const NetworkSpec& net = m_document.project().network;
  const int layer = m_stack->currentLayer(), end = static_cast<int>(net.layers.size());
  if (layer < 0) return {-1, 0, m_stack->currentIndex() == m_model.inputIndex() ? 0 : end};
  const LayerCard& card = m_model.cardOf(layer);
  if (card.isContainer && card.inside == 0 && m_stack->isOpen(layer)) return {layer, 0, 0};
  StackPlace place = placeOf(net, layer);
  ++place.at;
  return place;
}

void BuildPage::insertLayer(const QString& type) { selectLayer(m_model.insertLayer(type, placeAfterSelection())); }

void BuildPage::findLayer() { m_palette->focusFilter(); }

void BuildPage::checkNet() {
  const auto& issues = m_document.analysis().issues;
  if (issues.empty()) {
    emit message(counted(m_model.layerCount(), tr("1 layer, no problem found"), tr("%1 layers, no problem found")));
    return;
  }
  goToIssue(issues.front().layer, QString::fromStdString(issues.front().field));
  emit message(QString::fromStdString(issues.front().text));
}

void BuildPage::goToIssue(int layer, const QString& fieldId) {
  if (layer < 0) return;
  selectLayer(layer);
  m_inspector->focusField(fieldId);
}

/// In a small window the panels at the sides take no more than they need, so that the cards can be read.
void BuildPage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  const bool narrow = width() < kNarrow;
  if (narrow == m_narrow) return;
  m_narrow = narrow;
  auto sizes = m_splitter->sizes();
  const int all = sizes[0] + sizes[1] + sizes[2];
  if (sizes[0] > 0) sizes[0] = narrow ? kNarrowPalette : kPaletteWidth;
  if (sizes[2] > 0) sizes[2] = narrow ? kNarrowInspector : kInspectorWidth;
  sizes[1] = std::max(1, all - sizes[0] - sizes[2]);
  m_splitter->setSizes(sizes);
}

/// One undoable step that keeps the data: the stack, the name and all of the training, augmentation included, are the
/// template's. A net made for other pictures gets the input of these.
void BuildPage::useTemplate(const Project& project) {
  m_document.edit(tr("Use template %1").arg(QString::fromStdString(project.name)), [&](Project& open) {
    const NetworkSpec before = open.network;
    open.name = project.name;
    open.network = project.network;
    open.training = project.training;
    open.data.augmentation = project.data.augmentation;
    open.network.input = before.input;
    open.network.classes = before.classes;
  });
  selectDearest();
}

}  // namespace strata::gui

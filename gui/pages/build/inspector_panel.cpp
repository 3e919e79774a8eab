// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/build/inspector_panel.h"

#include <QCheckBox>
#include <QGridLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QRegularExpressionValidator>
#include <QScrollArea>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <functional>
#include <optional>

#include "gui/pages/build/block_section.h"
#include "gui/widgets/elided_text.h"
#include "gui/widgets/field_form.h"
#include "gui/widgets/kernel_picture.h"
#include "gui/widgets/label.h"
#include "gui/widgets/panel_header.h"
#include "gui/widgets/quantity.h"
#include "gui/widgets/typing_watch.h"
#include "gui/words.h"

namespace strata::gui {
namespace {

constexpr int kLabelColumn = 100;  ///< of the form

QToolButton* quietButton(const Theme& theme, const QString& icon, const QString& tip, QWidget* parent) {
  auto* button = new QToolButton(parent);
  button->setIcon(theme.icon(icon));
  button->setToolTip(tip);
  button->setAccessibleName(tip);
  button->setProperty("quiet", true);
  return button;
}

/// The field that says how large a window the layer moves over its input, if it moves one.
std::optional<Pair> windowOf(const LayerDef& def, const Fields& fields) {
  for (const char* id : {"kernel_size", "pool_size"})
    for (const Field& field : def.fields)
      if (field.id == id && field.kind == Field::Kind::Pair) return fields.pair(id);
  return std::nullopt;
}

Pair stridesOf(const LayerDef& def, const Fields& fields) {
  for (const Field& field : def.fields)
    if (field.id == "strides" && field.kind == Field::Kind::Pair) return fields.pair("strides");
  return {1, 1};
}

/// Lets no other character in, and puts the layer's name back where nothing usable is left when the focus goes.
class NameValidator : public QRegularExpressionValidator {
 public:
  NameValidator(std::function<QString()> present, QObject* parent)
      : QRegularExpressionValidator(QRegularExpression("[A-Za-z_][A-Za-z0-9_]{0,63}"), parent),
        m_present(std::move(present)) {}
  void fixup(QString& input) const override { input = m_present(); }

 private:
  std::function<QString()> m_present;
};

/// "5·5·24·48 + 48".
QString parameterSum(const std::vector<ParamInfo>& params) {
  QStringList terms;
  for (const ParamInfo& param : params) {
    QStringList factors;
    for (const int size : param.shape) factors << QString::number(size);
    terms << factors.join("·");
  }
  return terms.join(" + ");
}

}  // namespace

InspectorPanel::InspectorPanel(const Theme& theme, Document& document, LayerStackModel& model, QWidget* parent)
    : QWidget(parent), m_theme(theme), m_document(document), m_model(model) {
  setProperty("ground", "surface");
  setAttribute(Qt::WA_StyledBackground);
  m_header = new PanelHeader(theme, {}, this);
  m_copy = quietButton(theme, "copy", tr("Duplicate this layer (Ctrl+D)"), this);
  m_remove = quietButton(theme, "trash", tr("Delete this layer (Del)"), this);
  m_header->addWidget(m_copy);
  m_header->addWidget(m_remove);
  m_empty = makeLabel(theme, {}, Theme::Text::Body, "text2", this);
  m_empty->setWordWrap(true);
  m_empty->setAlignment(Qt::AlignCenter);
  m_empty->setContentsMargins(24, 24, 24, 24);
  m_scroll = new QScrollArea(this);
  m_scroll->setObjectName("inspectorScroll");
  m_scroll->setWidgetResizable(true);
  m_scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  m_scroll->setWidget(makeBody());
  m_scroll->setFocusPolicy(Qt::NoFocus);

  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(m_header);
  column->addWidget(makeLine(this));
  column->addWidget(m_empty, 1);
  column->addWidget(m_scroll, 1);

  connect(m_copy, &QToolButton::clicked, this, [this] { emit duplicateWanted(m_layer); });
  connect(m_remove, &QToolButton::clicked, this, [this] { emit removeWanted(m_layer); });
  connect(m_form, &FieldForm::edited, this,
          [this](const QString& id, const Value& value) { m_model.setField(m_layer, id, value); });
  connect(m_form, &FieldForm::editingFinished, &m_document, &Document::endMerge);
  m_nameWatch = new TypingWatch(m_name, [this] { renameLayer(); });
  connect(m_name, &QLineEdit::textEdited, m_nameWatch, &TypingWatch::begin);
  connect(m_name, &QLineEdit::editingFinished, this, &InspectorPanel::renameLayer);
  connect(&m_document, &Document::changed, this, &InspectorPanel::refresh);
  connect(&theme, &Theme::changed, this, &InspectorPanel::refresh);
}

QWidget* InspectorPanel::makeBody() {
  auto* body = new QWidget;
  body->setProperty("ground", "surface");
  auto* column = new QVBoxLayout(body);
  column->setContentsMargins(0, 12, 0, 12);
  column->setSpacing(10);

  m_form = new FieldForm(m_theme, body);
  m_form->setObjectName("inspectorForm");
  m_form->setContentsMargins(12, 0, 12, 0);
  m_name = new QLineEdit(m_form);
  m_name->setObjectName("layerName");
  m_name->setAccessibleName(tr("Name"));
  m_name->setToolTip(tr("The name of the layer, and of its weights in files: letters, digits and underscores."));
  m_name->setValidator(new NameValidator([this] { return nameInDocument(); }, m_name));
  m_form->addHeadRow(tr("Name"), m_name);
  m_issue = makeLabel(m_theme, {}, Theme::Text::Caption, "bad", body);
  m_issue->setWordWrap(true);
  m_issue->setContentsMargins(12, 0, 12, 0);
  m_issue->setTextInteractionFlags(Qt::TextSelectableByMouse);
  column->addWidget(m_form);
  m_trainable = new QCheckBox(body);
  m_trainable->setObjectName("trainable");
  m_trainable->setToolTip(tr("Frozen layers stay as they are while the rest trains (L)"));
  auto* trainableRow = new QHBoxLayout;
  trainableRow->setContentsMargins(12 + kLabelColumn, 0, 12, 0);
  trainableRow->addWidget(m_trainable);
  column->addLayout(trainableRow);
  connect(m_trainable, &QCheckBox::clicked, this,
          [this] { m_model.setTrainable(m_layer, m_trainable->checkState() != Qt::Unchecked); });
  column->addWidget(m_issue);
  m_block = new BlockSection(m_theme, m_document, m_model, body);
  connect(m_block, &BlockSection::layerWanted, this, &InspectorPanel::layerWanted);
  connect(m_block, &BlockSection::toggleWanted, this, &InspectorPanel::toggleWanted);
  column->addWidget(m_block);

  m_pictureBox = new QWidget(body);
  auto* pictureColumn = new QVBoxLayout(m_pictureBox);
  pictureColumn->setContentsMargins(0, 0, 0, 0);
  pictureColumn->setSpacing(10);
  m_pictureTitle = makeLabel(m_theme, {}, Theme::Text::Caption, "text2", m_pictureBox);
  m_pictureTitle->setContentsMargins(12, 0, 12, 0);
  QFont bold = m_pictureTitle->font();
  bold.setWeight(QFont::DemiBold);
  m_pictureTitle->setFont(bold);
  m_picture = new KernelPicture(m_theme, m_pictureBox);
  auto* pictureRow = new QHBoxLayout;
  pictureRow->setContentsMargins(12, 0, 12, 0);
  pictureRow->addWidget(m_picture);
  pictureColumn->addWidget(makeLine(m_pictureBox));
  pictureColumn->addWidget(m_pictureTitle);
  pictureColumn->addLayout(pictureRow);
  column->addWidget(m_pictureBox);

  column->addWidget(makeLine(body));
  column->addWidget(makeFacts(body));
  column->addStretch(1);
  return body;
}

QWidget* InspectorPanel::makeFacts(QWidget* body) {
  auto* box = new QWidget(body);
  auto* facts = new QGridLayout(box);
  facts->setContentsMargins(12, 0, 12, 0);
  facts->setHorizontalSpacing(6);
  facts->setVerticalSpacing(6);
  facts->setColumnStretch(0, 1);
  m_factsTitle = makeLabel(m_theme, {}, Theme::Text::Caption, "text2", box);
  QFont bold = m_factsTitle->font();
  bold.setWeight(QFont::DemiBold);
  m_factsTitle->setFont(bold);
  facts->addWidget(m_factsTitle, 0, 0, 1, 3);
  for (const QString& title :
       {tr("Parameters"), tr("of these running"), tr("Multiply-adds"), tr("Share of the net"), tr("Activations")})
    addFact(*facts, title);
  return box;
}

void InspectorPanel::showIndex(const QModelIndex& index) {
  m_document.endMerge();
  if (m_shown != index) {  // what is half typed was meant for the other layer
    m_form->restore();
    m_nameWatch->end();
  }
  m_shown = index;
  refresh();
}

void InspectorPanel::refresh() {
  if (m_model.isFollowing()) return;  // what it shows is on its way
  m_layer = m_model.layerAt(m_shown);
  const LayerAnalysis* found = m_layer < 0 ? nullptr : &m_document.analysis().layers[static_cast<std::size_t>(m_layer)];
  const bool editable = found && found->def;
  m_empty->setVisible(!editable);
  m_scroll->setVisible(editable);
  m_copy->setVisible(m_layer >= 0);
  m_remove->setVisible(m_layer >= 0);
  if (!editable) return showNothing();

  const LayerSpec& spec = layerAt(m_document.project().network, m_layer);
  showHead(spec, *found);
  if (!m_nameWatch->typing()) m_name->setText(QString::fromStdString(spec.name));
  m_form->setFields(found->def->fields);
  m_form->setValues(spec.fields);
  showTrainable(spec, *found);
  showProblems();
  m_block->setVisible(found->def->isContainer());
  if (found->def->isContainer()) m_block->show(m_layer, m_isOpen && m_isOpen(m_layer));
  showPicture();
  showFacts();
}

void InspectorPanel::showHead(const LayerSpec& spec, const LayerAnalysis& found) {
  const LayerCard& card = m_model.cardOf(m_layer);
  m_header->setTitle(QString::fromStdString(found.def->title));
  QString hint = tr("layer %1 of %2").arg(card.place).arg(card.places);
  if (!card.container.isEmpty()) hint = tr("in %1, %2").arg(card.container, hint);
  if (card.isContainer) hint = tr("block of %1").arg(counted(sizeOf(spec) - 1, tr("1 layer"), tr("%1 layers")));
  m_header->setHint(hint);
  m_header->setIcon(m_theme.icon(card.icon, card.category));
}

/// Offered where there is something that training could change.
void InspectorPanel::showTrainable(const LayerSpec& spec, const LayerAnalysis& found) {
  const bool container = found.def->isContainer();
  m_trainable->setVisible(container || !found.params.empty() || !spec.trainable);
  const Trains state = trains(spec);
  m_trainable->setTristate(state == Trains::Some);
  m_trainable->setCheckState(state == Trains::All    ? Qt::Checked
                             : state == Trains::Some ? Qt::PartiallyChecked
                                                     : Qt::Unchecked);
  const int inside = sizeOf(spec) - 1;
  m_trainable->setText(!container || inside == 0 || state == Trains::None ? tr("Trainable")
                       : state == Trains::Some                            ? tr("Trainable, in part")
                                                                          : tr("Trainable, all %1").arg(inside));
}

void InspectorPanel::showNothing() {
  const NetworkSpec& network = m_document.project().network;
  m_header->setIcon({});
  m_header->setHint({});
  if (m_shown == m_model.inputIndex()) {
    m_header->setTitle(tr("Input"));
    m_empty->setText(tr("One sample is %1 values. The data set decides this; choose it on the Data page.")
                         .arg(QString::fromStdString(network.input.text())));
  } else if (m_shown == m_model.outputIndex()) {
    m_header->setTitle(tr("Output"));
    const auto& loss = m_document.project().training.loss.def();
    m_empty->setText(QString::fromStdString(loss.story)
                         .arg(loss.target == TargetKind::ClassIndex ? network.classes : network.input.size()));
  } else {
    m_header->setTitle(tr("No layer selected"));
    m_empty->setText(tr("Select a card to see its settings."));
  }
}

void InspectorPanel::showProblems() {
  m_form->clearProblems();
  QStringList whole;
  for (const Issue& issue : m_document.analysis().issues) {
    if (issue.layer != m_layer) continue;
    if (issue.field.empty()) whole << QString::fromStdString(issue.text);
    else m_form->setProblem(QString::fromStdString(issue.field), QString::fromStdString(issue.text));
  }
  m_issue->setText(whole.join('\n'));
  m_issue->setVisible(!whole.isEmpty());
}

void InspectorPanel::showPicture() {
  const LayerAnalysis& found = m_document.analysis().layers[static_cast<std::size_t>(m_layer)];
  const LayerSpec& spec = layerAt(m_document.project().network, m_layer);
  const auto window = windowOf(*found.def, spec.fields);
  const bool drawable = window && found.in.isImage();
  m_pictureBox->setVisible(drawable);
  if (!drawable) return;
  const bool perChannel = found.def->category == "pool";
  m_pictureTitle->setText(
      !found.out.known() ? tr("Kernel and input")
      : perChannel       ? tr("One output value reads %1 × %2 inputs of one channel").arg(window->h).arg(window->w)
                   : tr("One output value reads %1 × %2 × %3 inputs").arg(window->h).arg(window->w).arg(found.in.c));
  m_picture->show(found.in, found.out, *window, stridesOf(*found.def, spec.fields),
                  QString::fromStdString(found.def->category));
}

void InspectorPanel::addFact(QGridLayout& grid, const QString& title) {
  const int row = static_cast<int>(m_facts.size()) + 1;
  Fact fact{makeLabel(m_theme, title, Theme::Text::Body, "text2"), makeLabel(m_theme, {}, Theme::Text::Body),
            new ElidedText(m_theme, "text2", grid.parentWidget())};
  fact.hint->setFont(m_theme.font(Theme::Text::Caption));
  grid.addWidget(fact.title, row, 0);
  grid.addWidget(fact.value, row, 1, Qt::AlignRight);
  grid.addWidget(fact.hint, row, 2);
  m_facts.push_back(fact);
}

/// Floats of running variables in the layer and in what it holds.
std::int64_t InspectorPanel::runningIn(int layer) const {
  std::int64_t floats = 0;
  const int behind = layer + sizeOf(layerAt(m_document.project().network, layer));
  for (const Node& node : m_document.analysis().graph.nodes)
    if (node.layer >= layer && node.layer < behind)
      for (const ParamInfo& param : node.params)
        if (param.role == ParamInfo::Role::Running) floats += param.size();
  return floats;
}

/// "5·5·24·48 + 48"; of a container the sums of what it holds.
QString InspectorPanel::parameterText(int layer) const {
  const LayerAnalysis& found = m_document.analysis().layers[static_cast<std::size_t>(layer)];
  if (!found.def->isContainer()) return parameterSum(found.params);
  QStringList terms;
  const int behind = layer + sizeOf(layerAt(m_document.project().network, layer));
  for (int inner = layer + 1; inner < behind; ++inner) {
    const LayerAnalysis& one = m_document.analysis().layers[static_cast<std::size_t>(inner)];
    if (one.def && !one.def->isContainer() && one.parameters > 0) terms << number(one.parameters);
  }
  return terms.size() > 1 ? terms.join(" + ") : QString();
}

void InspectorPanel::showFacts() {
  const Analysis& analysis = m_document.analysis();
  const LayerAnalysis& found = analysis.layers[static_cast<std::size_t>(m_layer)];
  const int batch = m_document.project().training.batchSize;
  const bool known = found.out.known(), share = known && analysis.macs > 0;
  const QString dash = QStringLiteral("—");
  const auto put = [&](std::size_t fact, const QString& value, const QString& hint) {
    m_facts[fact].value->setText(value);
    m_facts[fact].hint->setText(hint);
  };
  m_factsTitle->setText(found.def->isContainer() ? tr("This block") : tr("This layer"));
  put(0, known ? number(found.parameters) : dash, known ? parameterText(m_layer) : QString());
  const std::int64_t running = known ? runningIn(m_layer) : 0;
  put(1, number(running), tr("statistics"));
  for (QWidget* part : {static_cast<QWidget*>(m_facts[1].title), static_cast<QWidget*>(m_facts[1].value),
                        static_cast<QWidget*>(m_facts[1].hint)})
    part->setVisible(running > 0);
  put(2, known ? number(found.macs) : dash, tr("per sample"));
  put(3, share ? QString::number(100.0 * double(found.macs) / double(analysis.macs), 'f', 1) + " %" : dash,
      tr("of multiply-adds"));
  put(4, known ? byteText(found.out.size() * 4 * batch) : dash, tr("batch of %1").arg(batch));
}

QString InspectorPanel::nameInDocument() const {
  return m_layer < 0 ? QString() : QString::fromStdString(layerAt(m_document.project().network, m_layer).name);
}

/// A name is taken when another layer of the same container has it.
void InspectorPanel::renameLayer() {
  m_nameWatch->end();
  if (m_layer < 0) return;
  const NetworkSpec& net = m_document.project().network;
  const int container = placeOf(net, m_layer).container;
  bool taken = false;
  for (int other = 0; other < layerCount(net); ++other)
    taken |= layerAt(net, other).name == m_name->text().toStdString() && placeOf(net, other).container == container;
  if (taken || !m_name->hasAcceptableInput()) return m_name->setText(nameInDocument());
  m_model.renameLayer(m_layer, m_name->text());
}

void InspectorPanel::focusField(const QString& fieldId) {
  if (m_layer < 0) return;
  if (!fieldId.isEmpty()) return m_form->focusField(fieldId);
  if (m_form->fields().empty()) m_name->setFocus(Qt::ShortcutFocusReason);
  else m_form->focusField(QString::fromStdString(m_form->fields().front().id));
}

void InspectorPanel::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Escape && m_nameWatch->typing()) {
    m_nameWatch->end();
    m_name->setText(nameInDocument());
  } else if (event->key() == Qt::Key_Escape) emit leftByEscape();
  else QWidget::keyPressEvent(event);
}

}  // namespace strata::gui

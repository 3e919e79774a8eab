// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/pages/build/inspector_panel.h"

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

#include "gui/widgets/elided_text.h"
#include "gui/widgets/field_form.h"
#include "gui/widgets/kernel_picture.h"
#include "gui/widgets/label.h"
#include "gui/widgets/panel_header.h"
#include "gui/widgets/quantity.h"
#include "gui/widgets/typing_watch.h"

namespace strata::gui {
namespace {

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
  column->addWidget(m_issue);

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
  QLabel* factsTitle = makeLabel(m_theme, tr("This layer"), Theme::Text::Caption, "text2", body);
  factsTitle->setFont(bold);
  factsTitle->setContentsMargins(12, 0, 12, 0);
  column->addWidget(factsTitle);
  auto* facts = new QGridLayout;
  facts->setContentsMargins(12, 0, 12, 0);
  facts->setHorizontalSpacing(6);
  facts->setVerticalSpacing(6);
  facts->setColumnStretch(0, 1);
  for (const QString& title : {tr("Parameters"), tr("Multiply-adds"), tr("Share of the net"), tr("Activations")})
    addFact(*facts, title);
  column->addLayout(facts);
  column->addStretch(1);
  return body;
}

void InspectorPanel::showRow(int row) {
  m_document.endMerge();
  if (m_shown != m_model.index(row)) {  // what is half typed was meant for the other layer
    m_form->restore();
    m_nameWatch->end();
  }
  m_shown = m_model.index(row);
  refresh();
}

void InspectorPanel::refresh() {
  const auto& layers = m_document.project().network.layers;
  m_layer = m_model.layerAt(m_shown.row());
  if (m_layer >= static_cast<int>(layers.size())) m_layer = -1;
  const LayerAnalysis* found = m_layer < 0 ? nullptr : &m_document.analysis().layers[static_cast<std::size_t>(m_layer)];
  const bool editable = found && found->def;
  m_empty->setVisible(!editable);
  m_scroll->setVisible(editable);
  m_copy->setVisible(m_layer >= 0);
  m_remove->setVisible(m_layer >= 0);
  if (!editable) return showNothing();

  const LayerSpec& spec = layers[static_cast<std::size_t>(m_layer)];
  m_header->setTitle(QString::fromStdString(found->def->title));
  m_header->setHint(tr("layer %1 of %2").arg(m_layer + 1).arg(layers.size()));
  m_header->setIcon(
      m_theme.icon(QString::fromStdString(found->def->icon), QString::fromStdString(found->def->category)));
  if (!m_nameWatch->typing()) m_name->setText(QString::fromStdString(spec.name));
  m_form->setFields(found->def->fields);
  m_form->setValues(spec.fields);
  showProblems();
  showPicture();
  showFacts();
}

void InspectorPanel::showNothing() {
  const int last = m_model.layerCount() + 1;
  const NetworkSpec& network = m_document.project().network;
  m_header->setIcon({});
  m_header->setHint({});
  if (m_shown.row() == 0) {
    m_header->setTitle(tr("Input"));
    m_empty->setText(tr("One sample is %1 values. The data set decides this; choose it on the Data page.")
                         .arg(QString::fromStdString(network.input.text())));
  } else if (m_shown.row() == last) {
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
  const LayerSpec& spec = m_document.project().network.layers[static_cast<std::size_t>(m_layer)];
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
  const int row = static_cast<int>(m_facts.size());
  Fact fact{makeLabel(m_theme, {}, Theme::Text::Body), new ElidedText(m_theme, "text2", grid.parentWidget())};
  fact.hint->setFont(m_theme.font(Theme::Text::Caption));
  grid.addWidget(makeLabel(m_theme, title, Theme::Text::Body, "text2"), row, 0);
  grid.addWidget(fact.value, row, 1, Qt::AlignRight);
  grid.addWidget(fact.hint, row, 2);
  m_facts.push_back(fact);
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
  put(0, known ? number(found.parameters) : dash, known ? parameterSum(found.params) : QString());
  put(1, known ? number(found.macs) : dash, tr("per sample"));
  put(2, share ? QString::number(100.0 * double(found.macs) / double(analysis.macs), 'f', 1) + " %" : dash,
      tr("of multiply-adds"));
  put(3, known ? byteText(found.out.size() * 4 * batch) : dash, tr("batch of %1").arg(batch));
}

QString InspectorPanel::nameInDocument() const {
  const auto& layers = m_document.project().network.layers;
  return m_layer < 0 ? QString() : QString::fromStdString(layers[static_cast<std::size_t>(m_layer)].name);
}

void InspectorPanel::renameLayer() {
  m_nameWatch->end();
  if (m_layer < 0) return;
  const std::string name = m_name->text().toStdString();
  const auto& layers = m_document.project().network.layers;
  const bool taken =
      std::any_of(layers.begin(), layers.end(), [&](const LayerSpec& layer) { return layer.name == name; });
  if (taken || !m_name->hasAcceptableInput()) return m_name->setText(nameInDocument());
  m_document.edit(tr("Rename layer"),
                  [&](Project& project) { project.network.layers[static_cast<std::size_t>(m_layer)].name = name; });
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

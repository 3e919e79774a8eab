// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/field_form.h"

#include <QCheckBox>
#include <QComboBox>
#include <QEvent>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QSignalBlocker>
#include <QStyle>
#include <QToolButton>
#include <QVBoxLayout>

#include "engine/net/initializer.h"
#include "gui/widgets/label.h"
#include "gui/widgets/number_fields.h"
#include "gui/widgets/segment.h"

namespace strata::gui {
namespace {

/// Gives way in a narrow form; what does not fit is cut by the style, not by the form's edge.
QComboBox* makeCombo() {
  auto* combo = new QComboBox;
  combo->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  combo->setMinimumContentsLength(4);
  return combo;
}

constexpr int kLabelWidth = 92;

QFormLayout* makeLayout(QWidget* parent) {
  auto* form = new QFormLayout(parent);
  form->setContentsMargins(0, 0, 0, 0);
  form->setHorizontalSpacing(8);
  form->setVerticalSpacing(6);
  form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
  form->setRowWrapPolicy(QFormLayout::DontWrapRows);
  form->setLabelAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  return form;
}

/// Rows can stay when only what describe() puts right is another.
bool sameRow(const Field& a, const Field& b) {
  return a.id == b.id && a.kind == b.kind && a.choices == b.choices && a.advanced == b.advanced;
}

}  // namespace

FieldForm::FieldForm(const Theme& theme, QWidget* parent) : QWidget(parent), m_theme(theme) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(6);
  auto* headBox = new QWidget(this);
  m_head = makeLayout(headBox);
  m_plainBox = new QWidget(this);
  m_plain = makeLayout(m_plainBox);
  m_fold = new QToolButton(this);
  m_fold->setObjectName("fold");
  m_fold->setText(tr("Initial weights and regularisation"));
  m_fold->setProperty("quiet", true);
  m_fold->setCheckable(true);
  m_fold->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  m_fold->setIcon(theme.icon("chevr"));
  m_advancedBox = new QWidget(this);
  m_advanced = makeLayout(m_advancedBox);
  m_advancedBox->hide();
  for (QWidget* part : {headBox, m_plainBox, static_cast<QWidget*>(m_fold), m_advancedBox}) column->addWidget(part);
  connect(m_fold, &QToolButton::toggled, this, [this](bool open) {
    m_fold->setIcon(m_theme.icon(open ? "chev" : "chevr"));
    m_advancedBox->setVisible(open);
  });
}

void FieldForm::addHeadRow(const QString& title, QWidget* editor) {
  QLabel* label = makeLabel(m_theme, title, Theme::Text::Body, "text2", this);
  label->setMinimumWidth(kLabelWidth);
  label->setBuddy(editor);
  m_head->addRow(label, editor);
  watch(editor);
}

void FieldForm::setFields(const std::vector<Field>& fields) {
  if (fields == m_fields) return;
  const bool sameRows = std::equal(fields.begin(), fields.end(), m_fields.begin(), m_fields.end(), sameRow);
  m_fields = fields;
  if (sameRows) {
    for (const Field& field : m_fields) describe(m_rows[QString::fromStdString(field.id)], field);
    return;
  }
  clearRows();
  bool anyAdvanced = false;
  for (const Field& field : m_fields) {
    addRow(field, field.advanced ? m_advanced : m_plain);
    anyAdvanced |= field.advanced;
  }
  m_plainBox->setVisible(m_plain->rowCount() > 0);
  m_fold->setVisible(anyAdvanced);
  m_advancedBox->setVisible(anyAdvanced && m_fold->isChecked());
}

/// An editor may be telling of its own change just now: it goes when that is over, unheard and under no name.
void FieldForm::clearRows() {
  m_rows.clear();
  for (QFormLayout* layout : {m_plain, m_advanced}) {
    while (layout->rowCount() > 0) {
      const QFormLayout::TakeRowResult row = layout->takeRow(0);
      for (QLayoutItem* item : {row.labelItem, row.fieldItem}) {
        for (QWidget* inside : item->widget()->findChildren<QWidget*>()) {
          inside->blockSignals(true);
          inside->setObjectName({});
        }
        item->widget()->hide();
        item->widget()->deleteLater();
        delete item;
      }
    }
  }
}

void FieldForm::addRow(const Field& field, QFormLayout* layout) {
  const QString id = QString::fromStdString(field.id);
  Row row = makeEditor(field);
  row.editor->setObjectName("field_" + id);
  row.label = makeLabel(m_theme, {}, Theme::Text::Body, "text2");
  row.label->setMinimumWidth(kLabelWidth);
  row.label->setBuddy(row.editor);
  row.problem = makeLabel(m_theme, {}, Theme::Text::Caption, "bad");
  row.problem->setObjectName("problem_" + id);
  row.problem->setWordWrap(true);
  row.problem->setTextInteractionFlags(Qt::TextSelectableByMouse);
  row.problem->hide();
  auto* cell = new QWidget;
  auto* column = new QVBoxLayout(cell);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(2);
  column->addWidget(row.editor);
  column->addWidget(row.problem);
  layout->addRow(row.label, cell);
  describe(row, field);
  m_rows.insert(id, row);
  watch(row.editor);
  for (QWidget* child : row.editor->findChildren<QWidget*>()) watch(child);
}

/// What of a field may change while its row stays: title, help, limits and unit.
void FieldForm::describe(Row& row, const Field& field) {
  const QString title = QString::fromStdString(field.title);
  row.help = QString::fromStdString(field.help);
  row.editor->setAccessibleName(title);
  row.editor->setWhatsThis(row.help);
  if (row.editor->isEnabled()) row.editor->setToolTip(row.help);
  row.label->setToolTip(row.help);
  if (auto* box = qobject_cast<QCheckBox*>(row.editor)) box->setText(title);
  else row.label->setText(title);
  if (auto* box = qobject_cast<NumberBox*>(row.editor)) box->describe(field);
}

FieldForm::Row FieldForm::makeEditor(const Field& field) {
  using Kind = Field::Kind;
  if (field.kind == Kind::Choice) return makeChoice(field);
  if (field.kind == Kind::Initializer) return makeInitializer(field);
  if (field.kind == Kind::Sizes) return makeSizes(field);
  if (field.kind != Kind::Bool) return makeNumber(field);
  auto* box = new QCheckBox;
  connect(box, &QCheckBox::toggled, this,
          [this, id = QString::fromStdString(field.id)](bool on) { emit edited(id, on); });
  Row row;
  row.editor = box;
  row.show = [box](const Value& value) { box->setChecked(std::get<bool>(value)); };
  return row;
}

/// A number box whose refusals stand under the row and whose finished edits end an undo step.
NumberBox* FieldForm::makeBox(const Field& field, const QString& rowId) {
  auto* box = new NumberBox(field);
  connect(box, &NumberBox::problemChanged, this, [this, rowId](const QString& sentence) {
    m_rows[rowId].refusal = sentence;
    showProblem(m_rows[rowId]);
  });
  connect(box, &QAbstractSpinBox::editingFinished, this, &FieldForm::editingFinished);
  return box;
}

FieldForm::Row FieldForm::makeNumber(const Field& field) {
  const QString id = QString::fromStdString(field.id);
  NumberBox* box = makeBox(field, id);
  connect(box, &NumberBox::edited, this, [this, id](const Value& value) { emit edited(id, value); });
  Row row;
  row.editor = box;
  row.show = [box](const Value& value) { box->setValue(value); };
  return row;
}

FieldForm::Row FieldForm::makeChoice(const Field& field) {
  const QString id = QString::fromStdString(field.id);
  QStringList ids, titles, helps;
  for (const Choice& choice : field.choices) {
    ids << QString::fromStdString(choice.id);
    titles << QString::fromStdString(choice.title);
    helps << QString::fromStdString(choice.help);
  }
  const auto tell = [this, id, ids](int index) { emit edited(id, ids[index].toStdString()); };
  Row row;
  if (ids.size() == 2) {
    auto* segment = new Segment(titles);
    for (int i = 0; i < 2; ++i) segment->button(i)->setToolTip(helps[i]);
    connect(segment, &Segment::currentChanged, this, tell);
    row.editor = segment;
    row.show = [segment, ids](const Value& value) {
      segment->setCurrent(ids.indexOf(QString::fromStdString(std::get<std::string>(value))));
    };
  } else {
    auto* combo = makeCombo();
    combo->addItems(titles);
    for (int i = 0; i < helps.size(); ++i) combo->setItemData(i, helps[i], Qt::ToolTipRole);
    connect(combo, &QComboBox::currentIndexChanged, this, tell);
    row.editor = combo;
    row.show = [combo, ids](const Value& value) {
      combo->setCurrentIndex(ids.indexOf(QString::fromStdString(std::get<std::string>(value))));
    };
  }
  return row;
}

/// What is chosen, and beside it the box of its number; each choice has a box of its own.
FieldForm::Row FieldForm::makeInitializer(const Field& field) {
  const QString id = QString::fromStdString(field.id);
  auto* box = new QWidget;
  auto* line = new QHBoxLayout(box);
  line->setContentsMargins(0, 0, 0, 0);
  line->setSpacing(6);
  auto* type = makeCombo();
  line->addWidget(type, 3);
  QList<NumberBox*> numbers;  // null where the choice takes none
  for (const InitializerDef& def : allInitializers()) {
    type->addItem(QString::fromStdString(def.choice.title));
    type->setItemData(type->count() - 1, QString::fromStdString(def.choice.help), Qt::ToolTipRole);
    numbers << (def.number ? makeBox(*def.number, id) : nullptr);
    if (!def.number) continue;
    numbers.last()->setAccessibleName(QString::fromStdString(def.number->title));
    numbers.last()->setToolTip(QString::fromStdString(def.number->help));
    numbers.last()->setValue(def.number->initial);
    line->addWidget(numbers.last(), 2);
  }
  const auto showNumber = [type, numbers] {
    for (int i = 0; i < numbers.size(); ++i)
      if (numbers[i]) numbers[i]->setVisible(i == type->currentIndex());
  };
  const auto tell = [this, id, type, numbers, showNumber] {
    showNumber();
    const auto row = std::size_t(type->currentIndex());
    const NumberBox* number = numbers[type->currentIndex()];
    emit edited(id, Initializer{allInitializers()[row].choice.id, number ? std::get<double>(number->value()) : 0});
  };
  connect(type, &QComboBox::currentIndexChanged, this, tell);
  for (NumberBox* number : numbers)
    if (number) connect(number, &NumberBox::edited, this, tell);
  box->setFocusProxy(type);
  Row row;
  row.editor = box;
  row.show = [type, numbers, showNumber](const Value& value) {
    const QSignalBlocker quietType(type);
    const auto& shown = std::get<Initializer>(value);
    const InitializerDef* def = findInitializer(shown.type);
    type->setCurrentIndex(def ? int(def - allInitializers().data()) : -1);
    if (def && def->number) numbers[type->currentIndex()]->setValue(shown.number);
    showNumber();
  };
  return row;
}

FieldForm::Row FieldForm::makeSizes(const Field& field) {
  const QString id = QString::fromStdString(field.id);
  auto* line = new QLineEdit;
  line->setPlaceholderText(QStringLiteral("28 × 28 × 1"));
  connect(line, &QLineEdit::editingFinished, this, [this, id, line, field] {
    const auto sizes = sizesFromText(line->text().toStdString());
    const auto problem = sizes ? problemWith(field, *sizes) : std::nullopt;
    m_rows[id].refusal = !sizes    ? tr("Type sides with × between them: 28 × 28 × 1.")
                         : problem ? QString::fromStdString(*problem + ".")
                                   : QString();
    showProblem(m_rows[id]);
    if (sizes && !problem) emit edited(id, *sizes);
  });
  Row row;
  row.editor = line;
  row.show = [line](const Value& value) {
    if (!line->hasFocus() || !line->isModified())
      line->setText(QString::fromStdString(sizesText(std::get<Sizes>(value))));
  };
  return row;
}

void FieldForm::setValues(const Fields& values) {
  const QSignalBlocker quiet(this);
  for (const Field& field : m_fields) m_rows[QString::fromStdString(field.id)].show(values.at(field.id));
}

void FieldForm::setProblem(const QString& fieldId, const QString& text) {
  if (!m_rows.contains(fieldId)) return;
  m_rows[fieldId].issue = text;
  showProblem(m_rows[fieldId]);
}

/// What was just typed comes before what was wrong already.
void FieldForm::showProblem(const Row& row) {
  const QString text = row.refusal.isEmpty() ? row.issue : row.refusal;
  row.problem->setText(text);
  row.problem->setVisible(!text.isEmpty());
  if (row.editor->property("error").toBool() == !text.isEmpty()) return;
  row.editor->setProperty("error", !text.isEmpty());
  row.editor->style()->unpolish(row.editor);
  row.editor->style()->polish(row.editor);
}

void FieldForm::restore() {
  for (auto* box : findChildren<NumberBox*>()) box->restore();
}

void FieldForm::clearProblems() {
  for (auto it = m_rows.cbegin(); it != m_rows.cend(); ++it) setProblem(it.key(), {});
}

void FieldForm::setLocked(const QString& fieldId, const QString& reason) {
  if (!m_rows.contains(fieldId)) return;
  const Row& row = m_rows[fieldId];
  row.editor->setEnabled(reason.isEmpty());
  row.editor->setToolTip(reason.isEmpty() ? row.help : reason);
}

void FieldForm::focusField(const QString& fieldId) {
  if (!m_rows.contains(fieldId)) return;
  const Row& row = m_rows[fieldId];
  if (m_advancedBox->isAncestorOf(row.editor)) m_fold->setChecked(true);
  row.editor->setFocus(Qt::ShortcutFocusReason);
}

void FieldForm::watch(QWidget* editor) {
  editor->installEventFilter(this);
  if (!qobject_cast<QLineEdit*>(editor))
    editor->setFocusPolicy(editor->focusPolicy() == Qt::WheelFocus ? Qt::StrongFocus : editor->focusPolicy());
}

bool FieldForm::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::FocusOut) emit editingFinished();
  // The wheel scrolls the panel; it must not change a value on its way.
  if (event->type() == QEvent::Wheel && !static_cast<QWidget*>(watched)->hasFocus()) {
    event->ignore();
    return true;
  }
  // Undo belongs to the document: a field's own, shorter memory would fight with it.
  if (event->type() == QEvent::ShortcutOverride) {
    const auto* key = static_cast<QKeyEvent*>(event);
    if (key->matches(QKeySequence::Undo) || key->matches(QKeySequence::Redo)) {
      event->ignore();
      return true;
    }
  }
  return QWidget::eventFilter(watched, event);
}

}  // namespace strata::gui

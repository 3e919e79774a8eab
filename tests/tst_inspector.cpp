// SPDX-License-Identifier: GPL-3.0-or-later
// The form: it shows every field of every layer, optimizer and schedule (the fifth generated test), tells what is
// typed, and puts a problem under the field it is about. And the number fields by themselves.
#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QSignalSpy>
#include <QTest>
#include <functional>

#include "engine/learn/schedule.h"
#include "engine/net/layer.h"
#include "gui/pages/build/inspector_panel.h"
#include "gui/widgets/field_form.h"
#include "gui/widgets/number_fields.h"
#include "gui/widgets/segment.h"

using namespace strata;
using namespace strata::gui;
using Kind = Field::Kind;

Q_DECLARE_METATYPE(std::vector<strata::Field>)
Q_DECLARE_METATYPE(strata::Field)

class TestInspector : public QObject {
  Q_OBJECT

 private:
  std::unique_ptr<Theme> m_theme;

  /// Changes the editor of a field as a person would.
  static void change(QWidget* editor, const Field& field) {
    if (field.kind == Kind::Bool) return QTest::keyClick(editor, Qt::Key_Space);
    if (auto* segment = qobject_cast<Segment*>(editor)) return segment->button(1 - segment->current())->click();
    if (auto* combo = qobject_cast<QComboBox*>(editor))
      return combo->setCurrentIndex((combo->currentIndex() + 1) % combo->count());
    if (field.kind == Kind::Initializer) {
      auto* combo = editor->findChild<QComboBox*>();
      return combo->setCurrentIndex((combo->currentIndex() + 1) % combo->count());
    }
    if (auto* line = qobject_cast<QLineEdit*>(editor)) {
      line->setText("7 x 4");
      return QTest::keyClick(line, Qt::Key_Return);
    }
    auto* box = qobject_cast<QAbstractSpinBox*>(editor);
    box->stepBy(1);
  }

  static Field describedField() { return intField("size", "Size", 3, 0, 99, "A sentence."); }

 private slots:
  void initTestCase() { m_theme = std::make_unique<Theme>(*qApp); }

  void everyField_data() {
    QTest::addColumn<std::vector<Field>>("fields");
    for (const LayerDef& def : allLayers()) QTest::newRow(def.type.c_str()) << def.fields;
    for (const ChoiceDef& def : allOptimizers()) QTest::newRow(def.type.c_str()) << def.fields;
    for (const ChoiceDef& def : allSchedules()) QTest::newRow(def.type.c_str()) << def.fields;
  }
  void everyField() {
    QFETCH(std::vector<Field>, fields);
    FieldForm form(*m_theme);
    form.setFields(fields);
    form.setValues(Fields(fields));
    form.show();
    for (const Field& field : fields) {
      const QString id = QString::fromStdString(field.id);
      QWidget* editor = form.editor(id);
      QVERIFY2(editor, qPrintable(id));
      form.focusField(id);
      QVERIFY2(editor->isVisibleTo(&form), qPrintable(id));
      QCOMPARE(editor->accessibleName(), QString::fromStdString(field.title));
      QVERIFY2(!editor->toolTip().isEmpty(), qPrintable(id));
      QList<QPair<QString, Value>> told;
      const auto connection = connect(&form, &FieldForm::edited, &form, [&](const QString& which, const Value& value) {
        told.append({which, value});
      });
      form.setValues(Fields(fields));
      QVERIFY2(told.isEmpty(), qPrintable(id));  // showing is not editing
      change(editor, field);
      disconnect(connection);
      QCOMPARE(told.size(), 1);
      QCOMPARE(told[0].first, id);
      QCOMPARE(told[0].second.index(), field.initial.index());
      QVERIFY2(!(told[0].second == field.initial), qPrintable(id));
      QVERIFY2(!problemWith(field, told[0].second), qPrintable(id));
    }
    QVERIFY(form.fields().size() == fields.size());
  }

  /// Whatever of a field changes, the form shows it.
  void aChangedFieldIsShownAnew_data() {
    QTest::addColumn<Field>("after");
    const Field before = describedField();
    const auto row = [&](const char* name, const std::function<void(Field&)>& change) {
      Field after = before;
      change(after);
      QTest::newRow(name) << after;
    };
    row("limits", [](Field& field) { field.low = 10, field.high = 20; });
    row("unit", [](Field& field) { field.unit = "mm"; });
    row("title", [](Field& field) { field.title = "Other"; });
    row("help", [](Field& field) { field.help = "Another sentence."; });
    row("words for 0", [](Field& field) { field.zeroText = "none"; });
    row("kind", [](Field& field) { field.kind = Kind::Real, field.initial = 3.0; });
    row("fold", [](Field& field) { field.advanced = true; });
  }
  void aChangedFieldIsShownAnew() {
    QFETCH(const Field, after);
    FieldForm form(*m_theme), fresh(*m_theme);
    form.setFields({describedField()});
    form.setFields({after});
    fresh.setFields({after});
    for (FieldForm* each : {&form, &fresh}) {
      Fields values;
      values.set(after.id, after.kind == Kind::Real ? Value(0.0) : Value(std::int64_t{0}));
      each->setValues(values);
    }
    const auto told = [](FieldForm& form) {
      auto* box = qobject_cast<NumberBox*>(form.editor("size"));
      auto* line = box->findChild<QLineEdit*>();
      QStringList all{box->toolTip(), box->whatsThis(), box->accessibleName(), line->text(),
                      QString::number(box->isVisibleTo(&form))};
      line->setText("15");
      box->finish();
      return all << line->text() << form.findChild<QLabel*>("problem_size")->text();
    };
    QCOMPARE(told(form), told(fresh));
  }

  void choicesShowTheirTitlesAndHelp() {
    FieldForm form(*m_theme);
    form.setFields({choiceField("activation", "Activation",
                                {{"linear", "Linear", "Leaves it."}, {"relu", "ReLU", "Cuts."}, {"tanh", "Tanh", ""}},
                                "linear", "What is done.")});
    auto* combo = qobject_cast<QComboBox*>(form.editor("activation"));
    QCOMPARE(combo->itemText(0), "Linear");
    QCOMPARE(combo->itemData(1, Qt::ToolTipRole).toString(), "Cuts.");
  }

  void problemsStandUnderTheirField() {
    Document document;
    document.reset(readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata"), {});
    LayerStackModel model(document);
    InspectorPanel panel(*m_theme, document, model);
    panel.showIndex(model.indexOf(2));
    auto* problem = panel.findChild<QLabel*>("problem_kernel_size");
    QVERIFY(problem);
    QVERIFY(problem->isHidden());
    auto* kernel = qobject_cast<NumberBox*>(panel.form().editor("kernel_size"));
    auto* line = kernel->findChild<QLineEdit*>();
    line->selectAll();
    QTest::keyClicks(kernel, "13");
    QVERIFY(problem->isHidden());  // nothing is judged while it is typed
    QTest::keyClick(kernel, Qt::Key_Return);
    QVERIFY(!problem->isHidden());
    QVERIFY2(problem->text().contains("12"), qPrintable(problem->text()));
    QVERIFY(kernel->value() == Value(Pair{13, 13}));  // the field keeps what was typed
    document.undoStack().undo();
    QVERIFY(problem->isHidden());
    QVERIFY(kernel->value() == Value(Pair{5, 5}));
  }

  void renamingRefusesATakenName() {
    Document document;
    document.reset(readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata"), {});
    LayerStackModel model(document);
    InspectorPanel panel(*m_theme, document, model);
    panel.showIndex(model.indexOf(0));
    auto* name = panel.findChild<QLineEdit*>("layerName");
    name->setText("conv2");
    emit name->editingFinished();
    QCOMPARE(name->text(), "conv1");
    name->setText("edges");
    emit name->editingFinished();
    QCOMPARE(document.project().network.layers[0].name, std::string("edges"));
  }

  void aNameIsFinishedOrPutBack() {
    Document document;
    document.reset(readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata"), {});
    LayerStackModel model(document);
    InspectorPanel panel(*m_theme, document, model);
    panel.show();
    panel.showIndex(model.indexOf(0));
    auto* name = panel.findChild<QLineEdit*>("layerName");
    name->setFocus();
    name->selectAll();
    QTest::keyClicks(name, "edges");
    document.edit("Elsewhere", [](Project& project) { project.training.batchSize = 7; });
    QCOMPARE(name->text(), "edges");  // a refresh leaves what is being typed alone
    QTest::keyClick(name, Qt::Key_Escape);
    QCOMPARE(name->text(), "conv1");
    name->selectAll();
    QTest::keyClicks(name, "half");
    panel.showIndex(model.indexOf(2));
    QCOMPARE(name->text(), "conv2");
    name->selectAll();
    QTest::keyClick(name, Qt::Key_Delete);
    QTest::keyClick(name, Qt::Key_Return);
    QCOMPARE(name->text(), "conv2");
    QCOMPARE(document.project().network.layers[2].name, std::string("conv2"));
  }
};

QTEST_MAIN(TestInspector)
#include "tst_inspector.moc"

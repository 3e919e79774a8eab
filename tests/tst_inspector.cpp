// SPDX-License-Identifier: GPL-3.0-or-later
// The form: it shows every field of every layer, optimizer and schedule (the fifth generated test), tells what is
// typed, and puts a problem under the field it is about. And the number fields by themselves.
#include <QApplication>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTest>

#include "engine/layer.h"
#include "engine/schedule.h"
#include "gui/panels/inspector_panel.h"
#include "gui/widgets/field_form.h"
#include "gui/widgets/number_fields.h"
#include "gui/widgets/segment.h"

using namespace strata;
using namespace strata::gui;
using Kind = Field::Kind;

Q_DECLARE_METATYPE(std::vector<strata::Field>)

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
    auto* box = qobject_cast<QAbstractSpinBox*>(editor);
    box->stepBy(1);
  }

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

  void typingASmallRateIsNotDisturbed() {
    FieldForm form(*m_theme);
    const auto& fields = allOptimizers().front().fields;
    form.setFields(fields);
    Fields values(fields);
    form.setValues(values);
    connect(&form, &FieldForm::edited, &form, [&](const QString& id, const Value& value) {
      values.set(id.toStdString(), value);
      form.setValues(values);  // as a panel does that follows the document
    });
    auto* box = qobject_cast<RealBox*>(form.editor("learning_rate"));
    auto* line = box->findChild<QLineEdit*>();
    line->selectAll();
    QTest::keyClicks(box, "0.0005");
    QCOMPARE(line->text(), "0.0005");
    QCOMPARE(values.real("learning_rate"), 0.0005);
    line->selectAll();
    QTest::keyClicks(box, "1e-6");
    QCOMPARE(values.real("learning_rate"), 1e-6);
  }

  void pairsAreTypedAndStepped_data() {
    QTest::addColumn<QString>("typed");
    QTest::addColumn<int>("h");
    QTest::addColumn<int>("w");
    QTest::newRow("one number") << "7" << 7 << 7;
    QTest::newRow("two") << "3x5" << 3 << 5;
    QTest::newRow("spaces and a cross") << "2 × 4" << 2 << 4;
    QTest::newRow("too large keeps the old") << "40" << 4 << 4;
    QTest::newRow("half typed keeps the first") << "3x" << 3 << 3;
  }
  void pairsAreTypedAndStepped() {
    QFETCH(QString, typed);
    QFETCH(int, h);
    QFETCH(int, w);
    PairBox box;
    box.setRange(1, 9);
    box.setValue({5, 5});
    box.findChild<QLineEdit*>()->selectAll();
    QTest::keyClicks(&box, typed);
    QCOMPARE(box.value().h, h);
    QCOMPARE(box.value().w, w);
    box.stepBy(1);
    QCOMPARE(box.value().h, h + 1);
  }

  void problemsStandUnderTheirField() {
    Document document;
    document.reset(readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata"), {});
    LayerStackModel model(document);
    InspectorPanel panel(*m_theme, document, model);
    panel.showRow(LayerStackModel::rowOf(2));
    auto* problem = panel.findChild<QLabel*>("problem_kernel_size");
    QVERIFY(problem);
    QVERIFY(problem->isHidden());
    qobject_cast<PairBox*>(panel.form().editor("kernel_size"))->setValue({13, 13});
    QVERIFY(!problem->isHidden());
    QVERIFY2(problem->text().contains("12"), qPrintable(problem->text()));
    // The field keeps what was typed.
    QCOMPARE(qobject_cast<PairBox*>(panel.form().editor("kernel_size"))->value().h, 13);
    document.undoStack().undo();
    QVERIFY(problem->isHidden());
    QCOMPARE(qobject_cast<PairBox*>(panel.form().editor("kernel_size"))->value().h, 5);
  }

  void renamingRefusesATakenName() {
    Document document;
    document.reset(readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata"), {});
    LayerStackModel model(document);
    InspectorPanel panel(*m_theme, document, model);
    panel.showRow(1);
    auto* name = panel.findChild<QLineEdit*>("layerName");
    name->setText("conv2");
    emit name->editingFinished();
    QCOMPARE(name->text(), "conv1");
    name->setText("edges");
    emit name->editingFinished();
    QCOMPARE(document.project().network.layers[0].name, std::string("edges"));
  }
};

QTEST_MAIN(TestInspector)
#include "tst_inspector.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers: how typed ones are read and how values are shown, and that a number is applied when it is finished and not
// before, whatever the document or the run does meanwhile.
#include <QCheckBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QMainWindow>
#include <QPushButton>
#include <QShortcut>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
#include <QVBoxLayout>

#include "augmentations.h"
#include "datasets/datasets.h"
#include "engine/run/settings.h"
#include "gui/data_loader.h"
#include "gui/pages/data/data_page.h"
#include "gui/pages/train/run_setup_panel.h"
#include "gui/widgets/number_fields.h"
#include "gui/widgets/segment.h"

using namespace strata;
using namespace strata::gui;

Q_DECLARE_METATYPE(strata::Field)
Q_DECLARE_METATYPE(strata::Value)

namespace {

const Field kEpochs = intField("epochs", "Epochs", 30, 1, 1'000'000, "How often.");
const Field kRate = realField("rate", "Rate", 0.5, 0, 1e6, "How far.");
const Field kSeed = seedField("seed", "Seed", 1, "Where randomness begins.");

Field pixels() {
  Field field = pairField("strides", "Stride", 0, 0, 9, "How far.");
  field.unit = "px";
  field.zeroText = "as window";
  return field;
}

/// Small enough to train an epoch in a blink.
Project smallProject(int epochs) {
  Project project;
  project.data.source = "synthetic-digits";
  project.data.validation = ValidationSource::TestSet;
  for (const char* type : {"flatten", "dense"})
    project.network.layers.push_back({type, std::string(type) + "1", Fields(findLayer(type)->fields)});
  project.network.layers.back().fields.set("units", std::int64_t{10});
  project.training.epochs = epochs;
  project.training.optimizer.fields.set("learning_rate", 0.05);
  return project;
}

}  // namespace

class TestNumbers : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void reads_data();
  void reads();
  void shows_data();
  void shows();
  void showsWhatItReads();
  void steps_data();
  void steps();
  void percentsAreExact();
  void sharesAreInPercent();
  void nothingIsAppliedWhileTyping();
  void finishes_data();
  void finishes();
  void whatCannotBeReadIsSaidAndChangesNothing();
  void aRefreshLeavesTypingAlone();
  void arrowsFinishFirst();
  void aRunningRunTakesFinishedNumbersAlone();
  void aRunCannotBeCutBelowTheEpochItIsIn();
  void theRunSetupShowsTheDocument_data();
  void theRunSetupShowsTheDocument();
  void theDataPageShowsTheDocument();
  void theDataPageHasEverySetting();

 private:
  static QLineEdit* lineOf(NumberBox& box) { return box.findChild<QLineEdit*>(); }
  static void type(NumberBox& box, const QString& text) {
    box.setFocus();
    box.selectAll();
    QTest::keyClicks(&box, text);
  }
  static NumberBox* field(QWidget& form, const char* id) {
    return form.findChild<NumberBox*>(QStringLiteral("field_") + id);
  }
  QTemporaryDir m_home;
  std::unique_ptr<Theme> m_theme;
};

void TestNumbers::initTestCase() {
  qputenv("XDG_DATA_HOME", m_home.path().toUtf8());
  m_theme = std::make_unique<Theme>(*qApp);
}

void TestNumbers::reads_data() {
  QTest::addColumn<Field>("field");
  QTest::addColumn<QString>("text");
  QTest::addColumn<bool>("good");
  QTest::addColumn<Value>("value");
  const auto good = [](const Field& field, const char* text, const Value& value) {
    QTest::addRow("%s: '%s'", field.id.c_str(), text) << field << QString(text) << true << value;
  };
  const auto bad = [](const Field& field, const char* text) {
    QTest::addRow("%s: '%s' refused", field.id.c_str(), text) << field << QString(text) << false << Value();
  };
  good(kRate, "0.05", 0.05);
  good(kRate, "0,05", 0.05);
  good(kRate, ",5", 0.5);
  good(kRate, "5.", 5.0);
  good(kRate, "1e-4", 1e-4);
  good(kRate, "1,5E-9", 1.5e-9);
  good(kRate, " +3 ", 3.0);
  good(kRate, "0,000", 0.0);
  good(kRate, "1,234", 1.234);  // the same rule for every comma
  for (const char* text : {"1.234,5", "1,234.5", "1,234,567", "0,0,5", "1e",    "e5",    "1e-", "-1", "2e6",  "1e999",
                           "1e-999",  "nan",     "inf",       "0x10",  "1 000", "1'000", "ten", "",   "5 px", "٥"})
    bad(kRate, text);
  good(kEpochs, "1000000", std::int64_t{1'000'000});
  good(kEpochs, "007", std::int64_t{7});
  for (const char* text :
       {"0", "-3", "1000001", "1,000", "1.000", "3.0", "3,0", "1 000", "1e3", "99999999999999999999", ""})
    bad(kEpochs, text);
  good(kSeed, "0", std::uint64_t{0});
  good(kSeed, "5000000000", std::uint64_t{5'000'000'000});
  good(kSeed, "18446744073709551615", std::uint64_t{UINT64_MAX});
  for (const char* text : {"18446744073709551616", "-1", "1,5", "abc"}) bad(kSeed, text);
  good(pixels(), "7", Pair{7, 7});
  good(pixels(), "3x5", Pair{3, 5});
  good(pixels(), "2 × 4 px", Pair{2, 4});
  good(pixels(), "As window", Pair{0, 0});
  for (const char* text : {"40", "3x", "3,5", "3.5", "x3", "1x2x3"}) bad(pixels(), text);
}

void TestNumbers::reads() {
  QFETCH(const Field, field);
  QFETCH(const QString, text);
  QFETCH(const bool, good);
  QFETCH(const Value, value);
  const TypedNumber typed = readNumber(field, text);
  QCOMPARE(typed.value.has_value(), good);
  QCOMPARE(typed.problem.isEmpty(), good);
  if (good) QVERIFY(*typed.value == value);
}

void TestNumbers::shows_data() {
  QTest::addColumn<Field>("field");
  QTest::addColumn<Value>("value");
  QTest::addColumn<QString>("text");
  const auto row = [](const Field& field, const Value& value, const char* text) {
    QTest::addRow("%s", text) << field << value << QString(text);
  };
  row(kRate, 1e-9, "1e-09");
  row(kRate, 0.1 + 0.2, "0.30000000000000004");
  row(kRate, 1e-300, "1e-300");
  row(kEpochs, std::int64_t{1'000'000}, "1000000");
  row(kSeed, std::uint64_t{5'000'000'000}, "5000000000");
  row(kSeed, std::uint64_t{UINT64_MAX}, "18446744073709551615");
  row(pixels(), Pair{3, 5}, "3 × 5 px");
  row(pixels(), Pair{0, 0}, "as window");
  row(pixels(), Pair{0, 2}, "0 × 2 px");
  row(kEpochs, std::int64_t{5'000'000}, "5000000");  // of a document that is out of limits, too
}

void TestNumbers::shows() {
  QFETCH(const Field, field);
  QFETCH(const Value, value);
  QFETCH(const QString, text);
  NumberBox box(field);
  box.setValue(value);
  QCOMPARE(lineOf(box)->text(), text);
  QCOMPARE(lineOf(box)->toolTip(), text.size() > 12 ? text : QString());  // what may be cut can be read in whole
  QVERIFY(box.value() == value);
}

void TestNumbers::showsWhatItReads() {
  for (const double value : {0.1, 1.0 / 3, 1e-12, 2.5e-5, 123456.789, 5e-324}) {
    const TypedNumber again = readNumber(kRate, numberText(kRate, value));
    QVERIFY(again.value.has_value());
    QCOMPARE(std::get<double>(*again.value), value);
  }
}

void TestNumbers::steps_data() {
  QTest::addColumn<Field>("field");
  QTest::addColumn<Value>("from");
  QTest::addColumn<int>("steps");
  QTest::addColumn<Value>("to");
  QTest::newRow("a tenth of its size") << kRate << Value(0.5) << 1 << Value(0.51);
  QTest::newRow("seven of them") << kRate << Value(0.51) << 7 << Value(0.58);
  QTest::newRow("down over a power of ten") << kRate << Value(0.1) << -1 << Value(0.099);
  QTest::newRow("from zero") << kRate << Value(0.0) << 1 << Value(0.01);
  QTest::newRow("small") << kRate << Value(1e-9) << 1 << Value(1.1e-9);
  QTest::newRow("not below the limit") << kRate << Value(0.0) << -1 << Value(0.0);
  QTest::newRow("whole") << kEpochs << Value(std::int64_t{30}) << -1 << Value(std::int64_t{29});
  QTest::newRow("whole at its end") << kEpochs << Value(std::int64_t{1'000'000}) << 1 << Value(std::int64_t{1'000'000});
  QTest::newRow("seed at its end") << kSeed << Value(std::uint64_t{UINT64_MAX}) << 10
                                   << Value(std::uint64_t{UINT64_MAX});
  QTest::newRow("seed at 0") << kSeed << Value(std::uint64_t{0}) << -1 << Value(std::uint64_t{0});
  QTest::newRow("pair") << pixels() << Value(Pair{3, 9}) << 1 << Value(Pair{4, 9});
}

void TestNumbers::steps() {
  QFETCH(const Field, field);
  QFETCH(const Value, from);
  QFETCH(const int, steps);
  QFETCH(const Value, to);
  QVERIFY(steppedNumber(field, from, steps) == to);
}

void TestNumbers::percentsAreExact() {
  for (int permille = 0; permille <= 900; ++permille) {
    const double fraction = QString("%1e-3").arg(permille).toDouble();
    const double percent = withPointMoved(fraction, 2);
    QCOMPARE(percent, QString("%1e-1").arg(permille).toDouble());
    QCOMPARE(withPointMoved(percent, -2), fraction);
  }
}

void TestNumbers::nothingIsAppliedWhileTyping() {
  for (const Field& field : {kRate, kEpochs, kSeed, pixels()}) {
    NumberBox box(field);
    QSignalSpy edited(&box, &NumberBox::edited);
    const Value before = box.value();
    type(box, "12");
    QCOMPARE(edited.count(), 0);
    QVERIFY(box.value() == before);
    QVERIFY(box.typing());
    QTest::keyClick(&box, Qt::Key_Escape);
    QVERIFY(!box.typing());
    QVERIFY(box.value() == before);
    QCOMPARE(lineOf(box)->text(), lineOf(*std::make_unique<NumberBox>(field))->text());
    QCOMPARE(edited.count(), 0);
  }
}

void TestNumbers::finishes_data() {
  QTest::addColumn<QString>("act");
  QTest::addColumn<bool>("applied");
  for (const char* act : {"return", "tab", "click on a button without focus", "shortcut", "close"})
    QTest::newRow(act) << act << true;
  for (const char* act : {"another window", "click into the box", "a refresh"}) QTest::newRow(act) << act << false;
}

void TestNumbers::finishes() {
  QFETCH(const QString, act);
  QFETCH(const bool, applied);
  QMainWindow window;
  auto* inside = new QWidget;
  window.setCentralWidget(inside);
  auto* column = new QVBoxLayout(inside);
  auto* box = new NumberBox(kRate);
  auto* button = new QToolButton;
  button->setFocusPolicy(Qt::NoFocus);
  column->addWidget(box);
  column->addWidget(button);
  column->addWidget(new QLineEdit);
  auto* shortcut = new QShortcut(QKeySequence("F5"), &window);
  double seen = -1;  // the value that the act finds
  const auto look = [&] { seen = std::get<double>(box->value()); };
  connect(shortcut, &QShortcut::activated, this, look);
  connect(button, &QToolButton::clicked, this, look);
  window.show();
  QVERIFY(QTest::qWaitForWindowActive(&window));
  QSignalSpy edited(box, &NumberBox::edited);
  type(*box, "0,003");
  if (act == "return") QTest::keyClick(box, Qt::Key_Return);
  else if (act == "tab") QTest::keyClick(box, Qt::Key_Tab);
  else if (act == "click on a button without focus") QTest::mouseClick(button, Qt::LeftButton);
  else if (act == "shortcut") QTest::keyClick(box, Qt::Key_F5);
  else if (act == "close") window.close();
  else if (act == "another window") {
    QFocusEvent event(QEvent::FocusOut, Qt::ActiveWindowFocusReason);
    QCoreApplication::sendEvent(box, &event);
  } else if (act == "click into the box") QTest::mouseClick(lineOf(*box), Qt::LeftButton);
  else box->setValue(0.25);
  QCOMPARE(edited.count(), applied ? 1 : 0);
  QCOMPARE(box->typing(), !applied);
  if (applied) QCOMPARE(std::get<double>(box->value()), 0.003);
  else QCOMPARE(lineOf(*box)->text(), QString("0,003"));
  if (act == "shortcut" || act.startsWith("click on")) QCOMPARE(seen, 0.003);
}

void TestNumbers::whatCannotBeReadIsSaidAndChangesNothing() {
  NumberBox box(kRate);
  QSignalSpy edited(&box, &NumberBox::edited), said(&box, &NumberBox::problemChanged);
  type(box, "1.234,5");
  QTest::keyClick(&box, Qt::Key_Return);
  QCOMPARE(said.count(), 1);
  const QString sentence = said.last().first().toString();
  QVERIFY2(sentence.contains("1.234,5") && sentence.contains("0.5 stays"), qPrintable(sentence));
  QCOMPARE(lineOf(box)->text(), QString("1.234,5"));  // to be put right
  QTest::keyClick(&box, Qt::Key_Backspace);
  QCOMPARE(said.last().first().toString(), QString());
  type(box, "0,0,5");
  box.finish();
  QCOMPARE(lineOf(box)->text(), QString("0.5"));
  QVERIFY(!said.last().first().toString().isEmpty());
  box.setValue(0.25);
  QCOMPARE(said.last().first().toString(), QString());
  QCOMPARE(edited.count(), 0);
}

void TestNumbers::aRefreshLeavesTypingAlone() {
  NumberBox box(kRate);
  type(box, "0.0");
  box.setValue(0.25);
  box.describe(realField("rate", "Rate", 0.1, 0, 1, "Other limits."));
  QCOMPARE(lineOf(box)->text(), QString("0.0"));
  QTest::keyClicks(&box, "3");
  QTest::keyClick(&box, Qt::Key_Return);
  QCOMPARE(std::get<double>(box.value()), 0.03);
  type(box, "7");
  box.setValue(0.5);
  QTest::keyClick(&box, Qt::Key_Escape);
  QCOMPARE(lineOf(box)->text(), QString("0.5"));  // what the document holds now
}

void TestNumbers::arrowsFinishFirst() {
  NumberBox box(kEpochs);
  QSignalSpy edited(&box, &NumberBox::edited);
  type(box, "50");
  QTest::keyClick(&box, Qt::Key_Up);
  QCOMPARE(edited.count(), 1);
  QCOMPARE(std::get<std::int64_t>(box.value()), 51);
  type(box, "5x");
  QTest::keyClick(&box, Qt::Key_Up);
  QCOMPARE(edited.count(), 1);
  QCOMPARE(std::get<std::int64_t>(box.value()), 51);
}

void TestNumbers::aRunningRunTakesFinishedNumbersAlone() {
  Document document;
  document.reset(smallProject(100'000), {});
  TrainingSession session(document);
  session.setBackend("reference", 1);
  session.setDataset(syntheticDigits(1, 64, 16));
  RunSetupPanel panel(*m_theme, document, session);
  panel.show();
  QVERIFY(QTest::qWaitForWindowActive(&panel));
  session.perform(TrainingSession::Action::Start);
  QTRY_VERIFY(session.run().epochs.size() >= 1);
  auto* rate = field(panel, "optimizer.learning_rate");
  auto* epochs = field(panel, "epochs");
  type(*rate, "1");
  QCOMPARE(session.changes().size(), std::size_t(0));
  epochs->setFocus();  // leaving the rate applies it
  QCOMPARE(session.changes().size(), std::size_t(1));
  QCOMPARE(session.run().project.training.epochs, 100'000);
  type(*rate, "1e-4");
  const auto before = session.run().epochs.size();
  QTRY_VERIFY(session.run().epochs.size() > before);  // the panel follows every epoch
  QCOMPARE(lineOf(*rate)->text(), QString("1e-4"));
  QCOMPARE(session.run().project.training.optimizer.learningRate(), 1.0);
  QTest::keyClick(rate, Qt::Key_Return);
  QCOMPARE(session.run().project.training.optimizer.learningRate(), 1e-4);
  QCOMPARE(session.changes().size(), std::size_t(2));
  QCOMPARE(document.project().training.optimizer.learningRate(), 0.05);  // a run keeps its own settings
  session.stopAndWait();
}

void TestNumbers::aRunCannotBeCutBelowTheEpochItIsIn() {
  Document document;
  document.reset(smallProject(100'000), {});
  TrainingSession session(document);
  session.setBackend("reference", 1);
  session.setDataset(syntheticDigits(1, 64, 16));
  RunSetupPanel panel(*m_theme, document, session);
  panel.show();
  QVERIFY(QTest::qWaitForWindowActive(&panel));
  session.perform(TrainingSession::Action::Start);
  QTRY_VERIFY(session.run().epochs.size() >= 4);
  auto* epochs = field(panel, "epochs");
  type(*epochs, "3");
  QTest::keyClick(epochs, Qt::Key_Return);
  QCOMPARE(session.run().project.training.epochs, 100'000);
  QVERIFY(session.active());
  const auto* problem = panel.findChild<QLabel*>("problem_epochs");
  QVERIFY2(problem->text().contains("got 3"), qPrintable(problem->text()));
  QTest::keyClick(epochs, Qt::Key_Escape);
  QVERIFY(problem->text().isEmpty());
  session.stopAndWait();
}

void TestNumbers::theRunSetupShowsTheDocument_data() {
  QTest::addColumn<QString>("setting");
  QTest::addColumn<QString>("editor");
  QTest::addColumn<QString>("shown");
  QTest::newRow("seed past 32 bits") << "training.seed=5000000000"
                                     << "seed"
                                     << "5000000000";
  QTest::newRow("the largest seed") << "training.seed=18446744073709551615"
                                    << "seed"
                                    << "18446744073709551615";
  QTest::newRow("epochs") << "training.epochs=1000000"
                          << "epochs"
                          << "1000000";
  QTest::newRow("a tiny rate") << "training.optimizer.learning_rate=1e-9"
                               << "optimizer.learning_rate"
                               << "1e-09";
  QTest::newRow("label smoothing") << "training.label_smoothing=0.15"
                                   << "loss.label_smoothing"
                                   << "0.15";
  QTest::newRow("kept epochs") << "training.keep_epochs=3"
                               << "keep_epochs"
                               << "3";
  QTest::newRow("batch") << "training.batch_size=65536"
                         << "batch_size"
                         << "65536";
}

void TestNumbers::theRunSetupShowsTheDocument() {
  QFETCH(const QString, setting);
  QFETCH(const QString, editor);
  QFETCH(const QString, shown);
  Document document;
  TrainingSession session(document);
  RunSetupPanel panel(*m_theme, document, session);
  Project project = smallProject(2);
  applySetting(project, setting.toStdString());
  document.reset(project, {});
  auto* box = field(panel, qPrintable(editor));
  QVERIFY(box);
  QCOMPARE(lineOf(*box)->text(), shown);
  type(*box, shown);
  QTest::keyClick(box, Qt::Key_Return);
  QVERIFY(document.project() == project);
  QTest::keyClick(box, Qt::Key_Down);
  QVERIFY(document.project() != project);
}

void TestNumbers::sharesAreInPercent() {
  Field share = realField("share", "Share", 0.1, 0, 0.9, "");
  share.unit = "%";
  QCOMPARE(numberText(share, 0.07), QString("7"));
  QCOMPARE(std::get<double>(*readNumber(share, "12,3 %").value), 0.123);
  QVERIFY(readNumber(share, "95").problem.contains("0 to 90"));
  QCOMPARE(std::get<double>(steppedNumber(share, 0.5, 1)), 0.51);
  QCOMPARE(std::get<double>(steppedNumber(share, 0.9, 1)), 0.9);
  NumberBox box(share);
  QCOMPARE(lineOf(box)->text(), QString("10 %"));
}

void TestNumbers::theDataPageShowsTheDocument() {
  Document document;
  TrainingSession session(document);
  DataLoader loader(document, session, {});
  DataPage page(*m_theme, document, session, loader);
  Project project = smallProject(2);
  project.data.source = "synthetic-digits";
  project.data.validation = ValidationSource::Split;
  project.data.validationFraction = 0.005;
  project.data.augmentation = moving(3, 12.5);
  document.reset(project, {});
  const auto shown = [&](const char* id) { return lineOf(*field(page, id))->text(); };
  QCOMPARE(shown("validation_fraction"), QString("0.5 %"));
  QCOMPARE(shown("shift"), QString("3 px"));
  QCOMPARE(shown("rotate"), QString("12.5 °"));
  type(*field(page, "validation_fraction"), "12,3 %");
  QCOMPARE(document.project().data.validationFraction, 0.005);
  QTest::keyClick(field(page, "validation_fraction"), Qt::Key_Return);
  QCOMPARE(document.project().data.validationFraction, 0.123);
  type(*field(page, "rotate"), "5");
  field(page, "rotate")->finish();
  QCOMPARE(document.project().data.augmentation.fields.real("rotate"), 5.0);
  document.undoStack().undo();
  QCOMPARE(shown("rotate"), QString("12.5 °"));
}

/// Whatever the tables of settings describe is on the page by itself, and goes where it belongs.
void TestNumbers::theDataPageHasEverySetting() {
  Document document;
  TrainingSession session(document);
  DataLoader loader(document, session, {});
  DataPage page(*m_theme, document, session, loader);
  Project project = smallProject(2);
  project.data.source = "synthetic-digits";
  document.reset(project, {});
  const auto editor = [&](const Field& field) {
    return page.findChild<QWidget*>(QStringLiteral("field_") + QString::fromStdString(field.id));
  };
  for (const auto& setting : dataSettings()) QVERIFY2(editor(setting.field), setting.field.id.c_str());
  for (const DataGroup& group : dataGroups()) {
    for (const Field& field : group.fields()) {
      QVERIFY2(editor(field), field.id.c_str());
      const Fields before = group.get(document.project().data);
      if (auto* box = qobject_cast<NumberBox*>(editor(field))) box->stepBy(1);
      else if (auto* tick = qobject_cast<QCheckBox*>(editor(field))) tick->click();
      else if (auto* choice = qobject_cast<QComboBox*>(editor(field))) choice->setCurrentIndex(1);
      else if (auto* segment = qobject_cast<Segment*>(editor(field))) segment->setCurrent(1);
      const Fields after = group.get(document.project().data);
      for (const Field& each : group.fields()) QCOMPARE(after.at(each.id) == before.at(each.id), each.id != field.id);
    }
  }
  auto* fraction = field(page, "validation_fraction");
  QVERIFY(!fraction->isEnabled() && fraction->toolTip().contains("split"));  // the small project has the test set
  document.edit("Split", [](Project& edited) { edited.data.validation = ValidationSource::Split; });
  QVERIFY(fraction->isEnabled());
}

QTEST_MAIN(TestNumbers)
#include "tst_numbers.moc"

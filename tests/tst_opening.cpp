// SPDX-License-Identifier: GPL-3.0-or-later
// Opening and editing succeed whole or not at all: every project that a file can hold is opened in the real window,
// edited, undone and started, and no exception leaves a slot. And what escapes one all the same: caught, told, and the
// work kept.
#include <QAction>
#include <QHelpEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>
#include <QScreen>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>
#include <QToolTip>
#include <filesystem>
#include <functional>
#include <new>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "gui/application.h"
#include "gui/data_loader.h"
#include "gui/main_window.h"
#include "gui/models/layer_stack_model.h"
#include "gui/models/palette_model.h"
#include "gui/pages/build/build_page.h"
#include "gui/widgets/stack_view.h"
#include "tiny_run.h"

using namespace strata;
using namespace strata::gui;

namespace {

constexpr std::int64_t kMostTrainedBytes = 64 << 20;  ///< what is larger is opened and edited, but not trained here

Json tinyJson() { return projectToJson(tinyProject()); }

Json layerOf(const std::string& type, const std::string& name) { return {{"type", type}, {"name", name}}; }

/// A value at a limit of its field, as JSON; null where the kind has no limits.
Json limitOf(const Field& field, bool high) {
  const double limit = high ? field.high : field.low;
  switch (field.kind) {
    case Field::Kind::Int:
    case Field::Kind::Pair:
      return static_cast<std::int64_t>(limit);
    case Field::Kind::Real:
      return limit;
    case Field::Kind::Choice:
      return (high ? field.choices.back() : field.choices.front()).id;
    case Field::Kind::Seed:
      return high ? UINT64_MAX : std::uint64_t{0};
    case Field::Kind::Bool:
      return high;
    case Field::Kind::Initializer:
      return Json{{"type", "uniform"}, {"limit", high ? 1000 : 0}};
    case Field::Kind::Sizes:
      return Json::array({static_cast<std::int64_t>(limit)});
  }
  return {};
}

void setLimits(Json& object, const std::vector<Field>& fields, bool high) {
  for (const Field& field : fields) object[field.id] = limitOf(field, high);
}

using Change = std::function<void(Json&)>;

/// What a file can hold, by name. Nothing here is refused as unreadable unless its name says so.
std::vector<std::pair<QString, Change>> hostileChanges() {
  std::vector<std::pair<QString, Change>> all;
  const auto add = [&](const QString& name, Change change) { all.emplace_back(name, std::move(change)); };
  const auto layers = [](Json& json) -> Json& { return json["network"]["layers"]; };
  const std::pair<const char*, std::string> names[] = {
      {"empty", ""},      {"dot", "conv.1"},  {"space", "con v1"},           {"long", std::string(65, 'a')},
      {"slash", "../x"},  {"digit", "1conv"}, {"control", "a\n\x1b[31mred"}, {"huge", std::string(20000, 'n')},
      {"umlaut", "größe"}};
  for (const auto& [what, name] : names)
    add(QString("name %1").arg(what), [=](Json& json) { layers(json)[0]["name"] = name; });
  add("name twice", [=](Json& json) { layers(json).insert(layers(json).begin(), layers(json)[0]); });
  add("all names the same", [=](Json& json) {
    for (Json& layer : layers(json)) layer["name"] = "conv1";
  });
  for (const int count : {0, 1, 999, 1000, 1001})
    add(QString("%1 layers").arg(count), [=](Json& json) {
      layers(json) = Json::array();
      for (int i = 0; i < count; ++i) layers(json).push_back(layerOf("dropout", "d" + std::to_string(i)));
    });
  add("1000 layers of one name", [=](Json& json) {
    layers(json) = Json::array();
    for (int i = 0; i < 1000; ++i) layers(json).push_back(layerOf("dropout", "d"));
  });
  for (const double fraction : {0.0, 1e-300, 0.9})
    add(QString("fraction %1").arg(fraction), [=](Json& json) {
      json["data"]["validation"] = "split";
      json["data"]["validation_fraction"] = fraction;
    });
  for (const int classes : {1, 2, 4, 65536})
    add(QString("%1 classes").arg(classes), [=](Json& json) { json["network"]["classes"] = classes; });
  const std::pair<const char*, Json> inputs[] = {{"one value", Json::array({1})},
                                                 {"one pixel", Json::array({1, 1, 1})},
                                                 {"largest", Json::array({16384, 16384, 65536})},
                                                 {"colour", Json::array({8, 8, 3})}};
  for (const auto& [what, input] : inputs)
    add(QString("input %1").arg(what), [=](Json& json) { json["network"]["input"] = input; });
  for (const LayerDef& def : allLayers())
    for (const bool high : {false, true}) {
      add(QString("%1 at its %2 limits").arg(def.type.c_str(), high ? "high" : "low"), [=, &def](Json& json) {
        layers(json)[0] = layerOf(def.type, "limits");
        setLimits(layers(json)[0], def.fields, high);
      });
    }
  const auto choices = [&](const char* key, const auto& defs) {
    for (const ChoiceDef& def : defs)
      for (const bool high : {false, true})
        add(QString("%1 at its %2 limits").arg(def.type.c_str(), high ? "high" : "low"), [=, &def](Json& json) {
          json["training"][key] = {{"type", def.type}};
          setLimits(json["training"][key], def.fields, high);
        });
  };
  choices("optimizer", allOptimizers());
  choices("schedule", allSchedules());
  add("training at its low limits", [](Json& json) {
    json["training"].update({{"batch_size", 1}, {"epochs", 1}, {"seed", 0}, {"keep_epochs", 0}});
  });
  add("training at its high limits", [](Json& json) {
    json["training"].update({{"batch_size", 65536},
                             {"epochs", 1'000'000},
                             {"seed", UINT64_MAX},
                             {"keep_epochs", 1'000'000},
                             {"label_smoothing", 0.9}});
  });
  add("preprocessing at its limits", [](Json& json) {
    json["data"]["preprocessing"] = {{"scale", -1e6}, {"offset", 1e6}, {"invert", true}};
  });
  for (const char* source : {"", ".", "/nowhere", "/dev/null", "mnits", "a\nb"})
    add(QString("source '%1'").arg(source), [=](Json& json) { json["data"]["source"] = source; });
  for (const std::string& name : {std::string(), std::string(100'000, 'x'), std::string("a\nb\x1b[0m<b>c</b>")})
    add(QString("project's name of %1").arg(name.size()), [=](Json& json) { json["name"] = name; });
  return all;
}

}  // namespace

class TestOpening : public QObject {
  Q_OBJECT

 private:
  QTemporaryDir m_home;
  std::unique_ptr<Theme> m_theme;
  std::unique_ptr<Document> m_document;
  std::unique_ptr<TrainingSession> m_session;
  std::unique_ptr<MainWindow> m_window;
  DataLoader* m_loader = nullptr;
  QStringList m_faults;  ///< what escaped a slot

  Application& app() { return *static_cast<Application*>(qApp); }
  template <class T>
  T* find(const char* name) const {
    return m_window->findChild<T*>(name);
  }
  QString write(const QString& name, const std::string& text) const {
    const QString path = m_home.filePath(name);
    QFile file(path);
    if (file.open(QIODevice::WriteOnly)) file.write(text.data(), qint64(text.size()));
    return path;
  }
  Path recoveryFolder() const { return m_home.filePath("strata/recovery").toStdString(); }

  /// Everything a hand does to a stack, then all of it undone and done again.
  void editEverything() {
    auto& model = *qobject_cast<LayerStackModel*>(find<StackView>("stack")->model());
    const int steps = m_document->undoStack().count();
    const Project before = m_document->project();
    for (const LayerDef& def : allLayers()) model.insertLayer(QString::fromStdString(def.type), {});
    for (const int layer : {0, model.layerCount() / 2, model.layerCount() - 1}) {
      model.duplicateLayer(layer);
      model.copyLayer(layer, {});
      model.moveLayer(layer, {});
      model.removeLayer(layer);
    }
    QMimeData dropped;
    dropped.setData(kLayerMime, "dense");
    model.dropMimeData(&dropped, Qt::CopyAction, 1, 0, {});
    m_window->showPage("build");
    for (int row = 0; row < std::min(20, model.rowCount()); ++row)
      find<StackView>("stack")->setCurrentIndex(model.index(row));
    const Project after = m_document->project();
    while (m_document->undoStack().count() > steps && m_document->undoStack().canUndo()) m_document->undoStack().undo();
    QVERIFY(m_document->project() == before);
    while (m_document->undoStack().canRedo()) m_document->undoStack().redo();
    QVERIFY(m_document->project() == after);
    m_document->undoStack().setIndex(steps);
  }

 private slots:
  void initTestCase() {
    qputenv("XDG_CONFIG_HOME", m_home.path().toUtf8());
    qputenv("XDG_DATA_HOME", m_home.path().toUtf8());
    QCoreApplication::setOrganizationName("strata");
    QCoreApplication::setApplicationName("strata-test");
    m_theme = std::make_unique<Theme>(app());
    m_document = std::make_unique<Document>();
    m_document->reset(tinyProject(), {});
    m_session = std::make_unique<TrainingSession>(*m_document);
    m_window = std::make_unique<MainWindow>(*m_theme, *m_document, *m_session);
    m_window->show();
    m_loader = m_window->findChild<DataLoader*>();
    QVERIFY(m_loader);
    app().setRescue([this](const QString& what) {
      m_faults << what;
      m_window->files().rescue(what);
    });
  }

  void init() {
    m_faults.clear();
    std::filesystem::remove_all(recoveryFolder());
    m_document->reset(tinyProject(), {});
    QTRY_VERIFY_WITH_TIMEOUT(!m_loader->loading(), 60000);  // "tiny" is found nowhere
    m_session->setDataset(tinyDataset());
    find<QWidget>("banner")->hide();
  }

  void cleanup() { m_session->stopAndWait(); }

  void cleanupTestCase() {
    app().setRescue({});
    m_window.reset();
    m_session.reset();
    m_document.reset();
  }

  void everyFileOpensWholeOrNotAtAll_data() {
    QTest::addColumn<QString>("path");
    int number = 0;
    for (const auto& [name, change] : hostileChanges()) {
      Json json = tinyJson();
      change(json);
      QTest::newRow(qPrintable(name)) << write(QString("hostile-%1.strata").arg(number++), json.dump());
    }
  }
  void everyFileOpensWholeOrNotAtAll() {
    QFETCH(QString, path);
    const Project before = m_document->project();
    std::optional<Project> held;
    try {
      held = readProject(path.toStdString());
    } catch (const Error&) {
    }
    m_window->openFile(path);
    QVERIFY(m_document->project() == held.value_or(before));
    QCOMPARE(m_document->path(), held ? path : QString());
    QCOMPARE(m_document->analysis().layers.size(), m_document->project().network.layers.size());
    QCOMPARE(find<StackView>("stack")->model()->rowCount(), int(m_document->project().network.layers.size()) + 2);
    if (!held) QVERIFY(find<QLabel>("bannerText")->isVisible());
    for (const PageDef& page : allPages()) {
      m_window->showPage(page.id);
      QCoreApplication::processEvents();
    }
    editEverything();
    m_session->setDataset(tinyDataset());
    const auto& training = m_document->project().training;
    const bool affordable = m_document->analysis().trainingBytes(
                                training.batchSize, training.optimizer.slotsPerWeight()) <= kMostTrainedBytes;
    m_session->perform(TrainingSession::Action::StepBatch);
    if (affordable && m_session->active())
      QTRY_VERIFY_WITH_TIMEOUT(!m_session->batches().empty() || !m_session->active(), 20000);
    m_session->stopAndWait();
    QVERIFY(!m_session->stateFacts().isEmpty());
    QVERIFY2(m_faults.isEmpty(), qPrintable(m_faults.join('\n')));
  }

  void dataThatCannotBeSplitAreARefusal_data() {
    QTest::addColumn<int>("train");
    QTest::addColumn<int>("test");
    QTest::addColumn<double>("fraction");
    QTest::addColumn<QString>("says");
    QTest::newRow("one sample") << 1 << 1 << 0.1 << "needed 2 or more";
    QTest::newRow("no sample") << 0 << 1 << 0.1 << "needed 2 or more";
    QTest::newRow("fraction 0") << 20 << 5 << 0.0 << "between 0 and 1";
  }
  void dataThatCannotBeSplitAreARefusal() {
    QFETCH(int, train);
    QFETCH(int, test);
    QFETCH(double, fraction);
    QFETCH(QString, says);
    m_document->edit("Data", [&](Project& project) {
      project.data.validation = ValidationSource::Split;
      project.data.validationFraction = fraction;
    });
    m_session->setDataset(tinyDataset(train, test));
    QVERIFY2(m_session->blockedReason(TrainingSession::Action::Start).contains(says),
             qPrintable(m_session->blockedReason(TrainingSession::Action::Start)));
    for (const auto action :
         {TrainingSession::Action::Start, TrainingSession::Action::StepBatch, TrainingSession::Action::StepEpoch}) {
      m_session->perform(action);
      QVERIFY(!m_session->active());
    }
    QVERIFY(!m_session->stateFacts().isEmpty());
    QVERIFY(!find<QPushButton>("primaryButton")->isEnabled());
    QVERIFY2(m_faults.isEmpty(), qPrintable(m_faults.join('\n')));
  }

  void tooltipsArePlainText() {
    QPushButton button("Rest here", m_window.get());
    button.setToolTip("<h1>run</h1>");
    button.show();
    QHelpEvent rest(QEvent::ToolTip, QPoint(2, 2), button.mapToGlobal(QPoint(2, 2)));
    QApplication::sendEvent(&button, &rest);
    const QLabel* tip = nullptr;
    for (const QWidget* widget : QApplication::topLevelWidgets())
      if (widget->inherits("QTipLabel")) tip = qobject_cast<const QLabel*>(widget);
    QVERIFY(tip);
    QCOMPARE(tip->textFormat(), Qt::PlainText);
    QCOMPARE(tip->text(), button.toolTip());
    QToolTip::hideText();
  }

  void whatEscapesASlotIsCaughtAndTheWorkKept_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("says");
    QTest::newRow("Error") << 0 << "wheel: is square.";
    QTest::newRow("logic error") << 1 << "map::at";
    QTest::newRow("no memory") << 2 << "memory is exhausted";
    QTest::newRow("anything") << 3 << "unknown kind";
  }
  void whatEscapesASlotIsCaughtAndTheWorkKept() {
    QFETCH(int, kind);
    QFETCH(QString, says);
    m_document->edit("Change", [](Project& project) { project.training.epochs = 77; });
    const auto fail = [kind] {
      if (kind == 0) throw Error(Error::Kind::Input, "wheel", "is square");
      if (kind == 1) throw std::out_of_range("map::at");
      if (kind == 2) throw std::bad_alloc();
      throw kind;
    };
    QTimer::singleShot(0, this, fail);
    QTRY_COMPARE(m_faults.size(), 1);
    auto* text = find<QLabel>("bannerText");
    QVERIFY(text->isVisible());
    QVERIFY2(text->text().contains(says), qPrintable(text->text()));
    QPushButton button("Fails", m_window.get());
    connect(&button, &QPushButton::clicked, this, fail);
    QTest::mouseClick(&button, Qt::LeftButton);
    QCOMPARE(m_faults.size(), 2);
    QVERIFY(m_document->dirty());

    // The next start offers the copy; opened, it is work that is saved nowhere, and saved, the copy goes.
    const Project work = m_document->project();
    m_document->reset(tinyProject(), {});
    m_window->files().offerKeptWork();
    auto* offer = find<QPushButton>("bannerOffer");
    QVERIFY(offer->isVisible());
    QTest::mouseClick(offer, Qt::LeftButton);
    QVERIFY(m_document->project() == work);
    QVERIFY(m_document->dirty());
    QVERIFY(m_document->path().isEmpty());
    QVERIFY(!std::filesystem::is_empty(recoveryFolder()));
    m_document->save(m_home.filePath("saved.strata"));
    QVERIFY(m_window->files().save());
    QVERIFY(std::filesystem::is_empty(recoveryFolder()));
  }

  void nothingUnsavedNothingKept() {
    QTimer::singleShot(0, this, [] { throw std::runtime_error("odd"); });
    QTRY_COMPARE(m_faults.size(), 1);
    QVERIFY(find<QLabel>("bannerText")->text().contains("odd"));
    QVERIFY(!std::filesystem::exists(recoveryFolder()));
    find<QWidget>("banner")->hide();
    m_window->files().offerKeptWork();
    QVERIFY(!find<QPushButton>("bannerOffer")->isVisible());
  }

  void aFileChangedElsewhereIsNotReplacedUnasked_data() {
    QTest::addColumn<QString>("answer");
    QTest::addColumn<int>("here");  // epochs in the document and in the file afterwards
    QTest::addColumn<int>("there");
    QTest::addColumn<bool>("saved");
    QTest::newRow("cancel") << "Cancel" << 5 << 7 << false;
    QTest::newRow("save anyway") << "Save anyway" << 5 << 5 << true;
    QTest::newRow("reload") << "Reload" << 7 << 7 << false;
  }
  void aFileChangedElsewhereIsNotReplacedUnasked() {
    QFETCH(QString, answer);
    QFETCH(int, here);
    QFETCH(int, there);
    QFETCH(bool, saved);
    const QString path = m_home.filePath("shared.strata");
    m_document->save(path);
    m_document->edit("Here", [](Project& project) { project.training.epochs = 5; });
    Project other = tinyProject();
    other.training.epochs = 7;
    writeProject(path.toStdString(), other);
    m_window->files().look();
    QVERIFY(find<QLabel>("bannerText")->text().contains("changed by another program"));
    QVERIFY(find<QPushButton>("bannerOffer")->isVisible());
    find<QWidget>("banner")->hide();
    m_window->files().look();
    QVERIFY(!find<QWidget>("banner")->isVisible());  // said once
    bool asked = false;
    QTimer::singleShot(0, this, [&] {
      for (auto* button : find<QMessageBox>("fileChanged")->findChildren<QAbstractButton*>()) {
        if (button->text().remove('&') != answer) continue;
        asked = true;
        button->click();
      }
    });
    QCOMPARE(m_window->files().save(), saved);
    QVERIFY(asked);
    QCOMPARE(m_document->project().training.epochs, here);
    QCOMPARE(readProject(path.toStdString()).training.epochs, there);
    QCOMPARE(m_document->dirty(), answer == "Cancel");
    if (saved) QVERIFY(m_window->files().save());  // and not asked again
  }

  void aFileTakenAwayIsToldAndSavedAnew() {
    const QString path = m_home.filePath("gone.strata");
    m_document->save(path);
    QVERIFY(QFile::remove(path));
    m_window->files().look();
    QVERIFY(find<QLabel>("bannerText")->text().contains("no longer where it was"));
    QVERIFY(m_window->files().save());
    QVERIFY(readProject(path.toStdString()) == m_document->project());
    m_window->files().look();
    QCOMPARE(m_document->fileState(), Document::FileState::Same);
  }

  void theFirstWindowFitsTheScreen_data() {
    QTest::addColumn<QRect>("left");
    QTest::newRow("never opened") << QRect();
    QTest::newRow("left on a larger screen") << QRect(300, 200, 1900, 1000);
    QTest::newRow("left on a screen that is gone") << QRect(5000, -3000, 700, 600);
    QTest::newRow("left half outside") << QRect(600, 500, 700, 600);
  }
  void theFirstWindowFitsTheScreen() {
    QFETCH(QRect, left);
    QSettings settings;
    settings.clear();
    if (left.isValid()) {
      QWidget earlier;
      earlier.setGeometry(left);
      settings.setValue("geometry", earlier.saveGeometry());
    }
    MainWindow window(*m_theme, *m_document, *m_session);
    window.show();
    QCoreApplication::processEvents();
    const QRect room = window.screen()->availableGeometry();
    QVERIFY2(room.contains(window.frameGeometry()), QTest::toString(window.frameGeometry()));
    for (const PageDef& page : allPages()) {
      window.showPage(page.id);
      QCoreApplication::processEvents();
      QVERIFY2(room.contains(window.frameGeometry()), QTest::toString(window.frameGeometry()));
    }
    settings.clear();
  }

  // What is highlighted is what the inspector shows, and what its buttons change.
  void theInspectorFollowsTheHighlightedLayer_data() {
    QTest::addColumn<QString>("edit");
    for (const char* edit : {"duplicate", "insert", "move", "remove"}) QTest::newRow(edit) << QString(edit);
  }
  void theInspectorFollowsTheHighlightedLayer() {
    QFETCH(QString, edit);
    auto* stack = find<StackView>("stack");
    auto& model = *qobject_cast<LayerStackModel*>(stack->model());
    const auto layerNamed = [this](const std::string& name) {
      const auto& layers = m_document->project().network.layers;
      return int(std::find_if(layers.begin(), layers.end(), [&](const auto& l) { return l.name == name; }) -
                 layers.begin());
    };
    const auto same = [&](const std::string& name) {
      return stack->currentLayer() == layerNamed(name) &&
             find<QLineEdit>("layerName")->text() == QString::fromStdString(name);
    };
    if (edit == "duplicate") model.duplicateLayer(0);
    if (edit == "insert") model.insertLayer("dense", {-1, 0, 1});
    if (edit == "move") model.moveLayer(0, {-1, 0, 5});
    if (edit == "remove") model.removeLayer(1);
    QUndoStack& undo = m_document->undoStack();
    undo.undo();
    stack->selectLayer(layerNamed("dense1"));
    QVERIFY(same("dense1"));
    for (int round = 0; round < 2; ++round) {
      undo.redo();
      QVERIFY(same("dense1"));
      undo.undo();
      QVERIFY(same("dense1"));
    }
    undo.redo();
    const auto before = m_document->project().network.layers.size();
    find<QAction>("deleteLayer")->trigger();
    QCOMPARE(m_document->project().network.layers.size(), before - 1);
    QCOMPARE(layerNamed("dense1"), int(before) - 1);  // the highlighted one is gone
  }
};

int main(int argc, char** argv) {
  Application app(argc, argv);
  TestOpening test;
  return QTest::qExec(&test, argc, argv);
}
#include "tst_opening.moc"

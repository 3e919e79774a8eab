// SPDX-License-Identifier: GPL-3.0-or-later
// Project files: every field comes back, anything unknown is refused by name, settings reach every value.
#include <QTest>
#include <random>

#include "engine/base/json.h"
#include "engine/run/project.h"
#include "test_files.h"

using namespace strata;

namespace {

const char* const kLesson = STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata";

/// No field at its initial value.
Project unusual() {
  Project project;
  project.name = "Näme \"quoted\"";
  project.data = {"fashion-mnist", ValidationSource::TestSet, 0.25, {0.5, -1, true}, {}};
  project.network.input = Shape::image(8, 9, 1);
  project.network.classes = 3;
  for (const LayerDef& def : allLayers())
    if (!def.hidden) project.network.layers.push_back(newLayer(project.network, def));
  project.network.layers[0].fields.set("filters", std::int64_t{7});
  project.training.loss.fields.set("label_smoothing", 0.1);
  project.training.metrics = {"top_5", "accuracy"};
  project.training.monitor = "val_top_5";
  project.training.optimizer.type = allOptimizers().back().type;
  project.training.optimizer.fields = Fields(allOptimizers().back().fields);
  project.training.optimizer.fields.set("learning_rate", 0.0123);
  project.training.schedule.type = allSchedules().back().type;
  project.training.schedule.fields = Fields(allSchedules().back().fields);
  project.training.batchSize = 17;
  project.training.epochs = 3;
  project.training.seed = ~std::uint64_t{0};
  project.training.shuffle = false;
  project.training.keepEpochs = 0;
  project.training.patience = 4;
  project.training.optimizer.average.type = allAverages().back().type;
  project.training.optimizer.average.fields = Fields(allAverages().back().fields);
  project.training.optimizer.average.fields.set("start_fraction", 0.5);
  return project;
}

}  // namespace

class TestProject : public QObject {
  Q_OBJECT
 private slots:
  void comesBack();
  void theLessonComesBack();
  void writtenTextIsStable();
  void refuses_data();
  void refuses();
  void passesOverMarksOfEditors();
  void earlierVersionsMigrate();
  void everyProjectHereOpens();
  void whatDoesNotFitTheLoss();
  void settings_data();
  void settings();
  void settingsOverASetValue();
  void settingsOfLayersInContainers();
  void badSettings_data();
  void badSettings();
  void mutatedTextNeverCrashes();
};

void TestProject::comesBack() {
  const ScratchFolder folder;
  for (const Project& project : {Project(), unusual()}) {
    writeProject(folder / "p.strata", project);
    QVERIFY(readProject(folder / "p.strata") == project);
  }
}

void TestProject::theLessonComesBack() {
  const Project lesson = readProject(kLesson);
  QCOMPARE(lesson.name, std::string("MNIST lesson"));
  QCOMPARE(lesson.network.layers.size(), std::size_t{7});
  QCOMPARE(lesson.data.validation, ValidationSource::TestSet);
  QVERIFY(!lesson.training.shuffle);
  QVERIFY(projectFromJson(projectToJson(lesson), "again") == lesson);
}

void TestProject::writtenTextIsStable() {
  const ScratchFolder folder;
  writeProject(folder / "a", readProject(kLesson));
  writeProject(folder / "b", readProject(folder / "a"));
  QCOMPARE(readText(folder / "a"), readText(folder / "b"));
}

void TestProject::refuses_data() {
  QTest::addColumn<QByteArray>("text");
  QTest::addColumn<QString>("says");
  QTest::newRow("empty") << QByteArray("") << "not valid JSON";
  QTest::newRow("list") << QByteArray("[]") << "must be an object";
  QTest::newRow("no version") << QByteArray("{}") << "has no \"version\"";
  QTest::newRow("newer") << QByteArray("{\"version\": 3, \"anything\": 1}")
                         << "written by a newer Strata (project version 3, this one reads up to 2). Update Strata";
  const auto training = [](const char* name, const char* text, const char* says) {
    QTest::newRow(name) << QByteArray("{\"version\": 2, \"training\": {") + text + "}}" << says;
  };
  training("loss by its name alone", R"("loss": "softmax_cross_entropy")", "training.loss must be an object");
  training("loss of no such type", R"("loss": {"type": "mse"})", "one of softmax_cross_entropy, sigmoid_cross_entropy");
  training("field of another loss", R"("loss": {"type": "mean_squared_error", "label_smoothing": 0})",
           "label_smoothing");
  training("early stopping as a number", R"("early_stopping": 5)", "training.early_stopping must be an object");
  training("early stopping without sense", R"("early_stopping": {"patience": -1})",
           "training.early_stopping.patience must be a whole number from 0");
  training("misspelt early stopping", R"("early_stopping": {"patiance": 1})",
           "\"training.early_stopping.patiance\" is not known");
  training("average of no such type", R"("average": {"type": "mean"})", "one of none, ema, swa");
  training("smoothing beside the loss", R"("label_smoothing": 0.1)", "\"training.label_smoothing\" is not known");
  training("metric of no such name", R"("metrics": ["f1"])", "training.metrics must be a list of some of accuracy");
  training("one metric", R"("metrics": "accuracy")", "training.metrics must be a list");
  training("monitor of no such name", R"("monitor": "val_f1")", "training.monitor must be one of loss, accuracy");
  QTest::newRow("target") << QByteArray(R"({"version": 2, "data": {"target": "values"}})")
                          << "data.target must be \"class\" or \"sample\"";
  QTest::newRow("far newer") << QByteArray("{\"version\": 18446744073709551615}") << "newer Strata";
  QTest::newRow("version 0") << QByteArray("{\"version\": 0}") << "version must be a whole number";
  QTest::newRow("version text") << QByteArray("{\"version\": \"1\"}") << "version must be a whole number";
  QTest::newRow("unknown") << QByteArray("{\"version\": 1, \"nmae\": \"x\"}")
                           << "\"nmae\" is not known. Known here are: version, name";
  QTest::newRow("unknown in data") << QByteArray("{\"version\": 1, \"data\": {\"path\": \"x\"}}")
                                   << "\"data.path\" is not known";
  QTest::newRow("unknown in training") << QByteArray("{\"version\": 1, \"training\": {\"epoch\": 3}}")
                                       << "\"training.epoch\" is not known";
  QTest::newRow("validation") << QByteArray("{\"version\": 1, \"data\": {\"validation\": \"some\"}}")
                              << "data.validation must be \"split\" or \"test\", got \"some\"";
  QTest::newRow("epochs 0") << QByteArray("{\"version\": 1, \"training\": {\"epochs\": 0}}")
                            << "training.epochs must be a whole number from 1 to 1000000, got 0";
  QTest::newRow("batch text") << QByteArray("{\"version\": 1, \"training\": {\"batch_size\": \"128\"}}")
                              << "training.batch_size must be";
  QTest::newRow("batch negative") << QByteArray("{\"version\": 1, \"training\": {\"batch_size\": -1}}")
                                  << "training.batch_size must be";
  QTest::newRow("loss") << QByteArray("{\"version\": 1, \"training\": {\"loss\": \"mse\"}}") << "training.loss must be";
  QTest::newRow("optimizer") << QByteArray("{\"version\": 1, \"training\": {\"optimizer\": {\"type\": \"rprop\"}}}")
                             << "one of sgd";
  QTest::newRow("optimizer list") << QByteArray("{\"version\": 1, \"training\": {\"optimizer\": []}}") << "one of sgd";
  QTest::newRow("optimizer key")
      << QByteArray("{\"version\": 1, \"training\": {\"optimizer\": {\"type\": \"sgd\", \"lr\": 1}}}") << "lr";
  QTest::newRow("layer type")
      << QByteArray("{\"version\": 1, \"network\": {\"layers\": [{\"type\": \"lambda\", \"name\": \"x\"}]}}")
      << "lambda";
  QTest::newRow("name number") << QByteArray("{\"version\": 1, \"name\": 5}") << "name must be text in quotes, got 5";
}

void TestProject::refuses() {
  QFETCH(QByteArray, text);
  QFETCH(QString, says);
  const ScratchFolder folder;
  writeText(folder / "p.strata", text.toStdString());
  const QString message = refusedWith(Error::Kind::Input, [&] { readProject(folder / "p.strata"); });
  QVERIFY2(message.contains("p.strata") && message.contains(says), qPrintable(message));
}

// Version 1 had the loss by its name and its smoothing beside it.
void TestProject::earlierVersionsMigrate() {
  const auto read = [](const char* training) {
    return projectFromJson(parseJson(std::string(R"({"version": 1, "training": )") + training + "}", "v1"), "v1");
  };
  for (const char* plain : {"{}", R"({"loss": "softmax_cross_entropy"})"}) QVERIFY(read(plain) == Project());
  Project smooth;
  smooth.training.loss.fields.set("label_smoothing", 0.25);
  QVERIFY(read(R"({"loss": "softmax_cross_entropy", "label_smoothing": 0.25})") == smooth);
  QVERIFY(read(R"({"label_smoothing": 0.25})") == smooth);
  const Json written = projectToJson(read("{}"));
  QVERIFY(written["version"] == Json(2));
  QVERIFY(written["data"]["target"] == Json("class"));
  QVERIFY(written["training"]["loss"] == (Json{{"type", "softmax_cross_entropy"}}));
  QVERIFY(written["training"]["metrics"] == Json::array({"accuracy"}));
  QVERIFY(written["training"]["monitor"] == Json("val_accuracy"));
  QVERIFY(migrate(written) == written);
}

// Every project and run that is kept here, of any version, is what its migrated file says.
void TestProject::everyProjectHereOpens() {
  int read = 0;
  for (const char* folder : {STRATA_SOURCE_DIR "/resources/projects", STRATA_SOURCE_DIR "/tests/golden/earlier_run"})
    for (const Path& file : entriesOf(folder)) {
      if (file.extension() != ".strata" && file.filename() != "project.json") continue;
      const Project project = readProject(file);
      QVERIFY(projectFromJson(projectToJson(project), "again") == project);
      ++read;
    }
  QVERIFY(read >= 4);
}

// A metric of classes says nothing of an autoencoder: it is passed over, and the smallest loss is the best.
void TestProject::whatDoesNotFitTheLoss() {
  Project project;
  QCOMPARE(metricsOf(project.training), MetricIds{"accuracy"});
  QCOMPARE(monitorOf(project.training), std::string("val_accuracy"));
  applySetting(project, "training.loss.type=mean_squared_error");
  QVERIFY(metricsOf(project.training).empty());
  QCOMPARE(monitorOf(project.training), std::string("val_loss"));
  applySetting(project, "training.loss.type=softmax_cross_entropy");
  QCOMPARE(monitorOf(project.training), std::string("val_accuracy"));
}

// Editors of other systems put a mark before the text, or end lines with two characters.
void TestProject::passesOverMarksOfEditors() {
  const ScratchFolder folder;
  const Project project = readProject(kLesson);
  std::string text = readText(kLesson);
  writeText(folder / "marked.strata", "\xEF\xBB\xBF" + text);
  QVERIFY(readProject(folder / "marked.strata") == project);
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.insert(at, "\r");
  writeText(folder / "crlf.strata", "\xEF\xBB\xBF" + text);
  QVERIFY(readProject(folder / "crlf.strata") == project);
  for (const std::string mark : {"\xFF\xFE", "\xFE\xFF"}) {
    writeText(folder / "utf16.strata", mark + std::string("{\0", 2));
    const QString message = refusedWith(Error::Kind::Input, [&] { readProject(folder / "utf16.strata"); });
    QVERIFY2(message.contains("is text in UTF-16, needed UTF-8"), qPrintable(message));
  }
}

void TestProject::settings_data() {
  QTest::addColumn<QString>("setting");
  QTest::addColumn<QString>("pointer");
  QTest::addColumn<QString>("value");
  const auto add = [](const char* setting, const char* pointer, const char* value) {
    QTest::newRow(setting) << setting << pointer << value;
  };
  add("name=12", "/name", "\"12\"");
  add("data.source=synthetic-digits", "/data/source", "\"synthetic-digits\"");
  add("data.validation=split", "/data/validation", "\"split\"");
  add("data.validation_fraction=0.2", "/data/validation_fraction", "0.2");
  add("data.preprocessing.offset=-0.5", "/data/preprocessing/offset", "-0.5");
  add("network.classes=12", "/network/classes", "12");
  add("network.input=[32, 32, 3]", "/network/input", "[32,32,3]");
  add("network.conv1.filters=33", "/network/layers/0/filters", "33");
  add("network.dense1.activation=tanh", "/network/layers/5/activation", "\"tanh\"");
  add("network.conv1.padding=same", "/network/layers/0/padding", "\"same\"");
  add("training.label_smoothing=0.1", "/training/loss/label_smoothing", "0.1");  // the name of version 1
  add("training.loss.label_smoothing=0.1", "/training/loss/label_smoothing", "0.1");
  add("training.loss.type=mean_squared_error", "/training/loss/type", "\"mean_squared_error\"");
  add("training.loss.type=\"mean_squared_error\"", "/data/target", "\"sample\"");
  add("training.metrics=[\"top_5\"]", "/training/metrics", "[\"top_5\"]");
  add("training.monitor=val_loss", "/training/monitor", "\"val_loss\"");
  add("training.optimizer.weight_decay=0.01", "/training/optimizer/weight_decay", "0.01");
  add("training.optimizer.type=adamw", "/training/optimizer/type", "\"adamw\"");
  add("training.optimizer.learning_rate=0.05", "/training/optimizer/learning_rate", "0.05");
  add("training.optimizer.momentum=0.9", "/training/optimizer/momentum", "0.9");
  add("training.optimizer.type=adam", "/training/optimizer/type", "\"adam\"");
  for (const ScheduleDef& def : allSchedules()) {
    const std::string setting = "training.schedule.type=" + def.type, value = "\"" + def.type + "\"";
    add(setting.c_str(), "/training/schedule/type", value.c_str());
  }
  add("training.schedule.warmup_steps=100", "/training/schedule/warmup_steps", "100");
  add("training.optimizer.clip_norm=1", "/training/optimizer/clip_norm", "1.0");
  add("training.early_stopping.patience=5", "/training/early_stopping/patience", "5");
  add("training.average.type=ema", "/training/average/type", "\"ema\"");
  add("training.batch_size=64", "/training/batch_size", "64");
  add("training.epochs=5", "/training/epochs", "5");
  add("training.seed=18446744073709551615", "/training/seed", "18446744073709551615");
  add("training.shuffle=true", "/training/shuffle", "true");
  add("training.keep_epochs=2", "/training/keep_epochs", "2");
  // The kind of the setting decides, not the form of the value that stands there now.
  add("name=12.5", "/name", "\"12.5\"");
  add("name={\"type\": 1}", "/name", R"("{\"type\": 1}")");
  add("name=\"in quotes\"", "/name", "\"in quotes\"");
  add("name=", "/name", "\"\"");
  add("data.source=true", "/data/source", "\"true\"");
  add("data.source=a=b", "/data/source", "\"a=b\"");
  add("network.conv1.kernel_initializer=zeros", "/network/layers/0/kernel_initializer", "\"zeros\"");
  add("network.conv1.kernel_initializer=\"zeros\"", "/network/layers/0/kernel_initializer", "\"zeros\"");
  add("network.conv1.kernel_initializer={\"type\":\"zeros\"}", "/network/layers/0/kernel_initializer", "\"zeros\"");
  add("network.conv1.kernel_initializer={\"type\":\"uniform\",\"limit\":0.25}",
      "/network/layers/0/kernel_initializer/limit", "0.25");
  add("network.conv1.kernel_size=[3, 5]", "/network/layers/0/kernel_size", "[3,5]");
  add("network.conv1.kernel_size=7", "/network/layers/0/kernel_size", "7");
  add("network.conv1.activation=\"tanh\"", "/network/layers/0/activation", "\"tanh\"");
  add("training.optimizer.type=\"adam\"", "/training/optimizer/type", "\"adam\"");
}

// Each form may follow the other.
void TestProject::settingsOfLayersInContainers() {
  Project project = readProject(STRATA_SOURCE_DIR "/resources/projects/small-resnet.strata");
  applySetting(project, "network.res1/bn2.momentum=0.5");
  applySetting(project, "network.res2/conv3.filters=7");  // in the shortcut
  applySetting(project, "network.res3.trainable=false");
  const auto& layers = project.network.layers;
  QCOMPARE(layers[3].stacks[0][3].fields.real("momentum"), 0.5);
  QCOMPARE(layers[4].stacks[1][0].fields.integer("filters"), 7);
  QVERIFY(!layers[5].trainable);
  for (const char* wrong : {"network.res1/conv9.filters=1", "network.conv1/conv1.filters=1", "network.res1/.filters=1"})
    QVERIFY_THROWS_EXCEPTION(Error, applySetting(project, wrong));
}

void TestProject::settingsOverASetValue() {
  Project project = readProject(kLesson);
  for (const char* value : {"zeros", "{\"type\":\"uniform\",\"limit\":0.25}", "{\"type\":\"zeros\"}", "he_normal",
                            "{\"type\":\"he_uniform\"}"})
    applySetting(project, std::string("network.conv1.kernel_initializer=") + value);
  QCOMPARE(project.network.layers[0].fields.initializer("kernel_initializer").type, std::string("he_uniform"));
  for (const char* value : {"3", "[3, 5]", "5"})
    applySetting(project, std::string("network.conv1.kernel_size=") + value);
  QVERIFY((project.network.layers[0].fields.pair("kernel_size") == Pair{5, 5}));
}

void TestProject::settings() {
  QFETCH(QString, setting);
  QFETCH(QString, pointer);
  QFETCH(QString, value);
  Project project = readProject(kLesson);
  applySetting(project, setting.toStdString());
  const Json json = projectToJson(project);
  const Json::json_pointer at(pointer.toStdString());
  QVERIFY2(json.contains(at), json.dump().c_str());
  QCOMPARE(json[at].dump(), value.toStdString());
}

void TestProject::badSettings_data() {
  QTest::addColumn<QString>("setting");
  QTest::addColumn<bool>("usage");  // a path or a name that does not exist, not another bad value
  for (const char* setting : {"training.epochs",
                              "=5",
                              "epochs=5",
                              "training.epoch=5",
                              "training.optimizer.lr=1",
                              "training.optimizer=sgd",
                              "network.conv9.filters=3",
                              "network.conv1.filtres=3",
                              "network.layers=[]",
                              "network.conv1.name=x",
                              "version=1",
                              "data..source=x",
                              "training.epochs.x=1",
                              "",
                              "training.optimizer.type=rprop",
                              "training.schedule.type=7",
                              "training.loss=mse",
                              "training.loss.type=mse",
                              "training.loss.smoothing=1",
                              "training.monitor=val_f1",
                              "data.target=sample",
                              "data.validation=none",
                              "network.conv1.activation=3",
                              "network.conv1.padding=sam",
                              "network.conv1.kernel_initializer=zeroes",
                              "network.conv1.kernel_initializer=\"zeroes\""})
    QTest::addRow("%s", setting) << setting << true;
  for (const char* setting :
       {"training.epochs=many", "training.epochs=0", "training.epochs=1.5", "network.conv1.filters=-3",
        "training.shuffle=maybe", "training.seed=-1", "network.input=[0]", "network.conv1.kernel_initializer=3",
        "network.conv1.kernel_initializer={}", "network.conv1.kernel_initializer={\"type\":\"uniform\",\"limit\":-1}",
        "network.conv1.kernel_size=[1, 2, 3]", "network.conv1.kernel_size=big", "training.batch_size={}"})
    QTest::addRow("%s", setting) << setting << false;
}

void TestProject::badSettings() {
  QFETCH(QString, setting);
  QFETCH(bool, usage);
  Project project = readProject(kLesson);
  const Project before = project;
  const QString message = refusedWith(usage ? Error::Kind::Usage : Error::Kind::Input,
                                      [&] { applySetting(project, setting.toStdString()); });
  QVERIFY2(message.startsWith("--set"), qPrintable(message));
  QVERIFY(project == before);
}

/// Bytes changed, dropped, doubled; values swapped for others: read, or refused with a sentence, and nothing else.
void TestProject::mutatedTextNeverCrashes() {
  const std::string original = readText(kLesson);
  const std::string values[] = {"-1", "0",  "1e308",     "18446744073709551616", "null",  "true", "\"x\"",
                                "[]", "{}", "[[[[1]]]]", "2147483648",           "1e-320"};
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string text = original;
    for (int change = 1 + static_cast<int>(random() % 3); change > 0; --change) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 20);
          break;
        case 2:
          text.insert(at, text.substr(random() % text.size(), random() % 60));
          break;
        case 3:
          if (const auto colon = text.find(": ", at); colon != std::string::npos)
            text.replace(colon + 2, text.find_first_of(",}\n", colon) - colon - 2,
                         values[random() % std::size(values)]);
      }
    }
    try {
      analyse(projectFromJson(parseJson(text, "mutated"), "mutated").network);
    } catch (const Error& error) {
      QCOMPARE(error.kind(), Error::Kind::Input);
      ++refused;
    }
  }
  QVERIFY2(refused > 1000, qPrintable(QString::number(refused)));
}

QTEST_APPLESS_MAIN(TestProject)
#include "tst_project.moc"

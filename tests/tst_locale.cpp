// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers in files are the same in every locale: everything here runs under one that writes "0,5".
#include <QDir>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>
#include <clocale>

#include "engine/base/json.h"
#include "engine/run/project.h"

using namespace strata;

class TestLocale : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void numberText_data();
  void numberText();
  void projectsAreTheSameBytes();
  void fieldsAreReadAndExplained();
  void jsonIsTheSame();
  void cleanupTestCase() { std::setlocale(LC_ALL, "C"); }
};

// A German locale of the system's, or one made once in the build folder.
void TestLocale::initTestCase() {
  if (!std::setlocale(LC_ALL, "de_DE.UTF-8")) {
    const QString folder = STRATA_BINARY_DIR "/locale", locale = folder + "/de_DE.UTF-8";
    if (!QDir(locale).exists() && QDir().mkpath(folder))
      QProcess::execute("localedef", {"-i", "de_DE", "-f", "UTF-8", locale});
    qputenv("LOCPATH", folder.toLocal8Bit());  // only now: the C library remembers what it did not find
    if (!std::setlocale(LC_ALL, "de_DE.UTF-8"))
      QSKIP("no German locale here, and localedef cannot make one (package locales)");
  }
  QCOMPARE(std::localeconv()->decimal_point, ",");
}

void TestLocale::numberText_data() {
  QTest::addColumn<double>("number");
  QTest::addColumn<QString>("text");
  QTest::newRow("half") << 0.5 << "0.5";
  QTest::newRow("small") << 1e-6 << "1e-06";
  QTest::newRow("large") << 1234567.25 << "1234567.25";
  QTest::newRow("whole") << 4096.0 << "4096";
}

void TestLocale::numberText() {
  QFETCH(const double, number);
  QFETCH(const QString, text);
  QCOMPARE(QString::fromStdString(strata::numberText(number)), text);
}

void TestLocale::projectsAreTheSameBytes() {
  Project project = readProject(STRATA_SOURCE_DIR "/resources/projects/mnist-lesson.strata");
  QCOMPARE(project.training.optimizer.learningRate(), 0.5);
  QCOMPARE(project.network.layers[0].fields.initializer("kernel_initializer").number, 0.1);
  project.data.preprocessing.scale = 1.0 / 128;
  applySetting(project, "training.optimizer.learning_rate=0.0625");
  const QTemporaryDir folder;
  const Path path = Path(folder.path().toStdString()) / "a.strata";
  writeProject(path, project);
  QCOMPARE(readProject(path), project);
  const std::string german = readFile(path, 1 << 20);
  QVERIFY(german.find("0.0625") != std::string::npos && german.find("0.0078125") != std::string::npos);
  std::setlocale(LC_ALL, "C");
  writeProject(path, project);
  std::setlocale(LC_ALL, "de_DE.UTF-8");
  QCOMPARE(readFile(path, 1 << 20), german);
}

void TestLocale::jsonIsTheSame() {
  QCOMPARE(parseJson("[0.05]", "text")[0].get<double>(), 0.05);
  QCOMPARE(compactJson(Json(0.05)), std::string("0.05"));
}

void TestLocale::fieldsAreReadAndExplained() {
  const std::vector<Field> fields{realField("rate", "Rate", 0.5, 0, 0.99, "A share.")};
  QCOMPARE(fieldsFromJson(fields, parseJson(R"({"rate": 0.25})", "test"), "test", {}).real("rate"), 0.25);
  QCOMPARE(problemWith(fields[0], 1.5).value_or(""), std::string("Rate must be 0 to 0.99; got 1.5"));
}

QTEST_GUILESS_MAIN(TestLocale)
#include "tst_locale.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// The rules that keep the house in order, read from the sources themselves: what may include what, licence lines, and
// that engine, data sets and the command line build on a computer that has no Qt.
#include <QDirIterator>
#include <QFile>
#include <QProcess>
#include <QRegularExpression>
#include <QtTest>

namespace {

const QString kRoot = QStringLiteral(STRATA_SOURCE_DIR);
const QStringList kFolders = {"engine", "datasets", "gui", "tests", "resources", ".ci", ".github"};

/// Files below `folder` whose names match one of `patterns`, relative to the root.
QStringList files(const QString& folder, const QStringList& patterns) {
  QStringList found;
  QDirIterator it(kRoot + '/' + folder, patterns, QDir::Files | QDir::Hidden, QDirIterator::Subdirectories);
  while (it.hasNext()) found << QDir(kRoot).relativeFilePath(it.next());
  found.sort();
  return found;
}

QStringList sources(const QString& folder) { return files(folder, {"*.h", "*.cpp", "*.cu", "*.cuh", "*.in"}); }

QString text(const QString& file) {
  QFile f(kRoot + '/' + file);
  return f.open(QIODevice::ReadOnly) ? QString::fromUtf8(f.readAll()) : QString();
}

/// "file:line" of every line of the sources in `folder` that matches.
QStringList linesWith(const QString& folder, const QString& pattern) {
  const QRegularExpression expression(pattern);
  QStringList hits;
  for (const QString& file : sources(folder)) {
    const QStringList lines = text(file).split('\n');
    for (qsizetype i = 0; i < lines.size(); ++i)
      if (expression.match(lines[i]).hasMatch()) hits << file + ':' + QString::number(i + 1);
  }
  return hits;
}

}  // namespace

class TestArchitecture : public QObject {
  Q_OBJECT

 private slots:
  void includes_data() {
    QTest::addColumn<QString>("folder");
    QTest::addColumn<QString>("header");   // what may not be included there
    QTest::addColumn<QString>("allowed");  // the files that may all the same; empty: none
    QTest::newRow("engine has no Qt") << "engine"
                                      << "[<\"]Q"
                                      << "";
    QTest::newRow("datasets has no Qt") << "datasets"
                                        << "[<\"]Q"
                                        << "";
    QTest::newRow("engine knows no data sets") << "engine"
                                               << "\"(datasets|gui)/"
                                               << "^engine/cli/";
    QTest::newRow("the command line knows no studio") << "engine/cli"
                                                      << "\"gui/"
                                                      << "";
    QTest::newRow("datasets knows no studio") << "datasets"
                                              << "\"gui/"
                                              << "";
    QTest::newRow("CUDA in its module") << "engine"
                                        << "[<\"](cuda|cudnn|cublas)"
                                        << "^engine/backend/cuda/";
    QTest::newRow("the CUDA module's headers stay inside") << "engine"
                                                           << "\"engine/backend/cuda/"
                                                           << "^engine/backend/";
    QTest::newRow("models have no widgets")
        << "gui/models"
        << "\"gui/(widgets|pages)/|<QWidget>|<Q[A-Za-z]*(View|Button|Label|Box|Delegate|Dialog)>"
        << "";
    QTest::newRow("widgets know no page") << "gui/widgets"
                                           << "\"gui/pages/"
                                           << "";
    QTest::newRow("panels know no page") << "gui/pages"
                                          << "\"gui/pages/"
                                          << "^gui/pages/[a-z]+/[a-z]+_page\\.";
  }
  void includes() {
    QFETCH(QString, folder);
    QFETCH(QString, header);
    QFETCH(QString, allowed);
    QVERIFY2(!sources(folder).isEmpty(), "no sources were found");
    QStringList hits = linesWith(folder, "^\\s*#\\s*include\\s*" + header);
    if (!allowed.isEmpty())
      hits.removeIf(
          [expression = QRegularExpression(allowed)](const QString& hit) { return expression.match(hit).hasMatch(); });
    // A panel's own header is no other panel.
    hits.removeIf([](const QString& hit) {
      const QString file = hit.section(':', 0, 0);
      return file.startsWith("gui/pages/") &&
             text(file).split('\n').value(hit.section(':', 1).toInt() - 1).contains(file.section('.', 0, 0) + ".h");
    });
    QVERIFY2(hits.isEmpty(), qPrintable(hits.join(", ")));
  }

  void oneFileKnowsThePlotLibrary() {
    const QStringList hits = linesWith("gui", "^\\s*#\\s*include\\s*[<\"]qcustomplot");
    QVERIFY2(hits.size() <= 1 && (hits.isEmpty() || hits.front().contains(".cpp:")), qPrintable(hits.join(", ")));
  }

  void everySourceNamesItsLicence() {
    QStringList wrong;
    for (const QString& folder : kFolders) {
      const QString licence = folder == "engine" || folder == "datasets" ? "Apache-2.0" : "GPL-3.0-or-later";
      for (const QString& file : files(folder, {"*.h", "*.cpp", "*.cu", "*.cuh", "*.in", "*.py", "*.qss",
                                                "CMakeLists.txt", "run", "setup", "compare", "*.yml"}))
        if (!text(file).section('\n', 0, 1).contains("SPDX-License-Identifier: " + licence)) wrong << file;
    }
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong.join(", ")));
  }

  void noRegistryIsNamed() {
    QStringList hits;
    for (const QString& folder : kFolders)
      for (const QString& file : files(folder, {"*.h", "*.cpp", "*.in", "*.json", "*.py", "CMakeLists.txt", "run",
                                                "setup", "compare", "*.yml"}))
        if (text(file).contains(QRegularExpression(QString("pypi\\.") + "org|files\\.python" + "hosted"))) hits << file;
    QVERIFY2(hits.isEmpty(), qPrintable(hits.join(", ")));
  }

  // Without Qt the build is configured for the command line alone, and nothing that compiles or links it here knows of
  // Qt: so what was built here builds there.
  void buildsWithoutQt() {
    const auto run = [](const QString& program, const QStringList& arguments) {
      QProcess process;
      process.setProcessChannelMode(QProcess::MergedChannels);
      process.start(program, arguments);
      process.waitForFinished(-1);
      const bool well = process.exitStatus() == QProcess::NormalExit && process.exitCode() == 0;
      return std::pair(well, QString::fromLocal8Bit(process.readAll()) + process.errorString());
    };
    const QString cmake = QStringLiteral(STRATA_CMAKE), folder = QStringLiteral(STRATA_BINARY_DIR) + "/no-qt";
    const auto [configured, log] =
        run(cmake, {"-S", kRoot, "-B", folder, "-G", "Ninja", "-DSTRATA_GUI=OFF", "-DSTRATA_TESTS=OFF",
                    "-DSTRATA_CUDA=OFF", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_DISABLE_FIND_PACKAGE_Qt6=ON"});
    QVERIFY2(configured, qPrintable(log.right(2000)));
    for (const QString& build : {folder, QStringLiteral(STRATA_BINARY_DIR)}) {
      const auto [told, commands] = run("ninja", {"-C", build, "-t", "commands", "strata"});
      QVERIFY2(told, qPrintable(commands.right(2000)));
      QVERIFY(commands.contains("-o bin/strata "));
      QVERIFY2(!commands.contains("qt6", Qt::CaseInsensitive), "the command line is built with Qt");
    }
  }
};

QTEST_GUILESS_MAIN(TestArchitecture)
#include "tst_architecture.moc"

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
/// The table of backends names all of them; nothing that they use names the table.
const QString kTheTable = QStringLiteral("engine/backend/all_backends.cpp");
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
  // Each folder and the folders that it may use. What a row allows, the rows of those folders do not give back: the
  // arrows have no circle.
  void directions_data() {
    QTest::addColumn<QString>("folder");
    QTest::addColumn<QStringList>("uses");
    const auto row = [](const char* folder, const QStringList& uses) { QTest::newRow(folder) << folder << uses; };
    const QStringList base{"engine/base"}, net = base + QStringList{"engine/net"},
                                           data = net + QStringList{"engine/data"};
    const QStringList layers = net + QStringList{"engine/layers"};
    const QStringList backend = data + layers + QStringList{"engine/learn", "engine/backend"};
    const QStringList reference = backend + QStringList{"engine/backend/reference"};
    const QStringList run = backend + QStringList{"engine/run"};
    const QStringList sources{"datasets", "datasets/readers", "datasets/digits", "datasets/fetch"};
    row("engine/base", {});
    row("engine/net", base);
    row("engine/data", net);
    row("engine/layers", net);
    row("engine/learn", data);
    row("engine/backend", backend);
    row("engine/backend/reference", reference);
    row("engine/backend/check", reference);
    row("engine/backend/cpu", reference);
    row("engine/backend/cuda", reference);
    row("engine/run", run);
    row("engine/cli", run + QStringList{"engine/backend/cpu"} + sources);
    row("datasets/readers", data);
    row("datasets/digits", data + QStringList{"datasets/readers", "datasets"});
    row("datasets/fetch", data + QStringList{"datasets/readers", "datasets"});
    row("datasets", data + sources);
    const QStringList studio = run + sources + QStringList{"gui", "gui/models", "gui/widgets"};
    row("gui/models", run + sources + QStringList{"gui"});
    row("gui/widgets", studio);
    QStringList pages;
    for (const char* page : {"build", "data", "train", "test", "runs"}) {
      pages << QString("gui/pages/") + page;
      row(qPrintable(pages.back()), studio);
    }
    row("gui", studio + pages);
  }
  void directions() {
    const QString folder = QTest::currentDataTag();
    QFETCH(QStringList, uses);
    const QRegularExpression include("^\\s*#\\s*include \"([^\"]+)/[^/\"]+\"");
    QStringList wrong;
    int read = 0;
    for (const QString& file : sources(folder)) {
      if (file.section('/', 0, -2) != folder) continue;
      ++read;
      if (file == kTheTable) continue;
      for (const QString& line : text(file).split('\n')) {
        const auto match = include.match(line);
        if (!match.hasMatch()) continue;
        const QString used = match.captured(1);
        if (used != folder && !uses.contains(used)) wrong << file + " includes " + used;
      }
    }
    QVERIFY2(read > 0, "no sources were found");
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong.join('\n')));
  }
  void everyFolderHasItsDirections() {
    QStringList folders;
    for (const char* top : {"engine", "datasets", "gui"})
      for (const QString& file : sources(top)) folders << file.section('/', 0, -2);
    folders.removeDuplicates();
    QFile self(QStringLiteral(STRATA_SOURCE_DIR) + "/tests/tst_architecture.cpp");
    QVERIFY(self.open(QIODevice::ReadOnly));
    const QString rows = QString::fromUtf8(self.readAll());
    for (const QString& folder : folders)
      if (!folder.startsWith("gui/pages/"))
        QVERIFY2(rows.contains("row(\"" + folder + "\""), qPrintable(folder + " has no row in directions_data()"));
  }

  void includes_data() {
    QTest::addColumn<QString>("folder");
    QTest::addColumn<QString>("header");   // what may not be included there
    QTest::addColumn<QString>("allowed");  // the files that may all the same; empty: none
    const auto row = [](const char* rule, const char* folder, const char* header, const char* allowed = "") {
      QTest::newRow(rule) << folder << header << allowed;
    };
    row("engine has no Qt", "engine", "[<\"]Q");
    row("datasets has no Qt", "datasets", "[<\"]Q");
    row("CUDA in its module", "engine", "[<\"](cuda|cudnn|cublas)", "^engine/backend/cuda/");
    row("models have no widgets", "gui/models", "<QWidget>|<Q[A-Za-z]*(View|Button|Label|Box|Delegate|Dialog)>");
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

// SPDX-License-Identifier: GPL-3.0-or-later
// The program `strata` where things are not as its writers have them: data beside the project and of any classes, no
// home, text from other editors, inputs of which some are unsound.
#include <QTest>

#include "cli_run.h"
#include "datasets/source.h"
#include "engine/run/checkpoint.h"
#include "engine/run/run_record.h"
#include "picture_files.h"

using namespace strata;

class TestCliSurroundings : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void triesEveryInput();
  void findsDataBesideTheProject_data();
  void findsDataBesideTheProject();
  void needsNoHome_data();
  void needsNoHome();
  void readsMarkedText();
  void trainsOnAnyClasses();

 private:
  std::string path(const std::string& name) const { return (m_folder / name).string(); }
  CliResult train(std::vector<std::string> more, const std::string& run) const {
    more.insert(more.begin(), {"train", path("tiny.strata"), "--threads", "1", "--out", path(run)});
    return runStrata(more);
  }
  ScratchFolder m_folder;
};

void TestCliSurroundings::initTestCase() {
  qputenv("XDG_DATA_HOME", QByteArray::fromStdString(path("home")));
  writeTinyData(m_folder / "data");
  writeText(m_folder / "tiny.strata", tinyProjectText(m_folder / "data"));
}

void TestCliSurroundings::triesEveryInput() {
  QCOMPARE(train({"--steps", "1"}, "every").exitCode, 0);
  const QImage picture = drawnOne();
  QVERIFY(picture.save(QString::fromStdString(path("1.png"))) && picture.save(QString::fromStdString(path("4.png"))));
  writeText(m_folder / "2.png", "not a picture");
  const std::string missing = path("3.png");
  const CliResult plain = runStrata({"predict", path("every"), path("1.png"), path("2.png"), missing, path("4.png")});
  QCOMPARE(plain.exitCode, 3);  // of the first that failed
  QCOMPARE(std::count(plain.out.begin(), plain.out.end(), '\n'), 2);
  QVERIFY2(plain.out.find("4.png: ") != std::string::npos, plain.out.c_str());
  QCOMPARE(std::count(plain.err.begin(), plain.err.end(), '\n'), 2);
  QVERIFY2(plain.err.find("2.png") < plain.err.find("3.png"), plain.err.c_str());
  QCOMPARE(runStrata({"predict", path("every"), missing, path("2.png"), path("1.png")}).exitCode, 4);

  const CliResult json =
      runStrata({"predict", path("every"), path("1.png"), path("2.png"), missing, path("4.png"), "--json"});
  QCOMPARE(json.exitCode, 3);
  const auto lines = jsonLines(json.out);
  QCOMPARE(lines.size(), std::size_t{4});
  for (std::size_t i = 0; i < lines.size(); ++i) {
    QCOMPARE(lines[i]["image"].get<std::string>(), path(std::to_string(i + 1) + ".png"));
    QCOMPARE(lines[i].contains("class"), i == 0 || i == 3);
    QCOMPARE(lines[i].contains("error"), i == 1 || i == 2);
  }
  QCOMPARE(lines[2]["exit_code"].get<int>(), 4);
  QCOMPARE(jsonLines(json.err).size(), std::size_t{2});

  const CliResult info = runStrata({"info", missing, path("1.png"), path("2.png"), path("data")});
  QCOMPARE(info.exitCode, 4);
  QVERIFY2(info.out.find("1.png:\nPicture") != std::string::npos, info.out.c_str());
  QVERIFY2(info.out.find("Data set data:") != std::string::npos, info.out.c_str());
  QCOMPARE(std::count(info.err.begin(), info.err.end(), '\n'), 2);

  writeDataset(m_folder / "here/mnist");
  const CliResult get = runStrata({"data", "get", "no-such-data", "synthetic-digits"});
  QCOMPARE(get.exitCode, 2);
  QVERIFY2(get.err.find("no-such-data") < get.err.find("synthetic-digits"), get.err.c_str());
}

// "data" beside the project is found from anywhere, and the run says where it was.
void TestCliSurroundings::findsDataBesideTheProject_data() {
  QTest::addColumn<QByteArray>("folder");
  QTest::addColumn<QByteArray>("source");
  for (const char* source : {"digits", "./digits", "digits/", "../beside/digits"})
    QTest::addRow("%s", source) << QByteArray("beside") << QByteArray(source);
  QTest::newRow("spaces and quotes") << QByteArray("be \"side\" 'it'") << QByteArray("./digits");
  QTest::newRow("UTF-8") << QByteArray("d\xC3\xA9j\xC3\xA0") << QByteArray("digits");
  QTest::newRow("not UTF-8") << QByteArray("d\xE9j\xE0 % 100%") << QByteArray("digits");
}

void TestCliSurroundings::findsDataBesideTheProject() {
  QFETCH(QByteArray, folder);
  QFETCH(QByteArray, source);
  const Path project = m_folder / folder.toStdString();
  writeTinyData(project / "digits");
  writeText(project / "p.strata", tinyProjectText(source.toStdString()));
  const Path run = m_folder / ("run " + (folder + source).toHex().toStdString());
  const CliResult trained =
      runStrata({"train", (project / "p.strata").string(), "--steps", "1", "--out", run.string()}, 0, "cd /");
  QVERIFY2(trained.exitCode == 0, trained.err.c_str());
  const std::string stored = readRun(run).project.data.source;
  QCOMPARE(sourceFolder(stored).string(), (project / "digits").string());
  const CliResult resumed =
      runStrata({"train", "--resume", run.string(), "--steps", "1"}, 0, "cd " + m_folder.path().string());
  QVERIFY2(resumed.exitCode == 0, resumed.err.c_str());
  std::filesystem::remove_all(project);  // QTemporaryDir cannot remove a name that is not UTF-8
}

void TestCliSurroundings::needsNoHome_data() {
  QTest::addColumn<QString>("before");
  QTest::newRow("unset") << "unset HOME XDG_DATA_HOME XDG_CACHE_HOME XDG_CONFIG_HOME";
  QTest::newRow("empty") << "export HOME= XDG_DATA_HOME= XDG_CACHE_HOME= XDG_CONFIG_HOME=";
  QTest::newRow("no folder") << QString::fromStdString("unset XDG_DATA_HOME XDG_CACHE_HOME; export HOME=" +
                                                       path("tiny.strata"));
  QTest::newRow("not to be written") << "export HOME=/proc; unset XDG_DATA_HOME XDG_CACHE_HOME";
}

void TestCliSurroundings::needsNoHome() {
  QFETCH(QString, before);
  const auto run = [&](const std::vector<std::string>& arguments) {
    return runStrata(arguments, 0, before.toStdString());
  };
  writeTinyData(m_folder / "given/mnist");
  const std::string out = path(std::string("homeless ") + QTest::currentDataTag());
  const CliResult trained = run({"train", path("tiny.strata"), "--set", "data.source=mnist", "--data-dir",
                                 path("given"), "--steps", "1", "--out", out});
  QVERIFY2(trained.exitCode == 0, trained.err.c_str());
  QVERIFY(drawnOne().save(QString::fromStdString(path("one.png"))));
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"data", "list", "--data-dir", path("given")},
                                             {"data", "list"},
                                             {"devices"},
                                             {"info", out},
                                             {"predict", out, path("one.png")},
                                             {"train", "--resume", out, "--steps", "1", "--data-dir", path("given")},
                                             {"bench", path("tiny.strata"), "--steps", "1"}}) {
    const CliResult result = run(arguments);
    QVERIFY2(result.exitCode == 0, (arguments[0] + ": " + result.err).c_str());
  }
  const CliResult needy = run({"train", path("tiny.strata"), "--steps", "1"});
  QCOMPARE(needy.exitCode, 4);
  QVERIFY2(!needy.err.empty(), needy.err.c_str());
  QCOMPARE(run({"predict", path("no-run"), path("one.png")}).exitCode, 4);
}

void TestCliSurroundings::readsMarkedText() {
  const std::string text = readText(m_folder / "tiny.strata");
  writeText(m_folder / "marked.strata", "\xEF\xBB\xBF" + text);
  const CliResult told = runStrata({"info", path("marked.strata")});
  QVERIFY2(told.out.starts_with("Strata project \"Tiny\""), (told.out + told.err).c_str());
  QCOMPARE(runStrata({"train", path("marked.strata"), "--steps", "1", "--out", path("marked")}).exitCode, 0);
  writeText(m_folder / "wide.strata", std::string("\xFF\xFE{\0", 4));
  for (const char* command : {"info", "train"}) {
    const CliResult refused = runStrata({command, path("wide.strata")});
    QCOMPARE(refused.exitCode, 3);
    QVERIFY2(refused.err.find("is text in UTF-16, needed UTF-8") != std::string::npos, refused.err.c_str());
  }
}

// Data as other people make them: said in words, and trained on.
void TestCliSurroundings::trainsOnAnyClasses() {
  const auto own = [this](const std::string& name, int first, int classes) {
    const Path folder = m_folder / name;
    writeTinyData(folder);
    for (const auto& [file, count] : {std::pair{"train-labels-idx1-ubyte", 256}, {"t10k-labels-idx1-ubyte", 64}}) {
      std::string bytes = idxHeader({static_cast<std::uint32_t>(count)});
      for (int i = 0; i < count; ++i) bytes += static_cast<char>(first + i % classes);
      writeBytes(folder / file, bytes);
    }
    return folder;
  };
  const auto trained = [this](const Path& data, int classes, const std::string& run) {
    const std::string count = std::to_string(classes);
    return train({"--steps", "1", "--set", "data.source=" + data.string(), "--set", "network.classes=" + count, "--set",
                  "network.dense1.units=" + count},
                 run);
  };
  const CliResult letters = trained(own("letters", 1, 26), 26, "letters run");
  QVERIFY2(letters.exitCode == 0, letters.err.c_str());
  QCOMPARE(letters.err, std::string("The labels count from 1 to 26, not from 0.\n"));
  QCOMPARE(readCheckpoint(m_folder / "letters run/checkpoints/last.safetensors").classes.front(), std::string("1"));

  const CliResult single = trained(own("single", 0, 1), 2, "single run");
  QVERIFY2(single.exitCode == 0, single.err.c_str());
  QVERIFY2(single.err.find("an accuracy of 1 means nothing") != std::string::npos, single.err.c_str());

  const CliResult more = trained(own("few", 0, 10), 12, "more run");
  QVERIFY2(more.exitCode == 0, more.err.c_str());
  QVERIFY2(more.err.find("few has 10 classes, the net has 12") != std::string::npos, more.err.c_str());

  const Path untested = own("untested", 0, 10);
  for (const char* file : {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"})
    std::filesystem::remove(untested / file);
  const CliResult split = trained(untested, 10, "split run");
  QVERIFY2(split.exitCode == 0, split.err.c_str());
  QVERIFY2(split.out.find("validating on a held-out part of the training set (26 samples)") != std::string::npos,
           split.out.c_str());
  QVERIFY2(split.err.find("There is no test set") != std::string::npos, split.err.c_str());
  QVERIFY(readRun(m_folder / "split run").project.data.validation == ValidationSource::Split);
}

QTEST_GUILESS_MAIN(TestCliSurroundings)
#include "tst_cli_surroundings.moc"

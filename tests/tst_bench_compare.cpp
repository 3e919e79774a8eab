// SPDX-License-Identifier: GPL-3.0-or-later
// tests/bench/compare as the README types it, with nothing set in the environment: beside a build that answers what it
// is told to, and a peer that takes no time. What is missing is a sentence, never a traceback.
#include <QFile>
#include <QProcess>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>

class TestBenchCompare : public QObject {
  Q_OBJECT

 private slots:
  void initTestCase() {
    if (QStandardPaths::findExecutable("python3").isEmpty()) QSKIP("There is no python3 on this machine.");
  }

  void runs_data() {
    QTest::addColumn<QStringList>("missing");  // of what a checkout with MNIST, a build and a peer has
    QTest::addColumn<QString>("broken");       // the program that fails
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("said");  // the row of the table, or the last line of standard error
    const QStringList mlp{"--nets", "mlp"}, none;
    const QString noMnist =
        "MNIST is not on this machine. ROOT/build/bin/strata data get mnist gets it. These nets are "
        "timed on it; --density 0.2 --samples 60000 times them on noise.";
    QTest::newRow("MNIST as set-up found it")
        << none << "" << mlp << "| mlp | torch | 1.25 | 1.25 | 0.50 | 0.50 | 2.50 | 2.50 |";
    QTest::newRow("MNIST as Strata finds it") << QStringList{"build/mnist.found"} << "" << mlp << "| mlp | torch |";
    QTest::newRow("MNIST gone since set-up") << QStringList{"mnist"} << "" << none << noMnist;
    QTest::newRow("MNIST nowhere") << QStringList{"build/mnist.found", "mnist"} << "" << none << noMnist;
    QTest::newRow("MNIST nowhere, noise")
        << QStringList{"build/mnist.found", "mnist"} << "" << mlp + QStringList{"--density", "1", "--samples", "256"}
        << "| mlp | torch | 1.25 |";
    QTest::newRow("no build") << QStringList{"build/bin/strata"} << "" << none
                              << "ROOT/build/bin/strata is not there. ./tests/run and ./gui/run build it.";
    QTest::newRow("a build that fails") << none << "strata" << mlp << "Strata, mlp: Error: no memory";
    QTest::newRow("no peer") << QStringList{"peer"} << "" << mlp
                             << "torch, mlp: ROOT/peer cannot be started (No such file or directory).";
    QTest::newRow("a peer that fails") << none << "peer" << mlp << "torch, mlp: ImportError: numpy is broken";
    QTest::newRow("an unknown net") << none << "" << QStringList{"--nets", "mpl"}
                                    << "compare: error: ROOT/tests/bench/peers/nets.json has no net mpl; it has seed, ";
    QTest::newRow("an unknown peer") << none << "" << QStringList{"--peers", "tf"}
                                     << "compare: error: there is no peer tf; known: torch, keras, jax";
    QTest::newRow("no file of nets") << none << "" << QStringList{"--stacks", "ROOT/peer"}
                                     << "compare: error: ROOT/peer is no file of nets: ";
    QTest::newRow("a file that is not there")
        << none << "" << QStringList{"--stacks", "ROOT/none"} << "compare: error: ROOT/none: No such file or directory";
    QTest::newRow("times that cannot be written") << none << "" << QStringList{"--json", "ROOT/none/times.json"}
                                                  << "compare: error: ROOT/none/times.json: No such file or directory";
  }
  void runs() {
    QFETCH(QStringList, missing);
    QFETCH(QString, broken);
    QFETCH(QStringList, arguments);
    QFETCH(QString, said);
    QTemporaryDir folder;
    const QString root = folder.path();
    makeCheckout(root, missing, broken);
    arguments.replaceInStrings("ROOT", root);
    said.replace("ROOT", root);

    QProcess process;
    process.setProcessEnvironment(environment(root));
    process.start(root + "/tests/bench/compare", arguments + QStringList{"--rounds", "1"});
    QVERIFY(process.waitForFinished(-1));
    const QString out = process.readAllStandardOutput(), err = process.readAllStandardError();
    QVERIFY2(!err.contains("Traceback"), qPrintable(err));
    const bool table = said.startsWith('|');
    QVERIFY2(table == (process.exitCode() == 0), qPrintable(err));
    QVERIFY2((table ? out : err).trimmed().section('\n', -1).startsWith(said), qPrintable(out + err));
    if (table && missing.isEmpty()) {
      QFile project(root + "/build/bench/mlp.strata");
      QVERIFY(project.open(QIODevice::ReadOnly));
      QVERIFY(project.readAll().contains(('"' + root + "/mnist\"").toUtf8()));
    }
  }

 private:
  static void script(const QString& path, const QByteArray& text) {
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("#!/bin/sh\n" + text);
    file.setPermissions(QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
  }

  /// The scripts beside a program that lists and times, a peer, and MNIST's folder as set-up noted it.
  static void makeCheckout(const QString& root, const QStringList& missing, const QString& broken) {
    for (const char* made : {"tests/bench/peers", "build/bin", "mnist"}) QVERIFY(QDir(root).mkpath(made));
    for (const char* copied : {"tests/bench/compare", "tests/bench/peers/mnist.py", "tests/bench/peers/nets.json"})
      QVERIFY(QFile::copy(QString(STRATA_SOURCE_DIR "/%1").arg(copied), root + '/' + copied));
    const QByteArray lists =
        "if [ $1 = data ]; then [ -d $HOME/mnist ] && echo \"mnist   MNIST: $HOME/mnist\" || echo \"mnist   MNIST: not "
        "here\"; exit 0; fi\n";
    script(root + "/build/bin/strata",
           lists + (broken == "strata" ? "echo 'Error: no memory' >&2; exit 5\n"
                                       : "echo '{\"epoch_seconds\": [0.5], \"loss\": 0.4}'\n"));
    script(root + "/peer", broken == "peer"
                               ? "echo 'Traceback (most recent call last):\nImportError: numpy is broken' >&2; exit 1\n"
                               : "echo 'epoch 1  loss: 0.5 / 0.4  accuracy: 0.9 / 0.9  train 1.25 s  eval 0.1 s'\n");
    QFile found(root + "/build/mnist.found");
    QVERIFY(found.open(QIODevice::WriteOnly));
    found.write((root + "/mnist\n").toUtf8());
    found.close();
    for (const QString& name : missing)
      QVERIFY(QFile::remove(root + '/' + name) || QDir(root + '/' + name).removeRecursively());
  }

  static QProcessEnvironment environment(const QString& root) {
    QProcessEnvironment bare;
    bare.insert("PATH", qEnvironmentVariable("PATH"));
    bare.insert("HOME", root);
    bare.insert("PEER_PYTHON_TORCH", root + "/peer");
    return bare;
  }
};

QTEST_GUILESS_MAIN(TestBenchCompare)
#include "tst_bench_compare.moc"

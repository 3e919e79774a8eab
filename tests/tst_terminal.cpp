// SPDX-License-Identifier: GPL-3.0-or-later
// What `strata` shows on terminals of all kinds: dumb, narrow, of other character sets, resized while it draws.
#include <sys/ioctl.h>
#include <termios.h>

#include <QTest>
#include <algorithm>
#include <cstdlib>

#include "cli_run.h"

using namespace strata;

namespace {

/// A terminal of so many columns, and what the program has written to it.
class Terminal {
 public:
  explicit Terminal(int columns) : m_fd(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    if (grantpt(m_fd) != 0 || unlockpt(m_fd) != 0) qFatal("no pseudo terminal here");
    m_name = ptsname(m_fd);
    resize(columns);
  }
  ~Terminal() { ::close(m_fd); }
  void resize(int columns) {
    const winsize size{24, static_cast<unsigned short>(columns), 0, 0};
    ioctl(m_fd, TIOCSWINSZ, &size);
  }
  const char* name() const { return m_name.c_str(); }
  /// Waits until a program has written something; false when none has the terminal open any more.
  bool readSome() {
    char bytes[4096];
    const ssize_t count = ::read(m_fd, bytes, sizeof bytes);
    if (count > 0) m_text.append(bytes, static_cast<std::size_t>(count));
    return count > 0;
  }
  /// Runs the program to its end and returns all that it wrote.
  std::string run(const std::vector<std::string>& arguments, const std::string& before) {
    CliProcess process(arguments, 0, before, m_name.c_str());
    while (readSome()) continue;
    m_exitCode = process.finish().exitCode;
    return text();
  }
  /// With line ends as the program wrote them.
  std::string text() const {
    std::string text = m_text;
    for (std::size_t at = 0; (at = text.find("\r\n", at)) != std::string::npos;) text.erase(at, 1);
    return text;
  }
  int exitCode() const { return m_exitCode; }

 private:
  int m_fd, m_exitCode = -1;
  std::string m_name, m_text;
};

bool isAscii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Columns of the widest line that was drawn to be drawn over: what stands between a return and the next one.
int widestDrawing(const std::string& text) {
  qsizetype widest = 0;
  const QStringList drawings = QString::fromStdString(text).split('\r');
  for (qsizetype i = 1; i < drawings.size(); ++i)
    if (!drawings[i].contains('\n')) widest = std::max(widest, drawings[i].size());
  return static_cast<int>(widest);
}

}  // namespace

class TestTerminal : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase();
  void drawsWithinTheColumns_data();
  void drawsWithinTheColumns();
  void followsTheTerminalsSize();
  void drawsNothingOverWhereItCannot_data();
  void drawsNothingOverWhereItCannot();
  void writesInTheLocalesCharacters_data();
  void writesInTheLocalesCharacters();
  void jsonStaysUtf8();
  void filesStayUtf8();

 private:
  std::string path(const std::string& name) const { return (m_folder / name).string(); }
  std::vector<std::string> training() {
    return {"train", path("tiny.strata"), "--threads", "1", "--out", path("run" + std::to_string(m_runs++))};
  }
  ScratchFolder m_folder;
  int m_runs = 0;
};

void TestTerminal::initTestCase() {
  writeTinyData(m_folder / "data");
  writeText(m_folder / "tiny.strata", tinyProjectText(m_folder / "data"));
}

void TestTerminal::drawsWithinTheColumns_data() {
  QTest::addColumn<int>("columns");
  for (const int columns : {200, 80, 40, 20, 10, 3, 2, 1}) QTest::addRow("%d", columns) << columns;
}

void TestTerminal::drawsWithinTheColumns() {
  QFETCH(int, columns);
  Terminal terminal(columns);
  const std::string text = terminal.run(training(), "export TERM=xterm LC_ALL=C.UTF-8");
  QVERIFY2(terminal.exitCode() == 0, text.c_str());
  QVERIFY2(widestDrawing(text) < columns, text.c_str());
  QVERIFY2(columns < 3 || text.find('\r') != std::string::npos, text.c_str());
  QVERIFY2(text.find("val_accuracy: ") != std::string::npos, text.c_str());  // what stays is never cut
  QVERIFY2(text.find('\033') == std::string::npos, text.c_str());
}

void TestTerminal::followsTheTerminalsSize() {
  Terminal terminal(80);
  std::vector<std::string> arguments = training();
  arguments.insert(arguments.end(), {"--epochs", "1000000", "--set", "training.keep_epochs=0"});
  CliProcess process(arguments, 0, "export TERM=xterm LC_ALL=C.UTF-8", terminal.name());
  while (widestDrawing(terminal.text()) < 20) terminal.readSome();
  terminal.resize(20);
  const auto seen = [&](int epochs) { return terminal.text().find("Epoch " + std::to_string(epochs) + "/"); };
  int epoch = 1;
  while (seen(epoch + 1) != std::string::npos) ++epoch;
  const int resizedBy = epoch + 400;  // more than the terminal can hold of what was drawn before
  while (seen(resizedBy + 50) == std::string::npos) terminal.readSome();
  ::kill(process.pid(), SIGKILL);
  process.finish();
  const std::string after = terminal.text().substr(seen(resizedBy));
  QVERIFY2(after.find('\r') != std::string::npos && widestDrawing(after) < 20, after.c_str());
}

void TestTerminal::drawsNothingOverWhereItCannot_data() {
  QTest::addColumn<QString>("before");
  QTest::newRow("dumb") << "export TERM=dumb";
  QTest::newRow("unknown") << "unset TERM";
  QTest::newRow("empty") << "export TERM=";
}

void TestTerminal::drawsNothingOverWhereItCannot() {
  QFETCH(QString, before);
  Terminal terminal(80);
  const std::string text = terminal.run(training(), before.toStdString());
  QCOMPARE(terminal.exitCode(), 0);
  QVERIFY2(text.find_first_of("\r\033\b") == std::string::npos, text.c_str());
  QVERIFY2(text.find("epoch 2/2 - ") != std::string::npos, text.c_str());
}

void TestTerminal::writesInTheLocalesCharacters_data() {
  QTest::addColumn<QString>("locale");
  QTest::addColumn<bool>("utf8");
  QTest::newRow("UTF-8") << "C.UTF-8" << true;
  QTest::newRow("C") << "C" << false;
  QTest::newRow("POSIX") << "POSIX" << false;
  QTest::newRow("a locale that is not here") << "xx_XX.UTF-8" << false;
}

void TestTerminal::writesInTheLocalesCharacters() {
  QFETCH(QString, locale);
  QFETCH(bool, utf8);
  const std::string before = "export TERM=xterm LC_ALL=" + locale.toStdString();
  Terminal bar(80), shape(80), error(80), help(80);
  const std::string drawn = bar.run(training(), before), told = shape.run({"info", path("data")}, before),
                    refused = error.run({"info", path("d\xC3\xA9j\xC3\xA0")}, before),
                    helped = help.run({"train", "--help"}, before);
  QVERIFY2(drawn.find(utf8 ? "━━" : "==") != std::string::npos, drawn.c_str());
  QVERIFY2(told.find(utf8 ? "28 × 28 × 1" : "28 x 28 x 1") != std::string::npos, told.c_str());
  QVERIFY2(refused.find(utf8 ? "d\xC3\xA9j\xC3\xA0: there is no such" : "d?j?: there is no such") != std::string::npos,
           refused.c_str());
  for (const std::string& text : {drawn, told, refused, helped}) QVERIFY2(utf8 || isAscii(text), text.c_str());
  QVERIFY(helped.find("--epochs") != std::string::npos);
}

void TestTerminal::jsonStaysUtf8() {
  Terminal terminal(80);
  const std::string text =
      terminal.run({"predict", path("d\xC3\xA9j\xC3\xA0"), "x.png", "--json"}, "export TERM=xterm LC_ALL=C");
  QVERIFY2(text.find("d\xC3\xA9j\xC3\xA0") != std::string::npos, text.c_str());
}

void TestTerminal::filesStayUtf8() {
  const CliResult result = runStrata({"info", path("data")}, 0, "export LC_ALL=C TERM=xterm");
  QVERIFY2(result.out.find("28 × 28 × 1") != std::string::npos, result.out.c_str());
}

QTEST_GUILESS_MAIN(TestTerminal)
#include "tst_terminal.moc"

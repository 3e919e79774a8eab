// SPDX-License-Identifier: GPL-3.0-or-later
// Foreign text in messages and on screens: one line, no commands, no floods, and messages that stay a sentence.
#include <QTest>

#include "engine/base/error.h"
#include "engine/base/narrow.h"

using namespace strata;

class TestText : public QObject {
  Q_OBJECT
 private slots:
  void isMadePrintable_data();
  void isMadePrintable();
  void isCut_data();
  void isCut();
  void anyBytesBecomeSoundText();
  void errorsStayOneSentence();
  void narrowKeepsTheNumberOrRefuses();
};

void TestText::isMadePrintable_data() {
  QTest::addColumn<QByteArray>("text");
  QTest::addColumn<QString>("shown");
  const QString r(QChar(0xFFFD));
  QTest::newRow("plain") << QByteArray("conv1") << "conv1";
  QTest::newRow("letters of the world") << QByteArray("Ärger, дом, 手書き, \xD9\x85\xDB\x8C\xE2\x80\x8C\xD8\xAE")
                                        << QString::fromUtf8(
                                               "Ärger, дом, 手書き, \xD9\x85\xDB\x8C\xE2\x80\x8C\xD8\xAE");
  QTest::newRow("escape sequence") << QByteArray("a\x1b[31mb") << "a" + r + "[31mb";
  QTest::newRow("lines") << QByteArray("a\r\nb\tc") << "a" + r + r + "b" + r + "c";
  QTest::newRow("zero and delete") << QByteArray("a\0b\x7f", 4) << "a" + r + "b" + r;
  QTest::newRow("C1") << QByteArray("a\xC2\x9b"
                                    "31m")
                      << "a" + r + "31m";
  QTest::newRow("right to left") << QByteArray("a\xE2\x80\xAEgnp.exe\xE2\x81\xA6") << "a" + r + "gnp.exe" + r;
  QTest::newRow("line separator") << QByteArray("a\xE2\x80\xA8") << "a" + r;
  QTest::newRow("no UTF-8") << QByteArray("a\xff\xC3") << "a" + r + r;
  QTest::newRow("overlong") << QByteArray("\xC0\xAF") << r + r;
  QTest::newRow("surrogate") << QByteArray("\xED\xA0\x80") << r + r + r;
  QTest::newRow("beyond Unicode") << QByteArray("\xF4\x90\x80\x80") << r + r + r + r;
}

void TestText::isMadePrintable() {
  QFETCH(QByteArray, text);
  QFETCH(QString, shown);
  QCOMPARE(QString::fromStdString(printable(text.toStdString())), shown);
}

void TestText::isCut_data() {
  QTest::addColumn<QString>("text");
  QTest::addColumn<int>("tail");
  QTest::addColumn<QString>("shown");
  QTest::newRow("fits") << "abcdefghij" << 0 << "abcdefghij";
  QTest::newRow("does not") << "abcdefghijk" << 0 << "abcdefg...";
  QTest::newRow("keeps its end") << "abcdefghijk" << 4 << "abc...hijk";
  QTest::newRow("characters, not bytes") << QString::fromUtf8("äöüäöüäöüä") << 0 << QString::fromUtf8("äöüäöüäöüä");
  QTest::newRow("between characters") << QString::fromUtf8("äöüäöüäöüäö") << 0 << QString::fromUtf8("äöüäöüä...");
  QTest::newRow("very long") << QString(100000, 'x') + "end" << 4 << "xxx...xend";
}

void TestText::isCut() {
  QFETCH(QString, text);
  QFETCH(int, tail);
  QFETCH(QString, shown);
  QCOMPARE(QString::fromStdString(printable(text.toStdString(), 10, static_cast<std::size_t>(tail))), shown);
}

void TestText::anyBytesBecomeSoundText() {
  std::string bytes;
  for (int i = 0; i < 40000; ++i) bytes += static_cast<char>(i * 7919 >> 3);
  for (std::size_t begin = 0; begin + 50 < bytes.size(); begin += 37) {
    const std::string shown = printable(std::string_view(bytes).substr(begin, 50));
    const QString text = QString::fromStdString(shown);
    QCOMPARE(text.toStdString(), shown);  // it was sound UTF-8
    QVERIFY(std::none_of(text.begin(), text.end(), [](QChar c) { return c.category() == QChar::Other_Control; }));
  }
}

void TestText::errorsStayOneSentence() {
  const std::string flood(5000, 'n'), forged = "x\nstrata: all is well\x1b[2J";
  for (const std::string& text : {flood, forged}) {
    const QString message = QString::fromUtf8(Error(Error::Kind::Input, text, "is " + text, "Use " + text).what());
    QVERIFY2(message.size() < 1500 && message.endsWith('.'), qPrintable(message));
    QVERIFY(!message.contains('\n') && !message.contains('\x1b'));
  }
  const std::string path = "/" + flood + "/last.safetensors";
  QVERIFY(QString::fromUtf8(Error(Error::Kind::File, path, "is not there").what()).contains("/last.safetensors: is"));
}

void TestText::narrowKeepsTheNumberOrRefuses() {
  QCOMPARE(narrow<int>(std::uint64_t{2147483647}, "x"), 2147483647);
  QCOMPARE(narrow<std::uint8_t>(255, "x"), std::uint8_t{255});
  const auto refused = [](auto call) {
    try {
      call();
    } catch (const Error& error) {
      return error.kind() == Error::Kind::Input && QString::fromUtf8(error.what()).startsWith("x: is ");
    }
    return false;
  };
  QVERIFY(refused([] { narrow<int>(std::uint64_t{1} << 31, "x"); }));
  QVERIFY(refused([] { narrow<int>((std::uint64_t{1} << 32) + 1, "x"); }));
  QVERIFY(refused([] { narrow<std::uint32_t>(-1, "x"); }));
  QVERIFY(refused([] { narrow<std::int64_t>(~std::uint64_t{0}, "x"); }));
  QVERIFY(refused([] { narrow<std::uint8_t>(256, "x"); }));
}

QTEST_APPLESS_MAIN(TestText)
#include "tst_text.moc"

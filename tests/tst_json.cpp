// SPDX-License-Identifier: GPL-3.0-or-later
// JSON from outside: what is refused, and where the message points.
#include <QTest>
#include <limits>

#include "engine/base/json.h"
#include "test_files.h"

using namespace strata;

class TestJson : public QObject {
  Q_OBJECT
 private slots:
  void reads();
  void refuses_data();
  void refuses();
  void nestingUpToTheLimitIsRead();
  void everyCutIsRefused();
  void notANumberIsNull();
  void prettyTextComesBack();
};

void TestJson::reads() {
  const Json json = parseJson(R"( {"b": [1, -2, 0.5, true, null], "a": "ä\n"} )", "text");
  QCOMPARE(json["b"].size(), std::size_t{5});
  QCOMPARE(json["a"].get<std::string>(), std::string("ä\n"));
  QCOMPARE(json.begin().key(), std::string("b"));  // the order is kept
}

void TestJson::refuses_data() {
  QTest::addColumn<QByteArray>("text");
  QTest::addColumn<QString>("says");
  QTest::newRow("empty") << QByteArray("") << "line 1, column 1";
  QTest::newRow("cut") << QByteArray("{\"a\": ") << "line 1";
  QTest::newRow("trailing") << QByteArray("{} {}") << "column 4";
  QTest::newRow("duplicate") << QByteArray("{\"a\": 1,\n \"a\": 2}") << "line 2, column 4: the key \"a\" appears twice";
  QTest::newRow("deep duplicate") << QByteArray("[{\"x\": {\"k\": 1, \"k\": 1}}]") << "the key \"k\" appears twice";
  QTest::newRow("comment") << QByteArray("{} // no") << "line 1";
  QTest::newRow("overflow") << QByteArray("[1e400]") << "1e400";
  QTest::newRow("NaN") << QByteArray("[NaN]") << "line 1, column 2";
  QTest::newRow("zero byte") << QByteArray("{}\0[]", 5) << "column 3: a zero byte";
  QTest::newRow("not UTF-8") << QByteArray("[\"\xff\"]") << "line 1, column 3";
  QTest::newRow("too deep") << QByteArray(65, '[') + QByteArray(65, ']') << "nested deeper than 64";
  QTest::newRow("very deep") << QByteArray(100000, '[') << "nested deeper than 64";
  QTest::newRow("too many") << "[" + QByteArray("0,").repeated(250000) + "0]"
                            << "more than 250000 values";
}

void TestJson::refuses() {
  QFETCH(QByteArray, text);
  QFETCH(QString, says);
  const QString message = refusedWith(Error::Kind::Input, [&] { parseJson(text.toStdString(), "file.json"); });
  QVERIFY2(message.startsWith("file.json: not valid JSON at ") && message.contains(says), qPrintable(message));
}

void TestJson::nestingUpToTheLimitIsRead() {
  QVERIFY(parseJson(std::string(64, '[') + std::string(64, ']'), "text").is_array());
}

void TestJson::everyCutIsRefused() {
  const std::string text = R"({"name": "x", "list": [1, 2.5e-3, {"deep": false}], "last": null})";
  for (std::size_t size = 0; size < text.size(); ++size)
    QVERIFY2(refusedWith(Error::Kind::Input, [&] { parseJson(text.substr(0, size), "cut"); }).startsWith("cut: "),
             qPrintable(QString::number(size)));
}

void TestJson::notANumberIsNull() {
  QVERIFY(numberOrNull(std::numeric_limits<double>::quiet_NaN()).is_null());
  QVERIFY(numberOrNull(std::numeric_limits<double>::infinity()).is_null());
  QVERIFY(numberOrNull(0.5) == 0.5);
}

void TestJson::prettyTextComesBack() {
  Json json = {{"short", {1, 2, 3}}, {"text", "a \"quoted\" line"}, {"empty", Json::object()}};
  json["long"] = Json::array();
  for (int i = 0; i < 40; ++i) json["long"].push_back({{"index", i}, {"half", i / 2.0}});
  const std::string text = prettyJson(json);
  QVERIFY(parseJson(text, "text") == json);
  QVERIFY(text.find("  \"short\": [1, 2, 3],\n") != std::string::npos);
}

QTEST_APPLESS_MAIN(TestJson)
#include "tst_json.moc"

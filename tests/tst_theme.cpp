// SPDX-License-Identifier: GPL-3.0-or-later
// What the style sheet draws from files really paints: ticks and arrows, in both themes, wherever temporary files may
// lie.
#include <QApplication>
#include <QCheckBox>
#include <QComboBox>
#include <QRegularExpression>
#include <QSpinBox>
#include <QStyleOptionComboBox>
#include <QStyleOptionSpinBox>
#include <QTest>

#include "engine/net/layer.h"
#include "gui/theme.h"

using namespace strata::gui;

namespace {

/// How many pixels of `image` inside `rect` are nearer to `colour` than to the ground, which is the colour of the
/// rect's edge.
int inked(const QImage& image, const QRect& rect, const QColor& colour) {
  const auto distance = [](const QColor& a, const QColor& b) {
    return std::abs(a.red() - b.red()) + std::abs(a.green() - b.green()) + std::abs(a.blue() - b.blue());
  };
  const QColor ground = image.pixelColor(rect.topLeft());
  int count = 0;
  for (int y = rect.top(); y <= rect.bottom(); ++y)
    for (int x = rect.left(); x <= rect.right(); ++x)
      count += distance(image.pixelColor(x, y), colour) < distance(image.pixelColor(x, y), ground);
  return count;
}

class OpenSpinBox : public QSpinBox {
 public:
  QRect part(QStyle::SubControl which) const {
    QStyleOptionSpinBox option;
    initStyleOption(&option);
    return style()->subControlRect(QStyle::CC_SpinBox, &option, which, this) & rect().adjusted(2, 2, -2, -2);
  }
};

class OpenComboBox : public QComboBox {
 public:
  QRect arrow() const {
    QStyleOptionComboBox option;
    initStyleOption(&option);
    return style()->subControlRect(QStyle::CC_ComboBox, &option, QStyle::SC_ComboBoxArrow, this);
  }
};

class OpenCheckBox : public QCheckBox {
 public:
  QRect indicator() const {
    QStyleOptionButton option;
    initStyleOption(&option);
    return style()->subElementRect(QStyle::SE_CheckBoxIndicator, &option, this).adjusted(2, 2, -2, -2);
  }
};

}  // namespace

class TestTheme : public QObject {
  Q_OBJECT

 private slots:
  void everyPictureOfTheSheetPaints_data() { addThemes(); }
  void everyPictureOfTheSheetPaints() {
    QFETCH(ThemeChoice, choice);
    Theme theme(*qApp);
    theme.setChoice(choice);
    static const QRegularExpression picture(R"(url\(([^)]*)\))");
    QStringList files;
    for (const auto& match : picture.globalMatch(qApp->styleSheet())) files << match.captured(1);
    files.removeDuplicates();
    QVERIFY(files.size() >= 6);
    for (const QString& file : std::as_const(files)) {
      const QImage image(file);
      QVERIFY2(!image.isNull(), qPrintable(file + " is not a picture that Qt can read here"));
      int painted = 0;
      for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x) painted += image.pixelColor(x, y).alpha() > 127;
      QVERIFY2(painted >= 8, qPrintable(QString("%1 has only %2 visible pixels").arg(file).arg(painted)));
      QString finer = file;
      QCOMPARE(QImage(finer.replace(".png", "@2x.png")).size(), 2 * image.size());
    }
  }

  void everyCategoryHasItsColour_data() { addThemes(); }
  void everyCategoryHasItsColour() {
    QFETCH(ThemeChoice, choice);
    Theme theme(*qApp);
    theme.setChoice(choice);
    for (const strata::LayerDef& def : strata::allLayers())
      QVERIFY2(theme.color(QString::fromStdString(def.category)) != Qt::magenta, def.type.c_str());
  }

  void boxesShowTheirMarks_data() { addThemes(); }
  void boxesShowTheirMarks() {
    QFETCH(ThemeChoice, choice);
    Theme theme(*qApp);
    theme.setChoice(choice);
    for (const bool enabled : {true, false}) {
      OpenCheckBox check;
      check.setText("Shuffle");
      check.setChecked(true);
      check.setEnabled(enabled);
      check.resize(check.sizeHint());
      const QImage checked = check.grab().toImage();
      QVERIFY(inked(checked, check.indicator(), theme.color(enabled ? "onaccent" : "text3")) >= 8);
      check.setChecked(false);
      QCOMPARE(inked(check.grab().toImage(), check.indicator(), theme.color("onaccent")), 0);

      OpenSpinBox spin;
      spin.setEnabled(enabled);
      spin.setValue(50);
      spin.resize(spin.sizeHint());
      for (const auto button : {QStyle::SC_SpinBoxUp, QStyle::SC_SpinBoxDown})
        QVERIFY(inked(spin.grab().toImage(), spin.part(button), theme.color("text2")) >= 8);

      OpenComboBox combo;
      combo.addItem("MNIST");
      combo.setEnabled(enabled);
      combo.resize(combo.sizeHint());
      QVERIFY(inked(combo.grab().toImage(), combo.arrow(), theme.color(enabled ? "text2" : "bbutton")) >= 8);
    }
  }

  // Without a folder for temporary files the icons lie in the cache; without that too, one sentence says what is
  // missing.
  void iconsFindAPlace_data() {
    QTest::addColumn<QByteArray>("cache");
    QTest::newRow("no temporary folder") << qgetenv("XDG_CACHE_HOME");
    QTest::newRow("no folder at all") << QByteArray("/dev/null");
  }
  void iconsFindAPlace() {
    QFETCH(QByteArray, cache);
    const Environment temporary("TMPDIR", "/dev/null"), caches("XDG_CACHE_HOME", cache);
    const bool possible = cache != "/dev/null";
    if (!possible)
      QTest::ignoreMessage(QtWarningMsg,
                           QRegularExpression("The ticks and arrows of boxes cannot be shown: no folder for temporary "
                                              "files takes them \\(tried /dev/null.*\\)\\."));
    Theme theme(*qApp);
    OpenComboBox combo;
    combo.addItem("MNIST");
    combo.resize(combo.sizeHint());
    QCOMPARE(inked(combo.grab().toImage(), combo.arrow(), theme.color("text2")) >= 8, possible);
  }

 private:
  /// An environment variable with another value while this lives.
  class Environment {
   public:
    Environment(const char* name, const QByteArray& value) : m_name(name), m_before(qgetenv(name)) {
      qputenv(name, value);
    }
    ~Environment() { m_before.isNull() ? qunsetenv(m_name) : qputenv(m_name, m_before); }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

   private:
    const char* m_name;
    QByteArray m_before;
  };

  static void addThemes() {
    QTest::addColumn<ThemeChoice>("choice");
    QTest::newRow("light") << ThemeChoice::Light;
    QTest::newRow("dark") << ThemeChoice::Dark;
  }
};

QTEST_MAIN(TestTheme)
#include "tst_theme.moc"

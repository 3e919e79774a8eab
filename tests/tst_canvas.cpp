// SPDX-License-Identifier: GPL-3.0-or-later
// Drawing with the mouse, erasing, undoing, pictures put on the sheet; and the strip's pictures.
#include <QApplication>
#include <QSignalSpy>
#include <QTest>

#include "gui/widgets/canvas.h"
#include "gui/widgets/prep_strip.h"

using namespace strata;
using namespace strata::gui;

class TestCanvas : public QObject {
  Q_OBJECT
 private slots:
  void initTestCase() { m_theme = std::make_unique<Theme>(*qApp); }
  void init();
  void drawsAndUndoes();
  void erasing();
  void offTheSheet();
  void pictureKeepsAspect();
  void keys();
  void greyRoundTrip();
  void keepsAPictureAsItCame();
  void transparentPicturesGetAGround();
  void choosesByHand();

 private:
  void drag(QPoint from, QPoint to);
  std::unique_ptr<Theme> m_theme;
  std::unique_ptr<Canvas> m_canvas;
};

void TestCanvas::init() {
  m_canvas = std::make_unique<Canvas>(*m_theme);
  m_canvas->resize(300, 300);
  m_canvas->show();
  QVERIFY(QTest::qWaitForWindowExposed(m_canvas.get()));
}

void TestCanvas::drag(QPoint from, QPoint to) {
  QTest::mousePress(m_canvas.get(), Qt::LeftButton, {}, from);
  for (int i = 1; i <= 4; ++i) QTest::mouseMove(m_canvas.get(), from + (to - from) * i / 4);
  QTest::mouseRelease(m_canvas.get(), Qt::LeftButton, {}, to);
}

void TestCanvas::drawsAndUndoes() {
  QVERIFY(m_canvas->empty());
  QSignalSpy changed(m_canvas.get(), &Canvas::changed);
  drag({100, 100}, {200, 200});
  QVERIFY(!m_canvas->empty());
  QVERIFY(changed.count() > 1);  // also in the middle of the stroke
  QVERIFY(qGray(m_canvas->image().pixel(140, 140)) > 200);
  QCOMPARE(qGray(m_canvas->image().pixel(10, 270)), 0);
  const auto drawn = m_canvas->image();
  m_canvas->undoStack().undo();
  QVERIFY(m_canvas->empty());
  m_canvas->undoStack().redo();
  QCOMPARE(m_canvas->image(), drawn);
}

void TestCanvas::erasing() {
  drag({100, 100}, {200, 200});
  m_canvas->setErasing(true);
  m_canvas->setBrush(Canvas::kLargestBrush);
  drag({100, 100}, {200, 200});
  QVERIFY(m_canvas->empty());
  QCOMPARE(m_canvas->undoStack().count(), 2);
}

void TestCanvas::offTheSheet() {
  drag({150, 150}, {900, -400});  // ends far outside: no harm, one step
  QCOMPARE(m_canvas->undoStack().count(), 1);
  m_canvas->resize(140, 400);
  QTest::mouseClick(m_canvas.get(), Qt::LeftButton, {}, {70, 10});  // above the sheet now
  QCOMPARE(m_canvas->undoStack().count(), 1);
}

void TestCanvas::pictureKeepsAspect() {
  QImage wide(40, 20, QImage::Format_Grayscale8);
  wide.fill(255);
  m_canvas->setPicture(wide, "Test");
  QCOMPARE(m_canvas->image().size(), QSize(280, 280));
  QCOMPARE(qGray(m_canvas->image().pixel(140, 140)), 255);
  QCOMPARE(m_canvas->undoStack().count(), 1);
  m_canvas->clear();
  QVERIFY(m_canvas->empty());
  m_canvas->setPicture(QImage(), "Nothing");
  QVERIFY(m_canvas->empty());
}

void TestCanvas::keys() {
  const int brush = m_canvas->brush();
  QTest::keyClick(m_canvas.get(), Qt::Key_BracketRight);
  QCOMPARE(m_canvas->brush(), brush + 2);
  QTest::keyClick(m_canvas.get(), Qt::Key_X);
  QVERIFY(m_canvas->erasing());
  QTest::keyClick(m_canvas.get(), Qt::Key_X);
  drag({100, 100}, {110, 110});
  QTest::keyClick(m_canvas.get(), Qt::Key_Delete);
  QVERIFY(m_canvas->empty());
}

void TestCanvas::greyRoundTrip() {
  drag({60, 60}, {240, 200});
  const auto grey = strata::toGrey(toPicture(m_canvas->image()));
  QCOMPARE(grey.width, 280);
  QCOMPARE(grey.pixels.size(), std::size_t(280 * 280));
  QCOMPARE(toImage(grey), m_canvas->image());
}

/// In its own size and colours, until something is drawn over it.
void TestCanvas::keepsAPictureAsItCame() {
  QVERIFY(m_canvas->picture().isNull());
  QImage small(32, 24, QImage::Format_RGB888);
  small.fill(Qt::red);
  small.setPixelColor(3, 4, Qt::blue);
  m_canvas->setPicture(small, "Test");
  QCOMPARE(m_canvas->picture().convertToFormat(QImage::Format_RGB888), small);
  drag({60, 60}, {240, 200});
  QVERIFY(m_canvas->picture().isNull());
  m_canvas->undoStack().undo();
  QCOMPARE(m_canvas->picture().size(), small.size());
  m_canvas->undoStack().undo();
  QVERIFY(m_canvas->picture().isNull() && m_canvas->empty());
}

void TestCanvas::transparentPicturesGetAGround() {
  for (const QColor ink : {Qt::white, Qt::black}) {
    QImage drawing(40, 40, QImage::Format_ARGB32);
    drawing.fill(Qt::transparent);
    for (int y = 5; y < 35; ++y) drawing.setPixelColor(20, y, ink);
    m_canvas->setPicture(drawing, "Test");
    QCOMPARE(m_canvas->picture().pixelColor(20, 20), ink);
    QVERIFY(std::abs(m_canvas->picture().pixelColor(0, 0).red() - ink.red()) == 255);
  }
}

void TestCanvas::choosesByHand() {
  PrepStrip strip(*m_theme);
  QSignalSpy changed(&strip, &PrepStrip::choiceChanged);
  QVERIFY(strip.choice().framing == Framing::Auto && strip.choice().polarity == Polarity::Auto);
  strip.findChild<QComboBox*>("framing")->setCurrentIndex(2);
  strip.findChild<QComboBox*>("polarity")->setCurrentIndex(2);
  strip.findChild<QCheckBox*>("prepStep1")->setChecked(false);
  QCOMPARE(changed.count(), 3);
  const PrepChoice choice = strip.choice();
  QVERIFY(choice.framing == Framing::None && choice.polarity == Polarity::DarkOnLight);
  QVERIFY(choice.steps.crop && !choice.steps.fit && choice.steps.centre);
}

QTEST_MAIN(TestCanvas)
#include "tst_canvas.moc"

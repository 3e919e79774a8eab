// SPDX-License-Identifier: GPL-3.0-or-later
#include "screenshots.h"

#include <QAbstractButton>
#include <QComboBox>
#include <QCoreApplication>
#include <QDir>
#include <QLabel>
#include <QPixmap>
#include <QScrollArea>
#include <QScrollBar>
#include <QStyleOptionComboBox>
#include <QTest>
#include <QToolButton>
#include <tuple>

#include "gui/widgets/elided_text.h"

namespace {

/// A text may have changed just now.
void layOut() {
  for (int level = 0; level < 4; ++level) QCoreApplication::sendPostedEvents(nullptr, QEvent::LayoutRequest);
}

/// What the words of the chosen item need, and the room that the box has for them.
std::pair<int, int> needAndRoom(const QComboBox& box) {
  QStyleOptionComboBox option;
  option.initFrom(&box);
  option.editable = box.isEditable();
  const QRect room = box.style()->subControlRect(QStyle::CC_ComboBox, &option, QStyle::SC_ComboBoxEditField, &box);
  const int icon = box.itemIcon(box.currentIndex()).isNull() ? 0 : box.iconSize().width() + 4;
  return {box.fontMetrics().horizontalAdvance(box.currentText()) + icon, room.width()};
}

}  // namespace

bool takeScreenshot(QWidget& window, QSize size, const QString& name) {
  window.resize(size);
  QCoreApplication::processEvents();
  QCoreApplication::processEvents();  // layouts that asked for a second pass
  const QDir folder(STRATA_BINARY_DIR "/screenshots");
  return folder.mkpath(".") && window.grab().save(folder.filePath(name + ".png"));
}

QStringList cutTexts(const QWidget& window) {
  constexpr int kPadding = 2;  // a button's hint has room around its text: so much less of it cuts nothing
  layOut();
  QStringList cut;
  for (const QWidget* widget : window.findChildren<QWidget*>()) {
    if (!widget->isVisible()) continue;
    QString text;
    QSize needed = widget->sizeHint(), room = widget->size();
    if (const auto* box = qobject_cast<const QComboBox*>(widget)) {
      text = box->currentText();
      std::tie(needed.rwidth(), room.rwidth()) = needAndRoom(*box);
      needed.setHeight(0);
    } else if (const auto* label = qobject_cast<const QLabel*>(widget)) {
      text = label->text();
      if (label->wordWrap()) needed = {0, label->heightForWidth(label->width())};
    } else if (const auto* button = qobject_cast<const QAbstractButton*>(widget)) {
      text = button->text();
      const auto* tool = qobject_cast<const QToolButton*>(button);
      needed -= QSize(kPadding, kPadding);
      if (tool && tool->toolButtonStyle() == Qt::ToolButtonIconOnly) continue;
    }
    if (text.isEmpty() || (needed.width() <= room.width() && needed.height() <= room.height())) continue;
    cut << QString("%1 '%2' needs %3 x %4, has %5 x %6")
               .arg(widget->objectName(), text)
               .arg(needed.width())
               .arg(needed.height())
               .arg(room.width())
               .arg(room.height());
  }
  return cut;
}

QStringList elidedTexts(const QWidget& window) {
  layOut();
  QStringList elided;
  for (const auto* text : window.findChildren<strata::gui::ElidedText*>())
    if (text->isVisible() && text->sizeHint().width() > text->width() + 1) elided << text->text();
  return elided;
}

QSize hiddenPart(const QMainWindow& window) {
  QCoreApplication::processEvents();
  layOut();
  const auto* area = qobject_cast<const QScrollArea*>(window.centralWidget());
  return {area->horizontalScrollBar()->maximum(), area->verticalScrollBar()->maximum()};
}

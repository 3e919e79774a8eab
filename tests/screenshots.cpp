// SPDX-License-Identifier: GPL-3.0-or-later
#include "screenshots.h"

#include <QAbstractButton>
#include <QCoreApplication>
#include <QDir>
#include <QLabel>
#include <QPixmap>
#include <QTest>
#include <QToolButton>

bool takeScreenshot(QWidget& window, QSize size, const QString& name) {
  window.resize(size);
  QCoreApplication::processEvents();
  QCoreApplication::processEvents();  // layouts that asked for a second pass
  const QDir folder(STRATA_BINARY_DIR "/screenshots");
  return folder.mkpath(".") && window.grab().save(folder.filePath(name + ".png"));
}

QStringList cutTexts(const QWidget& window) {
  constexpr int kPadding = 2;  // a button's hint has room around its text: so much less of it cuts nothing
  // A text may have changed just now.
  for (int level = 0; level < 4; ++level) QCoreApplication::sendPostedEvents(nullptr, QEvent::LayoutRequest);
  QStringList cut;
  for (const QWidget* widget : window.findChildren<QWidget*>()) {
    if (!widget->isVisible()) continue;
    QString text;
    QSize needed = widget->sizeHint();
    if (const auto* label = qobject_cast<const QLabel*>(widget)) {
      text = label->text();
      if (label->wordWrap()) needed = {0, label->heightForWidth(label->width())};
    } else if (const auto* button = qobject_cast<const QAbstractButton*>(widget)) {
      text = button->text();
      const auto* tool = qobject_cast<const QToolButton*>(button);
      needed -= QSize(kPadding, kPadding);
      if (tool && tool->toolButtonStyle() == Qt::ToolButtonIconOnly) continue;
    }
    if (text.isEmpty() || (needed.width() <= widget->width() && needed.height() <= widget->height())) continue;
    cut << QString("%1 '%2' needs %3 x %4, has %5 x %6")
               .arg(widget->objectName(), text)
               .arg(needed.width())
               .arg(needed.height())
               .arg(widget->width())
               .arg(widget->height());
  }
  return cut;
}

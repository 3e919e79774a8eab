// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures of windows for people to look at, in build/screenshots/, and the checks that no text in them is cut and
// that nothing has to be scrolled to.
#pragma once
#include <QMainWindow>
#include <QSize>
#include <QStringList>
#include <QWidget>

/// Gives `window` that size, lets it paint, and saves it as build/screenshots/NAME.png. False when it could not be
/// written.
bool takeScreenshot(QWidget& window, QSize size, const QString& name);

/// Every visible label, button and box of choices whose text needs more room than it has, as "objectName 'text' needs W
/// x H, has W x H".
QStringList cutTexts(const QWidget& window);
/// Every visible ElidedText that ends in "…" or has no room for its words.
QStringList elidedTexts(const QWidget& window);
/// How far the pages can be scrolled because the window has too little room for them; 0 x 0 when all is seen.
QSize hiddenPart(const QMainWindow& window);

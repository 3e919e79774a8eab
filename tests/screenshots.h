// SPDX-License-Identifier: GPL-3.0-or-later
// Pictures of windows for people to look at, in build/screenshots/, and the check that no text in them is cut.
#pragma once
#include <QSize>
#include <QStringList>
#include <QWidget>

/// Gives `window` that size, lets it paint, and saves it as build/screenshots/NAME.png. False when it could not be
/// written.
bool takeScreenshot(QWidget& window, QSize size, const QString& name);

/// Every visible label and button whose text needs more room than it has, as "objectName 'text' needs W x H, has W x
/// H".
QStringList cutTexts(const QWidget& window);

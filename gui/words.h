// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers as people read them, for models and widgets alike.
#pragma once
#include <QString>

namespace strata::gui {

/// "1 epoch", "1,200 epochs": `many` has %1 for the number.
QString counted(qint64 count, const QString& one, const QString& many);
/// Any real number in that many significant digits: "0.5", "30", "1.2e7"; words for what is no number.
QString plainNumber(double value, int digits = 4);
QString lossText(double loss);  ///< "0.0123", "2.303"
/// A figure of an epoch by its history key, as its metric is read: "98.17 %", or as a loss.
QString figureText(const std::string& key, double value);
bool inPercent(const std::string& key);  ///< such a figure is a fraction that is shown in percent
/// "Accuracy", "Top 5", "Loss": of a history key with "val_" or without.
QString figureTitle(const std::string& key);
/// The same within a sentence: "accuracy".
QString figureName(const std::string& key);

}  // namespace strata::gui

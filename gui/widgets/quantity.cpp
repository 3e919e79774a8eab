// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/widgets/quantity.h"

#include "gui/theme.h"

namespace strata::gui {
namespace {

/// Three significant digits and a prefix.
QString scaled(double value, const QString& unit) {
  static constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T"};
  int step = 0;
  while (value >= 999.5 && step < 4) {
    value /= 1000;
    ++step;
  }
  const int decimals = step == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  const QString suffix = QString(kPrefixes[step]) + unit;
  return QString::number(value, 'f', decimals) + (suffix.isEmpty() ? QString() : ' ' + suffix);
}

}  // namespace

QString byteText(qint64 bytes) { return scaled(static_cast<double>(bytes), QStringLiteral("B")); }
QString countText(qint64 count) { return count < 100000 ? number(count) : scaled(static_cast<double>(count), {}); }

}  // namespace strata::gui

// SPDX-License-Identifier: GPL-3.0-or-later
// Amounts in words: bytes and large counts.
#pragma once
#include <QString>

namespace strata::gui {

QString byteText(qint64 bytes);   ///< "1.57 MB", powers of ten
QString countText(qint64 count);  ///< "2.59 M"

}  // namespace strata::gui

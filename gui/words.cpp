// SPDX-License-Identifier: GPL-3.0-or-later
#include "gui/words.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "engine/learn/metric.h"
#include "gui/theme.h"

namespace strata::gui {
namespace {

/// "0.500" -> "0.5".
QString trimmedDecimals(QString text) {
  if (!text.contains('.')) return text;
  while (text.endsWith('0')) text.chop(1);
  if (text.endsWith('.')) text.chop(1);
  return text;
}

}  // namespace

QString counted(qint64 count, const QString& one, const QString& many) {
  return count == 1 ? one : many.arg(number(count));
}

QString plainNumber(double value, int digits) {
  if (!std::isfinite(value)) return QCoreApplication::translate("Words", "not a number");
  const double size = std::abs(value);
  QString text;
  if (size != 0 && (size < 1e-4 || size >= 1e6)) {
    text = QString::number(value, 'e', digits - 1);
    const qsizetype at = text.indexOf('e');
    text = trimmedDecimals(text.left(at)) + 'e' + QString::number(text.mid(at + 1).toInt());
  } else {
    const int whole = size == 0 ? 0 : static_cast<int>(std::floor(std::log10(size)));
    text = trimmedDecimals(QString::number(value, 'f', std::max(0, digits - 1 - whole)));
  }
  return text.replace('-', QChar(0x2212));
}

QString lossText(double loss) {
  if (!(std::abs(loss) < 1e5)) return plainNumber(loss);
  return QString::number(loss, 'f', loss < 1 ? 4 : 3);
}

QString figureText(const std::string& key, double value) { return inPercent(key) ? percent(value) : lossText(value); }

bool inPercent(const std::string& key) {
  const MetricDef* metric = findMetric(withoutVal(key));
  return metric && metric->format == MetricDef::Format::Percent;
}

QString figureTitle(const std::string& key) {
  const MetricDef* metric = findMetric(withoutVal(key));
  return metric ? QString::fromStdString(metric->title) : QCoreApplication::translate("Words", "Loss");
}

QString figureName(const std::string& key) { return figureTitle(key).toLower(); }

}  // namespace strata::gui

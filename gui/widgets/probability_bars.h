// SPDX-License-Identifier: GPL-3.0-or-later
// The answer of a net: the class it says, how sure it is, and a bar for every class.
#pragma once
#include <QStringList>
#include <QWidget>
#include <vector>

#include "gui/theme.h"

namespace strata::gui {

class ProbabilityBars : public QWidget {
  Q_OBJECT
 public:
  explicit ProbabilityBars(const Theme& theme, QWidget* parent = nullptr);

  /// Nothing shown without probabilities.
  void setAnswer(const std::vector<float>& probabilities, const QStringList& classes);
  /// The sentence in place of an answer.
  void setEmptyText(const QString& text);
  int answer() const;  ///< -1: none
  QSize sizeHint() const override { return {480, 236}; }
  QSize minimumSizeHint() const override { return {260, 180}; }

 protected:
  void paintEvent(QPaintEvent*) override;

 private:
  void paintAnswer(QPainter& painter, const QRectF& box) const;
  void paintBars(QPainter& painter, const QRectF& box) const;
  QString className(int label) const;

  const Theme& m_theme;
  std::vector<float> m_probabilities;
  QStringList m_classes;
  QString m_emptyText;
};

}  // namespace strata::gui

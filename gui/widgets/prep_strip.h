// SPDX-License-Identifier: GPL-3.0-or-later
// "What the net sees": the drawing on its way to the net, one picture a step, with a tick to leave the step out and the
// answer the net would give without it.
#pragma once
#include <QCheckBox>
#include <QImage>
#include <QLabel>
#include <QWidget>
#include <array>

#include "datasets/digit_prep.h"
#include "gui/theme.h"

namespace strata::gui {

QImage toImage(const GreyImage& grey);
GreyImage toGrey(const QImage& image);

class PrepStrip : public QWidget {
  Q_OBJECT
 public:
  static constexpr int kSteps = 3;              ///< crop, fit, centre
  using Answers = std::array<QString, kSteps>;  ///< without each step: "4, 81 %"

  explicit PrepStrip(const Theme& theme, QWidget* parent = nullptr);

  PrepSteps steps() const;
  void setPrepared(const PreparedDigit& digit, const Answers& answersWithout);
  void clear();

 signals:
  void stepsChanged();

 private:
  class Picture;
  const Theme& m_theme;
  std::array<Picture*, kSteps + 1> m_pictures;
  std::array<QLabel*, kSteps + 1> m_sizes, m_answers;
  std::array<QCheckBox*, kSteps> m_ticks;
};

}  // namespace strata::gui

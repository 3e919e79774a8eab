// SPDX-License-Identifier: GPL-3.0-or-later
// "What the net sees": the drawing on its way to the net, one picture a step, with a tick to leave the step out and the
// answer the net would give without it; and what a person says of the picture in place of what is judged: how it is
// framed and whether it is dark on light.
#pragma once
#include <QCheckBox>
#include <QComboBox>
#include <QImage>
#include <QLabel>
#include <QWidget>
#include <array>

#include "datasets/digits/prep.h"
#include "gui/theme.h"

namespace strata::gui {

/// Grey or in colour, as the picture is.
QImage toImage(const Picture& picture);
/// In colour; transparent parts lie on a ground, as in a picture from a file.
Picture toPicture(const QImage& image);

class PrepStrip : public QWidget {
  Q_OBJECT
 public:
  static constexpr int kSteps = 3;              ///< crop, fit, centre
  using Answers = std::array<QString, kSteps>;  ///< without each step: "4, 81 %"

  explicit PrepStrip(const Theme& theme, QWidget* parent = nullptr);

  PrepChoice choice() const;
  void setPrepared(const PreparedPicture& prepared, const Answers& answersWithout);
  void clear();

 signals:
  void choiceChanged();

 private:
  class Stage;
  QWidget* makeChoices();
  void offerSteps(bool framed);
  void showStage(int stage, const QImage& image, const QRectF& cropBox = {}, bool cross = false);

  const Theme& m_theme;
  QComboBox *m_framing, *m_polarity;
  std::array<Stage*, kSteps + 1> m_stages;
  std::array<QLabel*, kSteps + 1> m_sizes, m_answers;
  std::array<QCheckBox*, kSteps> m_ticks;
};

}  // namespace strata::gui

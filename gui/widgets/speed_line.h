// SPDX-License-Identifier: GPL-3.0-or-later
// Samples a second over the last minutes, as a filled line.
#pragma once
#include <QWidget>
#include <deque>

#include "gui/theme.h"

namespace strata::gui {

class SpeedLine : public QWidget {
  Q_OBJECT
 public:
  explicit SpeedLine(const Theme& theme, QWidget* parent = nullptr);
  void clear();
  void add(double samplesPerSecond);  ///< once a second

 protected:
  void paintEvent(QPaintEvent*) override;

 private:
  static constexpr std::size_t kSeconds = 120;
  const Theme& m_theme;
  std::deque<double> m_values;
};

}  // namespace strata::gui

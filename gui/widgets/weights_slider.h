// SPDX-License-Identifier: GPL-3.0-or-later
// A slider over the epochs whose weights are on disk: a tick for each, a star on the best. Left and Right go to the
// next kept epoch, B to the best.
#pragma once
#include <QSlider>
#include <vector>

#include "gui/theme.h"

namespace strata::gui {

class WeightsSlider : public QSlider {
  Q_OBJECT
 public:
  explicit WeightsSlider(const Theme& theme, QWidget* parent = nullptr);

  /// Ascending; `best` may be 0. Chooses the best, or the last without one, unless another was chosen and is still
  /// there.
  void setEpochs(const std::vector<int>& epochs, int best);
  int epoch() const;  ///< 0: none on disk
  void setEpoch(int epoch);
  int best() const { return m_best; }

 signals:
  void epochChanged(int epoch);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  const Theme& m_theme;
  std::vector<int> m_epochs;
  int m_best = 0;
  bool m_chosen = false;  ///< an epoch other than the best, by hand
};

}  // namespace strata::gui

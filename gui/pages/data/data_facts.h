// SPDX-License-Identifier: GPL-3.0-or-later
// What is known about a data set: sizes, who made it, its licence, where it was read from.
#pragma once
#include <QWidget>

#include "engine/data/dataset.h"
#include "gui/theme.h"

class QLabel;

namespace strata::gui {

class DataFacts : public QWidget {
  Q_OBJECT
 public:
  explicit DataFacts(const Theme& theme, QWidget* parent = nullptr);
  void refresh(const Dataset* dataset);  ///< null: dashes

 private:
  QLabel *m_images, *m_shape, *m_source, *m_licence, *m_origin;
};

}  // namespace strata::gui

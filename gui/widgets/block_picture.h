// SPDX-License-Identifier: GPL-3.0-or-later
// A container drawn small: what goes in, the ways through its stacks as boxes, the sign where they meet, what comes
// out.
#pragma once
#include <QWidget>
#include <vector>

#include "gui/models/layer_card.h"
#include "gui/theme.h"

namespace strata::gui {

class BlockPicture : public QWidget {
  Q_OBJECT
 public:
  struct Box {
    QString text, category;
  };
  explicit BlockPicture(const Theme& theme, QWidget* parent = nullptr);

  /// `ways` from left to right; one without boxes is a plain line.
  void show(const LayerCard& card, std::vector<std::vector<Box>> ways);
  QSize sizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  int rows() const;
  int rowHeight() const;
  void paintWay(QPainter& painter, const std::vector<Box>& way, double x, double width, QPointF from, QPointF to);
  void paintShape(QPainter& painter, QPointF centre, const Shape& shape);

  const Theme& m_theme;
  LayerCard m_card;
  std::vector<std::vector<Box>> m_ways;
};

}  // namespace strata::gui

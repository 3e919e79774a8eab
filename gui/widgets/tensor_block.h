// SPDX-License-Identifier: GPL-3.0-or-later
// A tensor as a block in oblique projection: the front is the map (side ~ size^0.75), the depth the channels (~ log2);
// a vector is a rod. Used by the cards' gutter.
#pragma once
#include <QColor>
#include <QPointF>

#include "engine/net/shape.h"

class QPainter;

namespace strata::gui {

/// Draws around `centre`. `largestSide` is the side of the largest map in the net; it gets the full height of `room`
/// pixels. An unknown shape is a dashed box with a question mark. `ground` hides what is behind; invalid: nothing does.
void paintTensor(QPainter& painter, QPointF centre, double room, const Shape& shape, int largestSide,
                 const QColor& color, const QColor& ground = {});

}  // namespace strata::gui

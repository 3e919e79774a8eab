// SPDX-License-Identifier: Apache-2.0
// Ink as blots of connected pixels: which of them are the drawing, and which are specks, frames and ruled lines.
#pragma once
#include "datasets/readers/picture.h"

namespace strata {

struct Rect {
  int x = 0, y = 0, w = 0, h = 0;
};

/// One connected piece of ink.
struct Blot {
  Rect box;
  std::int64_t mass = 0;     ///< sum of its pixels
  std::int64_t outline = 0;  ///< the part of the mass that lies at the edges of its box, as a frame's does
  int edge = 0;              ///< its pixels on the picture's border
};

/// The blots of a grey picture of white ink on black, and which pixel belongs to which; -1 where there is no ink.
struct Blots {
  std::vector<Blot> all;
  std::vector<int> of;  ///< [height,width]
};
Blots findBlots(const Picture& ink);

/// Wipes out what was not drawn: specks, frames and edges around the drawing, ruled lines.
void cleanInk(Picture& ink);

/// How many drawings stand beside each other, apart from small parts such as a detached bar; 0 for no ink.
int countShapes(const Picture& ink);

/// The box around all ink of at least `least`; empty when there is none.
Rect inkBounds(const Picture& ink, int least);

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Shapes as people read them.
#include "engine/net/shape.h"

namespace strata {

std::string Shape::text() const {
  if (!known()) return "?";
  if (isVector()) return std::to_string(c);
  if (isSequence()) return std::to_string(h) + " × " + std::to_string(c);
  return std::to_string(h) + " × " + std::to_string(w) + " × " + std::to_string(c);
}

}  // namespace strata

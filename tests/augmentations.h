// SPDX-License-Identifier: GPL-3.0-or-later
// Augmentations for tests.
#pragma once
#include "engine/data/augment.h"

namespace strata {

inline Augmentation moving(int shift, double rotate) {
  Augmentation augmentation;
  augmentation.fields.set("shift", std::int64_t{shift});
  augmentation.fields.set("rotate", rotate);
  return augmentation;
}

}  // namespace strata

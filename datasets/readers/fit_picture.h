// SPDX-License-Identifier: Apache-2.0
// Pictures of any size made one size, the same bits on every machine.
#pragma once
#include "datasets/readers/picture.h"

namespace strata {

/// How a picture of other proportions is made to fit: stretched; what stands over cut off; or the rest left black.
enum class Fit { Resize, Crop, Pad };

/// The picture with `height` by `width` pixels: averaged where it becomes smaller, blended where it becomes larger.
Picture fitPicture(const Picture& picture, int height, int width, Fit fit);

}  // namespace strata

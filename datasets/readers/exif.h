// SPDX-License-Identifier: Apache-2.0
// Which way up a camera's picture is: the one thing that is read from EXIF data (CIPA DC-008, tag 0x0112).
#pragma once
#include <span>

#include "datasets/readers/picture.h"

namespace strata {

/// 1 to 8 as EXIF numbers them; 1 (upright) for anything that is not readable EXIF data. JPEG's segments start with a
/// mark, which other formats leave out: both are read.
int exifOrientation(std::span<const unsigned char> segment);

/// The picture as it is meant to be seen.
Picture turnedUpright(Picture picture, int orientation);

}  // namespace strata

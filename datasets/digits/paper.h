// SPDX-License-Identifier: Apache-2.0
// Ink lifted off paper: what makes a photo of a written digit look like a drawn one.
#pragma once
#include "datasets/readers/picture.h"
#include "engine/data/dataset.h"

namespace strata {

/// The grey below which `share` (0 to 1) of the counted pixels lie.
int percentile(const std::vector<std::uint8_t>& pixels, double share);

/// White turned to black and the other way round.
Picture negative(Picture picture);

/// One channel in which ink stands out from its paper: grey where it does there, else red, green or blue, for yellow on
/// white and red on blue are alike in grey.
Picture strongestChannel(const Picture& picture);

/// Light or Dark for ink on plain black or white, as drawing programs make it; None where there is light and shadow.
Ink cleanGround(const Picture& grey);

/// True for dark ink on light paper. Ink is what there is less of, once the light is evened out: so neither a frame nor
/// a shadow nor a lamp is taken for the paper.
bool isDarkOnLight(const Picture& grey);

/// Dark ink on light paper as white ink on black. Shadows and uneven light are evened out, the paper's grain is cut
/// off, and the ink is stretched to full white. All black when nothing stands out.
Picture inkFromPaper(const Picture& photo);

}  // namespace strata

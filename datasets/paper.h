// SPDX-License-Identifier: Apache-2.0
// Ink lifted off paper: what makes a photo of a written digit look like a drawn one.
#pragma once
#include "datasets/digit_prep.h"

namespace strata {

/// The grey below which `share` (0 to 1) of the counted pixels lie.
int percentile(const std::vector<std::uint8_t>& pixels, double share);

/// Dark ink on light paper as white ink on black. Shadows and uneven light are evened out, the paper's grain is cut
/// off, and the ink is stretched to full white; specks go. All black when nothing stands out.
GreyImage inkFromPaper(const GreyImage& photo);

}  // namespace strata

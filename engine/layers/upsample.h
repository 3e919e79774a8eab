// SPDX-License-Identifier: Apache-2.0
// Where the pixels of an enlarged image come from, for the layer and for kernels.
#pragma once
#include <vector>

namespace strata {

/// Along one side: a pixel is (1 - share) of input `first` and `share` of input `second`.
struct UpsampleTap {
  int first = 0, second = 0;
  double share = 0;
};

/// Of each of in * size pixels. Bilinear as Keras aligns it: pixels are squares, their middles are what is between;
/// past the outermost middles the image goes on as it ends.
std::vector<UpsampleTap> upsampleTaps(int in, int size, bool bilinear);

}  // namespace strata

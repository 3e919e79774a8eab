// SPDX-License-Identifier: Apache-2.0
// What Muon (Jordan et al. 2024) does to the gradient of a matrix: momentum, then the nearest matrix whose singular
// values are all about 1, by five steps of Newton and Schulz. Not element by element, so it stands before the update
// (updateVariables()) and every backend calls this one function.
#pragma once
#include <span>

namespace strata {

/// Of a matrix, the kernel [rest, out].
struct MuonStep {
  float momentum = 0;
  bool nesterov = true;
};

/// In: `gradient` [rows, cols] and the momentum of earlier steps. Out: the momentum after this one, and in `gradient`
/// the direction to go against, as large as an entry of Adam's: 0.2 sqrt(max(rows, cols)) times a matrix of singular
/// values near 1 (PyTorch's "match_rms_adamw"). Zero stays zero.
void orthogonalise(const MuonStep& step, int rows, int cols, std::span<float> gradient, std::span<float> momentum);

}  // namespace strata

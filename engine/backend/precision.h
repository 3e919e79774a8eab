// SPDX-License-Identifier: Apache-2.0
// What a net is trained in, where a backend offers a choice.
#pragma once

namespace strata {

/// Sums, the loss, weights, their gradients and the optimizer's state are always float32. Float32: so is everything
/// else. Tf32: products round what they multiply to 10 bits behind the point. Bfloat16: activations and their gradients
/// are kept in bfloat16 (7 bits behind the point, float32's range), and products read the weights rounded to it.
enum class Precision { Float32, Tf32, Bfloat16 };

inline const char* precisionName(Precision precision) {
  return precision == Precision::Float32 ? "float32" : precision == Precision::Tf32 ? "TF32" : "bfloat16";
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Which instruction set the kernels use. One kernel body is compiled for each; the best that runs here is picked at run
// time.
#pragma once
#include <string>

namespace strata {

enum class Isa { Plain, Avx2, Avx512 };

const char* isaName(Isa isa);  ///< "plain", "avx2", "avx512"
bool isaRunsHere(Isa isa);
/// The best that runs here, or the one named by the environment variable STRATA_ISA. Error::Usage for an unknown name,
/// Error::Device for one that this processor lacks.
Isa chosenIsa();

}  // namespace strata

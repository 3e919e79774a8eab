// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels.h"

namespace strata {

extern const Kernels kPlainKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels, kAvx512Kernels;
#endif

const Kernels& kernelsFor([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::Avx512) return kAvx512Kernels;
  if (isa == Isa::Avx2) return kAvx2Kernels;
#endif
  return kPlainKernels;
}

}  // namespace strata

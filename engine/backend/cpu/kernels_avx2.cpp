// SPDX-License-Identifier: Apache-2.0
#define STRATA_ISA_NAMESPACE isa_avx2
#include "engine/backend/cpu/kernels_body.h"

namespace strata {

extern const Kernels kAvx2Kernels;
constinit const Kernels kAvx2Kernels = isa_avx2::table(Isa::Avx2);

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#define STRATA_ISA_NAMESPACE isa_avx512
#include "engine/backend/cpu/kernels_body.h"

namespace strata {

extern const Kernels kAvx512Kernels;
constinit const Kernels kAvx512Kernels = isa_avx512::table(Isa::Avx512);

}  // namespace strata

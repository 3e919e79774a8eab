// SPDX-License-Identifier: Apache-2.0
#define STRATA_ISA_NAMESPACE isa_plain
#include "engine/backend/cpu/kernels_body.h"

namespace strata {

extern const Kernels kPlainKernels;
constinit const Kernels kPlainKernels = isa_plain::table(Isa::Plain);

}  // namespace strata

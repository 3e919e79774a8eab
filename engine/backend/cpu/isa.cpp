// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/isa.h"

#include <cstdlib>

#include "engine/base/error.h"

namespace strata {

const char* isaName(Isa isa) { return isa == Isa::Avx512 ? "avx512" : isa == Isa::Avx2 ? "avx2" : "plain"; }

bool isaRunsHere(Isa isa) {
  if (isa == Isa::Plain) return true;
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::Avx2 || !avx2) return avx2;
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

Isa chosenIsa() {
  if (const char* wanted = std::getenv("STRATA_ISA"); wanted && *wanted) {
    for (const Isa isa : {Isa::Plain, Isa::Avx2, Isa::Avx512}) {
      if (std::string(wanted) != isaName(isa)) continue;
      if (!isaRunsHere(isa))
        throw Error(Error::Kind::Device, "STRATA_ISA", std::string("this processor has no ") + wanted,
                    "Unset STRATA_ISA.");
      return isa;
    }
    throw Error(Error::Kind::Usage, "STRATA_ISA", "got \"" + std::string(wanted) + "\", needed plain, avx2 or avx512");
  }
  return isaRunsHere(Isa::Avx512) ? Isa::Avx512 : isaRunsHere(Isa::Avx2) ? Isa::Avx2 : Isa::Plain;
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// What this processor can do at most, measured: the yardstick of `strata bench`.
#pragma once
#include <string>

namespace strata {

struct MachinePeak {
  std::string isa;  ///< of the kernels in use
  int threads = 1;
  double flops = 0;  ///< multiply-adds in registers count two, all threads together, a second
  double bytes = 0;  ///< read from memory, all threads together, a second
};

/// Takes about a second. `threads` 0: one per core.
MachinePeak measurePeak(int threads);

}  // namespace strata

// SPDX-License-Identifier: GPL-3.0-or-later
// The functors of engine/backend/cuda/kernels.h as plain loops on the host, groups phase by phase, compiled so that
// every line that runs is counted.
#pragma once
#include <array>

#include "engine/backend/cuda/kernels.h"

namespace strata::cuda {

struct HostKernel {
  const char* name;
  std::size_t size;  ///< bytes of the functor
  void (*run)(const void* functor, Index items, bool reversed);
};
/// By kernel number.
const std::array<HostKernel, kKernelCount>& hostKernels();

}  // namespace strata::cuda

// SPDX-License-Identifier: Apache-2.0
// What kernels.cu, the only file for nvcc, gives to the rest: launching a functor of kernels.h by its number.
#pragma once
#include "engine/cuda/views.h"

namespace strata::cuda {

/// Launches on a stream (cudaStream_t). Returns the launch's cudaError_t as a number.
int launchOnStream(void* stream, int kernel, const void* functor, Index items);
const char* kernelName(int kernel);

}  // namespace strata::cuda

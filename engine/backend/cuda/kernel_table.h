// SPDX-License-Identifier: Apache-2.0
// How the rest of the backend launches a functor of kernels.h, by its number. kernels.cu, which defines this, is the
// only file that nvcc compiles.
#pragma once
#include "engine/backend/cuda/views.h"

namespace strata::cuda {

/// Launches on a stream (cudaStream_t). Returns the launch's cudaError_t as a number.
int launchOnStream(void* stream, int kernel, const void* functor, Index items);
const char* kernelName(int kernel);

}  // namespace strata::cuda

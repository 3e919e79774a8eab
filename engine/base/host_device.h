// SPDX-License-Identifier: Apache-2.0
// One source for host and device: under nvcc a function marked so is compiled for both, elsewhere for the host alone.
#pragma once

#ifdef __CUDACC__
#define STRATA_DEVICE __host__ __device__ inline
#else
#define STRATA_DEVICE inline
#endif

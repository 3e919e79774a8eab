// SPDX-License-Identifier: Apache-2.0
// The one door into strata_cuda.so: a C symbol that hands out a table of functions. The module is built with the program, by the
// same compiler, and never unloaded; the version guards against a module left over from another build.
#pragma once

namespace strata {

class Backend;

inline constexpr int kCudaModuleVersion = 1;
inline constexpr char kCudaModuleEntry[] = "strata_cuda_module";

struct CudaModule {
  int version = 0;                              ///< kCudaModuleVersion of the build that made it
  const char* (*unavailableReason)() = nullptr; ///< "" when the libraries it needs are here; static storage
  Backend* (*create)() = nullptr;               ///< the caller owns it; throws strata::Error
  const char* (*planTable)() = nullptr;         ///< needs no GPU and no driver; static storage; throws strata::Error
};

using CudaModuleEntry = const CudaModule* (*)();

}  // namespace strata

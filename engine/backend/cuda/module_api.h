// SPDX-License-Identifier: Apache-2.0
// The one door into strata_cuda.so: a C symbol that hands out a table of functions. The module is built with the
// program, by the same compiler, and never unloaded; the version guards against a module left over from another build.
#pragma once
#include <vector>

namespace strata {

class Backend;
struct NetworkSpec;
struct PlannedConv;

inline constexpr int kCudaModuleVersion = 4;
inline constexpr char kCudaModuleEntry[] = "strata_cuda_module";

struct CudaModule {
  int version = 0;                               ///< kCudaModuleVersion of the build that made it
  const char* (*unavailableReason)() = nullptr;  ///< "" when the libraries it needs are here; static storage
  Backend* (*create)() = nullptr;                ///< the caller owns it; throws strata::Error
  /// BackendDef::plans; needs neither GPU nor driver.
  std::vector<PlannedConv> (*plans)(const NetworkSpec& network, int batch) = nullptr;
};

using CudaModuleEntry = const CudaModule* (*)();

}  // namespace strata

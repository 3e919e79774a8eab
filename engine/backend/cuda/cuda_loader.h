// SPDX-License-Identifier: Apache-2.0
// Finds out whether training on an NVIDIA GPU is possible here, and if not, why. Everything of CUDA is loaded at run
// time: the driver to be asked, and strata_cuda.so, which holds the backend. No CUDA header is needed to build this.
#pragma once
#include <string>

#include "engine/backend/backend.h"

namespace strata {

/// What the machine answered. A plain value, so that each sentence of cudaReason() is tested without the machine it is
/// about.
struct CudaFacts {
  std::string driverProblem;  ///< the driver library is absent or does not start; empty when it works
  int driverVersion = 0;      ///< newest CUDA the driver knows: 13000 is 13.0
  int devices = 0;
  std::string deviceName;      ///< of device 0
  int computeCapability = 0;   ///< of device 0: 75 is 7.5
  std::string moduleProblem;   ///< strata_cuda.so is absent, damaged or of another build
  std::string libraryProblem;  ///< the module's own answer: cuDNN or cuBLASLt missing or of another version
};

/// Asks driver and module, in that order, and stops at the first thing that is missing.
CudaFacts probeCuda();
/// Why CUDA cannot be used, in one sentence with a way out; "" when it can.
std::string cudaReason(const CudaFacts& facts);

BackendDef cudaBackendDef();

}  // namespace strata

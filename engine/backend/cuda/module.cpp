// SPDX-License-Identifier: Apache-2.0
// What strata_cuda.so shows to the outside: one symbol.
#include "engine/backend/cuda/module_api.h"

#include "engine/backend/cuda/cuda_device.h"
#include "engine/backend/cuda/cuda_network.h"
#include "engine/backend/cuda/plan_table.h"

namespace strata::cuda {
namespace {

/// STRATA_CUDA_PLANS: "timed" (the default), or "heuristics", which is the deterministic mode.
bool timedPlansWanted() {
  const char* wanted = std::getenv("STRATA_CUDA_PLANS");
  const std::string name = wanted ? wanted : "timed";
  if (name != "timed" && name != "heuristics")
    throw Error(Error::Kind::Usage, "STRATA_CUDA_PLANS", "got " + name + ", needed timed or heuristics");
  return name == "timed";
}

class CudaBackend : public Backend {
 public:
  CudaBackend() : m_device(makeCudaDevice(timedPlansWanted())) {}
  const std::string& id() const override { return m_id; }
  std::vector<Precision> precisions() const override {
    return {Precision::Tf32, Precision::Float32, Precision::Bfloat16};
  }
  /// Nothing runs op by op: a net is compiled as a whole.
  std::unique_ptr<Op> makeOp(const LayerDef&, const Site&) override { return nullptr; }
  std::unique_ptr<CompiledNetwork> compile(const CompileRequest& request) override {
    return std::make_unique<CudaNetwork>(m_device, request);
  }

 private:
  std::string m_id = "cuda";
  std::shared_ptr<Device> m_device;
};

const char* unavailableReason() {
  static std::string reason;
  reason = librariesProblem();
  return reason.c_str();
}

}  // namespace
}  // namespace strata::cuda

extern "C" __attribute__((visibility("default"))) const strata::CudaModule* strata_cuda_module() {
  static const strata::CudaModule module{strata::kCudaModuleVersion, strata::cuda::unavailableReason,
                                         []() -> strata::Backend* { return new strata::cuda::CudaBackend; },
                                         strata::cuda::plansFor};
  return &module;
}

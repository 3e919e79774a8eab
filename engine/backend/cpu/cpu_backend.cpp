// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/cpu_backend.h"

#include <algorithm>
#include <thread>

#include "engine/backend/cpu/pipeline.h"

namespace strata {
namespace {

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(int threads)
      : m_threads(threads > 0 ? threads : std::max(1, int(std::thread::hardware_concurrency()))) {}

  const std::string& id() const override { return m_id; }
  /// A net is compiled as a whole; what cannot be runs by the reference ops.
  std::unique_ptr<Op> makeOp(const LayerDef&, const Site&) override { return nullptr; }
  std::unique_ptr<CompiledNetwork> compile(const CompileRequest& request) override {
    auto net = makePipeline(request, m_threads);
    return net ? std::move(net) : Backend::compile(request);
  }

 private:
  const std::string m_id = "cpu";
  const int m_threads;
};

}  // namespace

BackendDef cpuBackendDef() {
  return {"cpu", "CPU", [] { return std::string(); },
          [](int threads) { return std::make_unique<CpuBackend>(threads); }};
}

}  // namespace strata

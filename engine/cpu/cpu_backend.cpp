// SPDX-License-Identifier: Apache-2.0
#include "engine/cpu/cpu_backend.h"

#include <algorithm>
#include <thread>

#include "engine/cpu/dnnl_ops.h"
#include "engine/cpu/pipeline.h"

namespace strata {
namespace {

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(int threads)
      : m_threads(threads > 0 ? threads : std::max(1, int(std::thread::hardware_concurrency()))) {}

  const std::string& id() const override { return m_id; }
  std::unique_ptr<Op> makeOp(const LayerDef& def, const Site& site) override {
    return makeDnnlOp(def, site, m_threads);
  }
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

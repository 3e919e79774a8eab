// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/plan_table.h"

#include <set>

#include "engine/backend/cuda/cuda_network.h"
#include "engine/base/json.h"

#include "described_gpus.h"

namespace strata::cuda {
namespace {

/// Hears what a net asks for and does nothing; its memory is addresses alone.
class ListeningDevice : public Device {
 public:
  std::set<ConvGraph> graphs;

  std::string name() const override { return "no device"; }
  int capability() const override { return 80; }
  std::size_t freeBytes() const override { return ~std::size_t{0} >> 1; }
  void* allocate(std::size_t bytes) override {
    m_next += bytes;
    return reinterpret_cast<void*>(m_next - bytes);
  }
  void release(void*) noexcept override {}
  void* allocateHost(std::size_t bytes) override { return ::operator new(bytes); }
  void releaseHost(void* data) noexcept override { ::operator delete(data); }
  void copyIn(Lane, void*, const void*, std::size_t) override {}
  void copyOut(Lane, void*, const void*, std::size_t) override {}
  void clear(Lane, void*, std::size_t) override {}
  void wait(Lane, Lane) override {}
  void synchronize() override {}
  void synchronize(Lane) override {}
  void beginCapture() override {}
  std::unique_ptr<CapturedWork> endCapture() override { return nullptr; }
  void abortCapture() noexcept override {}
  void launchKernel(Lane, int, const void*, Index, const std::vector<Access>&) override {}
  std::unique_ptr<ConvPlan> planConv(const ConvGraph& graph) override {
    graphs.insert(graph);
    return std::make_unique<NoConv>();
  }
  std::unique_ptr<MatmulPlan> planMatmul(const Matmul&) override { return std::make_unique<NoMatmul>(); }

 private:
  struct NoConv : ConvPlan {
    std::size_t workspaceBytes() const override { return 0; }
    std::string engine() const override { return ""; }
    void run(Lane, std::span<const Bound>, void*) override {}
  };
  struct NoMatmul : MatmulPlan {
    std::size_t workspaceBytes() const override { return 0; }
    void run(Lane, const void*, const void*, const void*, void*, void*) override {}
  };
  std::size_t m_next = std::size_t{1} << 20;
};

/// What is done where there is no engine, and why.
std::string fallbackOf(const PlanOutcome& outcome, const DescribedGpu& gpu, Precision precision) {
  if (precision == Precision::Bfloat16 && gpu.capability < 80) return "float32: bfloat16 needs sm_80";
  return "own kernels: cuDNN has no engine that can be planned without a driver (" + outcome.problem + ")";
}

}  // namespace

std::vector<DescribedGpu> describedGpus() {
  const Json file = Json::parse(kDescribedGpus);
  std::vector<DescribedGpu> gpus;
  for (const Json& gpu : file.at("gpus")) {
    const int capability = gpu.at("capability");
    const Json description{{"deviceName", "NVIDIA " + gpu.at("name").get<std::string>()},
                           {"deviceVer", capability * 10},
                           {"driverVer", 13000},
                           {"multiProcessorCount", gpu.at("multiprocessors")},
                           {"maxCtasPerSM", gpu.at("blocks_per_multiprocessor")},
                           {"maxThreadsPerSM", gpu.at("threads_per_multiprocessor")},
                           {"maxSharedMemoryPerBlock", 49152},
                           {"maxSharedMemoryPerBlockOptin", gpu.at("shared_memory")},
                           {"reservedSharedMemoryPerBlock", gpu.at("reserved_shared_memory")},
                           {"totalGlobalMem", gpu.at("memory")},
                           {"smClockRateKHz", gpu.at("clock_khz")},
                           {"memClockRateKHz", gpu.at("memory_clock_khz")},
                           {"l2CacheSize", gpu.at("l2_cache")},
                           {"maxGridSize", {2147483647, 65535, 65535}},
                           {"maxBlockSize", {1024, 1024, 64}},
                           {"regsPerBlock", 65536},
                           {"warpSize", 32},
                           {"maxRegistersPerSM", 65536},
                           {"maxThreadsPerBlock", 1024},
                           {"pciDeviceId", 0},
                           {"isTccDriver", 0},
                           {"supportCoopLaunch", 1},
                           {"cudaDeviceId", 0}};
    gpus.push_back({gpu.at("name"), capability, description.dump()});
  }
  return gpus;
}

std::vector<ConvGraph> convGraphsOf(const NetworkSpec& network, int batch, Precision precision) {
  const auto device = std::make_shared<ListeningDevice>();
  CompileRequest request;
  request.network = network;
  request.maxBatch = batch;
  request.precision = precision;
  const CudaNetwork net(device, request);
  return {device->graphs.begin(), device->graphs.end()};
}

std::vector<PlannedConv> plansFor(const NetworkSpec& network, int batch) {
  if (const std::string problem = loadCudnn(); !problem.empty()) throw Error(Error::Kind::Device, "CUDA", problem);
  const std::vector<DescribedGpu> gpus = describedGpus();
  PlanChoice heuristics;
  std::vector<PlannedConv> plans;
  for (const Precision precision : {Precision::Float32, Precision::Tf32, Precision::Bfloat16})
    for (const ConvGraph& graph : convGraphsOf(network, batch, precision))
      for (const DescribedGpu& gpu : gpus) {
        const PlanOutcome outcome = planOnDescribed(graph, gpu.description, heuristics, {});
        plans.push_back({graph.text(), precisionName(precision),
                         gpu.name + " (sm_" + std::to_string(gpu.capability) + ")", outcome.engine,
                         static_cast<std::int64_t>(outcome.workspaceBytes),
                         outcome.problem.empty() ? "" : fallbackOf(outcome, gpu, precision)});
      }
  return plans;
}

}  // namespace strata::cuda

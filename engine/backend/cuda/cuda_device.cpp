// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cuda_device.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "engine/backend/cuda/cudnn_graphs.h"
#include "engine/backend/cuda/kernel_table.h"

namespace strata::cuda {
namespace {

/// Errors after which the context is gone: nothing on the device can be used again in this process.
bool isLost(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case cudaErrorExternalDevice:
    case cudaErrorDevicesUnavailable:
    case cudaErrorContextIsDestroyed:
      return true;
    default:
      return false;
  }
}

std::string meaningOf(cudaError_t status) {
  return std::string(cudaGetErrorString(status)) + " (" + cudaGetErrorName(status) + ")";
}

/// For libraryError(): a context that cannot even say how much memory is free is gone, whatever it answers. Waits for
/// nothing, and may be asked in a capture.
std::string contextError() {
  std::size_t free = 0, total = 0;
  const cudaError_t status = cudaMemGetInfo(&free, &total);
  (void)cudaGetLastError();
  return status == cudaSuccess ? "" : meaningOf(status);
}

[[noreturn]] void fail(cudaError_t status, const char* call) {
  (void)cudaGetLastError();  // a refusal must not come up again at the next call; a lost device says so anyway
  const std::string meaning = std::string(call) + ": " + meaningOf(status);
  if (isLost(status)) throw deviceLost("CUDA", meaning);
  if (status == cudaErrorMemoryAllocation) throw deviceOutOfMemory("CUDA", meaning);
  throw libraryError("CUDA", meaning, contextError());
}

void check(cudaError_t status, const char* call) {
  if (status != cudaSuccess) fail(status, call);
}
#define STRATA_CHECK(call) check((call), #call)

/// cuBLASLt, loaded at run time: machines without it start all the same.
struct CublasLt {
  decltype(&cublasLtCreate) create = nullptr;
  decltype(&cublasLtDestroy) destroy = nullptr;
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtMatmulDescCreate) descCreate = nullptr;
  decltype(&cublasLtMatmulDescDestroy) descDestroy = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) descSet = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) layoutCreate = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) layoutDestroy = nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) preferenceCreate = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) preferenceDestroy = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preferenceSet = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
  decltype(&cublasLtGetStatusString) text = nullptr;
  decltype(&cublasLtGetVersion) version = nullptr;
  std::string problem;
};

CublasLt loadCublasLt() {
  CublasLt lt;
  const char* named = std::getenv("STRATA_CUBLASLT");
  void* library = nullptr;
  for (const char* path : {named ? named : "libcublasLt.so.13", STRATA_CUBLASLT_PATH})
    if (!library) library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    lt.problem = std::string("cuBLASLt 13 was not found (") + dlerror() +
                 "). Install cuBLAS of CUDA 13, or name its libcublasLt.so.13 in STRATA_CUBLASLT.";
    return lt;
  }
  const auto resolve = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (!function) lt.problem = std::string("cuBLASLt has no ") + name + ". Install cuBLAS of CUDA 13.";
  };
  resolve("cublasLtCreate", lt.create);
  resolve("cublasLtDestroy", lt.destroy);
  resolve("cublasLtMatmul", lt.matmul);
  resolve("cublasLtMatmulDescCreate", lt.descCreate);
  resolve("cublasLtMatmulDescDestroy", lt.descDestroy);
  resolve("cublasLtMatmulDescSetAttribute", lt.descSet);
  resolve("cublasLtMatrixLayoutCreate", lt.layoutCreate);
  resolve("cublasLtMatrixLayoutDestroy", lt.layoutDestroy);
  resolve("cublasLtMatmulPreferenceCreate", lt.preferenceCreate);
  resolve("cublasLtMatmulPreferenceDestroy", lt.preferenceDestroy);
  resolve("cublasLtMatmulPreferenceSetAttribute", lt.preferenceSet);
  resolve("cublasLtMatmulAlgoGetHeuristic", lt.heuristic);
  resolve("cublasLtGetStatusString", lt.text);
  resolve("cublasLtGetVersion", lt.version);
  return lt;
}

const CublasLt& cublasLt() {
  static const CublasLt loaded = loadCublasLt();
  return loaded;
}

void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw libraryError("cuBLASLt", std::string(call) + ": " + cublasLt().text(status), contextError());
}

/// Owns a handle that a plain function destroys.
template <class Handle, auto kDestroy>
class Owned {
 public:
  Owned() = default;
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (m_handle) (void)(cublasLt().*kDestroy)(m_handle);
  }
  Handle* out() { return &m_handle; }
  Handle get() const { return m_handle; }

 private:
  Handle m_handle = nullptr;
};
using LtHandle = Owned<cublasLtHandle_t, &CublasLt::destroy>;
using LtDesc = Owned<cublasLtMatmulDesc_t, &CublasLt::descDestroy>;
using LtLayout = Owned<cublasLtMatrixLayout_t, &CublasLt::layoutDestroy>;
using LtPreference = Owned<cublasLtMatmulPreference_t, &CublasLt::preferenceDestroy>;

struct Stream {
  cudaStream_t handle = nullptr;
  Stream() { STRATA_CHECK(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking)); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { (void)cudaStreamDestroy(handle); }
};
struct Event {
  cudaEvent_t handle = nullptr;
  explicit Event(unsigned flags = cudaEventDisableTiming) { STRATA_CHECK(cudaEventCreateWithFlags(&handle, flags)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { (void)cudaEventDestroy(handle); }
};
struct Streams {
  Stream lanes[kLanes];
  cudaStream_t operator[](Lane lane) const { return lanes[static_cast<int>(lane)].handle; }
};

/// Row-major C = A B is column-major C' = B' A': the operands change places, every matrix is read as its transpose.
class LtMatmul : public MatmulPlan {
 public:
  LtMatmul(cublasLtHandle_t handle, const Streams& streams, const Matmul& matmul)
      : m_handle(handle), m_streams(streams) {
    const CublasLt& lt = cublasLt();
    const auto compute = matmul.precision == Precision::Tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    STRATA_CHECK(lt.descCreate(m_desc.out(), compute, CUDA_R_32F));
    set(CUBLASLT_MATMUL_DESC_TRANSA, matmul.transB ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, matmul.transA ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, matmul.bias
                                           ? (matmul.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS)
                                           : (matmul.relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT));
    if (matmul.bias) set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, typeOf(matmul.result));
    layout(m_b, matmul.operands(), matmul.transB ? matmul.n : matmul.k, matmul.transB ? matmul.k : matmul.n);
    layout(m_a, matmul.operands(), matmul.transA ? matmul.k : matmul.m, matmul.transA ? matmul.m : matmul.k);
    layout(m_c, matmul.result, matmul.m, matmul.n);
    askHeuristics();
  }
  /// Of the kernels that can be taken, best first by heuristics: cuBLASLt's own words for each.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const cublasLtMatmulHeuristicResult_t& kernel : m_kernels) {
      std::string& name = names.emplace_back();
      for (const std::uint64_t word : kernel.algo.data)
        name.append(name.empty() ? "" : " ").append(std::to_string(word));
    }
    return names;
  }
  void take(std::size_t kernel) { m_chosen = m_kernels[kernel]; }
  std::size_t workspaceBytes() const override { return m_chosen.workspaceSize; }
  void run(Lane lane, const void* a, const void* b, const void* bias, void* c, void* workspace) override {
    if (bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    const float one = 1, zero = 0;
    STRATA_CHECK(cublasLt().matmul(m_handle, m_desc.get(), &one, b, m_b.get(), a, m_a.get(), &zero, c, m_c.get(), c,
                                   m_c.get(), &m_chosen.algo, workspace, m_chosen.workspaceSize, m_streams[lane]));
  }

 private:
  static constexpr std::size_t kMostWorkspace = std::size_t{32} << 20;

  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    STRATA_CHECK(cublasLt().descSet(m_desc.get(), attribute, &value, sizeof value));
  }
  static cudaDataType_t typeOf(Storage storage) { return storage == Storage::Bfloat16 ? CUDA_R_16BF : CUDA_R_32F; }
  /// A row-major matrix, as cuBLASLt sees it: `columns` of it lie together.
  static void layout(LtLayout& layout, Storage storage, int rows, int columns) {
    STRATA_CHECK(cublasLt().layoutCreate(layout.out(), typeOf(storage), static_cast<std::uint64_t>(columns),
                                         static_cast<std::uint64_t>(rows), columns));
  }
  void askHeuristics() {
    LtPreference preference;
    STRATA_CHECK(cublasLt().preferenceCreate(preference.out()));
    STRATA_CHECK(cublasLt().preferenceSet(preference.get(), CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &kMostWorkspace,
                                          sizeof kMostWorkspace));
    int found = 0;
    m_kernels.resize(PlanChoice::kCandidates);
    const cublasStatus_t status =
        cublasLt().heuristic(m_handle, m_desc.get(), m_b.get(), m_a.get(), m_c.get(), m_c.get(), preference.get(),
                             PlanChoice::kCandidates, m_kernels.data(), &found);
    if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status, "asking for kernels");
    m_kernels.resize(static_cast<std::size_t>(found));
    std::erase_if(m_kernels,
                  [](const cublasLtMatmulHeuristicResult_t& kernel) { return kernel.state != CUBLAS_STATUS_SUCCESS; });
  }

  cublasLtHandle_t m_handle;
  const Streams& m_streams;
  LtDesc m_desc;
  LtLayout m_a, m_b, m_c;
  std::vector<cublasLtMatmulHeuristicResult_t> m_kernels;
  cublasLtMatmulHeuristicResult_t m_chosen{};
};

class CudaGraph : public CapturedWork {
 public:
  CudaGraph(cudaGraph_t graph, cudaStream_t stream) : m_stream(stream) {
    const cudaError_t status = cudaGraphInstantiate(&m_exec, graph, 0);
    (void)cudaGraphDestroy(graph);
    check(status, "cudaGraphInstantiate");
  }
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  ~CudaGraph() override {
    if (m_exec) (void)cudaGraphExecDestroy(m_exec);
  }
  void launch() override { STRATA_CHECK(cudaGraphLaunch(m_exec, m_stream)); }

 private:
  cudaStream_t m_stream;
  cudaGraphExec_t m_exec = nullptr;
};

class CudaDevice : public Device {
 public:
  explicit CudaDevice(bool timedPlans) : m_cudnn({m_streams[Lane::Main], m_streams[Lane::Side]}, contextError) {
    STRATA_CHECK(cublasLt().create(m_lt.out()));
    STRATA_CHECK(cudaGetDeviceProperties(&m_properties, 0));
    if (timedPlans) startTiming();
  }

  std::string name() const override { return m_properties.name; }
  int capability() const override { return m_properties.major * 10 + m_properties.minor; }
  std::size_t freeBytes() const override {
    std::size_t free = 0, total = 0;
    STRATA_CHECK(cudaMemGetInfo(&free, &total));
    return free;
  }
  void* allocate(std::size_t bytes) override {
    void* data = nullptr;
    STRATA_CHECK(cudaMalloc(&data, bytes));
    return data;
  }
  void release(void* data) noexcept override { (void)cudaFree(data); }
  void* allocateHost(std::size_t bytes) override {
    void* data = nullptr;
    STRATA_CHECK(cudaMallocHost(&data, bytes));
    return data;
  }
  void releaseHost(void* data) noexcept override { (void)cudaFreeHost(data); }

  void copyIn(Lane lane, void* to, const void* from, std::size_t bytes) override {
    STRATA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, m_streams[lane]));
  }
  void copyOut(Lane lane, void* to, const void* from, std::size_t bytes) override {
    STRATA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, m_streams[lane]));
  }
  void clear(Lane lane, void* data, std::size_t bytes) override {
    STRATA_CHECK(cudaMemsetAsync(data, 0, bytes, m_streams[lane]));
  }
  void wait(Lane waiter, Lane other) override {
    cudaEvent_t event = m_events[static_cast<int>(other)].handle;
    STRATA_CHECK(cudaEventRecord(event, m_streams[other]));
    STRATA_CHECK(cudaStreamWaitEvent(m_streams[waiter], event, 0));
  }
  void synchronize() override {
    for (const Lane lane : {Lane::Main, Lane::Side}) synchronize(lane);
  }
  void synchronize(Lane lane) override { STRATA_CHECK(cudaStreamSynchronize(m_streams[lane])); }

  void beginCapture() override {
    STRATA_CHECK(cudaStreamBeginCapture(m_streams[Lane::Main], cudaStreamCaptureModeThreadLocal));
  }
  std::unique_ptr<CapturedWork> endCapture() override {
    cudaGraph_t graph = nullptr;
    STRATA_CHECK(cudaStreamEndCapture(m_streams[Lane::Main], &graph));
    return std::make_unique<CudaGraph>(graph, m_streams[Lane::Main]);
  }
  void abortCapture() noexcept override {
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(m_streams[Lane::Main], &graph) == cudaSuccess && graph) (void)cudaGraphDestroy(graph);
    (void)cudaGetLastError();
  }

  void launchKernel(Lane lane, int kernel, const void* functor, Index items, const std::vector<Access>&) override {
    check(static_cast<cudaError_t>(launchOnStream(m_streams[lane], kernel, functor, items)), kernelName(kernel));
  }
  std::unique_ptr<ConvPlan> planConv(const ConvGraph& graph) override {
    return m_cudnn.plan(graph, m_choice, [&](ConvPlan& plan) { return timed(*this, graph, plan, m_clock); });
  }
  std::unique_ptr<MatmulPlan> planMatmul(const Matmul& matmul) override {
    auto plan = std::make_unique<LtMatmul>(m_lt.get(), m_streams, matmul);
    const auto chosen = m_choice.choose(
        matmul.precision, matmul.text(), plan->names(), [](std::size_t) { return true; },
        [&](std::size_t i) {
          plan->take(i);
          return timed(*this, matmul, *plan, m_clock);
        });
    if (!chosen) return nullptr;
    plan->take(*chosen);
    return plan;
  }

 private:
  static constexpr int kRepetitions = 5;

  void startTiming() {
    int driver = 0;
    STRATA_CHECK(cudaDriverGetVersion(&driver));
    try {
      m_choice =
          PlanChoice(userCacheDir(), {name(), std::to_string(driver),
                                      "cuDNN " + cudnnVersion() + " cuBLASLt " + std::to_string(cublasLt().version())});
    } catch (const Error&) {
      // no home: nowhere to keep what would be found
    }
  }
  /// The least of a few runs on the main lane, after one that loads what is loaded lazily.
  double seconds(const std::function<void()>& work) const {
    work();
    float least = std::numeric_limits<float>::infinity();
    for (int i = 0; i < kRepetitions; ++i) {
      float milliseconds = 0;
      STRATA_CHECK(cudaEventRecord(m_start.handle, m_streams[Lane::Main]));
      work();
      STRATA_CHECK(cudaEventRecord(m_stop.handle, m_streams[Lane::Main]));
      STRATA_CHECK(cudaEventSynchronize(m_stop.handle));
      STRATA_CHECK(cudaEventElapsedTime(&milliseconds, m_start.handle, m_stop.handle));
      least = std::min(least, milliseconds);
    }
    return least / 1000;
  }

  Streams m_streams;
  Event m_events[kLanes];
  Event m_start{cudaEventDefault}, m_stop{cudaEventDefault};
  PlanChoice m_choice;
  Clock m_clock = [this](const std::function<void()>& work) { return seconds(work); };
  Cudnn m_cudnn;
  LtHandle m_lt;
  cudaDeviceProp m_properties{};
};

}  // namespace

std::string librariesProblem() {
  if (std::string problem = loadCudnn(); !problem.empty()) return problem;
  return cublasLt().problem;
}

std::shared_ptr<Device> makeCudaDevice(bool timedPlans) {
  if (const std::string problem = librariesProblem(); !problem.empty())
    throw Error(Error::Kind::Device, "CUDA", problem);
  if (const cudaError_t status = cudaSetDevice(0);
      status != cudaSuccess) {  // as yet there may be no context that could be asked
    const std::string meaning = "cudaSetDevice(0): " + meaningOf(status);
    throw isLost(status) ? deviceLost("CUDA", meaning) : Error(Error::Kind::Device, "CUDA", meaning);
  }
  return std::make_shared<CudaDevice>(timedPlans);
}

}  // namespace strata::cuda

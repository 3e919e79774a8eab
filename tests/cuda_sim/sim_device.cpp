// SPDX-License-Identifier: GPL-3.0-or-later
#include "cuda_sim/sim_device.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "cuda_sim/host_kernels.h"
#include "cuda_sim/storage.h"
#ifdef STRATA_CUDNN_FRONTEND
#include "cuda_sim/graph_interpreter.h"
#include "engine/backend/cuda/cudnn_graphs.h"
#endif

namespace strata::cuda {
namespace {

constexpr std::size_t kGuard = 256, kGrain = 2;   // bytes around each allocation; bytes of one "written" mark
constexpr std::size_t kLibraryAlignment = 256;    // cudaMalloc's; cuBLASLt takes it for granted unless told otherwise
constexpr int kGuardByte = 0xA5, kPoison = 0xFF;  // as float32, and as bfloat16, the poison is a NaN

class SimGraph : public CapturedWork {
 public:
  SimGraph(SimDevice& device, std::vector<SimDevice::Work> work) : m_device(device), m_work(std::move(work)) {}
  void launch() override { m_device.replay(m_work); }

 private:
  SimDevice& m_device;
  std::vector<SimDevice::Work> m_work;
};

class SimMatmul : public MatmulPlan {
 public:
  SimMatmul(SimDevice& device, const Matmul& matmul, const std::string&) : m_device(device), m_matmul(matmul) {}
  std::size_t workspaceBytes() const override { return 1024; }
  void run(Lane lane, const void* a, const void* b, const void* bias, void* c, void* workspace) override {
    const auto span = [](const void* data, Index rows, Index columns, Storage storage, Use use) {
      return Access{data, static_cast<std::size_t>(rows * columns * bytesOf(storage)), use};
    };
    std::vector<Access> accesses{span(a, m_matmul.m, m_matmul.k, m_matmul.operands(), Use::Read),
                                 span(b, m_matmul.k, m_matmul.n, m_matmul.operands(), Use::Read),
                                 span(c, m_matmul.m, m_matmul.n, m_matmul.result, Use::Write),
                                 {workspace, workspaceBytes(), Use::Write}};
    if (m_matmul.bias) accesses.push_back(span(bias, 1, m_matmul.n, m_matmul.result, Use::Read));
    m_device.submit({"product", lane, std::move(accesses), [this, a, b, bias, c] {
                       ++m_device.counts.products;
                       compute(a, b, bias, c);
                     }});
  }

 private:
  void compute(const void* aData, const void* bData, const void* biasData, void* cData) const {
    const Index m = m_matmul.m, n = m_matmul.n, k = m_matmul.k;
    const std::vector<float> aFloats = toFloats(aData, m * k, m_matmul.operands()),
                             bias = toFloats(biasData, m_matmul.bias ? n : 0, m_matmul.result);
    std::vector<float> bFloats = toFloats(bData, k * n, m_matmul.operands()), result(static_cast<std::size_t>(m * n));
    if (m_matmul.transB) {
      std::vector<float> transposed(bFloats.size());
      for (Index j = 0; j < n; ++j)
        for (Index l = 0; l < k; ++l)
          transposed[static_cast<std::size_t>(l * n + j)] = bFloats[static_cast<std::size_t>(j * k + l)];
      bFloats = std::move(transposed);
    }
    const float *a = aFloats.data(), *b = bFloats.data();
    for (Index i = 0; i < m; ++i) {
      float* row = result.data() + i * n;
      for (Index j = 0; j < n; ++j) row[j] = m_matmul.bias ? bias[static_cast<std::size_t>(j)] : 0.0f;
      for (Index l = 0; l < k; ++l) {
        const float factor = m_matmul.transA ? a[l * m + i] : a[i * k + l];
        if (factor == 0) continue;
        for (Index j = 0; j < n; ++j) row[j] += factor * b[l * n + j];
      }
      if (m_matmul.relu)
        for (Index j = 0; j < n; ++j) row[j] = row[j] < 0 ? 0.0f : row[j];
    }
    fromFloats(result, cData, m_matmul.result);
  }
  SimDevice& m_device;
  Matmul m_matmul;
};

#ifdef STRATA_CUDNN_FRONTEND
class SimConv : public ConvPlan {
 public:
  SimConv(SimDevice& device, const ConvGraph& graph, const std::string& engine)
      : m_device(device), m_graph(convGraphJson(graph)), m_engine(engine) {}
  std::size_t workspaceBytes() const override { return 4096; }
  std::string engine() const override { return m_engine; }
  void run(Lane lane, std::span<const Bound> tensors, void* workspace) override {
    std::vector<Access> accesses = m_graph.accesses(tensors);
    accesses.push_back({workspace, workspaceBytes(), Use::Write});
    m_device.submit(
        {"convolution", lane, std::move(accesses), [this, bound = std::vector<Bound>(tensors.begin(), tensors.end())] {
           ++m_device.counts.convolutions;
           m_graph.run(bound);
         }});
  }

 private:
  SimDevice& m_device;
  GraphInterpreter m_graph;
  std::string m_engine;
};
#endif

}  // namespace

SimDevice::~SimDevice() {
  for (const auto& [data, allocation] : m_allocations) std::free(data - kGuard);
  for (const auto& [data, size] : m_hostAllocations) std::free(data);
}

void SimDevice::failAt(FaultKind kind, int number, bool always) {
  heal();
  m_faultKind = static_cast<int>(kind);
  m_faultNumber = number;
  m_faultAlways = always;
}

void SimDevice::heal() {
  m_calls.fill(0);
  m_faultKind = -1;
  m_lost = false;
}

void SimDevice::fault(FaultKind kind, const std::string& what) {
  const int call = m_calls[static_cast<std::size_t>(kind)]++;
  if (!m_lost) {
    if (m_faultKind != static_cast<int>(kind) || call != m_faultNumber) return;
    if (!m_faultAlways && kind == FaultKind::Allocation) throw deviceOutOfMemory(name(), what + " failed");
    if (m_faultAlways) m_sources.clear(), m_deliveries.clear();
    m_lost = m_faultAlways;
  }
  throw libraryError(name(), what + " failed", m_lost ? "its context is gone" : "");
}

void SimDevice::notCapturing(const char* what) const {
  if (m_capturing) throw SimBreach(std::string(what) + " during capture");
}

void* SimDevice::allocate(std::size_t bytes) {
  notCapturing("allocate");
  fault(FaultKind::Allocation, "allocating " + std::to_string(bytes) + " bytes");
  if (bytes > freeBytes()) throw deviceOutOfMemory(name(), "allocating " + std::to_string(bytes) + " bytes failed");
  auto* base = static_cast<std::byte*>(std::malloc(bytes + 2 * kGuard));
  std::memset(base, kGuardByte, bytes + 2 * kGuard);
  std::memset(base + kGuard, kPoison, bytes);
  Allocation& allocation = m_allocations[base + kGuard];
  allocation.size = bytes;
  allocation.written.assign(bytes / kGrain + 1, false);
  m_live += bytes;
  return base + kGuard;
}

void SimDevice::release(void* data) noexcept {
  const auto found = m_allocations.find(static_cast<std::byte*>(data));
  if (found == m_allocations.end()) std::abort();  // freed twice: no test can go on
  checkGuards(found->first, found->second.size, "release");
  m_live -= found->second.size;
  std::free(found->first - kGuard);
  m_allocations.erase(found);
}

void* SimDevice::allocateHost(std::size_t bytes) {
  notCapturing("allocateHost");
  fault(FaultKind::Allocation, "allocating " + std::to_string(bytes) + " bytes on the host");
  void* data = std::malloc(bytes);
  m_hostAllocations[data] = bytes;
  m_live += bytes;
  return data;
}

void SimDevice::releaseHost(void* data) noexcept {
  const auto found = m_hostAllocations.find(data);
  if (found == m_hostAllocations.end()) std::abort();
  m_live -= found->second;
  std::free(data);
  m_hostAllocations.erase(found);
}

void SimDevice::copyIn(Lane lane, void* to, const void* from, std::size_t bytes) {
  fault(FaultKind::Copy, "copying to the device");
  submit({"copy in", lane, {{to, bytes, Use::Write}}, [this, lane, to, from, bytes] {
            ++counts.copies;
            std::memcpy(to, from, bytes);
            const auto* first = static_cast<const std::byte*>(from);
            m_sources.push_back({lane, from, {first, first + bytes}});
          }});
}

void SimDevice::copyOut(Lane lane, void* to, const void* from, std::size_t bytes) {
  fault(FaultKind::Copy, "copying from the device");
  submit({"copy out", lane, {{from, bytes, Use::Read}}, [this, lane, to, from, bytes] {
            ++counts.copies;
            std::memset(to, kPoison, bytes);  // it is there after synchronize(), not before
            const auto* first = static_cast<const std::byte*>(from);
            m_deliveries.push_back({lane, to, {first, first + bytes}});
          }});
}

void SimDevice::clear(Lane lane, void* data, std::size_t bytes) {
  fault(FaultKind::Copy, "clearing memory");
  submit({"clear", lane, {{data, bytes, Use::Write}}, [data, bytes] { std::memset(data, 0, bytes); }});
}

void SimDevice::wait(Lane waiter, Lane other) {
  Work work;
  work.name = "wait";
  work.lane = waiter;
  work.isWait = true;
  work.other = other;
  submit(std::move(work));
}

void SimDevice::synchronize() {
  synchronize(Lane::Side);
  synchronize(Lane::Main);
  --counts.waits;  // one for both
}

void SimDevice::synchronize(Lane lane) {
  notCapturing("synchronize");
  if (m_lost) throw deviceLost(name(), "waiting failed");
  ++counts.waits;
  const auto done = static_cast<std::size_t>(lane);
  m_seen[done][done] = m_now[done];
  for (auto& seen : m_seen)
    for (std::size_t i = 0; i < kOrders; ++i) seen[i] = std::max(seen[i], m_seen[done][i]);
  for (const Source& source : m_sources)
    if (source.lane == lane && std::memcmp(source.from, source.bytes.data(), source.bytes.size()) != 0)
      throw SimBreach("the source of a copy changed before synchronize()");
  std::erase_if(m_sources, [&](const Source& source) { return source.lane == lane; });
  for (const Delivery& delivery : m_deliveries)
    if (delivery.lane == lane) std::memcpy(delivery.to, delivery.bytes.data(), delivery.bytes.size());
  std::erase_if(m_deliveries, [&](const Delivery& delivery) { return delivery.lane == lane; });
  for (const auto& [data, allocation] : m_allocations) checkGuards(data, allocation.size, "synchronize");
}

void SimDevice::beginCapture() {
  notCapturing("beginCapture");
  m_capturing = true;
  m_captured.clear();
}

std::unique_ptr<CapturedWork> SimDevice::endCapture() {
  m_capturing = false;
  bool open = false;  // work on the side lane that the main lane has not waited for
  for (const Work& work : m_captured) {
    if (!work.isWait && work.lane == Lane::Side) open = true;
    if (work.isWait && work.lane == Lane::Main) open = false;
  }
  if (open) throw SimBreach("the side lane had not joined at the end of the capture");
  return std::make_unique<SimGraph>(*this, std::move(m_captured));
}

void SimDevice::abortCapture() noexcept {
  m_capturing = false;
  m_captured.clear();
}

void SimDevice::launchKernel(Lane lane, int kernel, const void* functor, Index count,
                             const std::vector<Access>& buffers) {
  const HostKernel& entry = hostKernels().at(static_cast<std::size_t>(kernel));
  fault(FaultKind::Work, std::string("launching ") + entry.name);
  if (count <= 0) throw SimBreach(std::string(entry.name) + " launched for no item");
  const auto* bytes = static_cast<const std::byte*>(functor);
  submit({entry.name, lane, buffers, [this, &entry, count, copy = std::vector<std::byte>(bytes, bytes + entry.size)] {
            ++counts.launches;
            entry.run(copy.data(), count, m_reversed);
          }});
}

std::unique_ptr<ConvPlan> SimDevice::planConv([[maybe_unused]] const ConvGraph& graph) {
  notCapturing("planConv");
  fault(FaultKind::Plan, "planning a convolution");
#ifdef STRATA_CUDNN_FRONTEND
  if (hasConvolutions()) return plan<ConvGraph, SimConv>(graph);
#endif
  return nullptr;  // then own kernels compute it
}

bool SimDevice::hasConvolutions() {
#ifdef STRATA_CUDNN_FRONTEND
  return loadCudnn().empty();
#else
  return false;
#endif
}

std::unique_ptr<MatmulPlan> SimDevice::planMatmul(const Matmul& matmul) {
  notCapturing("planMatmul");
  fault(FaultKind::Plan, "planning a product");
  return hasProducts ? plan<Matmul, SimMatmul>(matmul) : nullptr;
}

template <class Shape, class Plan>
std::unique_ptr<Plan> SimDevice::plan(const Shape& shape) {
  ++counts.plans;
  if (!choice) return std::make_unique<Plan>(*this, shape, "interpreted");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < planSeconds.size(); ++i) names.push_back("candidate " + std::to_string(i));
  const auto chosen = choice->choose(
      shape.precision, shape.text(), names, [](std::size_t) { return true; },
      [&](std::size_t i) {
        Plan plan(*this, shape, names[i]);
        return timed(*this, shape, plan, [&](const std::function<void()>& work) {
          work();
          ++counts.timings;
          return planSeconds[i];
        });
      });
  return std::make_unique<Plan>(*this, shape, names.at(*chosen));
}

void SimDevice::submit(Work work) {
  if (work.name == "product" || work.name == "convolution") fault(FaultKind::Work, "running a " + work.name);
  if (m_capturing) m_captured.push_back(std::move(work));
  else execute(work, false);
}

void SimDevice::replay(const std::vector<Work>& work) {
  fault(FaultKind::Work, "launching a graph");
  ++counts.graphs;
  for (const Work& item : work) execute(item, true);
}

void SimDevice::execute(const Work& work, bool inGraph) {
  const std::size_t lane = orderOf(work.lane, inGraph), other = orderOf(work.other, inGraph);
  if (work.isWait) {
    m_seen[lane][other] = m_now[other];
    for (std::size_t i = 0; i < kOrders; ++i) m_seen[lane][i] = std::max(m_seen[lane][i], m_seen[other][i]);
    return;
  }
  ++m_now[lane];
  if (logging) log.push_back(work.name + (work.lane == Lane::Side ? " (side)" : ""));
  m_reversed = !m_reversed;  // items are independent: their order must not matter
  for (const Access& access : work.accesses) prepare(work, lane, access);
  try {
    work.run();
  } catch (const std::out_of_range& breach) {
    throw SimBreach(work.name + ": " + breach.what());
  }
}

std::pair<std::byte* const, SimDevice::Allocation>& SimDevice::find(const std::string& who, const Access& access) {
  auto* data = static_cast<std::byte*>(const_cast<void*>(access.data));
  auto found = m_allocations.upper_bound(data);
  if (found == m_allocations.begin()) throw SimBreach(who + " touches memory that is not allocated");
  --found;
  if (data + access.bytes > found->first + found->second.size)
    throw SimBreach(who + " touches memory that is not allocated, or past its end");
  return *found;
}

// Checks one access, and poisons what will be overwritten: whoever relied on the old values, or leaves a hole, will be
// seen.
void SimDevice::prepare(const Work& work, std::size_t lane, const Access& access) {
  auto& [base, allocation] = find(work.name, access);
  const auto begin = static_cast<std::size_t>(static_cast<const std::byte*>(access.data) - base),
             end = begin + access.bytes;
  if ((work.name == "product" || work.name == "convolution") && begin % kLibraryAlignment != 0)
    throw SimBreach("a " + work.name + " is given what does not start on 256 bytes");
  checkOrder(work, lane, allocation, begin, end, access.use != Use::Read);
  const auto first = allocation.written.begin() + static_cast<std::ptrdiff_t>(begin / kGrain);
  const auto last = allocation.written.begin() + static_cast<std::ptrdiff_t>((end + kGrain - 1) / kGrain);
  if (access.use == Use::Write) {
    std::fill(first, last, true);
    std::memset(base + begin, kPoison, access.bytes);
  } else if (std::find(first, last, false) != last) {
    throw SimBreach(work.name + " reads memory that was never written");
  }
}

void SimDevice::checkOrder(const Work& work, std::size_t lane, Allocation& allocation, std::size_t begin,
                           std::size_t end, bool write) {
  for (const Touch& touch : allocation.touches) {
    if (touch.end <= begin || touch.begin >= end || (!touch.write && !write) || touch.lane == lane) continue;
    if (m_seen[lane][touch.lane] < touch.time) throw SimBreach(work.name + " races with work on the other lane");
  }
  std::erase_if(allocation.touches, [&](const Touch& touch) {
    return touch.begin >= begin && touch.end <= end && (write || (!touch.write && touch.lane == lane));
  });
  allocation.touches.push_back({begin, end, lane, m_now[lane], write});
}

void SimDevice::checkGuards(const std::byte* data, std::size_t size, const char* when) const {
  const auto whole = [](const std::byte* guard) {
    return std::all_of(guard, guard + kGuard, [](std::byte byte) { return byte == std::byte{kGuardByte}; });
  };
  if (whole(data - kGuard) && whole(data + size)) return;
  std::fprintf(stderr, "memory beside an allocation of %zu bytes was overwritten, seen at %s\n", size, when);
  std::abort();
}

}  // namespace strata::cuda

// SPDX-License-Identifier: GPL-3.0-or-later
// A device for tests alone: it runs the CUDA backend on the host and is stricter than a GPU. Every piece of work is
// checked for bounds, use after free, reads of memory never written, and order: two lanes that touch the same bytes,
// one of them writing, must have a wait() between them. Faults can be asked for. A breach throws SimBreach, a fault
// strata::Error as the real device does.
#pragma once
#include <array>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/backend/cuda/plan_choice.h"

namespace strata::cuda {

struct SimBreach : std::logic_error {
  using std::logic_error::logic_error;
};

enum class FaultKind { Allocation, Copy, Work, Plan };  ///< Work: a launch, a convolution, a product, a graph
inline constexpr int kFaultKinds = 4;

class SimDevice : public Device {
 public:
  struct Counts {
    /// Waits: of the host. Plans: of shapes that the device can plan.
    int launches = 0, convolutions = 0, products = 0, copies = 0, graphs = 0, waits = 0, timings = 0, plans = 0;
  };

  SimDevice() = default;
  ~SimDevice() override;
  SimDevice(const SimDevice&) = delete;
  SimDevice& operator=(const SimDevice&) = delete;

  /// The `number`-th (from 0) call of its kind from now on fails, and with `always` all later calls of any kind do.
  void failAt(FaultKind kind, int number, bool always);
  void heal();
  int calls(FaultKind kind) const { return m_calls[static_cast<std::size_t>(kind)]; }  ///< since failAt() or the start

  /// Where `choice` is set, each plan is offered as many times as there are `planSeconds`, and each of those takes so
  /// long.
  PlanChoice* choice = nullptr;
  std::vector<double> planSeconds;

  Counts counts;                 ///< of work run, replayed graphs included
  std::vector<std::string> log;  ///< one line for each piece of work run, when `logging`
  bool logging = false;
  std::size_t capacity = std::size_t{8} << 30;
  std::size_t liveBytes() const { return m_live; }  ///< device and host memory not yet released

  int computeCapability = 90;
  /// Whether this build and this machine have cuDNN's graphs; otherwise the backend's own kernels compute convolutions.
  static bool hasConvolutions();
  bool hasProducts = true;  ///< otherwise the backend's own kernel computes them
  std::string name() const override { return "Simulated device"; }
  int capability() const override { return computeCapability; }
  std::size_t freeBytes() const override { return capacity - m_live; }
  void* allocate(std::size_t bytes) override;
  void release(void* data) noexcept override;
  void* allocateHost(std::size_t bytes) override;
  void releaseHost(void* data) noexcept override;
  void copyIn(Lane lane, void* to, const void* from, std::size_t bytes) override;
  void copyOut(Lane lane, void* to, const void* from, std::size_t bytes) override;
  void clear(Lane lane, void* data, std::size_t bytes) override;
  void wait(Lane waiter, Lane other) override;
  void synchronize() override;
  void synchronize(Lane lane) override;
  void beginCapture() override;
  std::unique_ptr<CapturedWork> endCapture() override;
  void abortCapture() noexcept override;
  void launchKernel(Lane lane, int kernel, const void* functor, Index items,
                    const std::vector<Access>& buffers) override;
  std::unique_ptr<ConvPlan> planConv(const ConvGraph& graph) override;
  std::unique_ptr<MatmulPlan> planMatmul(const Matmul& matmul) override;

  /// One piece of work; run at once or captured.
  struct Work {
    std::string name;
    Lane lane = Lane::Main;
    std::vector<Access> accesses;
    std::function<void()> run;
    bool isWait = false;
    Lane other = Lane::Main;
  };
  void submit(Work work);
  void replay(const std::vector<Work>& work);

 private:
  /// What a captured graph has on the side lane joins its main lane, but knows nothing of what is on the device's side
  /// lane.
  static constexpr std::size_t kGraphSide = kLanes, kOrders = kLanes + 1;
  struct Touch {
    std::size_t begin = 0, end = 0, lane = 0;
    long time = 0;
    bool write = false;
  };
  struct Allocation {
    std::size_t size = 0;
    std::vector<bool> written;  ///< byte by byte in twos
    std::vector<Touch> touches;
  };
  struct Delivery {
    Lane lane = Lane::Main;
    void* to = nullptr;
    std::vector<std::byte> bytes;
  };
  struct Source {
    Lane lane = Lane::Main;
    const void* from = nullptr;
    std::vector<std::byte> bytes;
  };

  template <class Shape, class Plan>
  std::unique_ptr<Plan> plan(const Shape& shape);
  void fault(FaultKind kind, const std::string& what);
  static std::size_t orderOf(Lane lane, bool inGraph) {
    return inGraph && lane == Lane::Side ? kGraphSide : static_cast<std::size_t>(lane);
  }
  void execute(const Work& work, bool inGraph);
  void prepare(const Work& work, std::size_t lane, const Access& access);
  void checkOrder(const Work& work, std::size_t lane, Allocation& allocation, std::size_t begin, std::size_t end,
                  bool write);
  std::pair<std::byte* const, Allocation>& find(const std::string& who, const Access& access);
  void checkGuards(const std::byte* data, std::size_t size, const char* when) const;
  void notCapturing(const char* what) const;

  std::map<std::byte*, Allocation> m_allocations;
  std::map<void*, std::size_t> m_hostAllocations;
  std::size_t m_live = 0;
  long m_now[kOrders] = {}, m_seen[kOrders][kOrders] = {};
  std::vector<Delivery> m_deliveries;
  std::vector<Source> m_sources;
  bool m_capturing = false, m_reversed = false;
  std::vector<Work> m_captured;
  std::array<int, kFaultKinds> m_calls{};
  int m_faultKind = -1, m_faultNumber = 0;
  bool m_faultAlways = false, m_lost = false;
};

}  // namespace strata::cuda

// SPDX-License-Identifier: Apache-2.0
// A pass computes one or several layers fused. The pipeline runs passes forward, then backward, then updates all
// weights at once, so that nothing is changed before every gradient is known to be finite.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "engine/backend/cpu/buffer.h"
#include "engine/backend/cpu/profile.h"
#include "engine/backend/cpu/thread_pool.h"
#include "engine/layers/common.h"
#include "engine/net/graph.h"

namespace strata {

/// A batch is cut into at most this many parts, whatever the number of threads, and sums over the batch are taken in
/// the order of parts, so that the result does not depend on the threads. Where nothing is summed, each sample is a
/// task of its own: then a slow core keeps the others waiting for one sample only.
constexpr int partsOf(int batch) { return batch < 8 ? batch : batch < 256 ? 8 : 16; }
constexpr int kMostParts = 16;
/// Samples of the largest part of any batch up to `maxBatch`.
constexpr int largestPart(int maxBatch) {
  return maxBatch < 256 ? (maxBatch + 7) / 8 : maxBatch < 512 ? 32 : (maxBatch + 15) / 16;
}

/// The numbers of one batch.
struct Step {
  const Kernels& kernels;
  ThreadPool& pool;
  int batch = 0;
  bool training = false;
  std::uint64_t seed = 0, index = 0;

  int parts() const { return partsOf(batch); }
  int begin(int part) const { return int(std::int64_t{batch} * part / parts()); }
  int end(int part) const { return begin(part + 1); }
};

/// Live and possible values since the start, for explain() and bench.
struct Density {
  std::atomic<std::int64_t> live{0}, possible{0};
  void add(std::int64_t alive, std::int64_t of) {
    live.fetch_add(alive, std::memory_order_relaxed);
    possible.fetch_add(of, std::memory_order_relaxed);
  }
  double share() const { return possible ? double(live) / double(possible) : 1; }
};

/// Where the state of weight `at` and those behind it lies; `state` has one array for each slot, empty where it is not
/// used.
template <class Values>
SlotPointers slotsAt(Values (&state)[kMostSlots], std::int64_t at) {
  SlotPointers pointers;
  for (int slot = 0; slot < kMostSlots; ++slot)
    if (state[slot].size() > 0) pointers.at[slot] = state[slot].data() + at;
  return pointers;
}

inline double squaresOf(const float* values, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += double(values[i]) * double(values[i]);
  return sum;
}

class Pass {
 public:
  virtual ~Pass() = default;

  virtual void forward(const Step& step) = 0;
  /// From the output's gradient: the input's, and what update needs. Not called where the output has no gradient.
  virtual void backward(const Step& step) = 0;
  /// False when a value met since the last call of forward() was not finite: skipping zeros is then not exact.
  virtual bool finite() const { return true; }
  virtual PassWork work() const = 0;

  /// Tasks that finish the gradients, and after those, tasks that change the weights. Any thread, any order.
  virtual int gradientTasks(const Step&) const { return 0; }
  virtual void gradientTask(const Step&, int /*task*/) {}
  virtual int updateTasks(const Step&) const { return 0; }
  /// Returns a probe of the new weights (kernels.h).
  virtual float updateTask(const Step&, int /*task*/, int /*thread*/, const UpdateRule&) { return 0; }

  // Where the update must know all gradients first, for their norm or for a matrix as a whole:
  /// The sum of the squares of the gradients that updateTask() with this number goes by. Asked once a step, between the
  /// two kinds of tasks.
  virtual double gradientSquares(const Step&, int /*task*/, int /*thread*/) { return 0; }
  /// All gradients of the layer in the canonical layout, behind that.
  virtual void getGradients(float*) const {}

  /// The layer's slice of the weights arena, and `slot` of the optimizer's state, both in the canonical
  /// layout.
  virtual void setWeights(const float*) {}
  virtual void getWeights(float*) const {}
  virtual void setState(int /*slot*/, const float*) {}
  virtual void getState(int /*slot*/, float*) const {}
  virtual std::int64_t weightsOffset() const { return 0; }
};

}  // namespace strata

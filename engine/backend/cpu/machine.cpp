// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/machine.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/thread_pool.h"

namespace strata {
namespace {

/// The least seconds that one of several repetitions took: what the machine can do when it is not disturbed.
template <class Body>
double leastSeconds(int repetitions, Body body) {
  double least = 1e9;
  for (int i = 0; i < repetitions; ++i) {
    const auto start = std::chrono::steady_clock::now();
    body();
    least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return least;
}

}  // namespace

MachinePeak measurePeak(int threads) {
  ThreadPool pool(threads > 0 ? threads : std::max(1, int(std::thread::hardware_concurrency())));
  const Kernels& kernels = kernelsFor(chosenIsa());
  MachinePeak peak{isaName(kernels.isa), pool.threads(), 0, 0};

  constexpr std::int64_t kRounds = 1'000'000;
  std::atomic<double> work{0};
  const double seconds = leastSeconds(20, [&] {
    work = 0;
    pool.run(pool.threads(), [&](int, int) {
      float sink[3] = {0.999F, 0.001F, 0};
      const double done = kernels.multiplyAdd(kRounds, sink);
      work.fetch_add(sink[2] > 0 ? done : 0);  // the sum is positive: using it keeps the loop
    });
  });
  peak.flops = work / seconds;

  constexpr std::size_t kFloats = std::size_t{16} << 20;  // 64 MB a thread: more than any cache
  std::vector<float> memory(kFloats * std::size_t(pool.threads()), 1.F);
  std::atomic<bool> finite{true};
  const double reading = leastSeconds(5, [&] {
    pool.run(pool.threads(), [&](int task, int) {
      if (kernels.probe(memory.data() + kFloats * std::size_t(task), std::int64_t(kFloats)) != 0) finite = false;
    });
  });
  peak.bytes = finite ? double(memory.size() * sizeof(float)) / reading : 0;
  return peak;
}

}  // namespace strata

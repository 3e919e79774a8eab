// SPDX-License-Identifier: Apache-2.0
// Threads that share out numbered tasks. Each begins with a range of its own, the same for the same number of tasks, so
// that samples and weights stay in the cache of one core from pass to pass. A thread that has finished its range takes
// tasks from the others, one by one, so that a slow core delays only the task it is working on. What a task computes
// must not depend on the thread that runs it.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace strata {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  ///< the caller of run() is one of them
  ~ThreadPool();

  int threads() const { return int(m_workers.size()) + 1; }

  /// Calls body(task, thread) for every task of 0..tasks-1 and returns when all are done. What a body throws is thrown
  /// here, the first of several, when no task runs any more; tasks that nobody had begun by then are left out.
  template <class Body>
  void run(int tasks, const Body& body) {
    runErased(
        tasks, [](const void* context, int task, int thread) { (*static_cast<const Body*>(context))(task, thread); },
        &body);
  }

 private:
  using Call = void (*)(const void* context, int task, int thread);
  void runErased(int tasks, Call call, const void* context);
  void work(int thread);
  void takeTasks(int thread) noexcept;
  void giveUp(std::exception_ptr why) noexcept;

  /// The tasks [next, end) of one thread's range that nobody has taken yet.
  struct alignas(64) Range {
    std::atomic<int> next{0};
    int end = 0;
  };

  std::vector<std::thread> m_workers;
  std::vector<Range> m_ranges;            ///< one a thread
  std::atomic<std::uint32_t> m_round{0};  ///< changes when there is something new to do
  std::atomic<int> m_busy{0};
  bool m_ending = false;
  Call m_call = nullptr;
  const void* m_context = nullptr;
  std::mutex m_failureMutex;
  std::exception_ptr m_failure;  ///< of a body in this round; guarded by m_failureMutex while tasks run
};

/// While it lives, the calling thread treats numbers too small for full precision as zero: they cost a hundred times
/// more.
class FlushToZero {
 public:
  FlushToZero();
  ~FlushToZero();

 private:
  unsigned m_before;
};

}  // namespace strata

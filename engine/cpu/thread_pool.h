// SPDX-License-Identifier: Apache-2.0
// Threads that share out numbered tasks. Tasks are taken one by one, so a slow neighbour delays only what it holds; what a task
// computes must not depend on who runs it.
#pragma once
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace strata {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  ///< the caller of run() is one of them
  ~ThreadPool();

  int threads() const { return int(m_workers.size()) + 1; }

  /// Calls body(task, thread) for every task of 0..tasks-1 and returns when all are done. `body` must not throw.
  template <class Body>
  void run(int tasks, const Body& body) {
    runErased(tasks, [](const void* context, int task, int thread) { (*static_cast<const Body*>(context))(task, thread); }, &body);
  }

 private:
  using Call = void (*)(const void* context, int task, int thread);
  void runErased(int tasks, Call call, const void* context);
  void work(int thread);
  void takeTasks(int thread);

  std::vector<std::thread> m_workers;
  std::atomic<std::uint32_t> m_round{0};   ///< changes when there is something new to do
  std::atomic<int> m_next{0}, m_busy{0};
  bool m_ending = false;
  int m_tasks = 0;
  Call m_call = nullptr;
  const void* m_context = nullptr;
};

/// While it lives, the calling thread treats numbers too small for full precision as zero: they cost a hundred times more.
class FlushToZero {
 public:
  FlushToZero();
  ~FlushToZero();

 private:
  unsigned m_before;
};

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/thread_pool.h"

#include <utility>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace strata {
namespace {

// Some 50 microseconds: longer than the gap between two passes, shorter than a person's patience.
constexpr int kSpins = 2000;

void relax() {
#if defined(__SSE2__)
  _mm_pause();
#endif
}

/// Until `value` is no longer `old`: spinning first, asleep after that.
template <class T>
void awaitChange(const std::atomic<T>& value, T old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadPool::ThreadPool(int threads) : m_ranges(std::size_t(threads > 1 ? threads : 1)) {
  for (int i = 1; i < threads; ++i) m_workers.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  m_ending = true;
  ++m_round;
  m_round.notify_all();
  for (std::thread& worker : m_workers) worker.join();
}

void ThreadPool::runErased(int tasks, Call call, const void* context) {
  m_call = call;
  m_context = context;
  for (int i = 0; i < threads(); ++i) {
    m_ranges[std::size_t(i)].next.store(int(std::int64_t{tasks} * i / threads()), std::memory_order_relaxed);
    m_ranges[std::size_t(i)].end = int(std::int64_t{tasks} * (i + 1) / threads());
  }
  if (m_workers.empty() || tasks == 1) {
    takeTasks(0);
  } else {
    m_busy.store(int(m_workers.size()), std::memory_order_relaxed);
    m_round.fetch_add(1, std::memory_order_release);
    m_round.notify_all();
    takeTasks(0);
    for (int busy; (busy = m_busy.load(std::memory_order_acquire)) != 0;) awaitChange(m_busy, busy);
  }
  if (m_failure) std::rethrow_exception(std::exchange(m_failure, nullptr));
}

void ThreadPool::work(int thread) {
  const FlushToZero flush;
  for (std::uint32_t seen = 0;;) {
    awaitChange(m_round, seen);
    seen = m_round.load(std::memory_order_acquire);
    if (m_ending) return;
    takeTasks(thread);
    if (m_busy.fetch_sub(1, std::memory_order_release) == 1) m_busy.notify_one();
  }
}

void ThreadPool::takeTasks(int thread) noexcept {
  try {
    for (int i = 0; i < threads(); ++i) {
      Range& range = m_ranges[std::size_t((thread + i) % threads())];
      for (int task; (task = range.next.fetch_add(1, std::memory_order_relaxed)) < range.end;)
        m_call(m_context, task, thread);
    }
  } catch (...) {
    giveUp(std::current_exception());
  }
}

void ThreadPool::giveUp(std::exception_ptr why) noexcept {
  for (Range& range : m_ranges) range.next.store(range.end, std::memory_order_relaxed);
  const std::lock_guard lock(m_failureMutex);
  if (!m_failure) m_failure = std::move(why);
}

FlushToZero::FlushToZero() {
#if defined(__SSE2__)
  m_before = _mm_getcsr();
  _mm_setcsr(m_before | 0x8040);
#else
  m_before = 0;
#endif
}

FlushToZero::~FlushToZero() {
#if defined(__SSE2__)
  _mm_setcsr(m_before);
#endif
}

}  // namespace strata

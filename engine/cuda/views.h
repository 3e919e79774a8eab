// SPDX-License-Identifier: Apache-2.0
// How a functor sees device memory: spans that say whether it reads, writes all of it, or updates it. A functor lists its spans
// in buffers(); from that list a simulated device checks bounds, lifetimes, uninitialised reads and the order of lanes.
// The same functor is a kernel's body under nvcc and a plain loop's body on the host.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#ifdef __CUDACC__
#define STRATA_DEVICE __host__ __device__ inline
#else
#define STRATA_DEVICE inline
#endif

namespace strata::cuda {

using Index = std::int64_t;

enum class Use { Read, Write, Update };  ///< Write: every byte is overwritten, none is read

/// A span of device memory that some piece of work touches.
struct Access {
  const void* data = nullptr;
  std::size_t bytes = 0;
  Use use = Use::Read;
};

[[noreturn]] inline void outOfBounds(Index index, Index count) {
  throw std::out_of_range("element " + std::to_string(index) + " of " + std::to_string(count));
}

// Bounds are checked wherever functors run on the host; on the device the check is not compiled.
STRATA_DEVICE void checkBounds([[maybe_unused]] Index index, [[maybe_unused]] Index count) {
#ifndef __CUDACC__
  if (static_cast<std::uint64_t>(index) >= static_cast<std::uint64_t>(count)) [[unlikely]]
    outOfBounds(index, count);
#endif
}

template <class T, Use kUse>
struct View {
  T* data = nullptr;
  Index count = 0;
  STRATA_DEVICE T& operator[](Index i) const {
    checkBounds(i, count);
    return data[i];
  }
  STRATA_DEVICE explicit operator bool() const { return data != nullptr; }
  View slice(Index offset, Index size) const {
    if (offset < 0 || size < 0 || offset + size > count) outOfBounds(offset + size, count);
    return {data + offset, size};
  }
  Access access() const { return {data, static_cast<std::size_t>(count) * sizeof(T), kUse}; }
};
template <class T>
using In = View<const T, Use::Read>;
template <class T>
using Out = View<T, Use::Write>;
template <class T>
using Update = View<T, Use::Update>;

/// The accesses of the views that are set; for buffers().
template <class... Views>
std::vector<Access> accesses(const Views&... views) {
  std::vector<Access> list;
  ((views.data ? list.push_back(views.access()) : void()), ...);
  return list;
}

}  // namespace strata::cuda

// SPDX-License-Identifier: Apache-2.0
// How a functor sees device memory: spans that say whether it reads, writes all of it, or updates it. A functor lists
// its spans in buffers(); from that list a simulated device checks bounds, lifetimes, uninitialised reads and the order
// of lanes. The same functor is a kernel's body under nvcc and a plain loop's body on the host.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/base/host_device.h"

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

/// How real numbers lie in memory. They are computed with as float, always.
enum class Storage : int { Float32, Bfloat16 };
constexpr Index bytesOf(Storage storage) { return storage == Storage::Float32 ? 4 : 2; }

// bfloat16 is the upper half of a float32.
STRATA_DEVICE float fromBfloat16(std::uint16_t half) {
  const std::uint32_t bits = std::uint32_t{half} << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
/// To nearest, ties to even; NaN stays NaN.
STRATA_DEVICE std::uint16_t toBfloat16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits = value == value ? bits + 0x7FFF + (bits >> 16 & 1) : bits | 0x400000;
  return static_cast<std::uint16_t>(bits >> 16);
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

/// What stands for T in a view of real numbers whose storage is known at run time.
struct Real {};

/// A number behind such a view.
class RealRef {
 public:
  STRATA_DEVICE RealRef(void* data, Storage storage, Index at) : m_data(data), m_storage(storage), m_at(at) {}
  RealRef& operator=(const RealRef&) = delete;  // values are assigned as floats only
  STRATA_DEVICE operator float() const {
    return m_storage == Storage::Float32 ? static_cast<const float*>(m_data)[m_at]
                                         : fromBfloat16(static_cast<const std::uint16_t*>(m_data)[m_at]);
  }
  STRATA_DEVICE void operator=(float value) const {
    if (m_storage == Storage::Float32) static_cast<float*>(m_data)[m_at] = value;
    else static_cast<std::uint16_t*>(m_data)[m_at] = toBfloat16(value);
  }

 private:
  void* m_data;
  Storage m_storage;
  Index m_at;
};

template <class T, Use kUse>
requires std::is_same_v<std::remove_const_t<T>, Real>
struct View<T, kUse> {
  static constexpr bool kRead = kUse == Use::Read;
  using Number = std::conditional_t<kRead, const float, float>;

  void* data = nullptr;
  Index count = 0;
  Storage storage = Storage::Float32;
  View() = default;
  View(void* data, Index count, Storage storage) : data(data), count(count), storage(storage) {}
  View(const View<Number, kUse>& floats) : data(const_cast<float*>(floats.data)), count(floats.count) {}
  STRATA_DEVICE auto operator[](Index i) const {
    checkBounds(i, count);
    if constexpr (kRead) return static_cast<float>(RealRef(data, storage, i));
    else return RealRef(data, storage, i);
  }
  STRATA_DEVICE explicit operator bool() const { return data != nullptr; }
  View slice(Index offset, Index size) const {
    if (offset < 0 || size < 0 || offset + size > count) outOfBounds(offset + size, count);
    return {static_cast<std::byte*>(data) + offset * bytesOf(storage), size, storage};
  }
  Access access() const { return {data, static_cast<std::size_t>(count * bytesOf(storage)), kUse}; }
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

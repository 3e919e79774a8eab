// SPDX-License-Identifier: Apache-2.0
// The seam between the CUDA backend and a GPU: memory, copies, two lanes of work, capture, own kernels, convolutions,
// products. cuda_device.h is the real one. Tests have a second one that runs on the host and checks every access;
// nobody else sees it. Errors are strata::Error::Device. Work is asynchronous: an error of the device may show at a
// later call.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "engine/backend/cuda/conv_graph.h"
#include "engine/backend/cuda/kernels.h"
#include "engine/base/error.h"

namespace strata::cuda {

/// After it nothing on the device can be used again in this process. `call` says what failed, and how.
inline Error deviceLost(const std::string& device, const std::string& call) {
  return {Error::Kind::Device, device, "the device is lost, " + call,
          "The last checkpoint is kept. Resume the run, or train on the CPU."};
}
inline Error deviceOutOfMemory(const std::string& device, const std::string& call) {
  return {Error::Kind::Device, device, "the device is out of memory, " + call,
          "Choose a smaller batch, or close other programs that use the GPU."};
}
/// A library's own error, or DeviceLost when the library is merely the first to notice that the device is gone.
/// `contextError`: what the device's context answers to every call once it is gone; "" while it is alive.
inline Error libraryError(const std::string& library, const std::string& call, const std::string& contextError) {
  if (!contextError.empty()) return deviceLost(library, call + "; " + contextError);
  return {Error::Kind::Device, library, call};
}

/// Work on one lane runs in order; work on two lanes runs side by side unless Device::wait() says otherwise.
enum class Lane { Main, Side };
inline constexpr int kLanes = 2;

/// How activations, and what products multiply, lie in memory.
constexpr Storage storageOf(Precision precision) {
  return precision == Precision::Bfloat16 ? Storage::Bfloat16 : Storage::Float32;
}

/// C[m,n] = A · B (+ bias[n]) (then ReLU), all row-major. transA: A lies as [k,m]; transB: B lies as [n,k]. With
/// Bfloat16 A and B are bfloat16, otherwise float32; C and bias lie as `result` says.
struct Matmul {
  int m = 1, n = 1, k = 1;
  bool transA = false, transB = false, bias = false, relu = false;
  Precision precision = Precision::Float32;
  Storage result = Storage::Float32;
  Storage operands() const { return storageOf(precision); }
  std::string text() const {  ///< "product 128x1152x10+bias+relu, B transposed"
    return "product " + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n) + (bias ? "+bias" : "") +
           (relu ? "+relu" : "") + (transA ? ", A transposed" : "") + (transB ? ", B transposed" : "") +
           (result != operands() ? ", into float32" : "");
  }
  auto operator<=>(const Matmul&) const = default;
};

/// A tensor of a ConvGraph and where it lies.
struct Bound {
  int tensor = 0;
  void* data = nullptr;
};

class ConvPlan {
 public:
  virtual ~ConvPlan() = default;
  virtual std::size_t workspaceBytes() const = 0;
  virtual std::string engine() const = 0;  ///< cuDNN's name for what it chose
  virtual void run(Lane lane, std::span<const Bound> tensors, void* workspace) = 0;
};

class MatmulPlan {
 public:
  virtual ~MatmulPlan() = default;
  virtual std::size_t workspaceBytes() const = 0;
  virtual void run(Lane lane, const void* a, const void* b, const void* bias, void* c, void* workspace) = 0;
};

/// Captured work, to be run again as a whole.
class CapturedWork {
 public:
  virtual ~CapturedWork() = default;
  virtual void launch() = 0;  ///< on the main lane
};

class Device {
 public:
  virtual ~Device() = default;
  virtual std::string name() const = 0;
  virtual int capability() const = 0;  ///< compute capability: 75 is 7.5
  virtual std::size_t freeBytes() const = 0;

  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* data) noexcept = 0;
  virtual void* allocateHost(std::size_t bytes) = 0;  ///< page-locked: copies from and to it do not block
  virtual void releaseHost(void* data) noexcept = 0;

  /// From the host; `from` must stay until synchronize().
  virtual void copyIn(Lane lane, void* to, const void* from, std::size_t bytes) = 0;
  /// To the host; there after synchronize().
  virtual void copyOut(Lane lane, void* to, const void* from, std::size_t bytes) = 0;
  virtual void clear(Lane lane, void* data, std::size_t bytes) = 0;  ///< to zero bytes

  /// What follows on `waiter` runs after all that is on `other` so far.
  virtual void wait(Lane waiter, Lane other) = 0;
  virtual void synchronize() = 0;           ///< the host waits for both lanes
  virtual void synchronize(Lane lane) = 0;  ///< the host waits for one

  virtual void beginCapture() = 0;  ///< from the main lane; the side lane joins by wait()
  virtual std::unique_ptr<CapturedWork> endCapture() = 0;
  virtual void abortCapture() noexcept = 0;

  /// Runs kernel number `kernel` of kernels.h's list for items 0..items-1, or so many groups (groups.h). Use launch()
  /// below.
  virtual void launchKernel(Lane lane, int kernel, const void* functor, Index items,
                            const std::vector<Access>& buffers) = 0;
  /// Null when cuDNN has no engine for the graph: then own kernels compute it.
  virtual std::unique_ptr<ConvPlan> planConv(const ConvGraph& graph) = 0;
  /// Null when cuBLASLt has no kernel for the product: then an own kernel computes it.
  virtual std::unique_ptr<MatmulPlan> planMatmul(const Matmul& matmul) = 0;
};

/// Runs a functor of kernels.h for items 0..items-1; of one that works in groups, for so many groups.
template <class Functor>
void launch(Device& device, Lane lane, const Functor& functor, Index items) {
  device.launchKernel(lane, kernelNumber<Functor>(), &functor, items, functor.buffers());
}

/// Memory on a device, of one type. Must not outlive the device.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Device& device, Index count) : m_device(&device), m_count(count) {
    if (count > 0) m_data = static_cast<T*>(device.allocate(static_cast<std::size_t>(count) * sizeof(T)));
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() {
    if (m_data) m_device->release(m_data);
  }
  T* data() const { return m_data; }
  Index size() const { return m_count; }
  std::size_t bytes() const { return static_cast<std::size_t>(m_count) * sizeof(T); }
  explicit operator bool() const { return m_data != nullptr; }
  /// The first `count` values.
  In<T> in(Index count) const { return In<T>{m_data, m_count}.slice(0, count); }
  Out<T> out(Index count) const { return Out<T>{m_data, m_count}.slice(0, count); }
  Update<T> update(Index count) const { return Update<T>{m_data, m_count}.slice(0, count); }
  In<T> in() const { return in(m_count); }
  Out<T> out() const { return out(m_count); }
  Update<T> update() const { return update(m_count); }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(m_device, other.m_device);
    std::swap(m_data, other.m_data);
    std::swap(m_count, other.m_count);
  }
  Device* m_device = nullptr;
  T* m_data = nullptr;
  Index m_count = 0;
};

/// Memory on a device for real numbers.
class RealBuffer {
 public:
  RealBuffer() = default;
  RealBuffer(Device& device, Index count, Storage storage)
      : m_bytes(device, count * bytesOf(storage)), m_count(count), m_storage(storage) {}
  Storage storage() const { return m_storage; }
  explicit operator bool() const { return static_cast<bool>(m_bytes); }
  /// The first `count` values.
  In<Real> in(Index count) const { return In<Real>{m_bytes.data(), m_count, m_storage}.slice(0, count); }
  Out<Real> out(Index count) const { return Out<Real>{m_bytes.data(), m_count, m_storage}.slice(0, count); }
  Update<Real> update(Index count) const { return Update<Real>{m_bytes.data(), m_count, m_storage}.slice(0, count); }
  Out<Real> out() const { return out(m_count); }
  Update<Real> update() const { return update(m_count); }

 private:
  Buffer<std::byte> m_bytes;
  Index m_count = 0;
  Storage m_storage = Storage::Float32;
};

/// Page-locked memory on the host.
template <class T>
class HostBuffer {
 public:
  HostBuffer(Device& device, Index count)
      : m_device(device), m_data(static_cast<T*>(device.allocateHost(static_cast<std::size_t>(count) * sizeof(T)))),
        m_count(count) {}
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;
  ~HostBuffer() { m_device.releaseHost(m_data); }
  T* data() const { return m_data; }
  Index size() const { return m_count; }
  T& operator[](Index i) const { return m_data[i]; }

 private:
  Device& m_device;
  T* m_data;
  Index m_count;
};

/// Captures what is done on the device until finish(); an exception in between leaves the device out of capture.
class Capture {
 public:
  explicit Capture(Device& device) : m_device(device) { device.beginCapture(); }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() {
    if (m_open) m_device.abortCapture();
  }
  std::unique_ptr<CapturedWork> finish() {
    m_open = false;
    return m_device.endCapture();
  }

 private:
  Device& m_device;
  bool m_open = true;
};

}  // namespace strata::cuda

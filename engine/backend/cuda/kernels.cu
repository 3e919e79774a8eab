// SPDX-License-Identifier: Apache-2.0
// The functors of kernels.h as kernels: one thread an item, or one block a group. Compiled by nvcc for every
// architecture; nothing else is.
#include <cuda_runtime_api.h>

#include <array>
#include <utility>

#include "engine/backend/cuda/kernel_table.h"
#include "engine/backend/cuda/kernels.h"

namespace strata::cuda {
namespace {

// A block; small, so that the small launches of small nets spread over many multiprocessors.
constexpr int kThreads = 128;

template <class Functor>
__global__ void __launch_bounds__(kThreads) runItems(const Functor functor, Index items) {
  const Index item = static_cast<Index>(blockIdx.x) * kThreads + threadIdx.x;
  if (item < items) functor(item);
}

template <class Functor>
__global__ void __launch_bounds__(kGroup) runGroups(const Functor functor) {
  __shared__ typename Functor::Common common;
  const auto place = functor.place(static_cast<int>(blockIdx.x), static_cast<int>(threadIdx.x));
  const int phases = functor.phases();
  for (int phase = 0; phase < phases; ++phase) {
    if (phase > 0) __syncthreads();
    functor(place, phase, common);
  }
}

template <class Functor>
cudaError_t launchItems(cudaStream_t stream, const void* functor, Index items) {
  if constexpr (Grouped<Functor>) {
    runGroups<Functor><<<static_cast<unsigned>(items), kGroup, 0, stream>>>(*static_cast<const Functor*>(functor));
  } else {
    const auto blocks = static_cast<unsigned>((items + kThreads - 1) / kThreads);
    runItems<Functor><<<blocks, kThreads, 0, stream>>>(*static_cast<const Functor*>(functor), items);
  }
  return cudaGetLastError();
}

struct Kernel {
  const char* name;
  cudaError_t (*launch)(cudaStream_t, const void*, Index);
};

template <std::size_t... kNumbers>
constexpr std::array<Kernel, kKernelCount> kernelTable(std::index_sequence<kNumbers...>) {
  return {
      Kernel{std::tuple_element_t<kNumbers, Kernels>::kName, launchItems<std::tuple_element_t<kNumbers, Kernels>>}...};
}
constexpr std::array<Kernel, kKernelCount> kTable = kernelTable(std::make_index_sequence<kKernelCount>());

}  // namespace

int launchOnStream(void* stream, int kernel, const void* functor, Index items) {
  return kTable[static_cast<std::size_t>(kernel)].launch(static_cast<cudaStream_t>(stream), functor, items);
}

const char* kernelName(int kernel) { return kTable[static_cast<std::size_t>(kernel)].name; }

}  // namespace strata::cuda

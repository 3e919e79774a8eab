// SPDX-License-Identifier: GPL-3.0-or-later
#include "cuda_sim/host_kernels.h"

namespace strata::cuda {
namespace {

template <class Functor>
void runItems(const void* data, Index items, bool reversed) {
  const Functor& functor = *static_cast<const Functor*>(data);
  for (Index i = 0; i < items; ++i) functor(reversed ? items - 1 - i : i);
}

template <std::size_t... kNumbers>
std::array<HostKernel, kKernelCount> kernelTable(std::index_sequence<kNumbers...>) {
  return {HostKernel{std::tuple_element_t<kNumbers, Kernels>::kName, sizeof(std::tuple_element_t<kNumbers, Kernels>),
                     runItems<std::tuple_element_t<kNumbers, Kernels>>}...};
}

}  // namespace

const std::array<HostKernel, kKernelCount>& hostKernels() {
  static const std::array<HostKernel, kKernelCount> table = kernelTable(std::make_index_sequence<kKernelCount>());
  return table;
}

}  // namespace strata::cuda

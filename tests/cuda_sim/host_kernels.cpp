// SPDX-License-Identifier: GPL-3.0-or-later
#include "cuda_sim/host_kernels.h"

#include <cstring>

namespace strata::cuda {
namespace {

template <class Functor>
void runItems(const void* data, Index items, bool reversed) {
  const Functor& functor = *static_cast<const Functor*>(data);
  for (Index i = 0; i < items; ++i) {
    const Index item = reversed ? items - 1 - i : i;
    if constexpr (Grouped<Functor>) {
      typename Functor::Common common;
      std::memset(static_cast<void*>(&common), 0xFF, sizeof common);  // not numbers: who reads what nobody left is seen
      for (int phase = 0; phase < functor.phases(); ++phase)
        for (int member = 0; member < kGroup; ++member)
          functor(functor.place(static_cast<int>(item), reversed ? kGroup - 1 - member : member), phase, common);
    } else {
      functor(item);
    }
  }
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

// SPDX-License-Identifier: Apache-2.0
// Where a net's weights lie on the device, and how they travel. Every tensor starts at a multiple of 256 bytes, as
// cuDNN and cuBLASLt want it, also in a bfloat16 copy. Kernels of cuDNN convolutions are [K,R,S,C] there, everything
// else is canonical. Gradients and optimizer state have the same layout.
#pragma once
#include <cstdint>
#include <vector>

namespace strata::cuda {

struct ParamPlace {
  std::int64_t canonical = 0;  ///< offset in Weights::values
  std::int64_t offset = 0;     ///< in the arena, in floats
  std::int64_t size = 0;
  int rsc = 0, k = 0;  ///< both set: stored as [K, R*S*C]
};

class ArenaLayout {
 public:
  /// `late`: the gradient is written by the Reduce that ends the backward pass; late tensors lie after all others.
  void add(ParamPlace place, bool late);
  void finish();  ///< assigns the offsets

  /// In the order of add().
  const ParamPlace& at(std::size_t param) const { return m_params[param].place; }
  std::int64_t size() const { return m_size; }    ///< floats
  std::int64_t early() const { return m_early; }  ///< floats before the first late tensor
  std::vector<float> toDevice(const float* canonical) const;
  void toCanonical(const float* device, float* canonical) const;

 private:
  struct Param {
    ParamPlace place;
    bool late = false;
  };
  std::vector<Param> m_params;
  std::int64_t m_size = 0, m_early = 0;
};

}  // namespace strata::cuda

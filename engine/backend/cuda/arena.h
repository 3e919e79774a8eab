// SPDX-License-Identifier: Apache-2.0
// Where a net's variables lie on the device, and how they travel. Every tensor starts at a multiple of 256 bytes, as
// cuDNN and cuBLASLt want it, also in a bfloat16 copy. Kernels of cuDNN convolutions are [K,R,S,C] there, everything
// else is canonical. Gradients and optimizer state have the same layout.
#pragma once
#include <compare>
#include <cstdint>
#include <map>
#include <vector>

namespace strata::cuda {

/// Variable number `which` of a node of the graph.
struct ParamId {
  std::size_t node = 0, which = 0;
  auto operator<=>(const ParamId&) const = default;
};

struct ParamPlace {
  std::int64_t canonical = 0;  ///< offset in Weights::values
  std::int64_t offset = 0;     ///< in the arena, in floats
  std::int64_t size = 0;
  int rsc = 0, k = 0;  ///< both set: stored as [K, R*S*C]
};

/// What a step of training does with a variable. Those of one kind lie together, the kinds in this order.
enum class ParamKind {
  Running,  ///< it takes the value that lies where a trained one has its gradient
  Early,    ///< trained; its gradient is written before the Reduce that ends the backward pass
  Late,     ///< trained; that Reduce writes its gradient
  Frozen    ///< nothing: it has no gradient
};

class ArenaLayout {
 public:
  void add(ParamId id, ParamPlace place, ParamKind kind);
  void finish();  ///< assigns the offsets

  const ParamPlace& at(ParamId id) const { return m_params.at(id).place; }
  // All in floats.
  std::int64_t size() const { return m_size; }
  std::int64_t running() const { return m_running; }           ///< running variables lie before it
  std::int64_t early() const { return m_early; }               ///< and before this whatever Reduce does not write
  std::int64_t trained() const { return m_late - m_running; }  ///< behind the running ones; never none
  std::vector<float> toDevice(const float* canonical) const;
  void toCanonical(const float* device, float* canonical) const;

 private:
  struct Param {
    ParamPlace place;
    ParamKind kind = ParamKind::Early;
  };
  std::map<ParamId, Param> m_params;
  std::int64_t m_size = 0, m_running = 0, m_early = 0, m_late = 0;
};

}  // namespace strata::cuda

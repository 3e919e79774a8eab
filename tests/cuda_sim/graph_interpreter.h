// SPDX-License-Identifier: GPL-3.0-or-later
// Computes a cuDNN graph from the JSON that cuDNN's frontend writes down: what was asked for, to the last stride and
// padding, instead of what we meant to ask for.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/backend/cuda/device.h"
#include "engine/base/json.h"

namespace strata::cuda {

class GraphInterpreter {
 public:
  explicit GraphInterpreter(const std::string& json);

  /// Which of the caller's tensors are read and written, for the device's checks.
  std::vector<Access> accesses(std::span<const Bound> tensors) const;
  void run(std::span<const Bound> tensors) const;

 private:
  struct Tensor {
    std::vector<std::int64_t> dims, strides;  ///< N,C,H,W
    Storage storage = Storage::Float32;
    bool isVirtual = false, written = false;
    std::int64_t elements() const;  ///< that the strides reach
  };
  struct Node {
    std::string tag, mode;
    std::map<std::string, int> inputs, outputs;
    std::vector<std::int64_t> before, after, stride;
  };
  struct Memory {
    std::map<int, float*> data;
    std::map<int, std::vector<float>> owned;  ///< what is virtual, or lies in bfloat16
  };
  void convolve(const Node& node, const Memory& memory) const;
  void pointwise(const Node& node, const Memory& memory) const;

  std::map<int, Tensor> m_tensors;
  std::vector<Node> m_nodes;
};

}  // namespace strata::cuda

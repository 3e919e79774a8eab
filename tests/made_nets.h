// SPDX-License-Identifier: GPL-3.0-or-later
// Nets made up from a seed: containers in containers, and values that several layers read.
#pragma once
#include "reference_chain.h"

namespace strata::test {

/// A stack of 1 to 3 layers that keep the shape of their input, containers among them down to `depth`.
inline std::vector<LayerSpec> madeStackOf(Rng& rng, Shape in, int depth, int& number) {
  std::vector<LayerSpec> stack;
  const auto name = [&](const char* stem) { return stem + std::to_string(++number); };
  const int count = 1 + int(rng.below(3));
  for (int i = 0; i < count; ++i) {
    const int kind = int(rng.below(depth > 0 ? 6 : 3));
    if (kind == 0) stack.push_back(layer("activation", name("act"), {{"activation", rng.below(2) ? "tanh" : "relu"}}));
    else if (kind < 3 && in.isImage())
      stack.push_back(layer("conv2d", name("conv"),
                            {{"filters", in.c},
                             {"kernel_size", 1 + 2 * rng.below(2)},
                             {"padding", "same"},
                             {"activation", rng.below(2) ? "relu" : "linear"}}));
    else if (kind < 3) stack.push_back(layer("dense", name("dense"), {{"units", in.c}}));
    else if (kind == 3) {
      LayerSpec residual = layer("residual", name("res"), {{"activation", rng.below(2) ? "relu" : "linear"}});
      residual.stacks = {madeStackOf(rng, in, depth - 1, number), {}};
      if (rng.below(2)) residual.stacks[1] = madeStackOf(rng, in, depth - 1, number);
      stack.push_back(std::move(residual));
    } else {
      static const char* const merges[] = {"add", "multiply", "average", "max", "concat"};
      const std::string merge = merges[rng.below(5)];
      LayerSpec branches = layer("branches", name("branch"), {{"merge", merge}});
      const int ways = 1 + int(rng.below(3));
      for (int way = 0; way < ways; ++way) {
        branches.stacks.push_back(madeStackOf(rng, in, depth - 1, number));
        if (rng.below(4) == 0) branches.stacks.back().clear();
      }
      stack.push_back(std::move(branches));
      if (merge == "concat" && ways > 1)  // back to the input's shape
        stack.push_back(in.isImage() ? layer("conv2d", name("conv"), {{"filters", in.c}, {"kernel_size", 1}})
                                     : layer("dense", name("dense"), {{"units", in.c}}));
    }
  }
  return stack;
}

inline NetworkSpec madeNet(std::uint64_t seed) {
  Rng rng(seed, Stream::Test, 77);
  NetworkSpec spec;
  spec.classes = 3;
  int number = 0;
  const bool image = rng.below(3) > 0;
  spec.input = image ? Shape::image(3 + int(rng.below(3)), 3 + int(rng.below(3)), 1 + int(rng.below(3)))
                     : Shape::vector(2 + int(rng.below(6)));
  spec.layers = madeStackOf(rng, spec.input, 3, number);
  if (image) spec.layers.push_back(layer("flatten", "flatten"));
  spec.layers.push_back(layer("dense", "last", {{"units", 3}}));
  return spec;
}

}  // namespace strata::test

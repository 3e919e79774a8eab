// SPDX-License-Identifier: Apache-2.0
// The four files of an MNIST-like data set, under every spelling in use: "train-images-idx3-ubyte" or
// "train-images.idx3-ubyte", with or without ".gz".
#pragma once
#include <array>
#include <string>
#include <vector>

namespace strata {

/// Training images and labels, test images and labels; the order of CatalogueEntry::files.
inline constexpr std::array<const char*, 4> kIdxNames = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                                         "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

/// What EMNIST calls its test images and labels, behind a prefix.
inline constexpr std::array<const char*, 2> kIdxTestNames = {"test-images-idx3-ubyte", "test-labels-idx1-ubyte"};

/// The spellings under which `name` (with dashes) is found, the preferred one first.
inline std::vector<std::string> spellings(const std::string& name) {
  std::string dotted = name;
  if (const auto dash = dotted.find("-idx"); dash != std::string::npos) dotted[dash] = '.';
  return {name, dotted, name + ".gz", dotted + ".gz"};
}

}  // namespace strata

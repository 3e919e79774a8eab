// SPDX-License-Identifier: Apache-2.0
// IDX files (plain or gzip), the format of MNIST: magic, dimensions, bytes. Every size is proven before anything is
// allocated.
#pragma once
#include <cstdint>
#include <vector>

#include "engine/file.h"

namespace strata {

struct IdxFile {
  std::vector<int> dims;            ///< [N,H,W] images, [N] labels
  std::vector<std::uint8_t> bytes;  ///< product(dims)
};

/// Unsigned bytes alone (magic 0x0801, 0x0803, 0x0804). Error::File, Error::Input with file, offset, got and needed.
IdxFile readIdx(const Path& path);

}  // namespace strata

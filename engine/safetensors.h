// SPDX-License-Identifier: Apache-2.0
// safetensors files: data only, written with a fixed order, read with every size checked before anything is allocated.
// Format: u64 header length, JSON header, raw little-endian data. Stricter than the reference reader: no duplicate
// names, no holes, no overlap, header at most 25 MB, F32 I64 and U8 alone.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/file.h"

namespace strata {

struct SafeTensor {
  std::string dtype;  ///< "F32", "I64" or "U8"
  std::vector<std::int64_t> shape;
  std::string bytes;  ///< raw, row-major, little-endian
};
struct SafeTensorsFile {
  std::map<std::string, std::string> metadata;
  std::map<std::string, SafeTensor> tensors;
};

/// The same, its tensors lying in the bytes it was parsed from.
struct SafeTensorView {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::string_view bytes;
};
struct SafeTensorsView {
  std::map<std::string, std::string> metadata;
  std::map<std::string, SafeTensorView> tensors;
};

inline constexpr std::uint64_t kMaxSafeTensorsBytes = std::uint64_t{16} << 30;

/// Everything is proven before it returns. `bytes` must outlive the result. Error::Input naming `where`.
SafeTensorsView parseSafeTensors(std::string_view bytes, const std::string& where);
SafeTensorsFile readSafeTensors(const Path& path);          ///< Error::File, Error::Input
std::string safeTensorsBytes(const SafeTensorsFile& file);  ///< for durableReplace()

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// safetensors files: data only, written with a fixed order, read with every size checked before anything is allocated.
// Format: u64 header length, JSON header, raw little-endian data. Stricter than the reference reader: no duplicate
// names, no holes, no overlap, header at most 25 MB, F32 I64 and U8 alone.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/file.h"

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

/// Where a tensor lies.
struct SafeTensorPlace {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  ///< bytes, counted from the end of the header
};
/// What a file says of itself before its data.
struct SafeTensorsHeader {
  std::map<std::string, std::string> metadata;
  std::map<std::string, SafeTensorPlace> tensors;  ///< together they fill the file: no hole, no overlap
  std::uint64_t end = 0;                           ///< of the header in the file: there the data begin
};

/// Proves the header at the start of a file of `fileSize` bytes, of which `start` holds at least the header whole.
/// Error::Input naming `where`.
SafeTensorsHeader parseSafeTensorsHeader(std::string_view start, std::uint64_t fileSize, const std::string& where);
/// Reads no more than the length and the header, so that a file is refused before its data cost time or memory.
/// `start`, where given, gets these bytes as they are. Error::File, Error::Input.
SafeTensorsHeader readSafeTensorsHeader(RegularFile& file, std::string* start = nullptr);
SafeTensorsFile readSafeTensors(const Path& path);          ///< Error::File, Error::Input
std::string safeTensorsBytes(const SafeTensorsFile& file);  ///< for durableReplace()

}  // namespace strata

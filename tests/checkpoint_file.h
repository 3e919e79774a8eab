// SPDX-License-Identifier: GPL-3.0-or-later
// A checkpoint taken apart, so that a test can change it and put it together again with a right checksum: the work of
// somebody who means ill, or of a program with a fault.
#pragma once
#include <cstdio>
#include <cstring>

#include "engine/base/crc32c.h"
#include "engine/base/json.h"
#include "engine/base/safetensors.h"
#include "engine/run/checkpoint.h"

/// The same bytes with a right checksum where one stands.
inline std::string withChecksum(std::string bytes) {
  constexpr std::size_t kAt = 37, kSize = 8;  // behind the header's length and {"__metadata__":{"checksum":"
  if (bytes.size() < kAt + kSize) return bytes;
  bytes.replace(kAt, kSize, kSize, '0');
  char digits[kSize + 1];
  std::snprintf(digits, sizeof digits, "%08x", strata::crc32c(0, bytes));
  return bytes.replace(kAt, kSize, digits);
}

struct CheckpointFile {
  strata::Json state;  ///< its description
  std::map<std::string, strata::SafeTensor> tensors;

  explicit CheckpointFile(const strata::Checkpoint& checkpoint) {
    const std::string bytes = strata::checkpointBytes(checkpoint);
    const auto header = strata::parseSafeTensorsHeader(bytes, bytes.size(), "checkpoint");
    state = strata::parseJson(header.metadata.at("strata"), "description");
    for (const auto& [name, place] : header.tensors)
      tensors[name] = {place.dtype, place.shape, bytes.substr(header.end + place.begin, place.end - place.begin)};
  }

  std::string bytes() const { return bytes(strata::compactJson(state)); }
  /// With another text in the place of the description.
  std::string bytes(const std::string& description) const {
    return withChecksum(strata::safeTensorsBytes({{{"checksum", "00000000"}, {"strata", description}}, tensors}));
  }
  std::vector<float> floats(const std::string& name) const {
    const std::string& bytes = tensors.at(name).bytes;
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  void setFloats(const std::string& name, const std::vector<float>& values) {
    tensors.at(name).bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
};

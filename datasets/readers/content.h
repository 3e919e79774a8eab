// SPDX-License-Identifier: Apache-2.0
// A file's content as a stream, unpacked where it is gzip, whatever the file's name says.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/file.h"

namespace strata {

class Content {
 public:
  /// Fills the span as far as the content reaches; returns the count. It must not outlive the Content.
  using Stream = std::function<std::size_t(std::span<std::uint8_t>)>;

  explicit Content(const Path& path);  ///< Error::File
  const Path& path() const { return m_file.path(); }
  bool packed() const { return m_packed; }
  std::uint64_t fileSize() const { return m_file.size(); }  ///< as it lies on the disk
  Stream open() const;                                      ///< from its start
  /// All of it. Error::Input when that is more than `most` bytes.
  std::string readAll(std::uint64_t most) const;
  /// Its first bytes, `count` of them or fewer; none where it cannot be unpacked.
  std::string head(std::size_t count) const;

 private:
  RegularFile m_file;
  bool m_packed = false;
};

/// The first bytes of a regular file's content; empty for anything else, and where it cannot be read.
std::string headOf(const Path& path, std::size_t count);

/// So many bytes are taken from a stream at a time.
inline constexpr std::size_t kStreamChunk = std::size_t{1} << 18;

}  // namespace strata

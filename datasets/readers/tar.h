// SPDX-License-Identifier: Apache-2.0
// Walks through a tar archive (POSIX ustar; names beyond 100 characters are passed over) that comes as a stream.
// Nothing is written to disk, and links and devices in it are passed over.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "datasets/readers/content.h"

namespace strata {

struct TarMember {
  std::string name;  ///< its last component
  std::uint64_t size = 0;
};

class TarReader {
 public:
  TarReader(Content::Stream stream, Path path) : m_stream(std::move(stream)), m_path(std::move(path)) {}

  /// The next regular file; nothing at the end of the archive. Error::Input
  std::optional<TarMember> next();
  /// The next bytes of its content; fewer at its end. Error::Input when the archive ends before.
  std::size_t read(std::span<std::uint8_t> out);

 private:
  void skip(std::uint64_t count);

  Content::Stream m_stream;
  Path m_path;
  std::uint64_t m_left = 0, m_padding = 0;  ///< of the present file, and behind it
};

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Text files that grow line by line, however long they become: added to durably, read back in bounded memory.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/file.h"

namespace strata {

/// A file that grows at its end. An addition that failed may be tried again: what it has left behind is cut off first.
class GrowingFile {
 public:
  explicit GrowingFile(Path path) : m_path(std::move(path)) {}
  void begin(std::string_view content);  ///< replaces the file. Error::File
  void begin(std::uint64_t size);        ///< goes on behind its first `size` bytes. Error::File
  void add(std::string_view text);       ///< on the disk when it returns. Error::File

 private:
  Path m_path;
  std::uint64_t m_size = 0;
};

/// The lines of a file one after another, with never more than a line and a block of it in memory. What follows the
/// last line's end is no line: a crash has torn it.
class LineReader {
 public:
  explicit LineReader(const Path& path);  ///< Error::File
  /// False at the end. `line` is valid until the next call. Error::File; Error::Input for a line over 1 MiB.
  bool next(std::string_view& line);
  std::uint64_t offset() const { return m_offset; }  ///< in the file, behind the last line given
  int number() const { return m_number; }            ///< of the last line given, from 1

 private:
  Path m_path;
  RegularFile m_file;
  std::string m_block;
  std::size_t m_at = 0;
  std::uint64_t m_offset = 0;
  int m_number = 0;
};

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Reading files that may be hostile and writing files that must survive a crash. Every parser and every save goes
// through here.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata {

using Path = std::filesystem::path;

/// A regular file, open for reading from its start. Refuses folders, devices and pipes, and never waits.
class RegularFile {
 public:
  explicit RegularFile(const Path& path);  ///< Error::File
  ~RegularFile();
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;

  const Path& path() const { return m_path; }
  std::uint64_t size() const { return m_size; }  ///< when it was opened
  std::string read(std::uint64_t count);         ///< the next bytes; fewer at the end of the file. Error::File
  /// Fills `bytes` from `offset` on and returns how many there were: fewer at the end of the file. Error::File
  std::size_t readAt(std::uint64_t offset, std::span<char> bytes) const;

 private:
  Path m_path;
  int m_fd = -1;
  std::uint64_t m_size = 0, m_offset = 0;  ///< offset: where read() goes on
};

// What is behind a name, links followed. False and none when nothing is; Error::File when the system will not say: a
// loop of links, a folder that may not be entered.
bool somethingAt(const Path& path);
bool folderAt(const Path& path);
std::vector<Path> entriesOf(const Path& folder);  ///< in no order

/// The whole regular file. Error::File when it is absent, not a regular file or unreadable; Error::Input when larger
/// than `maxBytes`.
std::string readFile(const Path& path, std::uint64_t maxBytes);

/// Replaces `path` by `bytes` so that after a crash or power cut either the old or the new content is there, whole:
/// temporary sibling, write, fsync, rename, fsync of the folder. On failure the old file stays and Error::File says
/// why.
void durableReplace(const Path& path, std::string_view bytes);

/// How the temporary siblings' names end; what a crash leaves behind may be removed.
inline constexpr const char* kTemporarySuffix = ".strata-tmp";

/// Creates the folder and those above it. Error::File.
void makeFolders(const Path& path);

/// Product that cannot wrap. Throws Error::Input(where, "... is too large").
std::uint64_t checkedMul(std::uint64_t a, std::uint64_t b, const std::string& where);

/// Bounds-checked cursor over bytes in memory; every read past the end is Error::Input naming file and offset.
class Reader {
 public:
  Reader(std::span<const unsigned char> bytes, std::string where) : m_bytes(bytes), m_where(std::move(where)) {}

  std::uint8_t u8();
  std::uint32_t u32be();
  std::uint64_t u64le();
  std::span<const unsigned char> take(std::uint64_t count);
  std::uint64_t offset() const { return m_offset; }
  std::uint64_t remaining() const { return m_bytes.size() - m_offset; }
  const std::string& where() const { return m_where; }

 private:
  std::span<const unsigned char> m_bytes;
  std::string m_where;
  std::uint64_t m_offset = 0;
};

/// Where the user's data live: $XDG_DATA_HOME/strata, or ~/.local/share/strata. Created on first use by whoever writes.
Path userDataDir();
/// Where what can be made again lives: $XDG_CACHE_HOME/strata, or ~/.cache/strata. Likewise.
Path userCacheDir();

}  // namespace strata

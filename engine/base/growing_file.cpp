// SPDX-License-Identifier: Apache-2.0
#include "engine/base/growing_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include "engine/base/file_calls.h"

namespace strata {
namespace {

constexpr std::size_t kMaxLineBytes = 1 << 20;

/// Makes the file consist of its first `size` bytes and `bytes`, on the disk.
void appendDurably(const Path& path, std::uint64_t size, std::string_view bytes) {
  const int fd = retried([&] { return ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC); });
  if (fd < 0) throw fileError(path, "cannot open the file to add to it", errno);
  const auto fail = [&](const std::string& what) {
    const int code = errno;
    ::close(fd);
    throw fileError(path, what, code, "Make room on the disk");
  };
  struct stat status {};
  if (::fstat(fd, &status) < 0) fail("cannot add to the file");
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) < size) {
    ::close(fd);
    throw Error(Error::Kind::File, path.string(), "has been replaced or cut short by another program");
  }
  const auto length = static_cast<off_t>(size);
  if (status.st_size > length && retried([&] { return ::ftruncate(fd, length); }) < 0) fail("cannot cut the file");
  if (!writeAll(fd, bytes, size)) fail("cannot add to the file");
  if (retried([&] { return ::fdatasync(fd); }) < 0) fail("cannot bring the file to the disk");
  if (::close(fd) < 0 && errno != EINTR) throw fileError(path, "cannot close the file", errno, "Make room on the disk");
}

}  // namespace

LineReader::LineReader(const Path& path) : m_path(path), m_file(path) {}

bool LineReader::next(std::string_view& line) {
  constexpr std::uint64_t kBlock = 1 << 16;
  std::size_t searched = m_at, end;
  while ((end = m_block.find('\n', searched)) == std::string::npos) {
    m_block.erase(0, std::exchange(m_at, 0));
    searched = m_block.size();
    if (searched > kMaxLineBytes)
      throw Error(Error::Kind::Input, m_path.string() + ", line " + std::to_string(m_number + 1),
                  "is longer than " + std::to_string(kMaxLineBytes) + " bytes", "Check that it is the right file");
    const std::string more = m_file.read(kBlock);
    if (more.empty()) return false;
    m_block += more;
  }
  line = std::string_view(m_block).substr(m_at, end - m_at);
  m_offset += line.size() + 1;
  m_at = end + 1;
  ++m_number;
  return true;
}

void GrowingFile::begin(std::string_view content) {
  durableReplace(m_path, content);
  m_size = content.size();
}

void GrowingFile::begin(std::uint64_t size) {
  appendDurably(m_path, size, {});
  m_size = size;
}

void GrowingFile::add(std::string_view text) {
  appendDurably(m_path, m_size, text);
  m_size += text.size();
}

}  // namespace strata

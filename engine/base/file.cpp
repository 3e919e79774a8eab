// SPDX-License-Identifier: Apache-2.0
// Opening never blocks and never follows a name to a device or pipe; replacing checks every single call, because a save
// that says "done" must be done.
#include "engine/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "engine/base/file_calls.h"
#include "engine/base/user_dirs.h"

namespace strata {
namespace {

Error notRegular(const Path& path, bool folder) {
  return {Error::Kind::File, path.string(), folder ? "is a folder, needed a file" : "is not a regular file"};
}

std::filesystem::file_type kindAt(const Path& path) {
  std::error_code code;
  const std::filesystem::file_status status = std::filesystem::status(path, code);
  // A file where a folder should be (ENOTDIR) counts as nothing.
  if (status.type() == std::filesystem::file_type::none)
    throw Error(Error::Kind::File, path.string(), "cannot be looked at (" + code.message() + ")",
                "Check the name and the rights on its folder");
  return status.type();
}

void syncFolder(const Path& folder) {
  const int fd = retried([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd < 0) throw fileError(folder, "cannot open the folder to make the save durable", errno);
  const int result = retried([&] { return ::fsync(fd); });
  const int code = errno;
  ::close(fd);
  // EINVAL: a file system that cannot sync folders has nothing to promise here.
  if (result < 0 && code != EINVAL) throw fileError(folder, "the save may not survive a power cut", code, "Save again");
}

/// Writes all of `bytes` to a new file and syncs it. On any failure the file is removed. `meant` is what it stands in
/// for.
void writeNew(const Path& path, const Path& meant, std::string_view bytes, mode_t mode) {
  const int fd =
      retried([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode); });
  if (fd < 0)
    throw fileError(meant, "cannot create the file", errno, "Check that the folder exists and may be written");
  const auto fail = [&](const char* what, bool opened) {
    const int code = errno;
    if (opened) ::close(fd);
    ::unlink(path.c_str());
    throw fileError(meant, what, code, "The old file is unchanged; make room or choose another folder and save again");
  };
  if (!writeAll(fd, bytes, 0)) fail("cannot write the file", true);
  if (retried([&] { return ::fsync(fd); }) < 0) fail("cannot bring the file to the disk", true);
  if (::close(fd) < 0 && errno != EINTR) fail("cannot close the file", false);
}

}  // namespace

RegularFile::RegularFile(const Path& path) : m_path(path) {
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  m_fd = retried([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); });
  if (m_fd < 0) {
    if (errno == ENOENT) throw Error(Error::Kind::File, path.string(), "there is no such file", "Check the name");
    if (errno == ENXIO) throw notRegular(path, false);  // a socket
    throw fileError(path, "cannot open the file", errno);
  }
  struct stat status {};
  if (::fstat(m_fd, &status) < 0 || !S_ISREG(status.st_mode)) {
    const bool folder = S_ISDIR(status.st_mode);
    ::close(m_fd);
    throw notRegular(path, folder);
  }
  m_size = static_cast<std::uint64_t>(status.st_size);
}

RegularFile::~RegularFile() { ::close(m_fd); }

std::string RegularFile::read(std::uint64_t count) {
  std::string bytes(count, '\0');
  bytes.resize(readAt(m_offset, bytes));
  m_offset += bytes.size();
  return bytes;
}

std::size_t RegularFile::readAt(std::uint64_t offset, std::span<char> bytes) const {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = retried(
        [&] { return ::pread(m_fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done)); });
    if (got < 0) throw fileError(m_path, "cannot read the file", errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

bool somethingAt(const Path& path) { return kindAt(path) != std::filesystem::file_type::not_found; }
bool folderAt(const Path& path) { return kindAt(path) == std::filesystem::file_type::directory; }

std::vector<Path> entriesOf(const Path& folder) {
  std::vector<Path> entries;
  if (!somethingAt(folder)) return entries;
  std::error_code code;
  for (std::filesystem::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code))
    entries.push_back(entry->path());
  if (code)
    throw Error(Error::Kind::File, folder.string(), "cannot read the folder (" + code.message() + ")",
                "Check that it is a folder and may be entered");
  return entries;
}

std::string readFile(const Path& path, std::uint64_t maxBytes) {
  RegularFile file(path);
  if (file.size() > maxBytes)
    throw Error(Error::Kind::Input, path.string(),
                "holds " + std::to_string(file.size()) + " bytes, at most " + std::to_string(maxBytes) + " are read",
                "Check that it is the right file");
  return file.read(file.size());
}

void durableReplace(const Path& path, std::string_view bytes) {
  // A link stays a link: what it points to is replaced.
  std::error_code code;
  const Path target = std::filesystem::is_symlink(path, code) ? std::filesystem::weakly_canonical(path, code) : path;
  if (target.empty())
    throw Error(Error::Kind::File, path.string(), "is a link that cannot be followed (" + code.message() + ")",
                "Remove the link and save again");
  const Path folder = target.has_parent_path() ? target.parent_path() : Path(".");
  struct stat old {};
  const bool exists = ::stat(target.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode))
    throw Error(Error::Kind::File, path.string(), "is not a regular file and is not replaced", "Choose another name");

  static std::atomic<unsigned> counter{0};
  std::string name = target.filename().string();
  name.insert(0, 1, '.')
      .append(".")
      .append(std::to_string(::getpid()))
      .append("-")
      .append(std::to_string(counter++))
      .append(kTemporarySuffix);
  const Path temporary = folder / name;
  writeNew(temporary, path, bytes, exists ? old.st_mode & 0777 : 0666);
  if (::rename(temporary.c_str(), target.c_str()) < 0) {
    const int code = errno;
    ::unlink(temporary.c_str());
    throw fileError(path, "cannot put the new file in place", code, "The old file is unchanged");
  }
  syncFolder(folder);
}

void makeFolders(const Path& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code)
    throw Error(Error::Kind::File, path.string(), "cannot create the folder (" + code.message() + ")",
                "Choose another place");
}

std::uint64_t checkedMul(std::uint64_t a, std::uint64_t b, const std::string& where) {
  if (b != 0 && a > UINT64_MAX / b)
    throw Error(Error::Kind::Input, where, std::to_string(a) + " × " + std::to_string(b) + " is too large",
                "The file is damaged or not what it claims to be");
  return a * b;
}

std::span<const unsigned char> Reader::take(std::uint64_t count) {
  if (count > remaining())
    throw Error(Error::Kind::Input, m_where,
                "ends too early: " + std::to_string(count) + " bytes needed at offset " + std::to_string(m_offset) +
                    ", " + std::to_string(remaining()) + " are left",
                "The file is cut short or damaged; get it again");
  const auto part = m_bytes.subspan(m_offset, count);
  m_offset += count;
  return part;
}

std::uint8_t Reader::u8() { return take(1)[0]; }

std::uint32_t Reader::u32be() {
  std::uint32_t value = 0;
  for (const unsigned char byte : take(4)) value = value << 8 | byte;
  return value;
}

std::uint64_t Reader::u64le() {
  const auto bytes = take(8);
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

namespace {

// The base directory specification: a relative folder in the variable is to be ignored.
std::optional<Path> findUserDir(const char* variable, const Path& inHome) {
  if (const char* folder = std::getenv(variable); folder && Path(folder).is_absolute()) return Path(folder) / "strata";
  if (const char* home = std::getenv("HOME"); home && *home) return Path(home) / inHome / "strata";
  return std::nullopt;
}

Path userDir(const char* variable, const Path& inHome) {
  if (auto folder = findUserDir(variable, inHome)) return *std::move(folder);
  throw Error(Error::Kind::File, "HOME", "is not set, so there is no place for your data",
              std::string("Set HOME or ") + variable);
}

constexpr const char* kDataVariable = "XDG_DATA_HOME";
constexpr const char* kDataInHome = ".local/share";

}  // namespace

Path userDataDir() { return userDir(kDataVariable, kDataInHome); }
std::optional<Path> findUserDataDir() { return findUserDir(kDataVariable, kDataInHome); }
Path userCacheDir() { return userDir("XDG_CACHE_HOME", ".cache"); }

}  // namespace strata

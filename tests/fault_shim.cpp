// SPDX-License-Identifier: GPL-3.0-or-later
// Loaded before the C library (LD_PRELOAD): counts the file calls below one folder and lets one of them fail, or all
// from there on, or ends the process there as a power cut would. Told by the environment:
//   FAULT_FOLDER  the folder; without it nothing is touched
//   FAULT_AT      number of the call, from 1; 0 only counts
//   FAULT_KIND    "ENOSPC" "EIO" "short" "kill"; "short" counts writes alone, and lets half of one be written
//   FAULT_EVER    set: every call from that number on
//   FAULT_COUNT   a file that takes "<calls> <writes>" when the process ends by itself
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

struct Plan {
  std::string folder, kind, countFile;
  long at = 0;
  bool ever = false;

  Plan() {
    const auto text = [](const char* name) {
      const char* value = std::getenv(name);
      return std::string(value ? value : "");
    };
    folder = text("FAULT_FOLDER");
    kind = text("FAULT_KIND");
    countFile = text("FAULT_COUNT");
    at = std::atol(text("FAULT_AT").c_str());
    ever = std::getenv("FAULT_EVER") != nullptr;
  }
};

/// Never destroyed: files are closed after everything else, too.
const Plan& plan() {
  static const Plan* const made = new Plan;
  return *made;
}

std::atomic<long> g_calls{0}, g_writes{0};
std::array<std::atomic<bool>, 1024> g_below{};  ///< descriptors of files below the folder

bool isBelow(const char* path) {
  const std::string& folder = plan().folder;
  return !folder.empty() && path && std::strncmp(path, folder.c_str(), folder.size()) == 0;
}
bool isBelow(int fd) { return fd >= 0 && fd < int(g_below.size()) && g_below[fd]; }

bool isDue(long number) { return plan().at > 0 && (plan().ever ? number >= plan().at : number == plan().at); }

/// Counts a call; true, with errno set, when it is to fail.
bool fails() {
  if (!isDue(++g_calls) || plan().kind == "short") return false;
  if (plan().kind == "kill") ::kill(::getpid(), SIGKILL);
  errno = plan().kind == "EIO" ? EIO : ENOSPC;
  return true;
}

/// How much of a write is to be written.
size_t allowed(size_t count) { return isDue(++g_writes) && plan().kind == "short" ? (count + 1) / 2 : count; }

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int opened(int fd, const char* path) {
  if (fd >= 0 && fd < int(g_below.size())) g_below[fd] = isBelow(path);
  return fd;
}

struct Report {
  ~Report() {
    if (plan().countFile.empty()) return;
    const std::string text = std::to_string(g_calls) + " " + std::to_string(g_writes);
    const long fd = syscall(SYS_openat, AT_FDCWD, plan().countFile.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    syscall(SYS_write, fd, text.data(), text.size());
    syscall(SYS_close, fd);
  }
} g_report;

}  // namespace

extern "C" {

#define OPEN(name)                                                                   \
  int name(const char* path, int flags, ...) {                                       \
    va_list arguments;                                                               \
    va_start(arguments, flags);                                                      \
    const mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;             \
    va_end(arguments);                                                               \
    if (isBelow(path) && fails()) return -1;                                         \
    return opened(real<int(const char*, int, ...)>(#name)(path, flags, mode), path); \
  }
OPEN(open)
OPEN(open64)

// Calls on one path: remove() is not unlink() to a preloaded library.
#define ON_PATH(name, parameters, path, arguments) \
  int name parameters {                            \
    if (isBelow(path) && fails()) return -1;       \
    return real<int parameters>(#name) arguments;  \
  }
ON_PATH(unlink, (const char* path), path, (path))
ON_PATH(remove, (const char* path), path, (path))
ON_PATH(mkdir, (const char* path, mode_t mode), path, (path, mode))
ON_PATH(rename, (const char* from, const char* to), from, (from, to))
ON_PATH(link, (const char* from, const char* to), to, (from, to))
ON_PATH(truncate, (const char* path, off_t size), path, (path, size))

#define ON_FD(result, name, parameters, arguments)   \
  result name parameters {                           \
    if (isBelow(fd) && fails()) return -1;           \
    return real<result parameters>(#name) arguments; \
  }
ON_FD(int, fsync, (int fd), (fd))
ON_FD(int, fdatasync, (int fd), (fd))
ON_FD(int, ftruncate, (int fd, off_t size), (fd, size))
ON_FD(int, ftruncate64, (int fd, off64_t size), (fd, size))
ON_FD(ssize_t, read, (int fd, void* bytes, size_t count), (fd, bytes, count))

#define WRITE(name, parameters, arguments)            \
  ssize_t name parameters {                           \
    if (isBelow(fd)) {                                \
      if (fails()) return -1;                         \
      count = allowed(count);                         \
    }                                                 \
    return real<ssize_t parameters>(#name) arguments; \
  }
WRITE(write, (int fd, const void* bytes, size_t count), (fd, bytes, count))
WRITE(pwrite, (int fd, const void* bytes, size_t count, off_t at), (fd, bytes, count, at))
WRITE(pwrite64, (int fd, const void* bytes, size_t count, off64_t at), (fd, bytes, count, at))

/// The descriptor is gone whatever close() says.
int close(int fd) {
  const bool below = isBelow(fd);
  if (below) g_below[fd] = false;
  const bool failed = below && fails();
  const int code = errno, result = real<int(int)>("close")(fd);
  if (failed) errno = code;
  return failed ? -1 : result;
}

}  // extern "C"

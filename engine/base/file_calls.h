// SPDX-License-Identifier: Apache-2.0
// What file.cpp and growing_file.cpp share: system calls that a signal may interrupt, and how their failures are told.
#pragma once
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace strata {

inline Error fileError(const Path& path, const std::string& what, int code, const std::string& wayOut = {}) {
  return {Error::Kind::File, path.string(), what + " (" + std::strerror(code) + ")", wayOut};
}

/// A call that a signal may interrupt.
template <class Call>
auto retried(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

/// Writes all of `bytes` from `offset` on. False, with errno set, when the file did not take them all.
inline bool writeAll(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written =
        retried([&] { return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (written < 0) return false;
    if (written == 0) {  // no error and no progress: nothing will come of trying for ever
      errno = ENOSPC;
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return true;
}

}  // namespace strata

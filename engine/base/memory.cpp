// SPDX-License-Identifier: Apache-2.0
#include "engine/base/memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>

#include "engine/base/error.h"

namespace strata {
namespace {

using Path = std::filesystem::path;
constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

/// The number after the word `key` in a file of "key number" lines; the first number when `key` is empty.
std::optional<std::int64_t> numberIn(const Path& path, const std::string& key) {
  std::ifstream file(path);
  std::string word;
  std::int64_t number = 0;
  while (!key.empty() && file >> word && word != key) {
  }
  return file >> number ? std::optional(number) : std::nullopt;  // "max" is no number: no limit
}

std::int64_t freeOnTheMachine() {
  if (const auto kilobytes = numberIn("/proc/meminfo", "MemAvailable:")) return *kilobytes << 10;
  return static_cast<std::int64_t>(::sysconf(_SC_AVPHYS_PAGES)) * ::sysconf(_SC_PAGE_SIZE);
}

/// What the control groups that the process is in leave it (cgroup v2): each group may have a limit of its own.
std::int64_t leftInControlGroups() {
  std::ifstream groups("/proc/self/cgroup");
  std::string name;
  for (std::string line; std::getline(groups, line);)
    if (line.starts_with("0::")) name = line.substr(3);
  std::int64_t left = kNoLimit;
  const Path root = "/sys/fs/cgroup";
  for (Path group = root / Path(name).relative_path();; group = group.parent_path()) {
    if (const auto limit = numberIn(group / "memory.max", "")) {
      // The files that it holds in memory can be let go of.
      const std::int64_t used = numberIn(group / "memory.current", "").value_or(0) -
                                numberIn(group / "memory.stat", "inactive_file").value_or(0);
      left = std::min(left, std::max<std::int64_t>(0, *limit - used));
    }
    if (group == root || !group.has_relative_path()) return left;
  }
}

/// What ulimit -v and -d leave.
std::int64_t leftToTheProcess() {
  std::int64_t pages[6] = {};  // of the whole, resident, shared, code, libraries, data
  std::ifstream statm("/proc/self/statm");
  for (std::int64_t& count : pages) statm >> count;
  std::int64_t left = kNoLimit;
  for (const auto& [resource, used] : {std::pair(RLIMIT_AS, pages[0]), std::pair(RLIMIT_DATA, pages[5])}) {
    rlimit limit{};
    if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) continue;
    const auto most = static_cast<std::int64_t>(std::min<rlim_t>(limit.rlim_cur, kNoLimit));
    left = std::min(left, std::max<std::int64_t>(0, most - used * ::sysconf(_SC_PAGE_SIZE)));
  }
  return left;
}

/// "13,312 MiB", rounded up.
std::string mebibytes(std::int64_t bytes) {
  std::string text = std::to_string((bytes >> 20) + (bytes % (1 << 20) != 0));
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<std::size_t>(at), 1, ',');
  return text + " MiB";
}

}  // namespace

std::int64_t availableMemory() { return std::min({freeOnTheMachine(), leftInControlGroups(), leftToTheProcess()}); }

void requireMemory(std::int64_t bytes, const std::string& where, const std::string& what, const std::string& wayOut) {
  if (const std::int64_t available = availableMemory(); bytes > available)
    throw Error(Error::Kind::Input, where,
                what + " needs " + mebibytes(bytes) + " of memory, " + mebibytes(available) + " are free here", wayOut);
}

}  // namespace strata

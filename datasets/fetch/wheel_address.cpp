// SPDX-License-Identifier: Apache-2.0
// pip is asked, verbosely, for a version that does not exist: it lists the address of every file of the package and
// stops.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "datasets/fetch/download.h"
#include "engine/base/error.h"

extern char** environ;

namespace strata {

namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::size_t kMaxOutput = std::size_t{4} << 20;
constexpr int kPollMilliseconds = 100;
constexpr char kNoPip[] = "needs pip, which is not installed (on Debian: apt-get install python3-pip)";

[[noreturn]] void refuse(const std::string& why) { throw Error(Error::Kind::File, "", why); }

/// A child process with its output in a pipe; killed and reaped at the end, whatever happens.
class Child {
 public:
  explicit Child(std::vector<std::string> arguments) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) refuse("cannot start a program (no pipe left)");
    m_output = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const int failure = posix_spawnp(&m_pid, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failure != 0) {
      close(m_output);
      refuse(kNoPip);
    }
  }
  ~Child() {
    close(m_output);
    kill(m_pid, SIGKILL);
    while (waitpid(m_pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int output() const { return m_output; }

 private:
  pid_t m_pid = 0;
  int m_output = -1;
};

/// Everything the child prints until it ends.
std::string readAll(const Child& child, const std::function<bool()>& goOn) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  std::string text;
  std::array<char, 65536> chunk;
  while (text.size() < kMaxOutput) {
    if (!goOn()) throw Cancelled();
    if (std::chrono::steady_clock::now() > end)
      refuse("pip gave no answer within " + std::to_string(kPatience.count()) + " seconds");
    pollfd waiting{child.output(), POLLIN, 0};
    if (poll(&waiting, 1, kPollMilliseconds) <= 0) continue;
    const ssize_t got = read(child.output(), chunk.data(), chunk.size());
    if (got == 0) break;
    if (got > 0) text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

std::string wheelAddress(const std::string& package, const std::vector<std::string>& files,
                         const std::function<bool()>& goOn) {
  const Child pip({"python3", "-m", "pip", "download", "-vvv", "--no-deps", "--no-input", "--retries", "1", "--timeout",
                   "6", "--disable-pip-version-check", "--dest", "/dev/null", package + "==9"});
  const std::string output = readAll(pip, goOn);
  if (output.find("No module named pip") != std::string::npos) refuse(kNoPip);
  const std::string link = findWheelLink(output, files);
  if (link.empty()) refuse("pip does not reach it");
  return link;
}

std::string findWheelLink(std::string_view pipOutput, const std::vector<std::string>& files) {
  constexpr std::string_view kMark = "Found link ";
  while (true) {
    const auto mark = pipOutput.find(kMark);
    if (mark == std::string_view::npos) return {};
    pipOutput.remove_prefix(mark + kMark.size());
    const std::string_view link = pipOutput.substr(0, std::min(pipOutput.find_first_of(" #\n"), pipOutput.size()));
    const std::string_view name = link.substr(link.rfind('/') + 1);
    if (link.starts_with("https://") && std::find(files.begin(), files.end(), name) != files.end())
      return std::string(link);
  }
}

}  // namespace strata

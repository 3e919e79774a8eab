// SPDX-License-Identifier: GPL-3.0-or-later
// Runs the program `strata` as a user would and keeps what it said; and a data set and project small enough for that.
#pragma once
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <QByteArray>
#include <QStringList>

#include "data_files.h"
#include "engine/base/json.h"
#include "test_files.h"

inline const std::string kStrata = STRATA_BINARY_DIR "/bin/strata";

/// Written with more than 64 pixels a picture, so that a net has something to do.
/// No picture stands in both parts, so that there is nothing to warn of.
inline void writeTinyData(const strata::Path& folder) {
  writeDataset(folder, 256, 64, 28);
  std::string test = idxFile(64, 28);
  for (std::size_t i = test.size() - 64 * 28 * 28; i < test.size(); ++i) test[i] = static_cast<char>(9 - test[i]);
  writeBytes(folder / "t10k-images-idx3-ubyte", test);
}

/// A linear classifier on the data set in `data`.
inline std::string tinyProjectText(const strata::Path& data) {
  return R"({"version": 1, "name": "Tiny", "data": {"source": ")" + data.string() + R"(", "validation": "test"},
 "network": {"input": [28, 28, 1], "classes": 10, "layers": [{"type": "flatten", "name": "flatten"}, {"type": "dense", "name": "dense1", "units": 10}]},
 "training": {"batch_size": 32, "epochs": 2, "optimizer": {"type": "sgd", "learning_rate": 0.05}}})";
}

struct CliResult {
  int exitCode = -1;  ///< 128 + the signal's number when it died of one
  std::string out, err;
};

/// A started program; finish() waits for it.
class CliProcess {
 public:
  /// `memoryKilobytes`: what it may allocate; 0 for no limit. Past it the program says that the memory is exhausted,
  /// exit code 5. `before`: what the shell does first, as "cd /; unset HOME". `terminal`: the device that the program's
  /// output goes to instead of files, whose text out() and finish() do not see.
  explicit CliProcess(std::vector<std::string> arguments, long memoryKilobytes = 0, const std::string& before = {},
                      const char* terminal = nullptr) {
    const std::string limit = memoryKilobytes > 0 ? "ulimit -d " + std::to_string(memoryKilobytes) + "; " : "",
                      first = before.empty() ? "" : before + "; ";
    arguments.insert(arguments.begin(), {"/bin/sh", "-c", limit + first + "exec \"$@\"", "sh", kStrata});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    const int flags = O_WRONLY | O_NOCTTY | (terminal ? 0 : O_CREAT | O_TRUNC);
    posix_spawn_file_actions_addopen(&actions, 1, terminal ? terminal : (m_folder / "out").c_str(), flags, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, terminal ? terminal : (m_folder / "err").c_str(), flags, 0600);
    if (posix_spawn(&m_pid, "/bin/sh", &actions, nullptr, argv.data(), environ) != 0) m_pid = -1;
    posix_spawn_file_actions_destroy(&actions);
  }
  pid_t pid() const { return m_pid; }
  std::string out() const { return readText(m_folder / "out"); }
  CliResult finish() {
    CliResult result;
    int status = 0;
    if (m_pid < 0 || waitpid(m_pid, &status, 0) != m_pid) return result;
    result.exitCode = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    result.out = out();
    result.err = readText(m_folder / "err");
    return result;
  }

 private:
  ScratchFolder m_folder;
  pid_t m_pid = -1;
};

/// What `--json` prints.
inline std::vector<strata::Json> jsonLines(const std::string& text) {
  std::vector<strata::Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(strata::parseJson(line, "output"));
  return lines;
}

inline CliResult runStrata(const std::vector<std::string>& arguments, long memoryKilobytes = 0,
                           const std::string& before = {}) {
  return CliProcess(arguments, memoryKilobytes, before).finish();
}

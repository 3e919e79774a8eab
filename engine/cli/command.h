// SPDX-License-Identifier: Apache-2.0
// The program's commands. Each add function declares one command's options and says what it does; main() parses and
// runs the chosen one. Results go to standard output, errors to standard error; resources/docs/command-line.md lists
// the exit codes.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/backend/precision.h"
#include "engine/base/file.h"

namespace strata {

/// What the chosen command leaves for main().
struct Command {
  std::function<int()> run;  ///< returns the exit code; throws Error
  bool json = false;         ///< --json: results as JSON lines, an error as one JSON line
};

void addTrain(CLI::App& app, Command& command);
void addPredict(CLI::App& app, Command& command);
void addEvaluate(CLI::App& app, Command& command);
void addInfo(CLI::App& app, Command& command);
void addDevices(CLI::App& app, Command& command);
void addData(CLI::App& app, Command& command);
void addBench(CLI::App& app, Command& command);

/// bench --plans: of the project, or of every template and layer when there is none; `batch` in place of the project's.
int benchPlans(const std::string& project, std::optional<int> batch, bool json);

/// Tells an error on standard error, as one JSON line with --json. Returns its exit code.
int tellError(bool json, const std::exception& error);
/// For usage that was not understood; main() has the parser's own words for it.
int tellError(bool json, int exitCode, const std::string& message);
/// Does `work` for each input, whatever became of those before. A failure is told at once; with --json the results get
/// an object for it as well, {key: input, "error": ..., "exit_code": ...}. Returns the first failure's exit code, or 0.
int forEachInput(const std::vector<std::string>& inputs, const std::string& key, bool json,
                 const std::function<void(const std::string&)>& work);

/// --precision NAME, into `precision`.
void addPrecision(CLI::App& sub, std::optional<Precision>& precision);
/// With that many decimals.
std::string fixed(double value, int decimals);
/// A run's folder given as a path, or by its name under runsDir(). Error::File when there is neither.
Path findRun(const std::string& nameOrPath);

}  // namespace strata

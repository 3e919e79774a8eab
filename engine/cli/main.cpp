// SPDX-License-Identifier: Apache-2.0
// The program `strata`: train, predict and look into files without a display.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>

#include "engine/base/error.h"
#include "engine/cli/command.h"
#include "engine/cli/terminal.h"

namespace {

/// An empty text is no name of anything: it comes of a script's variable that is not set.
void refuseEmptyArguments(CLI::App& app) {
  const CLI::Validator notEmpty(
      [](const std::string& text) { return std::string(text.empty() ? "got an empty text" : ""); }, "", "not empty");
  for (CLI::Option* option : app.get_options())
    if (option->get_items_expected_max() > 0) option->check(notEmpty);
  for (CLI::App* sub : app.get_subcommands({})) refuseEmptyArguments(*sub);
}

/// A file that is opened must never become standard output because that was closed. Read-only, so that what would have
/// been printed is still told as lost.
void occupyStandardStreams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", O_RDONLY);
}

}  // namespace

int main(int argc, char** argv) {
  using strata::Error;
  occupyStandardStreams();
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is told like a full disk
  const bool jsonWanted = std::find(argv, argv + argc, std::string_view("--json")) != argv + argc;
  strata::Command command;
  CLI::App app("Build, train and understand neural networks.", "strata");
  app.set_version_flag("--version", "strata " STRATA_VERSION);
  app.require_subcommand(1);
  strata::addTrain(app, command);
  strata::addPredict(app, command);
  strata::addEvaluate(app, command);
  strata::addInfo(app, command);
  strata::addDevices(app, command);
  strata::addData(app, command);
  strata::addBench(app, command);
  refuseEmptyArguments(app);
  std::optional<strata::LocaleCharacters> out, err;
  if (!jsonWanted) {
    out.emplace(std::cout, STDOUT_FILENO);
    err.emplace(std::cerr, STDERR_FILENO);
  }
  try {
    app.parse(argc, argv);
    const int exitCode = command.run();
    if (exitCode == 0 && !std::cout.flush())
      throw Error(Error::Kind::File, "standard output", "not all of the results could be written",
                  "Give it a place with room and start again.");
    return exitCode;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return strata::tellError(jsonWanted, static_cast<int>(Error::Kind::Usage),
                             std::string(error.what()) + ". Run with --help for the usage.");
  } catch (const std::exception& error) {
    return strata::tellError(command.json, error);
  }
}

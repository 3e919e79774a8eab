// SPDX-License-Identifier: Apache-2.0
// The program `strata`: train, predict and look into files without a display.
#include <algorithm>
#include <cstdio>
#include <iostream>

#include "engine/cli/command.h"
#include "engine/error.h"
#include "engine/json.h"

namespace {

int fail(bool json, int exitCode, const std::string& message) {
  if (json) std::cerr << strata::compactJson({{"error", message}, {"exit_code", exitCode}}) << std::endl;
  else std::cerr << "strata: " << message << std::endl;
  return exitCode;
}

}  // namespace

int main(int argc, char** argv) {
  using strata::Error;
  const bool jsonWanted = std::find(argv, argv + argc, std::string_view("--json")) != argv + argc;
  strata::Command command;
  CLI::App app("Build, train and understand neural networks.", "strata");
  app.set_version_flag("--version", "strata " STRATA_VERSION);
  app.require_subcommand(1);
  strata::addTrain(app, command);
  strata::addPredict(app, command);
  strata::addInfo(app, command);
  strata::addDevices(app, command);
  strata::addData(app, command);
  strata::addBench(app, command);
  try {
    app.parse(argc, argv);
    const int exitCode = command.run();
    if (exitCode == 0 && !std::cout.flush())
      throw Error(Error::Kind::File, "standard output", "not all of the results could be written",
                  "Give it a place with room and start again.");
    return exitCode;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return fail(jsonWanted, static_cast<int>(Error::Kind::Usage),
                std::string(error.what()) + ". Run with --help for the usage.");
  } catch (const Error& error) {
    return fail(command.json, error.exitCode(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(command.json, static_cast<int>(Error::Kind::Device), "The memory is exhausted.");
  } catch (const std::exception& error) {
    return fail(command.json, static_cast<int>(Error::Kind::Input), error.what());
  }
}

// SPDX-License-Identifier: Apache-2.0
// `strata data`: which data sets are known and here, and getting one.
#include <unistd.h>

#include <iostream>

#include "datasets/datasets.h"
#include "engine/base/error.h"
#include "engine/cli/command.h"
#include "engine/cli/terminal.h"

namespace strata {
namespace {

int list(const std::string& dataDir) {
  for (const CatalogueEntry& entry : catalogue()) {
    const std::optional<Path> folder = entry.generated ? std::nullopt : findDataset(entry.id, dataDir);
    const std::string state = entry.generated  ? "made on the spot, synthetic"
                              : folder         ? folder->string()
                              : entry.canFetch ? "not here; strata data get " + entry.id
                                               : "not here";
    std::cout << entry.id << std::string(entry.id.size() < 18 ? 18 - entry.id.size() : 1, ' ') << entry.title << ": "
              << state << "\n";
  }
  return 0;
}

int get(const std::vector<std::string>& names, const std::string& into) {
  ProgressLine line(std::cerr, STDERR_FILENO);  // drawn on a terminal alone; a log gets the result
  const auto progress = [&line](const std::string& what, double fraction) {
    line.draw(fraction < 0 ? what : what + " " + fixed(100 * fraction, 0) + " %");
    return true;
  };
  return forEachInput(names, "name", false, [&](const std::string& name) {
    try {
      const Path folder = fetchDataset(name, into, progress);
      line.clear();
      std::cout << folder.string() << std::endl;
    } catch (const Error&) {
      line.clear();
      throw;
    }
  });
}

}  // namespace

void addData(CLI::App& app, Command& command) {
  struct Options {
    std::vector<std::string> names;
    std::string dataDir;
  };
  auto options = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("data", "List the known data sets, or get one");
  sub->require_subcommand(1);
  CLI::App* listing = sub->add_subcommand("list", "The known data sets and where they lie");
  listing->add_option("--data-dir", options->dataDir, "Folder to look in first");
  listing->callback([options, &command] { command.run = [options] { return list(options->dataDir); }; });
  CLI::App* getting = sub->add_subcommand("get", "Bring data sets here, verified");
  getting->add_option("NAME", options->names, "Its id, as strata data list shows it; several are got in turn")
      ->required();
  getting->add_option("--data-dir", options->dataDir, "Folder to put it in; by default among your data");
  getting->callback([options, &command] { command.run = [options] { return get(options->names, options->dataDir); }; });
}

}  // namespace strata

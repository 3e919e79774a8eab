// SPDX-License-Identifier: Apache-2.0
// `strata data`: which data sets are known and here, and getting one.
#include <unistd.h>

#include <iostream>

#include "datasets/datasets.h"
#include "engine/cli/command.h"

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

/// Progress is drawn on a terminal alone; a log gets the result.
bool showProgress(const std::string& what, double fraction) {
  if (!isatty(STDERR_FILENO)) return true;
  std::cerr << "\r\033[K" << what;
  if (fraction >= 0) std::cerr << " " << fixed(100 * fraction, 0) << " %";
  std::cerr << std::flush;
  return true;
}

int get(const std::string& name, const std::string& into) {
  const Path folder = fetchDataset(name, into, showProgress);
  if (isatty(STDERR_FILENO)) std::cerr << "\r\033[K";
  std::cout << folder.string() << std::endl;
  return 0;
}

}  // namespace

void addData(CLI::App& app, Command& command) {
  struct Options {
    std::string name, dataDir;
  };
  auto options = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("data", "List the known data sets, or get one");
  sub->require_subcommand(1);
  CLI::App* listing = sub->add_subcommand("list", "The known data sets and where they lie");
  listing->add_option("--data-dir", options->dataDir, "Folder to look in first");
  listing->callback([options, &command] { command.run = [options] { return list(options->dataDir); }; });
  CLI::App* getting = sub->add_subcommand("get", "Bring a data set here, verified");
  getting->add_option("NAME", options->name, "Its id, as strata data list shows it")->required();
  getting->add_option("--data-dir", options->dataDir, "Folder to put it in; by default among your data");
  getting->callback([options, &command] { command.run = [options] { return get(options->name, options->dataDir); }; });
}

}  // namespace strata

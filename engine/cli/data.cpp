// SPDX-License-Identifier: Apache-2.0
// `strata data`: which data sets are known and here, getting one, and what would be read from a file or folder.
#include <unistd.h>

#include <iostream>

#include "datasets/datasets.h"
#include "datasets/readers.h"
#include "datasets/source.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/terminal.h"
#include "engine/run/project.h"
#include "engine/run/suitability.h"

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

struct ClassCount {
  std::string name;
  std::int64_t training = 0, test = 0;
};

std::vector<ClassCount> countClasses(const Dataset& dataset) {
  std::vector<ClassCount> classes;
  for (const std::string& name : dataset.classes) classes.push_back({name});
  for (const std::int32_t label : dataset.train.labels) ++classes[static_cast<std::size_t>(label)].training;
  for (const std::int32_t label : dataset.test.labels) ++classes[static_cast<std::size_t>(label)].test;
  return classes;
}

Json shapeJson(const Shape& shape) {
  if (shape.isVector()) return {shape.c};
  if (shape.isSequence()) return {shape.h, shape.c};
  return {shape.h, shape.w, shape.c};
}

void printJson(const std::string& kind, const Dataset& dataset) {
  Json classes = Json::array();
  for (const ClassCount& each : countClasses(dataset))
    classes.push_back({{"name", each.name}, {"training", each.training}, {"test", each.test}});
  std::cout << compactJson({{"kind", kind},
                            {"title", dataset.title},
                            {"origin", dataset.origin},
                            {"shape", shapeJson(dataset.shape)},
                            {"values", dataset.train.areFloats() ? "floats" : "bytes"},
                            {"training", dataset.train.count},
                            {"test", dataset.test.count},
                            {"classes", classes},
                            {"understood", dataset.understood},
                            {"warnings", remarks(dataset)}})
            << "\n";
}

void printText(const std::string& title, const Dataset& dataset) {
  constexpr std::size_t kMostClasses = 100;
  std::cout << dataset.title << " (" << title << "): " << counted(dataset.train.count, "training sample") << " and "
            << counted(dataset.test.count, "test sample") << " of " << dataset.shape.text()
            << (dataset.train.areFloats() ? " numbers" : " bytes") << ", "
            << counted(std::ssize(dataset.classes), "class") << "\n";
  const std::vector<ClassCount> classes = countClasses(dataset);
  for (std::size_t c = 0; c < std::min(classes.size(), kMostClasses); ++c)
    std::cout << "  " << printable(classes[c].name) << ": " << grouped(classes[c].training)
              << (dataset.test.count > 0 ? " and " + grouped(classes[c].test) : "") << "\n";
  if (classes.size() > kMostClasses)
    std::cout << "  (and " << classes.size() - kMostClasses << " more; --json lists all)\n";
  for (const std::string& sentence : dataset.understood) std::cout << sentence << "\n";
  for (const std::string& warning : remarks(dataset)) std::cout << "Warning: " << warning << "\n";
}

/// What would be read, by the reader that would read it; `settings` are those of data.reading.
int inspect(const std::vector<std::string>& paths, const std::vector<std::string>& settings, bool json) {
  Project project;
  for (const std::string& setting : settings) applySetting(project, setting);
  ProgressLine line(std::cerr, STDERR_FILENO);
  const auto progress = [&line](const std::string& what, double fraction) {
    line.draw(fraction < 0 ? what : what + " " + fixed(100 * fraction, 0) + " %");
    return true;
  };
  return forEachInput(paths, "path", json, [&](const std::string& path) {
    try {
      const std::string source = resolveSource(path, {});
      const auto dataset = loadDataset(source, {}, project.data.reading, progress);
      line.clear();
      const ReaderDef* reader = findCatalogueEntry(source) ? nullptr : readerFor(sourceFolder(source));
      if (json) printJson(reader ? reader->id : "known", *dataset);
      else printText(reader ? reader->title : "a known data set", *dataset);
    } catch (const Error&) {
      line.clear();
      throw;
    }
  });
}

}  // namespace

void addData(CLI::App& app, Command& command) {
  struct Options {
    std::vector<std::string> names, settings;
    std::string dataDir;
  };
  auto options = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("data", "List the known data sets, get one, or look at your own data");
  sub->require_subcommand(1);
  CLI::App* listing = sub->add_subcommand("list", "The known data sets and where they lie");
  listing->add_option("--data-dir", options->dataDir, "Folder to look in first");
  listing->callback([options, &command] { command.run = [options] { return list(options->dataDir); }; });
  CLI::App* getting = sub->add_subcommand("get", "Bring data sets here, verified");
  getting->add_option("NAME", options->names, "Its id, as strata data list shows it; several are got in turn")
      ->required();
  getting->add_option("--data-dir", options->dataDir, "Folder to put it in; by default among your data");
  getting->callback([options, &command] { command.run = [options] { return get(options->names, options->dataDir); }; });
  CLI::App* inspecting = sub->add_subcommand("inspect", "Say what would be read from your own data");
  inspecting->add_option("PATH", options->names, "Files or folders: pictures, tables, arrays, IDX files")->required();
  inspecting->add_option("--set", options->settings, "How to read them, as data.reading.label=species")
      ->allow_extra_args(false);
  inspecting->add_flag("--json", command.json, "Results as JSON lines");
  inspecting->callback([options, &command] {
    command.run = [options, &command] { return inspect(options->names, options->settings, command.json); };
  });
}

}  // namespace strata

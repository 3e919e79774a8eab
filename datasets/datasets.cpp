// SPDX-License-Identifier: Apache-2.0
// Where data sets lie, and which reader makes a Dataset of them.
#include "datasets/datasets.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "datasets/digits/prep.h"
#include "datasets/readers.h"
#include "datasets/readers/idx_names.h"
#include "datasets/readers/own_data.h"
#include "datasets/source.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/base/user_dirs.h"

namespace strata {

namespace {

constexpr std::uint64_t kSyntheticSeed = 1;
constexpr char kSyntheticId[] = "synthetic-digits";

bool isFolder(const Path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

/// The file of that name under one of its spellings is there.
bool hasFile(const Path& folder, const std::string& name) {
  const auto names = spellings(name);
  return std::any_of(names.begin(), names.end(), [&](const std::string& spelling) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(folder / spelling, ignored);
  });
}

bool holdsAllFiles(const Path& folder, const CatalogueEntry& entry) {
  return std::all_of(entry.files.begin(), entry.files.end(),
                     [&](const CatalogueFile& file) { return hasFile(folder, file.name); });
}

/// Where the files may lie inside a folder that a person names: in it, or as torchvision lays them out.
std::optional<Path> findInside(const Path& folder, const CatalogueEntry& entry) {
  for (const Path& candidate : {folder, folder / "raw", folder / entry.torchvision / "raw"})
    if (holdsAllFiles(candidate, entry)) return candidate;
  return std::nullopt;
}

[[noreturn]] void refuse(const Path& file, const std::string& what, const std::string& wayOut) {
  throw Error(Error::Kind::Input, file.string(), what, wayOut);
}

/// A published data set has the classes that it was published with.
void checkLabels(const Samples& samples, const std::string& part, const CatalogueEntry& entry, const Path& folder) {
  const auto classes = static_cast<int>(entry.classes.size());
  for (std::size_t i = 0; i < samples.labels.size(); ++i)
    if (samples.labels[i] >= classes)
      refuse(folder,
             "the " + part + " sample " + std::to_string(i) + " has the label " + std::to_string(samples.labels[i]) +
                 ", needed 0 to " + std::to_string(classes - 1) + " as in " + entry.title,
             "To use other data, name their folder as the source instead.");
}

std::shared_ptr<const Dataset> loadPublished(const Path& folder, const CatalogueEntry& entry,
                                             const ReadProgress& progress) {
  const ReaderDef* reader = readerFor(folder);
  if (!reader) refuse(folder, "does not hold the files of " + entry.title, "Get them again.");
  auto dataset = reader->read(folder, {}, progress);
  dataset->id = entry.id;
  dataset->title = entry.title;
  dataset->classes = entry.classes;
  dataset->understood.clear();
  checkLabels(dataset->train, "training", entry, folder);
  checkLabels(dataset->test, "test", entry, folder);
  judgePictures(*dataset, entry.framing);
  return dataset;
}

std::string listed(const std::vector<Path>& paths) {
  std::string text;
  for (const Path& path : paths) text += (text.empty() ? "" : ", ") + path.string();
  return text;
}

std::string listedIds() {
  std::string text;
  for (const CatalogueEntry& entry : catalogue()) text += (text.empty() ? "" : ", ") + entry.id;
  return text;
}

/// Steps from one word to the other: letters changed, put in, left out.
std::size_t editDistance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j)
      diagonal = std::exchange(
          row[j + 1], std::min({diagonal + (std::tolower(static_cast<unsigned char>(a[i])) == b[j] ? 0 : 1), row[j] + 1,
                                row[j + 1] + 1}));
  }
  return row.back();
}

[[noreturn]] void refuseUnknown(const std::string& source) {
  const Path folder = sourceFolder(source);
  if (source.find('/') != std::string::npos || source == "~")
    throw Error(Error::Kind::File, folder.string(), "is neither a known data set nor a folder",
                "Known data sets: " + listedIds() + ".");
  std::size_t nearest = 3;
  std::string wayOut, known = "Known data sets: " + listedIds() + ".";
  for (const CatalogueEntry& entry : catalogue())
    if (const std::size_t steps = editDistance(source, entry.id); steps < nearest) {
      nearest = steps;
      wayOut = "Did you mean " + entry.id + "? ";
    }
  throw Error(Error::Kind::Usage, "", inQuotes(source) + " is neither a known data set nor a folder", wayOut + known);
}

std::string listedReaders() {
  std::string text;
  for (const ReaderDef* reader : allReaders()) text += (text.empty() ? "" : ", ") + reader->title;
  return text;
}

/// A file or folder that a person names, under its own name.
std::shared_ptr<const Dataset> loadOwn(const std::string& source, const Reading& reading,
                                       const ReadProgress& progress) {
  const Path named = sourceFolder(source);
  std::error_code ignored;
  if (!std::filesystem::exists(named, ignored)) refuseUnknown(source);
  const Path place = findInside(named, *findCatalogueEntry("mnist")).value_or(named);
  const ReaderDef* reader = readerFor(place);
  if (!reader)
    refuse(named, std::string(isFolder(named) ? "is a folder" : "is a file") + " without data of a kind that is read",
           "What is read: " + listedReaders() + ".");
  auto dataset = reader->read(place, reading, progress);
  dataset->id = source;
  if (place != named) dataset->title = titleOf(named);
  addWarnings(*dataset);
  judgePictures(*dataset);
  return dataset;
}

}  // namespace

std::vector<Path> dataDirectories(const Path& explicitDir) {
  std::vector<Path> folders;
  if (!explicitDir.empty()) folders.push_back(explicitDir);
  if (const char* fromEnvironment = std::getenv("STRATA_DATA_DIR"); fromEnvironment && *fromEnvironment)
    folders.emplace_back(fromEnvironment);
  if (const auto data = findUserDataDir()) folders.push_back(*data / "datasets");
  folders.emplace_back("/usr/share/datasets");
  return folders;
}

std::optional<Path> findDataset(const std::string& id, const Path& explicitDir) {
  const CatalogueEntry* entry = findCatalogueEntry(id);
  if (!entry || entry->files.empty()) return std::nullopt;
  for (const Path& folder : dataDirectories(explicitDir)) {
    if (auto found = findInside(folder / id, *entry)) return found;
    if (const Path raw = folder / entry->torchvision / "raw"; holdsAllFiles(raw, *entry)) return raw;
    // --data-dir named the data set itself
    if (folder.filename() == id && holdsAllFiles(folder, *entry)) return folder;
  }
  return std::nullopt;
}

std::shared_ptr<const Dataset> loadDataset(const std::string& source, const Path& explicitDir, const Reading& reading,
                                           const ReadProgress& progress) {
  if (source == kSyntheticId) return syntheticDigits(kSyntheticSeed);
  const CatalogueEntry* entry = findCatalogueEntry(source);
  try {
    if (!entry) return loadOwn(source, reading, progress);
    if (const auto folder = findDataset(source, explicitDir)) return loadPublished(*folder, *entry, progress);
  } catch (const ReadingStopped&) {
    return nullptr;
  }
  throw Error(Error::Kind::File, entry->title, "was not found in " + listed(dataDirectories(explicitDir)),
              "Get it with \"strata data get " + entry->id + "\", or name the folder that holds it with --data-dir.");
}

}  // namespace strata

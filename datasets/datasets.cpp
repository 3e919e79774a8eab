// SPDX-License-Identifier: Apache-2.0
// Where data sets lie and how four IDX files become one Dataset.
#include "datasets/datasets.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "datasets/idx.h"
#include "datasets/idx_names.h"
#include "engine/error.h"

namespace strata {

namespace {

constexpr std::uint64_t kSyntheticSeed = 1;
constexpr char kSyntheticId[] = "synthetic-digits";

const CatalogueEntry* findEntry(const std::string& id) {
  const auto& all = catalogue();
  const auto it = std::find_if(all.begin(), all.end(), [&](const CatalogueEntry& entry) { return entry.id == id; });
  return it == all.end() ? nullptr : &*it;
}

bool isFolder(const Path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

/// The file of that name under one of its spellings; empty when there is none.
Path findSpelling(const Path& folder, const std::string& name) {
  for (const std::string& spelling : spellings(name)) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(folder / spelling, ignored)) return folder / spelling;
  }
  return {};
}

bool holdsAllFiles(const Path& folder) {
  return std::all_of(kIdxNames.begin(), kIdxNames.end(),
                     [&](const char* name) { return !findSpelling(folder, name).empty(); });
}

/// Where the files may lie inside a folder that a person names: in it, or as torchvision lays them out.
std::optional<Path> findInside(const Path& folder, const std::string& torchvision) {
  for (const Path& candidate : {folder, folder / "raw", folder / torchvision / "raw"})
    if (holdsAllFiles(candidate)) return candidate;
  return std::nullopt;
}

Samples readPart(const Path& imageFile, const Path& labelFile, int classes, Shape& shape) {
  const IdxReader images(imageFile), labels(labelFile);  // both headers must fit before the samples are read
  const auto refuse = [](const Path& file, const std::string& what, const std::string& wayOut) {
    throw Error(Error::Kind::Input, file.string(), what, wayOut);
  };
  if (images.dims().size() < 3)
    refuse(imageFile, "holds labels, needed images", "Check that the files are not swapped.");
  if (labels.dims().size() != 1)
    refuse(labelFile, "holds images, needed labels", "Check that the files are not swapped.");
  if (images.dims()[0] != labels.dims()[0])
    refuse(labelFile,
           "holds " + std::to_string(labels.dims()[0]) + " labels, needed one for each of the " +
               std::to_string(images.dims()[0]) + " images in " + imageFile.filename().string(),
           "Get both files from the same place.");
  const std::vector<std::uint8_t> classOf = labels.read();
  for (std::size_t i = 0; i < classOf.size(); ++i)
    if (classOf[i] >= classes)
      refuse(labelFile,
             "has the label " + std::to_string(classOf[i]) + " for sample " + std::to_string(i) + ", needed 0 to " +
                 std::to_string(classes - 1),
             "The file is damaged or belongs to another data set.");
  shape = Shape::image(images.dims()[1], images.dims()[2], images.dims().size() == 4 ? images.dims()[3] : 1);
  return {images.dims()[0], images.read(), {classOf.begin(), classOf.end()}};
}

std::shared_ptr<const Dataset> loadFolder(const Path& folder, const CatalogueEntry& entry) {
  std::array<Path, 4> files;
  for (std::size_t i = 0; i < files.size(); ++i) {
    files[i] = findSpelling(folder, kIdxNames[i]);
    if (files[i].empty())
      throw Error(Error::Kind::Input, folder.string(), std::string("has no ") + kIdxNames[i] + " (plain or .gz)",
                  "Put all four MNIST-like files into the folder.");
  }
  auto dataset = std::make_shared<Dataset>();
  dataset->id = entry.id;
  dataset->title = entry.title;
  dataset->origin = folder.string();
  dataset->classes = entry.classes;
  const int classes = static_cast<int>(entry.classes.size());
  Shape testShape;
  dataset->train = readPart(files[0], files[1], classes, dataset->shape);
  dataset->test = readPart(files[2], files[3], classes, testShape);
  if (testShape != dataset->shape)
    throw Error(Error::Kind::Input, files[2].string(),
                "has images of " + testShape.text() + ", needed " + dataset->shape.text() + " as in the training set",
                "Get all files from the same place.");
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

/// A folder that a person names is read as ten classes, like MNIST, under its own name.
std::shared_ptr<const Dataset> loadNamedFolder(const Path& folder) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored))
    throw Error(Error::Kind::File, folder.string(), "is neither a known data set nor a folder",
                "Known data sets: " + listedIds() + ".");
  if (!isFolder(folder))
    throw Error(Error::Kind::Input, folder.string(),
                "is a file, needed the folder that holds the four MNIST-like files", "Name its folder.");
  CatalogueEntry entry = *findEntry("mnist");
  entry.id = folder.string();
  entry.title = folder.has_filename() ? folder.filename().string() : folder.parent_path().filename().string();
  return loadFolder(findInside(folder, entry.torchvision).value_or(folder), entry);
}

}  // namespace

std::vector<Path> dataDirectories(const Path& explicitDir) {
  std::vector<Path> folders;
  if (!explicitDir.empty()) folders.push_back(explicitDir);
  if (const char* fromEnvironment = std::getenv("STRATA_DATA_DIR"); fromEnvironment && *fromEnvironment)
    folders.emplace_back(fromEnvironment);
  folders.push_back(userDataDir() / "datasets");
  folders.emplace_back("/usr/share/datasets");
  return folders;
}

std::optional<Path> findDataset(const std::string& id, const Path& explicitDir) {
  const CatalogueEntry* entry = findEntry(id);
  if (!entry || entry->files.empty()) return std::nullopt;
  for (const Path& folder : dataDirectories(explicitDir)) {
    if (auto found = findInside(folder / id, entry->torchvision)) return found;
    if (const Path raw = folder / entry->torchvision / "raw"; holdsAllFiles(raw)) return raw;
    if (folder.filename() == id && holdsAllFiles(folder)) return folder;  // --data-dir named the data set itself
  }
  return std::nullopt;
}

std::shared_ptr<const Dataset> loadDataset(const std::string& source, const Path& explicitDir) {
  if (source == kSyntheticId) return syntheticDigits(kSyntheticSeed);
  const CatalogueEntry* entry = findEntry(source);
  if (!entry) return loadNamedFolder(source);
  if (const auto folder = findDataset(source, explicitDir)) return loadFolder(*folder, *entry);
  throw Error(Error::Kind::File, entry->title, "was not found in " + listed(dataDirectories(explicitDir)),
              "Get it with \"strata data get " + entry->id + "\", or name the folder that holds it with --data-dir.");
}

}  // namespace strata

// SPDX-License-Identifier: Apache-2.0
// Where data sets lie and how four IDX files become one Dataset.
#include "datasets/datasets.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <numeric>
#include <set>
#include <utility>

#include "datasets/digits/prep.h"
#include "datasets/readers/idx.h"
#include "datasets/readers/idx_names.h"
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

[[noreturn]] void refuse(const Path& file, const std::string& what, const std::string& wayOut) {
  throw Error(Error::Kind::Input, file.string(), what, wayOut);
}

/// The files of one part, training or test.
struct PartFiles {
  Path images, labels;
  bool none() const { return images.empty() && labels.empty(); }
};

/// What stands before the usual names of the files: mostly nothing, in EMNIST's folder "emnist-letters-" and others.
std::string namePrefix(const Path& folder) {
  std::set<std::string> prefixes;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    for (const std::string& spelling : spellings(kIdxNames[0]))
      if (name.ends_with(spelling)) prefixes.insert(name.substr(0, name.size() - spelling.size()));
  }
  if (prefixes.empty() || prefixes.contains("")) return {};
  if (prefixes.size() > 1)
    refuse(folder, "holds the files of " + std::to_string(prefixes.size()) + " data sets, needed those of one",
           "Give each a folder of its own.");
  return *prefixes.begin();
}

/// `first` of kIdxNames is the part's pictures. Both files or neither are there.
PartFiles findPart(const Path& folder, const std::string& prefix, std::size_t first) {
  PartFiles part{findSpelling(folder, prefix + kIdxNames[first]), findSpelling(folder, prefix + kIdxNames[first + 1])};
  if (part.images.empty() != part.labels.empty())
    refuse(folder, std::string("has no ") + kIdxNames[part.images.empty() ? first : first + 1] + " (plain or .gz)",
           "Put both files of the part into the folder, pictures and labels.");
  return part;
}

Samples readPart(const PartFiles& files, Shape& shape) {
  const IdxReader images(files.images), labels(files.labels);  // both headers must fit before the samples are read
  if (images.dims().size() < 3)
    refuse(files.images, "holds labels, needed images", "Check that the files are not swapped.");
  if (labels.dims().size() != 1)
    refuse(files.labels, "holds images, needed labels", "Check that the files are not swapped.");
  if (images.dims()[0] != labels.dims()[0])
    refuse(files.labels,
           "holds " + counted(labels.dims()[0], "label") + ", needed one for each of the " +
               counted(images.dims()[0], "image") + " in " + files.images.filename().string(),
           "Get both files from the same place.");
  const std::vector<std::uint8_t> classOf = labels.read();
  shape = Shape::image(images.dims()[1], images.dims()[2], images.dims().size() == 4 ? images.dims()[3] : 1);
  return {images.dims()[0], images.read(), {classOf.begin(), classOf.end()}};
}

/// The pictures and labels of a folder, as they stand in its files.
std::shared_ptr<Dataset> readFolder(const Path& folder, const std::string& prefix) {
  const PartFiles train = findPart(folder, prefix, 0), test = findPart(folder, prefix, 2);
  if (train.none())
    refuse(folder, std::string("has no ") + kIdxNames[0] + " (plain or .gz)",
           "Put the files of an MNIST-like data set into the folder.");
  auto dataset = std::make_shared<Dataset>();
  dataset->origin = folder.string();
  dataset->train = readPart(train, dataset->shape);
  if (test.none()) return dataset;
  Shape testShape;
  dataset->test = readPart(test, testShape);
  if (testShape != dataset->shape)
    refuse(test.images,
           "has images of " + testShape.text() + ", needed " + dataset->shape.text() + " as in the training set",
           "Get all files from the same place.");
  return dataset;
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

std::shared_ptr<const Dataset> loadPublished(const Path& folder, const CatalogueEntry& entry) {
  auto dataset = readFolder(folder, {});
  dataset->id = entry.id;
  dataset->title = entry.title;
  dataset->classes = entry.classes;
  checkLabels(dataset->train, "training", entry, folder);
  checkLabels(dataset->test, "test", entry, folder);
  judgePictures(*dataset, entry.framing);
  return dataset;
}

/// EMNIST stores its pictures column by column, so that they lie on their side.
void turnUpright(Dataset& dataset) {
  const Shape stored = dataset.shape;
  for (Samples* part : {&dataset.train, &dataset.test}) {
    const std::vector<std::uint8_t> lying = part->pixels;
    const auto h = static_cast<std::size_t>(stored.h), w = static_cast<std::size_t>(stored.w);
    for (std::size_t at = 0; at < lying.size(); at += h * w)
      for (std::size_t y = 0; y < h; ++y)
        for (std::size_t x = 0; x < w; ++x) part->pixels[at + x * h + y] = lying[at + y * w + x];
  }
  dataset.shape = Shape::image(stored.w, stored.h, 1);
  dataset.title += ", turned upright";
}

/// In a folder of one's own the labels say what classes there are. They count from 0, or from 1 as in EMNIST's letters.
void takeClassesFromLabels(Dataset& dataset) {
  int lowest = 255, highest = 0;
  for (const Samples* part : {&dataset.train, &dataset.test})
    for (const int label : part->labels) {
      lowest = std::min(lowest, label);
      highest = std::max(highest, label);
    }
  const int first = lowest == 1 ? 1 : 0;
  for (Samples* part : {&dataset.train, &dataset.test})
    for (std::int32_t& label : part->labels) label -= first;
  for (int label = first; label <= highest; ++label) dataset.classes.push_back(std::to_string(label));
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
  constexpr std::size_t kNear = 3;
  std::string wayOut = "Known data sets: " + listedIds() + ".";
  for (const CatalogueEntry& entry : catalogue())
    if (editDistance(source, entry.id) < kNear) wayOut = "Did you mean " + entry.id + "? " + wayOut;
  throw Error(Error::Kind::Usage, "", inQuotes(source) + " is neither a known data set nor a folder", wayOut);
}

/// A folder that a person names, under its own name.
std::shared_ptr<const Dataset> loadNamedFolder(const std::string& source) {
  const Path folder = sourceFolder(source);
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored)) refuseUnknown(source);
  if (!isFolder(folder))
    refuse(folder, "is a file, needed the folder that holds the four MNIST-like files", "Name its folder.");
  const Path place = findInside(folder, findCatalogueEntry("mnist")->torchvision).value_or(folder);
  const std::string prefix = namePrefix(place);
  auto dataset = readFolder(place, prefix);
  dataset->id = source;
  dataset->title = printable((folder.has_filename() ? folder : folder.parent_path()).filename().string());
  if (prefix.starts_with("emnist") && dataset->shape.c == 1) turnUpright(*dataset);
  takeClassesFromLabels(*dataset);
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
    if (auto found = findInside(folder / id, entry->torchvision)) return found;
    if (const Path raw = folder / entry->torchvision / "raw"; holdsAllFiles(raw)) return raw;
    if (folder.filename() == id && holdsAllFiles(folder)) return folder;  // --data-dir named the data set itself
  }
  return std::nullopt;
}

std::shared_ptr<const Dataset> loadDataset(const std::string& source, const Path& explicitDir) {
  if (source == kSyntheticId) return syntheticDigits(kSyntheticSeed);
  const CatalogueEntry* entry = findCatalogueEntry(source);
  if (!entry) return loadNamedFolder(source);
  if (const auto folder = findDataset(source, explicitDir)) return loadPublished(*folder, *entry);
  throw Error(Error::Kind::File, entry->title, "was not found in " + listed(dataDirectories(explicitDir)),
              "Get it with \"strata data get " + entry->id + "\", or name the folder that holds it with --data-dir.");
}

}  // namespace strata

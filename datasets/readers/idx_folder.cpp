// SPDX-License-Identifier: Apache-2.0
// A folder of IDX files as a data set: those that are called as MNIST's, or any two (four with a test set) of which one
// holds samples and the other as many labels.
#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>

#include "datasets/readers/idx.h"
#include "datasets/readers/idx_names.h"
#include "datasets/readers/own_data.h"
#include "datasets/readers/reader.h"
#include "engine/base/text.h"

namespace strata {
namespace {

constexpr std::size_t kMostFiles = 64;  ///< that a folder of IDX files may hold, whatever they are
constexpr char kSwapped[] = "Check that the files are not swapped.";

bool isFile(const Path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

/// The file of that name under one of its spellings; empty when there is none.
Path findSpelling(const Path& folder, const std::string& name) {
  for (const std::string& spelling : spellings(name))
    if (isFile(folder / spelling)) return folder / spelling;
  return {};
}

/// The files of one part, training or test.
struct PartFiles {
  Path images, labels;
  bool none() const { return images.empty() && labels.empty(); }
};

struct Files {
  PartFiles train, test;
  std::string prefix;  ///< what stands before the usual names
};

/// What stands before the usual names of the files: mostly nothing, in EMNIST's folder "emnist-letters-" and others.
std::set<std::string> namePrefixes(const Path& folder) {
  std::set<std::string> prefixes;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const auto take = [&](const char* usual) {
      for (const std::string& spelling : spellings(usual))
        if (name.ends_with(spelling)) prefixes.insert(name.substr(0, name.size() - spelling.size()));
    };
    std::for_each(kIdxNames.begin(), kIdxNames.end(), take);
    std::for_each(kIdxTestNames.begin(), kIdxTestNames.end(), take);
  }
  return prefixes;
}

/// Both files or neither are there.
PartFiles findPart(const Path& folder, const std::string& prefix, const char* images, const char* labels) {
  PartFiles part{findSpelling(folder, prefix + images), findSpelling(folder, prefix + labels)};
  if (part.images.empty() != part.labels.empty())
    refuseData(folder, std::string("has no ") + (part.images.empty() ? images : labels) + " (plain or .gz)",
               "Put both files of the part into the folder, pictures and labels.");
  return part;
}

Files usualFiles(const Path& folder, const std::set<std::string>& prefixes) {
  if (prefixes.size() > 1 && !prefixes.contains(""))
    refuseData(folder, "holds the files of " + std::to_string(prefixes.size()) + " data sets, needed those of one",
               "Give each a folder of its own.");
  Files files;
  if (!prefixes.contains("")) files.prefix = *prefixes.begin();
  files.train = findPart(folder, files.prefix, kIdxNames[0], kIdxNames[1]);
  files.test = findPart(folder, files.prefix, kIdxNames[2], kIdxNames[3]);
  if (files.test.none()) files.test = findPart(folder, files.prefix, kIdxTestNames[0], kIdxTestNames[1]);
  if (files.train.none())
    refuseData(folder, std::string("has no ") + kIdxNames[0] + " (plain or .gz)",
               "Put the files of an MNIST-like data set into the folder.");
  return files;
}

std::vector<Path> idxFilesIn(const Path& folder) {
  std::vector<Path> found;
  std::size_t looked = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end && looked < kMostFiles;
       entry.increment(error)) {
    if (!isFile(entry->path())) continue;
    ++looked;
    if (looksLikeIdx(headOf(entry->path(), 4))) found.push_back(entry->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool isTestName(const Path& file) {
  std::string name = file.filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::any_of(std::array{"test", "t10k", "val"},
                             [&](const char* part) { return name.find(part) != std::string::npos; });
}

/// Files of any name are told apart by what they hold; the test's by "test", "t10k" or "val" in their names.
Files anyFiles(const Path& folder) {
  Files files;
  const std::vector<Path> found = idxFilesIn(folder);
  for (const Path& file : found) {
    const bool labels = IdxReader(file).dims().size() == 1;
    PartFiles& part = isTestName(file) ? files.test : files.train;
    Path& place = labels ? part.labels : part.images;
    if (!place.empty())
      refuseData(folder,
                 "holds several IDX files of " + std::string(labels ? "labels" : "samples") + ", " +
                     place.filename().string() + " and " + file.filename().string() +
                     ", and their names do not say which is which",
                 "Name them train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
                 "t10k-labels-idx1-ubyte.");
    place = file;
  }
  for (const PartFiles& part : {files.train, files.test})
    if (part.images.empty() != part.labels.empty())
      refuseData(part.images.empty() ? part.labels : part.images,
                 "is an IDX file of " + std::string(part.images.empty() ? "labels" : "samples") +
                     ", and its folder has none of " + (part.images.empty() ? "samples" : "labels") + " to go with it",
                 "Put both files into one folder.");
  if (files.train.none()) std::swap(files.train, files.test);
  return files;
}

struct Part {
  Array images;
  std::vector<std::int64_t> labels;
};

Array arrayOf(const IdxReader& reader, const Path& path) {
  return {path, {}, reader.dims(), reader.type(), reader.read()};
}

Part readPart(const PartFiles& files) {
  const IdxReader images(files.images), labels(files.labels);  // both headers must fit before the samples are read
  if (images.dims().size() < 2) refuseData(files.images, "holds labels, needed images", kSwapped);
  if (labels.dims().size() != 1) refuseData(files.labels, "holds images, needed labels", kSwapped);
  if (images.dims()[0] != labels.dims()[0])
    refuseData(files.labels,
               "holds " + counted(labels.dims()[0], "label") + ", needed one for each of the " +
                   counted(images.dims()[0], "image") + " in " + files.images.filename().string(),
               "Get both files from the same place.");
  std::vector<std::int64_t> classes = labelsOf(arrayOf(labels, files.labels));
  return {arrayOf(images, files.images), std::move(classes)};
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
  dataset.understood.push_back("The files are called as EMNIST's, whose pictures lie on their side; they were turned.");
}

std::shared_ptr<Dataset> read(const Path& path, const Reading&, const ReadProgress& progress) {
  if (isFile(path))
    refuseData(path, "is a file of samples or labels alone, needed the folder that holds both", "Name its folder.");
  const std::set<std::string> prefixes = namePrefixes(path);
  const Files files = prefixes.empty() ? anyFiles(path) : usualFiles(path, prefixes);
  auto dataset = std::make_shared<Dataset>();
  dataset->title = titleOf(path);
  dataset->origin = path.string();
  tell(progress, "Reading " + files.train.images.filename().string(), -1);
  Part train = readPart(files.train), test;
  std::optional<Array> testImages;
  if (!files.test.none()) {
    tell(progress, "Reading " + files.test.images.filename().string(), -1);
    test = readPart(files.test);
    testImages = std::move(test.images);
  }
  takeSamples(*dataset, std::move(train.images), std::move(testImages));
  takeClasses(*dataset, train.labels, test.labels, path);
  const bool grey = dataset->shape.isImage() && dataset->shape.c == 1 && !dataset->train.areFloats();
  if (files.prefix.starts_with("emnist") && grey) turnUpright(*dataset);
  return dataset;
}

bool recognises(const Path& path) {
  if (isFile(path)) return looksLikeIdx(headOf(path, 4));
  return !namePrefixes(path).empty() || !idxFilesIn(path).empty();
}

}  // namespace

const ReaderDef& idxReader() {
  static const ReaderDef def{"idx", "folders of IDX files",
                             "Samples and labels as MNIST's files hold them, of any names and any number type, plain "
                             "or .gz; with a test set or without.",
                             recognises, read};
  return def;
}

}  // namespace strata

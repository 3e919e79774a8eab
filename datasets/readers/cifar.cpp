// SPDX-License-Identifier: Apache-2.0
// CIFAR-10 and CIFAR-100 as published in binary: records of a label (CIFAR-100: a coarse one and a fine one) and 32 x
// 32 pixels, all red, all green, all blue. Plain files in a folder, or the archive that they come in.
#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "datasets/readers/content.h"
#include "datasets/readers/own_data.h"
#include "datasets/readers/reader.h"
#include "datasets/readers/tar.h"
#include "engine/base/text.h"

namespace strata {
namespace {

constexpr int kSide = 32, kChannels = 3;
constexpr std::size_t kPlaces = kSide * kSide, kPixels = kPlaces * kChannels;
constexpr std::uint64_t kMostPart = std::uint64_t{1} << 30;  ///< bytes of a part's records
constexpr std::uint64_t kMostNames = 1 << 16;
constexpr char kWayOut[] = "Get the binary version of CIFAR-10 or CIFAR-100, cifar-10-binary.tar.gz.";

struct Kind {
  std::size_t labels;  ///< bytes before the pixels; the last is the class
  int classes;
  std::vector<std::string> train, test;
  const char* names;  ///< the file with the classes' names
};

const std::array<Kind, 2>& kinds() {
  static const std::array<Kind, 2> all{
      Kind{1,
           10,
           {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
           {"test_batch.bin"},
           "batches.meta.txt"},
      Kind{2, 100, {"train.bin"}, {"test.bin"}, "fine_label_names.txt"}};
  return all;
}

bool isOf(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// What has been read, by the names of the files.
struct Files {
  std::map<std::string, std::string> byName;
};

bool isWanted(const std::string& name) {
  return std::any_of(kinds().begin(), kinds().end(), [&](const Kind& kind) {
    return isOf(kind.train, name) || isOf(kind.test, name) || name == kind.names;
  });
}

/// Takes in what is left of the archive's present file, growing with what comes.
std::string contentOf(TarReader& tar, const TarMember& member, const Path& path) {
  const std::uint64_t most = member.name.ends_with(".bin") ? kMostPart : kMostNames;
  if (member.size > most)
    refuseData(path, "claims " + std::to_string(member.size) + " bytes for " + printable(member.name), kWayOut);
  std::string content;
  std::vector<std::uint8_t> chunk(kStreamChunk);
  while (const std::size_t got = tar.read(chunk)) content.append(reinterpret_cast<const char*>(chunk.data()), got);
  return content;
}

Files readArchive(const Path& path, const ReadProgress& progress) {
  const Content content(path);
  TarReader tar(content.open(), path);
  Files files;
  bool python = false;
  while (const auto member = tar.next()) {
    python = python || member->name == "data_batch_1" || member->name == "batches.meta";
    if (!isWanted(member->name)) continue;
    tell(progress, "Reading " + printable(member->name), -1);
    files.byName[member->name] = contentOf(tar, *member, path);
  }
  if (files.byName.empty() && python)
    refuseData(path, "is the version for Python, whose files are pickles, never opened since they can run code",
               kWayOut);
  return files;
}

Files readFolder(const Path& folder, const ReadProgress& progress) {
  Files files;
  for (const Kind& kind : kinds()) {
    std::vector<std::string> names = kind.train;
    names.insert(names.end(), kind.test.begin(), kind.test.end());
    names.emplace_back(kind.names);
    for (const std::string& name : names) {
      std::error_code ignored;
      if (!std::filesystem::is_regular_file(folder / name, ignored)) continue;
      tell(progress, "Reading " + name, -1);
      files.byName[name] = Content(folder / name).readAll(name.ends_with(".bin") ? kMostPart : kMostNames);
    }
    if (!files.byName.empty()) break;  // the other one has a folder of its own
  }
  return files;
}

/// Adds a file's records. Error::Input for a broken one, and for a class that there is not.
void addRecords(const std::string& name, const std::string& content, const Kind& kind, const Path& path,
                Samples& samples) {
  const std::size_t record = kind.labels + kPixels;
  if (content.empty() || content.size() % record != 0)
    refuseData(path,
               name + " is " + std::to_string(content.size()) + " bytes, needed records of " + std::to_string(record) +
                   " bytes each",
               kWayOut);
  const std::size_t count = content.size() / record, before = samples.pixels.size();
  checkRoom(samples.labels.size() + count, kPixels, 1, path);
  samples.pixels.resize(before + count * kPixels);
  for (std::size_t i = 0; i < count; ++i) {
    const auto* from = reinterpret_cast<const std::uint8_t*>(content.data()) + i * record;
    const int label = from[kind.labels - 1];
    if (label >= kind.classes)
      refuseData(path,
                 name + " has the class " + std::to_string(label) + " in record " + std::to_string(i) +
                     ", needed 0 to " + std::to_string(kind.classes - 1),
                 kWayOut);
    samples.labels.push_back(label);
    from += kind.labels;
    std::uint8_t* to = samples.pixels.data() + before + i * kPixels;
    for (std::size_t c = 0; c < kChannels; ++c)
      for (std::size_t p = 0; p < kPlaces; ++p) to[p * kChannels + c] = from[c * kPlaces + p];
  }
  samples.count = static_cast<int>(samples.labels.size());
}

/// The names in the file, a line each; numbers where it is not there or has others than `count`.
std::vector<std::string> classNames(const std::string& text, int count) {
  std::vector<std::string> names{""};
  for (const char c : text) {
    if (c == '\n') names.emplace_back();
    else if (c != '\r') names.back() += c;
  }
  std::erase(names, "");
  for (std::string& name : names) name = printable(name);
  if (std::ssize(names) == count) return names;
  names.clear();
  for (int i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

const std::array<const char*, 2> kFolders{"cifar-10-batches-bin", "cifar-100-binary"};
const std::array<const char*, 2> kArchives{"cifar-10-binary.tar.gz", "cifar-100-binary.tar.gz"};

bool isThere(const Path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

/// A folder with the files in it, or an archive; empty for neither. An archive may lie in the folder that is named.
Path placeOf(const Path& path) {
  if (isThere(path)) {
    const std::string head = headOf(path, 512);
    return head.size() == 512 && head.substr(257, 5) == "ustar" ? path : Path();
  }
  for (const Kind& kind : kinds())
    for (const Path& folder : {path, path / kFolders[0], path / kFolders[1]})
      if (isThere(folder / kind.train.front())) return folder;
  for (const char* archive : kArchives)
    if (isThere(path / archive)) return path / archive;
  return {};
}

std::shared_ptr<Dataset> read(const Path& path, const Reading&, const ReadProgress& progress) {
  const Path place = placeOf(path);
  Files files = isThere(place) ? readArchive(place, progress) : readFolder(place, progress);
  const auto kind = std::find_if(kinds().begin(), kinds().end(),
                                 [&](const Kind& each) { return files.byName.contains(each.train.front()); });
  if (kind == kinds().end()) refuseData(place, "holds neither data_batch_1.bin nor train.bin", kWayOut);
  auto dataset = std::make_shared<Dataset>();
  dataset->title = titleOf(path);
  dataset->origin = place.string();
  dataset->shape = Shape::image(kSide, kSide, kChannels);
  const auto take = [&](const std::vector<std::string>& names, Samples& samples) {
    for (const std::string& name : names) {
      const auto file = files.byName.find(name);
      if (file == files.byName.end()) {
        dataset->warnings.push_back(name + " is missing, so its samples are.");
        continue;
      }
      addRecords(name, file->second, *kind, place, samples);
      file->second = {};
    }
  };
  take(kind->train, dataset->train);
  take(kind->test, dataset->test);
  dataset->classes = classNames(files.byName[kind->names], kind->classes);
  return dataset;
}

bool recognises(const Path& path) { return !placeOf(path).empty(); }

}  // namespace

const ReaderDef& cifarReader() {
  static const ReaderDef def{"cifar", "CIFAR-10 and CIFAR-100 in binary",
                             "The folder with data_batch_1.bin or train.bin, or the .tar.gz as published.", recognises,
                             read};
  return def;
}

}  // namespace strata

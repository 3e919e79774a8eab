// SPDX-License-Identifier: Apache-2.0
// A kind of data that a person may have, and how it becomes a Dataset. Each reader is a row of a table
// (datasets/readers.h) and has a file of its own. To add one: that file, its line here and in readers.cpp.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "engine/base/file.h"
#include "engine/data/dataset.h"
#include "engine/data/reading.h"

namespace strata {

/// Called now and then with what is being done; `fraction` < 0 when unknown. Returns false to stop.
using ReadProgress = std::function<bool(const std::string& what, double fraction)>;

/// Thrown by a reader that was told to stop.
struct ReadingStopped {};

/// Tells of progress, and throws ReadingStopped.
inline void tell(const ReadProgress& progress, const std::string& what, double fraction) {
  if (progress && !progress(what, fraction)) throw ReadingStopped();
}

struct ReaderDef {
  std::string id;     ///< "idx"
  std::string title;  ///< "IDX files": the plural of what it reads
  std::string help;   ///< a sentence: what is read, and how it is to lie
  /// A quick look at a file or folder that is there, at the first bytes of a few files at most. Never throws for what
  /// it does not know.
  bool (*recognises)(const Path& path);
  /// The data, but for id, framing and ink. Whatever may be wrong with them is Error::Input, in one sentence that
  /// names the file; nothing is allocated that the files do not justify. Error::File, ReadingStopped.
  std::shared_ptr<Dataset> (*read)(const Path& path, const Reading& reading, const ReadProgress& progress);
};

const ReaderDef& idxReader();
const ReaderDef& imageFolderReader();
const ReaderDef& tableReader();
const ReaderDef& numpyReader();
const ReaderDef& cifarReader();

}  // namespace strata
